"""What is measured: models, their variants and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import UnknownName
from edgebench.parts.part import NoOptions, Part, is_callable, is_slug, options_class, texts
from edgebench.parts.pipeline import Pipeline, Tensors, as_tuple
from edgebench.parts.plain import encode_plainly, pick_first_output, read_arrays, take_arrays


@attrs.frozen(kw_only=True)
class Weights:
    """Where the weights of a variant come from: a named choice, recorded in every result."""

    kind: str = "own"
    """`own` (what `build` brings along), `trained` (here, on the dataset), `random`, `file` or
    `hub`."""
    path: Path | None = None
    """The file or the directory to load, for the kinds `file` and `hub`."""
    seed: int = 0
    """What random or freshly trained weights are initialised with."""

    @property
    def brought(self) -> bool:
        """Whether they lie in files: the user's own, or pinned ones from elsewhere."""
        return self.path is not None or self.kind == "hub"

    @property
    def label(self) -> str:
        """How results name it: the kind, and the file where there is one."""
        return f"{self.kind}:{self.path}" if self.kind == "file" and self.path else self.kind


@attrs.frozen(kw_only=True)
class Look:
    """What a look at a user's own file or directory shows of a model before it is built."""

    most: int | None = None
    """Samples that a request may hold; None for any number, or where the look does not tell."""
    already: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """What it is that an operator would make of it, in the words of that operator's `once`."""
    configuration: str = ""
    """What its stage will have as `Stage.configuration`."""
    understood: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """What was understood of the user's data, in lines for people: `Dataset.look` says it."""


@attrs.frozen(kw_only=True)
class ExitPoint:
    """A place in a model where an operator may attach an exit head."""

    path: str
    """The module after which the head is attached."""
    summary: str = ""
    head: Callable[[], Any] | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_callable)
    )
    """Make a fresh, untrained module of the model's framework: from what the module at `path`
    writes for a batch to the model's output. None where nobody has made one."""
    skips: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """The modules that an exit for every sample leaves out: with the identity of its first argument
    in place of each, the model's own head follows `path`. Empty where the shapes do not fit."""


@attrs.frozen(kw_only=True)
class Attention:
    """Heads side by side in one module, of which an operator may take some out.

    Each has an equal share, in one piece, of what every projection writes.
    """

    path: str
    """The module that holds the projections, and that is told the number of its heads."""
    heads: int = attrs.field(validator=attrs.validators.ge(1))
    """How many heads the model has there as it is built."""
    projections: tuple[str, ...] = attrs.field(default=("query", "key", "value"), converter=texts)
    """The layers that the heads share out among them, below `path`; one where they are fused."""
    counts: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """The attributes of the module that hold the number of its heads."""
    widths: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """Those that hold the values of all heads together."""


@attrs.frozen(kw_only=True)
class Variant:
    """One size of a model."""

    name: str = attrs.field(validator=is_slug)
    summary: str = ""
    parameters: int | None = None
    """Number of trained values; a case that counts another number doubts it."""
    weights: tuple[str, ...] = attrs.field(default=("own",), converter=texts)
    """The kinds of weights to choose from, the default first."""
    asset: str = ""
    """The row of the registry's `[assets]` that holds its weights of the kind `hub`."""
    dataset: str = ""
    """The dataset of this variant, where it is not the model's."""
    datasets: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """Others that it can be measured on, where the user gives them (`--data NAME=DIR`)."""
    stand_in: str = ""
    """A dataset of the same wire form, whose inputs serve for latency and agreement where its own
    is not given: its answers mean nothing to this variant, so it has no accuracy then."""
    student: str = ""
    """The variant that a distillation trains in its place. Of a model that is a file it is made of
    the same file, which is given the variant's name as its option `student`."""
    exits: tuple[ExitPoint, ...] = attrs.field(default=(), converter=as_tuple)
    keep: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """Modules that pruning must leave alone."""
    attention: tuple[Attention, ...] = attrs.field(default=(), converter=as_tuple)
    """Where it has heads of attention. Without it pruning makes no fewer of them."""


@attrs.frozen(kw_only=True)
class Budget:
    """How much training may cost, and how it goes about it."""

    epochs: int = attrs.field(default=10, validator=attrs.validators.ge(1))
    seconds: float | None = None
    """Stop after the epoch in which this time has passed; None for no bound."""
    batch: int = attrs.field(default=32, validator=attrs.validators.ge(1))
    learning_rate: float = attrs.field(default=1e-3, validator=attrs.validators.gt(0))
    patience: int = 5
    """Epochs without a better validation loss after which training stops, once it is half way."""


@attrs.frozen(kw_only=True)
class Model(Part):
    """A subject under study: how it is built, and how its requests and answers travel.

    The callables that handle a request run on the tier that holds the first or the last stage;
    they are timed, and may import numpy or an image library but no framework.
    """

    build: Callable[[str, Weights], Pipeline] = attrs.field(validator=is_callable)
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
    decode: Callable[[bytes, str], Any] = attrs.field(default=read_arrays, validator=is_callable)
    """From the wire form of a request to a picture, a text, ...; timed as `decode`."""
    preprocess: Callable[[Any, str], Tensors] = attrs.field(
        default=take_arrays, validator=is_callable
    )
    """From what `decode` gave to the tensors of a batch of one; timed as `preprocess`."""
    shortens: Callable[[Any, str], bool] | None = None
    """Whether of what `decode` gave something is cut off before it is in the tensors. It is asked
    of some requests before they are measured, and results say of how many. None where nothing is.
    """
    postprocess: Callable[[Tensors, str], Any] = attrs.field(
        default=pick_first_output, validator=is_callable
    )
    """From the outputs for one sample (batch axis kept, of size 1) to its prediction, in the form
    that the dataset's metrics take; timed as `postprocess`."""
    encode: Callable[[Any], bytes] = attrs.field(default=encode_plainly, validator=is_callable)
    """From a prediction to the wire form of the answer; timed with `postprocess`."""
    loss: Callable[[Any, Any], Any] | None = None
    """For training: from the outputs by name and the answers, both the trainer's own kind of
    tensor with the batch first, to a scalar to minimise. None where it cannot be trained."""
    budget: Budget = Budget()
    """What training it from nothing may cost."""
    bind: Callable[[Model, str, Mapping[str, bytes]], Model] | None = None
    """From the record, a variant and the `resources` of a pipeline to the record whose callables
    use them (preprocessing with the tokenizer kept there); called once where it is opened."""
    files: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """Patterns of the files it claims (`*.ext`), for a model that is a file; `*/name.ext` claims a
    directory that holds such a file."""
    options: type[attrs.AttrsInstance] = attrs.field(default=NoOptions, validator=options_class)
    """Of a model that is a file: what may be said of it in brackets, `m.ext(key=value)`, and of its
    data, `--data 'PATH(key=value)'`; `--calibration PATH` is the value of `calibration`. What
    follows from them, a field with `init=False`, is not said: other files that are read because of
    one, so that these count by what they hold too."""
    from_file: Callable[[Path, Any], Pipeline] | None = None
    """Build the pipeline of such a file or directory, with its options."""
    configured: Callable[[str, str], Model] | None = None
    """From the name of a variant and a `Stage.configuration` to the record of just that model, so
    that it can be made again and trained without the file: with `build`, which makes the network
    with weights that mean nothing, its own `variants` (the one named, with its exits and heads),
    `loss` and `budget`; must import no framework."""
    inputs: Callable[[Path, Any, Path | None], Dataset] | None = None
    """The requests of such a file: from the file, its options, and what the user gave as `--data`,
    if anything. Processes that score call it too, so what takes long is left to the dataset's
    `look` and `samples`. Without it they are drawn by the specifications of its inputs."""
    beside: Callable[[Path], Sequence[Path]] | None = None
    """The other files that belong to such a file, of a directory all that do; must import no
    framework."""
    look: Callable[[str, Path, Any], Look] | None = None
    """From a variant, the file or directory that a user gave as its weights, and the options of a
    model that is a file: see whether it can be built, as far as that shows at once and without the
    framework it is built in, when cases are planned. It raises the `DataError` that building it
    would."""

    def known(self, variant: str, configuration: str) -> Model:
        """Return the record of just what a configuration says; this one where there is none."""
        return (
            self.configured(variant, configuration) if configuration and self.configured else self
        )

    def variant(self, name: str) -> Variant:
        """Return the variant called *name*; the first for an empty name.

        A model that is a file has a variant of every name: each file is one.

        Raises:
            UnknownName: It has no variant of that name.
        """
        for variant in self.variants:
            if name in ("", variant.name):
                return variant
        if self.from_file is not None:
            return attrs.evolve(self.variants[0], name=name)
        raise UnknownName.among(f"variant of {self.name}", name, [v.name for v in self.variants])

    def bound(self, variant: str, resources: Mapping[str, bytes]) -> Model:
        """Return the record whose callables use the resources of a pipeline, if it has any."""
        return self.bind(self, variant, resources) if self.bind and resources else self

    def dataset_of(self, variant: str) -> str:
        """Return the name of the dataset that *variant* is measured on; empty if none."""
        return self.variant(variant).dataset or self.dataset

    def datasets_of(self, variant: str) -> tuple[str, ...]:
        """Return every dataset that *variant* has an accuracy on, its own first."""
        return tuple(filter(None, (self.dataset_of(variant), *self.variant(variant).datasets)))
