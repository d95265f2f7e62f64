"""What operators change and backends run: tensors, stages, exits, and pipelines of stages.

Tensors are named across the whole pipeline. A stage reads some and writes some, so what must
cross a cut follows from the names alone: what was there before it and is read after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensors = Mapping[str, "NDArray[Any]"]
"""Arrays by tensor name, the first axis of each being the batch."""

ITEM_BYTES: Mapping[str, int] = MappingProxyType(
    {"bool": 1, "float16": 2, "float32": 4, "float64": 8}
    | {f"{sign}int{bits}": bits // 8 for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""The element types that may cross from one stage to another, by numpy's names, and their sizes."""


def pick_sample(tensors: Tensors, place: int) -> dict[str, NDArray[Any]]:
    """Return the tensors of one sample of a batch, as a batch of one."""
    return {name: tensor[place : place + 1] for name, tensor in tensors.items()}


def join_batches(batches: Sequence[Tensors]) -> dict[str, NDArray[Any]]:
    """Join batches with the same tensors into one."""
    import numpy as np

    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def as_tuple(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values as a tuple: the type checkers take `tuple` itself amiss as a converter."""
    return tuple(values)


def _known_dtype(_: object, __: object, value: str) -> None:
    if value not in ITEM_BYTES:
        raise ValueError(f"dtype must be one of {', '.join(sorted(ITEM_BYTES))}, not {value!r}")


@attrs.frozen(kw_only=True)
class TensorSpec:
    """One tensor that a stage reads or writes."""

    name: str = attrs.field(validator=attrs.validators.min_len(1))
    """Its name across the whole pipeline."""
    dtype: str = attrs.field(validator=_known_dtype)
    """Its element type, by numpy's name."""
    shape: tuple[int | str, ...] = attrs.field(converter=as_tuple)
    """Its dimensions: a number, or a word for one that is known only at run time (`batch`)."""
    port: str = ""
    """What the stage's own file calls it; the pipeline's name if empty."""

    @property
    def inside(self) -> str:
        """The name of this tensor inside the stage's own file."""
        return self.port or self.name


@attrs.frozen(kw_only=True)
class Exit:
    """Where a sample may leave the pipeline early.

    The host decides after the stage has run, for each sample of a batch: where *condition* is at
    least *threshold*, the tensors named in *answer* stand for the pipeline's outputs, in their
    order; nothing after the stage runs for that sample and nothing of it is sent.
    """

    condition: str
    """A tensor that the stage writes, of shape (batch,) or (batch, 1)."""
    answer: tuple[str, ...] = attrs.field(converter=as_tuple, validator=attrs.validators.min_len(1))
    """The tensors that stand for the pipeline's outputs, one for each, in order."""
    threshold: float
    """The least value of the condition at which a sample leaves."""


@attrs.frozen(kw_only=True)
class State:
    """What a stage is fed of what it wrote for the request before: zeros for the first."""

    read: TensorSpec
    """The tensor that it reads, in the stage's own file; a word in its shape is the batch."""
    written: str
    """What it wrote for the request before, by the name in that file."""


@attrs.frozen(kw_only=True)
class Edit:
    """One change an operator made to a stage that cannot be had by loading weights alone.

    A stage whose modules were removed or added is rebuilt by building its model and replaying its
    edits in order (`Operator.replay`); only then do its saved weights fit.
    """

    operator: str
    arguments: str = "{}"
    """What the operator needs to do it again, as one JSON object."""

    @property
    def values(self) -> dict[str, Any]:
        """The arguments, parsed."""
        return dict(json.loads(self.arguments))


def _specs_distinct(_: object, field: attrs.Attribute[Any], value: tuple[TensorSpec, ...]) -> None:
    names = [spec.name for spec in value]
    if len(set(names)) != len(names):
        raise ValueError(f"{field.name} of a stage must have distinct names, not {names}")


@attrs.frozen(kw_only=True)
class Stage:
    """The smallest unit that a backend opens: files of one format, or the live object they hold.

    While operators work, in one process, `live` may hold a framework's own object; what is kept
    and what crosses a process is always `directory`, written and read by the stage's format.
    """

    format: str
    """The name of the format in which it is kept."""
    inputs: tuple[TensorSpec, ...] = attrs.field(converter=as_tuple, validator=_specs_distinct)
    outputs: tuple[TensorSpec, ...] = attrs.field(converter=as_tuple, validator=_specs_distinct)
    files: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """Its files relative to `directory`, the one to open first."""
    directory: Path | None = None
    """Where its files lie; None while it exists only as a live object."""
    live: Any = attrs.field(default=None, eq=False, repr=False)
    """The framework's object that the files hold; None until its format has loaded it."""
    exit: Exit | None = None
    states: tuple[State, ...] = attrs.field(default=(), converter=as_tuple)
    """What its session keeps from request to request; neither among its inputs nor outputs."""
    edits: tuple[Edit, ...] = attrs.field(default=(), converter=as_tuple)
    """What was done to it since its model was built, in order."""
    model: str = ""
    """The model whose `build` made it; empty for a stage that is not rebuilt from one."""
    variant: str = ""
    configuration: str = ""
    """What its model is made again from, where that is a user's file: `Model.configured` reads it.
    """
    parameters: int | None = None
    """Number of trained values, where known."""
    operations: int | None = None
    """Multiply-accumulate operations a sample, where known."""
    precision: str = "f32"
    """What its arithmetic is kept in: `f32`, `int8`, ..."""

    @property
    def file(self) -> Path:
        """The path of the file to open; an error if the stage was not written yet."""
        if self.directory is None or not self.files:
            raise ValueError(f"this stage of format {self.format!r} has no files yet")
        return self.directory / self.files[0]

    @property
    def size(self) -> int | None:
        """The bytes of its files together; None while it exists only as a live object."""
        if self.directory is None:
            return None
        return sum((self.directory / name).stat().st_size for name in self.files)

    def changed(self, live: Any, **changes: Any) -> Stage:
        """Return this stage with another live object; its files, now out of date, are let go."""
        return attrs.evolve(self, live=live, files=(), directory=None, **changes)


@attrs.frozen(kw_only=True)
class Pipeline:
    """Stages in order, with the cuts at which the next may run on another tier."""

    model: str
    variant: str
    stages: tuple[Stage, ...] = attrs.field(
        converter=as_tuple, validator=attrs.validators.min_len(1)
    )
    outputs: tuple[str, ...] = attrs.field(
        converter=as_tuple, validator=attrs.validators.min_len(1)
    )
    """The tensors that are the answer, in order."""
    cuts: tuple[int, ...] = attrs.field(default=(), converter=as_tuple)
    """A cut lies before each stage numbered here; rising, never 0."""
    resources: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    """What handling a request needs beside the stages (a tokenizer), by the names of the files in
    which it is kept."""
    classes: int | None = None
    """The axis of the first output along which the largest value is the answer, the samples being
    axis 0; 0 where there is none, None where that follows from its dimensions."""
    doubts: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """What was noticed while it was prepared that speaks against its figures, a clause each."""

    def __attrs_post_init__(self) -> None:
        """Refuse cuts out of place and tensors that nothing writes."""
        if list(self.cuts) != sorted(set(self.cuts)) or any(
            not 0 < cut < len(self.stages) for cut in self.cuts
        ):
            raise ValueError(
                f"cuts must rise between 1 and {len(self.stages) - 1}, not {self.cuts}"
            )
        written = {spec.name for stage in self.stages for spec in stage.outputs}
        if lost := [name for name in self.outputs if name not in written]:
            raise ValueError(f"no stage writes the output {lost[0]!r}")
        for stage in self.stages:
            leaves = stage.exit
            if leaves is not None and len(leaves.answer) != len(self.outputs):
                raise ValueError(
                    f"an exit must answer all {len(self.outputs)} outputs of the pipeline, "
                    f"not {len(leaves.answer)}"
                )

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What must be given: read by some stage, and written by none before it."""
        written: set[str] = set()
        given: dict[str, TensorSpec] = {}
        for stage in self.stages:
            for spec in stage.inputs:
                if spec.name not in written:
                    given.setdefault(spec.name, spec)
            written.update(spec.name for spec in stage.outputs)
        return tuple(given.values())

    @property
    def pieces(self) -> tuple[range, ...]:
        """The numbers of the stages that each host runs, in order."""
        bounds = (0, *self.cuts, len(self.stages))
        return tuple(range(low, high) for low, high in pairwise(bounds))

    def crossing(self, before: int) -> tuple[str, ...]:
        """Return the names of the tensors that must be carried to stage number *before*.

        They were given or written before it and are read at or after it, or are outputs. A tensor
        that only passes through is among them.
        """
        present = [spec.name for spec in self.inputs]
        for stage in self.stages[:before]:
            present += [spec.name for spec in stage.outputs if spec.name not in present]
        wanted = set(self.outputs)
        for stage in self.stages[before:]:
            wanted.update(spec.name for spec in stage.inputs)
        return tuple(name for name in present if name in wanted)

    def replaced(self, stages: Sequence[Stage], cuts: Sequence[int] | None = None) -> Pipeline:
        """Return this pipeline with other stages, and other cuts where given."""
        return attrs.evolve(self, stages=tuple(stages), cuts=self.cuts if cuts is None else cuts)


@attrs.frozen(kw_only=True)
class Profile:
    """How long one host takes over each stage of a pipeline, for one sample, in seconds.

    As slow as the host is or claims to be: what is emulated is part of it.
    """

    stages: tuple[float, ...] = attrs.field(converter=as_tuple)
    """The median time of each stage's inference, all samples going through all stages."""
    nodes: tuple[Mapping[str, float], ...] = attrs.field(converter=as_tuple)
    """For each stage the time by node, by the names in its file; together at most the stage's time.
    Of nodes that a runtime runs as one, one is named; those that take no time are left out."""
    no_nodes: str = ""
    """Why there are no times by node, where there are none: what its backend does not give."""
    sizes: Mapping[str, int] = attrs.field(factory=dict)
    """Of the inputs that it was measured with the sizes that shapes leave open, by their names."""
    request_bytes: int | None = None
    """The mean of the requests that its inputs came from; None where they were made up."""
    preprocess_s: float = 0.0
    """The median time of making the tensors of one request, decoding included."""
    doubts: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    """What speaks against the times, a clause each: a doubt of each case that is given them."""
