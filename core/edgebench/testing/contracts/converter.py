"""What a converter promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.ways import rank_readers
from edgebench.parts.changes import Converter
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.pipeline import Pipeline, Stage, Tensors
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.comparing import compare
from edgebench.testing.contracts.contract import NotChecked, hold
from edgebench.testing.contracts.prepared import FormatTrial
from edgebench.testing.contracts.running import run_here

EXACT, NEAR = 1e-4, 1e-2
"""How far outputs may be from those of the source, as a share of the largest: of a converter that
says that it is exact, and of any other."""


class ConverterContract(FormatTrial):
    """What a converter promises: a stage of the smallest model that leads to its source."""

    kind = Converter

    # --- promises --------------------------------------------------------------------------------

    def test_it_converts(self) -> None:
        """From a stage of its source it makes one of its target, with the same tensors."""
        given, made = self._given(), self._try()
        if isinstance(made, BaseException):
            raise AssertionError(f"it fails: {one_line(made)}") from made
        hold(isinstance(made, Stage), f"it gives {type(made).__name__}, not a Stage")
        target = self.part.target
        hold(made.format == target, f"it gives {made.format}, and announces {target}")
        for what in ("inputs", "outputs"):
            before = [(spec.name, spec.dtype) for spec in getattr(given, what)]
            after = [(spec.name, spec.dtype) for spec in getattr(made, what)]
            hold(before == after, f"its stage has the {what} {after}, and was given {before}")

    def test_what_it_is_given_stays(self) -> None:
        """The stage that it is given is as it was."""
        self._converted()
        before, after = self.tried["digests"]
        hold(before == after, "it changes the stage that it is given")

    def test_its_outputs_are_the_same(self) -> None:
        """What it makes gives the outputs of what it was given, for a batch of real inputs."""
        made, batch = self._pipeline(), self._examples()
        wanted = self._run(self._source(), self.part.source, batch)
        given = self._run(made, self.part.target, batch)
        # Where a backend is at fault, and not the converter, it is one of these.
        on, source = (self.tried[f"ran {form} on"] for form in (self.part.target, self.part.source))
        whose = f"the source's (run on {on}, the source on {source})"
        compare(given, wanted, EXACT if self.part.exact else NEAR, whose)

    def test_its_batch_stays_open(self) -> None:
        """What it makes takes batches of other sizes than that which it was given."""
        if not all(isinstance(spec.shape[0], str) for spec in self._given().inputs):
            raise NotChecked("the stage that it is tried on has a fixed batch")
        made, whole = self._pipeline(), self._examples()
        wanted = self._run(made, self.part.target, whole)
        for count in (1, 3):
            batch = {name: array[:count] for name, array in whole.items()}
            try:
                given = self._run(made, self.part.target, batch)
            except EdgebenchError as error:
                raise AssertionError(f"of a batch of {count}: {error}") from error
            alone = {name: array[:count] for name, array in wanted.items()}
            compare(given, alone, NEAR, "that of the whole batch")

    # --- what they stand on ----------------------------------------------------------------------

    def _prepared(self) -> tuple[Case, Path]:
        return self.prepare_in(self.part.source)

    def _source(self) -> Pipeline:
        return read_pipeline(self._prepared()[1])

    def _given(self) -> Stage:
        return self._source().stages[0]

    def _examples(self) -> Tensors:
        case, _ = self._prepared()
        if "examples" not in self.tried:
            self.tried["examples"] = self.bench.maker.examples(case, self._source())
        examples: Tensors = self.tried["examples"]
        return examples

    def _try(self) -> Any:
        if "made" not in self.tried:
            live = self.bench.stages.live(self._given())
            before = self.bench.digest_live(live)
            examples = {name: array.copy() for name, array in self._examples().items()}
            try:
                self.tried["made"] = self.part.convert(live, examples)
            except Exception as error:  # noqa: BLE001 (a converter may raise anything)
                self.tried["made"] = error
            self.tried["digests"] = before, self.bench.digest_live(live)
        return self.tried["made"]

    def _converted(self) -> Stage:
        made = self._try()
        if not isinstance(made, Stage):
            raise NotChecked("it gave no stage, which another promise tells of")
        return made

    def _pipeline(self) -> Pipeline:
        """Return the pipeline that it makes, written."""
        place = self.bench.make_place("converted")
        self.bench.stages.save(self._source().replaced([self._converted()]), place)
        return read_pipeline(place)

    def _run(self, pipeline: Pipeline, form: str, batch: Tensors) -> dict[str, Any]:
        case, _ = self._prepared()
        reasons = []
        for reader in rank_readers(form, self.bench.plugins):
            # What another way of converters makes of it would say nothing of this one.
            if form == self.part.target and reader.way:
                continue
            name = reader.backend.name
            chosen = attrs.evolve(case, backends=[BackendChoice(name)])
            if why := self.bench.maker.answers.why_not(name, chosen):
                reasons.append(f"{name}: {why}")
                continue
            self.tried[f"ran {form} on"] = name
            return run_here(self.bench, chosen, pipeline, batch)
        raise NotChecked("; ".join(reasons) or f"no backend here reads {form}")
