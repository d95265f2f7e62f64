"""A sound part of every kind, made to order; and what an operator is given, without a run.

`fake(Operator, name="halve", apply=halve)` is the toy's operator but for what is said.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs

import edgebench.testing.toy as toy
from edgebench.catalogue.rows import KINDS
from edgebench.parts.datasets import Metric
from edgebench.parts.errors import ChainError, DataError
from edgebench.parts.part import Part
from edgebench.parts.pipeline import Pipeline, Profile, Stage, Tensors
from edgebench.parts.places import (
    Fabric,
    HostFacts,
    Importer,
    Link,
    Placement,
    Quantization,
    Reporter,
    Tier,
)
from edgebench.parts.subjects import Budget, Model
from edgebench.records.imported import Imported

C = TypeVar("C", bound=Part)


def fake(kind: type[C], **fields: Any) -> C:
    """Return a sound part of a kind, with these fields in place of its own."""
    made: C = attrs.evolve(_make(kind), **fields)
    return made


def _make(kind: type[Any]) -> Any:
    if kind is Tier:
        return Tier(name="shelf", summary="A board.", cpus=2, memory=2**30, source="made up")
    if kind is Fabric:
        return Fabric(name="here", summary="Processes of this machine.", open=open_hosts)
    if kind is Reporter:
        return Reporter(name="labels", summary="A line for each case.", render=render_labels)
    if kind is Importer:
        return Importer(
            name="seconds", summary="A file of seconds.", claims=is_seconds, read=read_seconds
        )
    word = next(word for word, one in KINDS.items() if one is kind)
    return next(iter(getattr(toy, f"edgebench_{word}s")()))


# --- the kinds that the toy does not offer -------------------------------------------------------


def render_labels(results: Any) -> str:
    """Lay out a run as the labels of its cases and how each ended."""
    lines = [f"{one.case.label}: {one.status}" for one in results.results]
    return "\n".join([results.run.id, *lines]) + "\n"


HEAD = "seconds"


def is_seconds(path: Path) -> bool:
    """Say whether a file begins with the word `seconds`."""
    return path.is_file() and path.read_bytes().startswith(f"{HEAD}\n".encode())


def read_seconds(path: Path) -> Iterator[Imported]:
    """Read a number a line.

    Raises:
        DataError: A line is none.
    """
    import numpy as np

    values = []
    for number, line in enumerate(path.read_text().splitlines()[1:], start=2):
        try:
            values.append(float(line))
        except ValueError:
            raise DataError(f"{path}, line {number}: no number: {line!r}") from None
    yield Imported(
        model="toy:small",
        chain="identity",
        placement="mobile",
        backend="theirs",
        fabric="bench",
        latency_s=np.array(values),
        measured=f"one block of {len(values)} requests",
        origin=str(path),
    )


@attrs.frozen
class FakeRunning:
    """A process of this machine."""

    pid: int
    log: Path


@attrs.define(kw_only=True)
class FakeHost:
    """This machine, under the name of a tier; nothing is enforced."""

    tier: Tier
    threads: int = 1
    slowdown: float = 1.0
    paced: bool = True
    enforced: Mapping[str, str] = attrs.field(
        factory=lambda: dict.fromkeys(("cpu", "memory", "bandwidth", "delay"), "not enforced")
    )
    started: list[subprocess.Popen[bytes]] = attrs.field(factory=list)

    def facts(self) -> HostFacts:
        """Say what the tier is."""
        return HostFacts(tier=self.tier.name, cpus=self.tier.cpus, memory=self.tier.memory)

    def put(self, directory: Path) -> Path:
        """Leave it where it is."""
        return directory

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> FakeRunning:
        """Start a process in a group of its own."""
        with log.open("ab") as file:
            started = subprocess.Popen(
                argv, stdout=file, stderr=file, env={**os.environ, **env}, start_new_session=True
            )
        self.started.append(started)
        return FakeRunning(started.pid, log)

    def end(self) -> None:
        """Kill what runs on, with what that has started."""
        for one in self.started:
            # Whoever asked for it may have waited for its end.
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()


@contextmanager
def open_hosts(tiers: Sequence[Tier], links: Sequence[Link]) -> Iterator[Mapping[str, FakeHost]]:
    """Give a host for each tier; no process of theirs is left at the end."""
    hosts = {tier.name: FakeHost(tier=tier) for tier in tiers}
    try:
        yield hosts
    finally:
        for host in hosts.values():
            host.end()


# --- what an operator is given -------------------------------------------------------------------


@attrs.define(kw_only=True)
class FakeContext:
    """A `Context` that holds what a test says, and no more: what it was not given is an error."""

    options: Any = None
    seed: int = 0
    splits: Mapping[str, Sequence[tuple[Tensors, Any]]] = attrs.field(factory=dict)
    """By name, the samples of a split: the tensors of a batch of one, and the answer."""
    record: Model | None = None
    """The model that every stage is of; the toy's if None."""
    metrics: Sequence[Metric] = ()
    placement: Placement = Placement(("mobile",))  # noqa: RUF009 (it is frozen)
    links: tuple[Link, ...] = ()
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)
    target: Quantization = Quantization()  # noqa: RUF009 (it is frozen)
    backends: Mapping[str, str] = attrs.field(factory=dict)
    runs: Callable[[Pipeline, Tensors, str], Tensors] | None = None
    """What `run` gives of a pipeline, inputs, and the backend that is named."""
    scores: Callable[[Pipeline, str], Mapping[str, float]] | None = None
    """What `score` gives."""
    fits: Callable[..., Stage] | None = None
    """What `fit` makes of a stage, given `budget`, `loss` and `teacher` by name."""
    second: Mapping[tuple[str, str], Pipeline] = attrs.field(factory=dict)
    """What `prepared` gives, by model and chain."""
    doubts: list[str] = attrs.field(factory=list)
    """What the operator doubted."""
    chosen: dict[str, str | float] = attrs.field(factory=dict)
    """What the operator chose."""

    def model(self, stage: Stage) -> Model:  # noqa: ARG002 (all are of one)
        """Return the record of the model."""
        return self.record or fake(Model)

    def inputs(self, split: str) -> Sequence[tuple[Tensors, Any]]:
        """Return a split that was given."""
        if split not in self.splits:
            raise ChainError(f"the test gives no split {split!r}")
        return self.splits[split]

    def live(self, stage: Stage) -> Stage:
        """Return the stage as it is."""
        return stage

    def fit(
        self,
        stage: Stage,
        *,
        budget: Budget | None = None,
        loss: Callable[..., Any] | None = None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Return what the test says that training makes."""
        return _given(self.fits, "fits")(stage, budget=budget, loss=loss, teacher=teacher)

    def run(self, pipeline: Pipeline, inputs: Tensors, *, on: str = "") -> Tensors:
        """Return what the test says that running gives."""
        return _given(self.runs, "runs")(pipeline, inputs, on)

    def score(self, pipeline: Pipeline, split: str) -> Mapping[str, float]:
        """Return what the test says that scoring gives."""
        return _given(self.scores, "scores")(pipeline, split)

    def prepared(self, model: str, chain: str) -> Pipeline:
        """Return a second pipeline that was given."""
        if (model, chain) not in self.second:
            raise ChainError(f"the test gives no {model} {chain!r}")
        return self.second[model, chain]

    def progress(self, done: int, total: int, what: str = "") -> None:
        """Take no note of it."""

    def doubt(self, reason: str) -> None:
        """Keep a doubt."""
        self.doubts.append(reason)

    def chose(self, name: str, value: str | float) -> None:
        """Keep a choice."""
        self.chosen[name] = value


F = TypeVar("F")


def _given(what: F | None, name: str) -> F:
    if what is None:
        raise ChainError(f"the test does not say what it {name}")
    return what
