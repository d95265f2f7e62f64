"""What is changed: operators, what they are given, and the formats they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

from edgebench.parts.cuts import Cuts
from edgebench.parts.datasets import Metric
from edgebench.parts.part import (
    NoOptions,
    Part,
    Usable,
    is_callable,
    is_slug,
    options_class,
    texts,
)
from edgebench.parts.pipeline import Pipeline, Profile, Stage, Tensors
from edgebench.parts.places import Link, Placement, Quantization
from edgebench.parts.subjects import Budget, Model, Variant

NEEDS = frozenset(
    ["calibration", "training", "validation", "placement", "links", "profile", "target", "run"]
)
Needs = frozenset[str] | Callable[[Any], Iterable[str]]


def _read_needs(value: Iterable[str] | Callable[[Any], Iterable[str]]) -> Needs:
    return value if callable(value) else check_needs("needs", value)


def check_needs(what: str, value: Iterable[str]) -> frozenset[str]:
    """Return needs as a set, all of which are known.

    Raises:
        ValueError: One is not, or *value* is one text in place of several.
    """
    needs = frozenset(texts(value))
    if strange := sorted(needs - NEEDS):
        raise ValueError(f"{what} may be any of {', '.join(sorted(NEEDS))}, not {strange[0]!r}")
    return needs


class Split(Protocol):
    """The preprocessed samples of one split, in order; may be iterated many times."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def __iter__(self) -> Iterator[tuple[Tensors, Any]]:
        """Yield the tensors of a batch of one, and the answer."""


class Context(Protocol):
    """What an operator is given beside the pipeline: only what it declared in `needs`.

    Everything here raises `ChainError` when the operator did not declare the need for it.
    """

    @property
    def options(self) -> Any:
        """Its options, an instance of its own options class."""

    @property
    def seed(self) -> int:
        """A number derived from the run's seed and the operator's name."""

    def model(self, stage: Stage) -> Model:
        """Return the record of the model that a stage was built from.

        With `stage.variant` it tells the operator the model's facts: exit points, what to keep, its
        loss and the budget of its training.
        """

    @property
    def metrics(self) -> Sequence[Metric]:
        """The figures of merit of the case's dataset, the one that decides first; needs a split.

        With the answers of a split, an operator that tunes counts each sample once, and not once
        for every value that it tries.
        """

    @property
    def placement(self) -> Placement:
        """The placement of the case; needs `placement`, or `profile`, which tells it too."""

    @property
    def links(self) -> tuple[Link, ...]:
        """The links between the tiers of the placement, in order; needs `links`."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """How long each tier of the placement takes over the pipeline; needs `profile`.

        It is measured on the tiers' hosts, each with its own backend, before the operator runs: the
        whole pipeline on each, converted for that backend, for one sample. What is measured is
        kept, so that another case, or the next run, is given the same figures.
        """

    @property
    def target(self) -> Quantization:
        """What the backend that will run the pipeline prefers; needs `target`."""

    def inputs(self, split: str) -> Split:
        """Return a split, preprocessed; needs the split of that name. Never the test split."""

    def live(self, stage: Stage) -> Stage:
        """Return the stage with its `live` object loaded by its format."""

    def fit(
        self,
        stage: Stage,
        *,
        budget: Budget | None = None,
        loss: Callable[..., Any] | None = None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Train a stage with the trainer of its format; needs `training`.

        The loss is the model's where none is given. With a *teacher*, which sees the same inputs,
        a loss is given a third argument: the teacher's outputs by name.
        """

    @property
    def backends(self) -> Mapping[str, str]:
        """The backends of the case, each once, in the order of its tiers; needs `run`.

        By how each is written, the precision in which it computes what a stage keeps as `f32`.
        """

    def run(self, pipeline: Pipeline, inputs: Tensors, *, on: str = "") -> Tensors:
        """Run a pipeline here as it will be deployed, and return its outputs; needs `run`.

        Each piece is opened on the backend of its tier, converted and compiled as for measuring;
        all of it on the one that *on* names, if any, which is one of `backends`. What an operator
        makes of that holds for these backends alone, so it is made once for each: what is to be the
        same for all of them is found with `score`. A sample that leaves at an exit has the answer
        of that exit. What a backend raises comes through.
        """

    def score(self, pipeline: Pipeline, split: str) -> Mapping[str, float]:
        """Return the dataset's figures of merit for a pipeline on a split that was declared.

        Needs the split, and no `run`: it runs on the reference backend, the same whatever the case
        is measured with, so that nothing is trained or tuned once a backend. That is the nearest of
        the backends that come with the format of a stage and open it, or are led to by converters
        that say `exact`. Where there is none, or none is usable here, it is the backend of the
        stage's tier.
        """

    def prepared(self, model: str, chain: str) -> Pipeline:
        """Return a second prepared pipeline, one that the operator's `companions` announced."""

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Say how far long work has come."""

    def doubt(self, reason: str) -> None:
        """Note, in a clause with its numbers, what speaks against the figures of the result.

        It stands among the doubts of every case whose pipeline was made from this one: a check
        that could not be made, or one that held only in part.
        """

    def chose(self, name: str, value: str | float) -> None:
        """Note what the operator decided by itself where its options leave that to it.

        It stands beside what the operator did, so that the choice can be judged, and named as an
        option in another run: `context.chose("student", "net:tiny")`.
        """


@attrs.frozen(kw_only=True)
class Operator(Part):
    """A change made to a pipeline in order to deploy it."""

    apply: Callable[[Pipeline, Context], Pipeline] = attrs.field(validator=is_callable)
    """Return the changed pipeline; the one given stays as it was, and so do the live objects of its
    stages: a changed one is a copy, given to `Stage.changed`."""
    options: type = attrs.field(default=NoOptions, validator=options_class)
    """An attrs class whose fields are the options, each with a default."""
    needs: Needs = attrs.field(default=frozenset(), converter=_read_needs)
    """Which of calibration, training, validation, placement, links, profile, target, run it uses;
    or from its options to these, where they decide. `needed` tells for given options."""
    reads: tuple[str, ...] = attrs.field(default=(), converter=texts)
    """The formats it can change, the preferred first; empty for any. Stages in other formats are
    converted before."""
    writes: str = ""
    """The format of the stages it gives; empty for the one it was given."""
    cuts: Callable[[Any], int] = attrs.field(default=lambda _: 0, validator=is_callable)
    """From its options to the number of cuts it adds."""
    companions: Callable[[Any, Model, Variant], Sequence[tuple[str, str]]] = attrs.field(
        default=lambda *_: (), validator=is_callable
    )
    """From its options, a model and a variant to the (model:variant, chain) pairs that it will ask
    the context for; they are prepared first and join the key. It is asked when cases are planned,
    of the model that an operator before it put in its place if one `replaces` it, and may raise a
    `ChainError` that says what the model lacks."""
    replaces: bool = False
    """Whether the model of its (last) companion takes the place of the one that it was given."""
    accepts: Callable[[Pipeline], Usable] = attrs.field(
        default=lambda _: True, validator=is_callable
    )
    """Whether it can be applied to a pipeline, or one clause that says why not."""
    may_keep: bool = False
    """Whether it may give back what it was given, which is an error of any other operator."""
    once: str = ""
    """What a pipeline is from then on that none can be made twice (`cut already`): planning
    refuses a second operator of a chain that would make it so. `accepts` says `it is ` and the
    same."""
    list_cuts: Callable[[Pipeline, Context], Cuts] | None = None
    """From a pipeline whose stages have their live objects, and a context, to where it would cut
    it, the best first. The context is that of a case on one tier, and holds no profiles."""
    replay: Callable[[Any, Mapping[str, Any]], Any] | None = None
    """Make one of its recorded edits again: from a live object and the edit's arguments to the
    changed live object. Among the arguments is, as `variant`, the stage's own `Variant`, for what
    only the model can make (the head of an exit point)."""

    def needed(self, options: Any) -> frozenset[str]:
        """Return what it needs under given options."""
        if callable(self.needs):
            return check_needs(f"the needs of {self.name}", self.needs(options))
        return self.needs


@attrs.frozen(kw_only=True)
class Contents:
    """What is in one stage, counted."""

    nodes: Mapping[str, int] = attrs.field(factory=dict)
    """How many there are of each type: of operators in a graph, of layers in a module."""
    parameters: int | None = None
    """Number of trained values; None where that is not counted."""
    operations: int | None = None
    """Multiply-accumulate operations a sample; None where they are not counted."""


@attrs.frozen(kw_only=True)
class Format(Part):
    """How a stage is kept, without pickle."""

    save: Callable[[Stage, Path], Sequence[str]] = attrs.field(validator=is_callable)
    """Write the stage's live object into an empty directory; return the file names, the one to
    open first."""
    load: Callable[[Stage, Callable[[], Any]], Any] = attrs.field(validator=is_callable)
    """From a stage with files to its live object. The second argument, called, builds the stage's
    model with random weights and replays its edits, for formats that keep only weights."""
    describe: Callable[[Stage], Contents] | None = None
    """Count what is in a stage that has its live object: asked once, when a step has made it, for
    reports that say what each operator did. None where the format cannot tell."""
    keeps: str = ""
    """What it keeps, for people."""
    nodes: Callable[[Stage], Iterable[str]] = attrs.field(
        default=lambda _: (), validator=is_callable
    )
    """Name the nodes in a stage's files, not those within others; profiles are held against it.
    None for a format whose stages have no nodes with names."""


@attrs.frozen(kw_only=True)
class Converter(Part):
    """A way from one format to another."""

    source: str = attrs.field(validator=is_slug)
    target: str = attrs.field(validator=is_slug)
    convert: Callable[[Stage, Tensors], Stage] = attrs.field(validator=is_callable)
    """From a stage with its live object, and a batch of real inputs for it, to the same stage in
    the other format. It checks what it made on those inputs, and raises if it differs."""
    exact: bool = False
    """Whether what it makes computes with the same operators of the same framework, so that its
    outputs differ by rounding at most: results are compared with a backend that such a way leads
    to, where there is one."""


@attrs.frozen(kw_only=True)
class Trainer(Part):
    """What can train stages of one format."""

    format: str = attrs.field(validator=is_slug)
    fit: Callable[..., Stage] = attrs.field(validator=is_callable)
    """`fit(stage, loss, training, validation, budget, seed, progress, teacher=None)`: train a
    stage with its live object on two `Split`s, stop early on the validation loss, and return the
    stage with the best weights seen. `progress(done, total, what)` is called once an epoch;
    `teacher` is a second live stage for a trainer that distils."""
