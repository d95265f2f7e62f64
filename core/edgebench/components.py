"""The records that hooks yield: one frozen record a hook.

A record has a `name`, a one-sentence `summary`, and callables that do the heavy work later; its
name, its summary and its main callable are all that it requires. Nothing here imports a framework,
and no callable is called while parts are being listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from edgebench.pipeline import Pipeline, Stage, Tensors, as_tuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Backend",
    "Budget",
    "Component",
    "Context",
    "Converter",
    "Dataset",
    "ExitPoint",
    "Fabric",
    "Format",
    "Host",
    "HostFacts",
    "Link",
    "Metric",
    "Model",
    "NoOptions",
    "Operator",
    "Placement",
    "Quantization",
    "Reporter",
    "Running",
    "Sample",
    "Session",
    "Split",
    "Tier",
    "Trainer",
    "Usable",
    "Variant",
    "Weights",
]

NAME = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
NEEDS = frozenset(
    ["calibration", "training", "validation", "placement", "links", "profile", "target"]
)
SPLITS = ("training", "calibration", "validation", "test")

Sample = tuple[bytes, Any]
"""One input in its wire form, and its answer (a number, a text, or an array)."""
Usable = bool | str
"""True, or one clause that says why not (`needs a GPU`)."""


def _slug(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{field.name} must be lower-case words joined by '-', not {value!r}")


def _sentence(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise ValueError(f"{field.name} must be one line of text, not {value!r}")


def _callable(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        raise ValueError(f"{field.name} must be callable, not {value!r}")


def _known_needs(_: object, field: attrs.Attribute[Any], value: frozenset[str]) -> None:
    if strange := sorted(value - NEEDS):
        known = ", ".join(sorted(NEEDS))
        raise ValueError(f"{field.name} may be any of {known}, not {strange[0]!r}")


def _options_class(_: object, field: attrs.Attribute[Any], value: type) -> None:
    if not attrs.has(value):
        raise ValueError(f"{field.name} must be an attrs class, not {value!r}")


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ValueError(f"a sequence of names is needed, not the text {value!r}")
    return tuple(value)


def _text_set(value: Iterable[str]) -> frozenset[str]:
    return frozenset(_texts(value))


@attrs.frozen(kw_only=True)
class NoOptions:
    """The options of a part that takes none."""


@attrs.frozen(kw_only=True)
class Component:
    """What every record has."""

    name: str = attrs.field(validator=_slug)
    summary: str = attrs.field(validator=_sentence)


# --- what is measured ----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Weights:
    """Where the weights of a variant come from: a named choice, recorded in every result."""

    kind: str = "own"
    """`own` (what `build` brings along), `trained` (here, on the dataset), `random`, `file` or
    `hub`."""
    path: Path | None = None
    """The file, for the kind `file`."""
    seed: int = 0
    """What random or freshly trained weights are initialised with."""

    @property
    def label(self) -> str:
        """How results name it: the kind, and the file where there is one."""
        return f"{self.kind}:{self.path}" if self.path else self.kind


@attrs.frozen(kw_only=True)
class ExitPoint:
    """A place in a model where an operator may attach an exit head."""

    path: str
    """The module after which the head is attached."""
    summary: str = ""


@attrs.frozen(kw_only=True)
class Variant:
    """One size of a model."""

    name: str = attrs.field(validator=_slug)
    summary: str = ""
    parameters: int | None = None
    """Number of trained values; a test of the model holds it true."""
    weights: tuple[str, ...] = attrs.field(default=("own",), converter=_texts)
    """The kinds of weights to choose from, the default first."""
    dataset: str = ""
    """The dataset of this variant, where it is not the model's."""
    student: str = ""
    """The variant that a distillation trains in its place."""
    exits: tuple[ExitPoint, ...] = attrs.field(default=(), converter=as_tuple)
    keep: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """Modules that pruning must leave alone."""


@attrs.frozen(kw_only=True)
class Budget:
    """How much training may cost, and how it goes about it."""

    epochs: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    seconds: float | None = None
    """Stop after the epoch in which this time has passed; None for no bound."""
    batch: int = attrs.field(default=32, validator=attrs.validators.ge(1))
    learning_rate: float = attrs.field(default=1e-3, validator=attrs.validators.gt(0))
    patience: int = 5
    """Epochs without a better validation loss after which training stops."""


def _answer_as_json(outputs: Any) -> bytes:
    """Encode scores of shape (classes,) as the winning class and its score."""
    import json

    import numpy as np

    scores = np.asarray(outputs, dtype=float).ravel()
    best = int(scores.argmax())
    return json.dumps({"class": best, "score": round(float(scores[best]), 6)}).encode()


def _arrays_from_numpy(payload: bytes, variant: str) -> Any:
    """Read a payload in numpy's `.npy` form (one array) or `.npz` form (arrays by name)."""
    import io

    import numpy as np

    loaded = np.load(io.BytesIO(payload), allow_pickle=False)
    return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def _arrays_as_inputs(decoded: Any, variant: str) -> Tensors:
    arrays = decoded if isinstance(decoded, dict) else {"input": decoded}
    return {name: array[None] for name, array in arrays.items()}


def _first_output(outputs: Tensors, variant: str) -> Any:
    return next(iter(outputs.values()))[0]


@attrs.frozen(kw_only=True)
class Model(Component):
    """A subject under study: how it is built, and how its requests and answers travel.

    The callables that handle a request run on the tier that holds the first or the last stage;
    they are timed, and may import numpy or an image library but no framework.
    """

    build: Callable[[str, Weights], Pipeline] = attrs.field(validator=_callable)
    """Build one stage for a variant, its `live` object set. For weights of the kind `trained` it
    initialises them with `weights.seed`, and the core trains them through the trainer."""
    variants: tuple[Variant, ...] = attrs.field(
        default=(Variant(name="default"),),
        converter=as_tuple,
        validator=attrs.validators.min_len(1),
    )
    """Its sizes, the default first."""
    dataset: str = ""
    """The dataset it is measured on."""
    format: str = ""
    """The format of the stage that `build` makes; planning checks chains against it."""
    decode: Callable[[bytes, str], Any] = attrs.field(
        default=_arrays_from_numpy, validator=_callable
    )
    """From the wire form of a request to a picture, a text, ...; timed as `decode`."""
    preprocess: Callable[[Any, str], Tensors] = attrs.field(
        default=_arrays_as_inputs, validator=_callable
    )
    """From what `decode` gave to the tensors of a batch of one; timed as `preprocess`."""
    postprocess: Callable[[Tensors, str], Any] = attrs.field(
        default=_first_output, validator=_callable
    )
    """From the outputs for one sample (batch axis kept, of size 1) to its prediction, in the form
    that the dataset's metrics take; timed as `postprocess`."""
    encode: Callable[[Any], bytes] = attrs.field(default=_answer_as_json, validator=_callable)
    """From a prediction to the wire form of the answer; timed with `postprocess`."""
    loss: Callable[[Any, Any], Any] | None = None
    """For training: from the outputs by name and the answers, both the trainer's own kind of
    tensor with the batch first, to a scalar to minimise. None where it cannot be trained."""
    budget: Budget = Budget()
    """What training it from nothing may cost."""
    files: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """Patterns of the files it claims (`*.ext`), for a model that is a file."""
    from_file: Callable[[Path], Pipeline] | None = None
    """Build the pipeline of such a file."""

    def variant(self, name: str) -> Variant:
        """Return the variant called *name*; the first for an empty name.

        Raises:
            UnknownName: It has no variant of that name.
        """
        from edgebench.errors import UnknownName

        for variant in self.variants:
            if name in ("", variant.name):
                return variant
        raise UnknownName.among(f"variant of {self.name}", name, [v.name for v in self.variants])

    def dataset_of(self, variant: str) -> str:
        """Return the name of the dataset that *variant* is measured on; empty if none."""
        return self.variant(variant).dataset or self.dataset


@attrs.frozen(kw_only=True)
class Metric:
    """A figure of merit as counts that add up: nothing but the counts is held in memory.

    Each sample gives a short vector of counts; the figure is a function of their sum. So a metric
    can be accumulated in any order, merged, and resampled for a bootstrap interval.
    """

    name: str = attrs.field(validator=_slug)
    count: Callable[[Any, Any], Sequence[float]] = attrs.field(validator=_callable)
    """From one prediction and its answer to the counts, always equally many."""
    value: Callable[[NDArray[Any]], float] = attrs.field(validator=_callable)
    """From the summed counts, shape (k,), to the figure, 0 to 1."""


@attrs.frozen(kw_only=True)
class Dataset(Component):
    """Inputs with answers, in named splits that share no payload."""

    samples: Callable[[str, int], Iterable[Sample]] = attrs.field(validator=_callable)
    """Yield the samples of a split (`training`, `calibration`, `validation`, `test`) in a fixed
    order, made with a seed; nothing for a split that it does not have."""
    metrics: Callable[[], Sequence[Metric]] = attrs.field(default=tuple, validator=_callable)
    """The figures of merit, the one that decides first."""
    generated: bool = False
    """Whether samples are computed rather than read: then they are made once and kept."""
    synthetic: bool = False
    """Whether the inputs themselves are invented; reports say so."""


# --- what is changed -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Quantization:
    """What kind of quantized graph a backend runs fast; quantizers that name `target` follow it."""

    activation: str = attrs.field(
        default="uint8", validator=attrs.validators.in_(["uint8", "int8"])
    )
    symmetric_activation: bool = False
    weight: str = attrs.field(default="int8", validator=attrs.validators.in_(["uint8", "int8"]))
    per_channel: bool = True


class Split(Protocol):
    """The preprocessed samples of one split, in order; may be iterated many times."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __iter__(self) -> Iterator[tuple[Tensors, Any]]:
        """Yield the tensors of a batch of one, and the answer."""
        ...


@attrs.frozen(kw_only=True)
class Link:
    """The network between two tiers, the same both ways."""

    between: tuple[str, str] = attrs.field(converter=as_tuple)
    rate: float = attrs.field(validator=attrs.validators.gt(0))
    """Payload goodput in bit/s."""
    delay: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))
    """Added one-way delay in seconds."""
    source: str = ""
    """Where the figures come from."""

    def joins(self, one: str, other: str) -> bool:
        """Say whether this is the link between the two tiers, in either direction."""
        return {one, other} == set(self.between)


@attrs.frozen
class Placement:
    """Which tiers run the pieces, in order; written `mobile-edge`."""

    tiers: tuple[str, ...] = attrs.field(converter=as_tuple, validator=attrs.validators.min_len(1))

    def __str__(self) -> str:
        """Return how it is written."""
        return "-".join(self.tiers)


class Context(Protocol):
    """What an operator is given beside the pipeline: only what it declared in `needs`.

    Everything here raises `ChainError` when the operator did not declare the need for it.
    """

    @property
    def options(self) -> Any:
        """Its options, an instance of its own options class."""
        ...

    @property
    def seed(self) -> int:
        """A number derived from the run's seed and the operator's name."""
        ...

    @property
    def placement(self) -> Placement:
        """The placement of the case; needs `placement`."""
        ...

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between the tiers of the placement, in order; needs `links`."""
        ...

    @property
    def target(self) -> Quantization:
        """What the backend that will run the pipeline prefers; needs `target`."""
        ...

    def inputs(self, split: str) -> Split:
        """Return a split, preprocessed; needs the split of that name. Never the test split."""
        ...

    def live(self, stage: Stage) -> Stage:
        """Return the stage with its `live` object loaded by its format."""
        ...

    def fit(
        self, stage: Stage, *, budget: Budget | None = None, teacher: Stage | None = None
    ) -> Stage:
        """Train a stage with the trainer of its format and its model's loss; needs `training`."""
        ...

    def run(self, pipeline: Pipeline, inputs: Tensors) -> Tensors:
        """Run a pipeline here, on any backend that reads its formats, and return its outputs."""
        ...

    def score(self, pipeline: Pipeline, split: str) -> Mapping[str, float]:
        """Return the dataset's figures of merit for a pipeline on a split that was declared."""
        ...

    def prepared(self, model: str, chain: str) -> Pipeline:
        """Return a second prepared pipeline, one that the operator's `companions` announced."""
        ...

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Say how far long work has come."""
        ...


def _nothing_cut(options: Any) -> int:
    return 0


def _no_companions(options: Any, model: str, variant: str) -> Sequence[tuple[str, str]]:
    return ()


def _accept_all(pipeline: Pipeline) -> Usable:
    return True


@attrs.frozen(kw_only=True)
class Operator(Component):
    """A change made to a pipeline in order to deploy it."""

    apply: Callable[[Pipeline, Context], Pipeline] = attrs.field(validator=_callable)
    """Return the changed pipeline; the one given stays as it was."""
    options: type = attrs.field(default=NoOptions, validator=_options_class)
    """An attrs class whose fields are the options, each with a default."""
    needs: frozenset[str] = attrs.field(
        default=frozenset(), converter=_text_set, validator=_known_needs
    )
    """Which of calibration, training, validation, placement, links, profile, target it uses."""
    reads: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """The formats it can change, the preferred first; empty for any. Stages in other formats are
    converted before."""
    writes: str = ""
    """The format of the stages it gives; empty for the one it was given."""
    cuts: Callable[[Any], int] = attrs.field(default=_nothing_cut, validator=_callable)
    """From its options to the number of cuts it adds."""
    companions: Callable[[Any, str, str], Sequence[tuple[str, str]]] = attrs.field(
        default=_no_companions, validator=_callable
    )
    """From its options, a model and a variant to the (model:variant, chain) pairs that it will ask
    the context for; they are prepared first and join the key."""
    accepts: Callable[[Pipeline], Usable] = attrs.field(default=_accept_all, validator=_callable)
    """Whether it can be applied to a pipeline, or one clause that says why not."""
    replay: Callable[[Any, Mapping[str, Any]], Any] | None = None
    """Make one of its recorded edits again: from a live object and the edit's arguments to the
    changed live object."""


@attrs.frozen(kw_only=True)
class Format(Component):
    """How a stage is kept, without pickle."""

    save: Callable[[Stage, Path], Sequence[str]] = attrs.field(validator=_callable)
    """Write the stage's live object into an empty directory; return the file names, the one to
    open first."""
    load: Callable[[Stage, Callable[[], Any]], Any] = attrs.field(validator=_callable)
    """From a stage with files to its live object. The second argument, called, builds the stage's
    model with random weights and replays its edits, for formats that keep only weights."""
    keeps: str = ""
    """What it keeps, for people."""


@attrs.frozen(kw_only=True)
class Converter(Component):
    """A way from one format to another."""

    source: str = attrs.field(validator=_slug)
    target: str = attrs.field(validator=_slug)
    convert: Callable[[Stage, Tensors], Stage] = attrs.field(validator=_callable)
    """From a stage with its live object, and a batch of real inputs for it, to the same stage in
    the other format. It checks what it made on those inputs, and raises if it differs."""


@attrs.frozen(kw_only=True)
class Trainer(Component):
    """What can train stages of one format."""

    format: str = attrs.field(validator=_slug)
    fit: Callable[..., Stage] = attrs.field(validator=_callable)
    """`fit(stage, loss, training, validation, budget, seed, progress, teacher=None)`: train a
    stage with its live object on two `Split`s, stop early on the validation loss, and return the
    stage with the best weights seen. `progress(done, total, what)` is called once an epoch;
    `teacher` is a second live stage for a trainer that distils."""


# --- where and with what it runs -----------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Tier(Component):
    """A class of machine: facts only."""

    cpus: int = attrs.field(validator=attrs.validators.ge(1))
    memory: int = attrs.field(validator=attrs.validators.gt(0))
    """Bytes."""
    accelerator: str = ""
    source: str = ""
    """Where the facts come from."""


@attrs.frozen(kw_only=True)
class HostFacts:
    """What a host says of itself when a backend is asked whether it is usable there."""

    tier: str
    cpus: int
    memory: int
    """Bytes."""
    accelerator: str = ""
    system: str = ""
    architecture: str = ""


class Session(Protocol):
    """A stage loaded by a backend, ready to run; one on another machine has the same face."""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the stage on a batch; names are those in the stage's file (`TensorSpec.inside`)."""
        ...


def _only_cpu() -> Sequence[str]:
    return ("cpu",)


def _usable_anywhere(facts: HostFacts, device: str) -> Usable:
    return True


def _no_versions() -> Mapping[str, str]:
    return {}


def _single_precision(options: Any) -> str:
    return "f32"


@attrs.frozen(kw_only=True)
class Backend(Component):
    """A runtime: the whole contract of a vendor is this record and `Session`."""

    open: Callable[[Stage, str, int, Any], AbstractContextManager[Session]] = attrs.field(
        validator=_callable
    )
    """`open(stage, device, threads, options)`: load a stage for a device, on so many threads."""
    formats: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    """The formats it opens, the preferred first."""
    devices: Callable[[], Sequence[str]] = attrs.field(default=_only_cpu, validator=_callable)
    """The devices of the machine it is called on, the default first."""
    usable: Callable[[HostFacts, str], Usable] = attrs.field(
        default=_usable_anywhere, validator=_callable
    )
    """Whether it runs on such a host and device, or why not; asked in a process of its own."""
    compile: Callable[[Stage, str, int, Any, Path], Stage] | None = None
    """`compile(stage, device, threads, options, directory)`: make, once and on the host, a stage
    whose files lie in *directory* and which `open` takes; timed as `compile`."""
    options: type = attrs.field(default=NoOptions, validator=_options_class)
    quantization: Quantization = Quantization()
    precision: Callable[[Any], str] = attrs.field(default=_single_precision, validator=_callable)
    """From its options to the precision in which it computes what a stage keeps as `f32`."""
    versions: Callable[[], Mapping[str, str]] = attrs.field(
        default=_no_versions, validator=_callable
    )
    """The versions of what it runs with, by name; may import the framework."""


class Running(Protocol):
    """A process on a host."""

    @property
    def pid(self) -> int:
        """Its process id on this machine, which the controller waits on and kills."""
        ...

    @property
    def log(self) -> Path:
        """The file that holds what it printed."""
        ...


class Host(Protocol):
    """One running machine of a tier: the same face for a process, a container, a device."""

    @property
    def tier(self) -> Tier:
        """The tier whose machine it is."""
        ...

    @property
    def threads(self) -> int:
        """How many threads its stages may use."""
        ...

    @property
    def slowdown(self) -> float:
        """How many times slower than this machine it pretends to be: 1 for none. Emulated."""
        ...

    @property
    def paced(self) -> bool:
        """Whether the ends of its links must pace them in user space."""
        ...

    @property
    def enforced(self) -> Mapping[str, str]:
        """How `cpu`, `memory`, `bandwidth` and `delay` are enforced, in words for a report."""
        ...

    def facts(self) -> HostFacts:
        """Say what this host is."""
        ...

    def put(self, directory: Path) -> Path:
        """Bring an artifact to the host, and return where it lies there."""
        ...

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Running:
        """Start a process on the host, in a process group of its own."""
        ...


@attrs.frozen(kw_only=True)
class Fabric(Component):
    """What makes tiers and links real."""

    open: Callable[[Sequence[Tier], Sequence[Link]], AbstractContextManager[Mapping[str, Host]]] = (
        attrs.field(validator=_callable)
    )
    """From the tiers of a route, in order, and the links between them to running hosts by tier."""
    usable: Callable[[], Usable] = attrs.field(default=lambda: True, validator=_callable)
    """Whether it works on this machine, or why not; asked before a run."""
    enforces: Mapping[str, str] = attrs.field(factory=dict)
    """How it enforces `cpu`, `memory`, `bandwidth` and `delay`, for people."""


@attrs.frozen(kw_only=True)
class Reporter(Component):
    """A way to lay out the results of a run."""

    render: Callable[..., Any] = attrs.field(validator=_callable)
    """From a `RunResults` to something to print, or a text to write to a file."""
