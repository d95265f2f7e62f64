"""Opening stages with a backend, to see what its sessions do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.usable import Usability
from edgebench.cases.ways import rank_readers
from edgebench.parts.errors import CaseFailed, CaseSkipped, ChainError, EdgebenchError
from edgebench.parts.pipeline import Pipeline, Stage, Tensors
from edgebench.parts.places import Backend, Session
from edgebench.sessions.asking import ask_in_processes
from edgebench.sessions.compiled import open_here
from edgebench.sessions.opening import Opening
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.bench import Bench
from edgebench.testing.contracts.contract import split_options
from edgebench.testing.contracts.running import run_here
from edgebench.testing.contracts.subjects import list_subjects, make_case

TRIES = 4
"""Models that are prepared for a backend until one comes through."""


@attrs.frozen(slots=False, eq=False)
class Bed:
    """A backend, and a stage that it reads with real inputs for it."""

    bench: Bench
    backend: Backend
    case: Case
    path: Path
    """Where the prepared pipeline lies: one stage, in a format that the backend reads."""

    @cached_property
    def pipeline(self) -> Pipeline:
        """The prepared pipeline."""
        return read_pipeline(self.path)

    @property
    def stage(self) -> Stage:
        """Its one stage."""
        return self.pipeline.stages[0]

    @cached_property
    def examples(self) -> Tensors:
        """A small batch of real inputs, by the names that the whole pipeline has for them."""
        return self.bench.maker.examples(self.case, read_pipeline(self.bench.maker.base(self.case)))

    @property
    def is_open(self) -> bool:
        """Whether the stage takes batches of any size."""
        return all(isinstance(spec.shape[0], str) for spec in self.stage.inputs)

    def feed(self, place: int = 0, count: int = 1) -> dict[str, Any]:
        """Return some samples, copied, by the names in the stage's own file."""
        return {
            spec.inside: self.examples[spec.name][place : place + count].copy()
            for spec in self.stage.inputs
        }

    @contextmanager
    def open(self, written: str = "", device: str = "", threads: int = 1) -> Iterator[Session]:
        """Open the stage as a host would, compiled before where the backend compiles."""
        options = split_options(written, self.backend.name) or self.case.backends[0].options
        choice = BackendChoice(self.backend.name, device, options)
        opening = Opening.of(self.backend, choice, threads)
        with open_here(opening, self.stage, self.bench.scratch / "compiled") as session:
            yield session


def find_bed(bench: Bench, backend: Backend, wanted: str = "", written: str = "") -> Bed:
    """Prepare the smallest model that leads to what a backend reads, with the options it needs.

    Raises:
        EdgebenchError: There is none, or none of the first few can be prepared.
    """
    reasons = []
    if not backend.formats:
        raise EdgebenchError("it says of no format that it reads it")
    for model, variant in islice(list_subjects(bench, backend.formats, wanted), TRIES):
        choice = BackendChoice(backend.name, options=split_options(written, backend.name))
        case = attrs.evolve(make_case(bench, model, variant), backends=[choice])
        try:
            path = bench.maker.prepare(case)
        except (CaseSkipped, CaseFailed, ChainError) as error:
            reasons.append(f"{model.name}:{variant.name}: {error}")
            continue
        if path is not None:
            return Bed(bench, backend, case, path)
    raise EdgebenchError(
        f"none of {len(reasons)} models can be prepared for it, the first: {reasons[0]}"
        if reasons
        else f"no model here leads to {' or '.join(backend.formats)}, which it reads"
    )


def find_reference(bed: Bed) -> tuple[str, dict[str, Any]]:
    """Return the nearest other backend, and the outputs that it gives for the examples.

    Raises:
        EdgebenchError: There is none, or each fails; the reasons are said.
    """
    base = read_pipeline(bed.bench.maker.base(bed.case))
    reasons = []
    forms = dict.fromkeys([base.stages[0].format, bed.stage.format])
    for form in forms:
        pipeline = base if form == base.stages[0].format else bed.pipeline
        for reader in rank_readers(form, bed.bench.plugins):
            name = reader.backend.name
            if name == bed.backend.name or not reader.backend.formats:
                continue
            case = attrs.evolve(bed.case, backends=[BackendChoice(name)])
            why = bed.bench.maker.answers.why_not(name, case)
            if not why:
                try:
                    return name, run_here(bed.bench, case, pipeline, bed.examples)
                except EdgebenchError as error:
                    why = str(error)
            reasons.append(f"{name}: {why}")
    raise EdgebenchError(
        "no other backend can say what is right: "
        + ("; ".join(reasons) or f"none reads {' or '.join(forms)}")
    )


def ask_usable(bench: Bench, case: Case, backend: Backend, device: str) -> str:
    """Return why a backend says that it is not usable on this machine; empty if it is."""
    with Usability.open(bench.plugins, case.fabric, ask_in_processes) as usability:
        return usability.why_not(backend.name, device, case.route[0]) or ""
