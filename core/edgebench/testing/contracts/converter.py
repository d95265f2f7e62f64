"""What a converter promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.ways import rank_readers
from edgebench.parts.changes import Converter
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.pipeline import Pipeline, Stage, Tensors
from edgebench.store.artifacts import read_pipeline
from edgebench.store.digests import content_digest
from edgebench.testing.contracts.contract import Contract, NotChecked, hold
from edgebench.testing.contracts.running import run_here
from edgebench.testing.contracts.subjects import prepare_format

EXACT, NEAR = 1e-4, 1e-2
"""How far outputs may be from those of the source, as a share of the largest: of a converter that
says that it is exact, and of any other."""


class ConverterContract(Contract):
    """What a converter promises: a stage of the smallest model that leads to its source."""

    kind = Converter
    _tried: ClassVar[dict[str, Any]]

    @classmethod
    def setup_class(cls) -> None:
        """Set up the bench; what was converted is kept for the next promise."""
        super().setup_class()
        cls._tried = {}

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
        before, after = self._tried["digests"]
        hold(before == after, "it changes the stage that it is given")

    def test_its_outputs_are_the_same(self) -> None:
        """What it makes gives the outputs of what it was given, for a batch of real inputs."""
        made, batch = self._pipeline(), self._examples()
        wanted = self._run(self._source(), self.part.source, batch)
        given = self._run(made, self.part.target, batch)
        _compare(given, wanted, EXACT if self.part.exact else NEAR)

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
            _compare(given, {name: array[:count] for name, array in wanted.items()}, NEAR)

    # --- what they stand on ----------------------------------------------------------------------

    def _prepared(self) -> tuple[Case, Path]:
        if "prepared" not in self._tried:
            try:
                found = prepare_format(self.bench, self.part.source, self.model)
            except EdgebenchError as error:
                raise NotChecked(str(error)) from error
            self._tried["prepared"] = found
        prepared: tuple[Case, Path] = self._tried["prepared"]
        return prepared

    def _source(self) -> Pipeline:
        return read_pipeline(self._prepared()[1])

    def _given(self) -> Stage:
        return self._source().stages[0]

    def _examples(self) -> Tensors:
        case, _ = self._prepared()
        if "examples" not in self._tried:
            self._tried["examples"] = self.bench.maker.examples(case, self._source())
        examples: Tensors = self._tried["examples"]
        return examples

    def _try(self) -> Any:
        if "made" not in self._tried:
            live = self.bench.stages.live(self._given())
            before = self._digest(live)
            examples = {name: array.copy() for name, array in self._examples().items()}
            try:
                self._tried["made"] = self.part.convert(live, examples)
            except Exception as error:  # noqa: BLE001 (a converter may raise anything)
                self._tried["made"] = error
            self._tried["digests"] = before, self._digest(live)
        return self._tried["made"]

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

    def _digest(self, stage: Stage) -> str:
        place = self.bench.make_place("look")
        self.bench.stages.write(attrs.evolve(stage, directory=None, files=()), place)
        return content_digest(place)

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
            return run_here(self.bench, chosen, pipeline, batch)
        raise NotChecked("; ".join(reasons) or f"no backend here reads {form}")


def _compare(given: Tensors, wanted: Tensors, allowed: float) -> None:
    import numpy as np

    for name, right in wanted.items():
        came = given[name]
        hold(
            came.shape == right.shape,
            f"the output {name!r} is of shape {came.shape}, not {right.shape}",
        )
        far = float(np.abs(came.astype(float) - right).max())
        scale = max(float(np.abs(right).max()), 1e-6)
        hold(
            far <= allowed * scale,
            f"the output {name!r} is {far:.3g} away, and the largest of it is {scale:.3g}; "
            f"{allowed:g} of that is allowed",
        )
