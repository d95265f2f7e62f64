"""What an operator promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import attrs

from edgebench.parts.changes import Operator
from edgebench.parts.errors import (
    CaseSkipped,
    ChainError,
    EdgebenchError,
    OptionError,
    one_line,
)
from edgebench.parts.pipeline import Pipeline, Tensors, pick_sample
from edgebench.prepare.change import check_change, is_same
from edgebench.sessions.outputs import WrongOutput, check_outputs, find_sizes
from edgebench.store.artifacts import read_pipeline
from edgebench.store.digests import content_digest
from edgebench.testing.contracts.applying import Application, Applied, find_application
from edgebench.testing.contracts.comparing import list_differing
from edgebench.testing.contracts.contract import Contract, NotChecked, doubt, hold
from edgebench.testing.contracts.running import run_afresh, run_here


class OperatorContract(Contract):
    """What an operator promises: applied as in a run, to the smallest model that it accepts."""

    kind = Operator
    before: ClassVar[str] = ""
    """A chain that is applied before it, for one that changes what others have made."""

    # --- promises --------------------------------------------------------------------------------

    def test_it_can_be_applied(self) -> None:
        """It changes a pipeline that it accepts, and makes as many cuts as it announces."""
        for written in self.written:
            applied = self._try(written)
            if isinstance(applied, ChainError | CaseSkipped):
                raise NotChecked(f"{_with(written)}it refuses what it is tried on: {applied}")
            if isinstance(applied, BaseException):
                raise AssertionError(f"{_with(written)}it fails: {_say(applied)}") from applied
            application = self._application(written)
            if isinstance(applied.made, Exception):
                continue  # what it did not declare is another promise
            hold(
                isinstance(applied.made, Pipeline),
                f"{_with(written)}it gives back {type(applied.made).__name__}, not a Pipeline",
            )
            added = len(applied.made.cuts) - len(applied.given.cuts)
            announced = application.step.operation.cuts
            hold(
                added == announced,
                f"{_with(written)}it announces {announced} cuts and makes {added}",
            )

    def test_it_uses_what_it_declares(self) -> None:
        """It uses nothing that it has not declared a need for."""
        for written in self.written:
            applied = self._applied(written, whole=False)
            strange = sorted(applied.undeclared)
            hold(
                not strange,
                f"{_with(written)}it uses {', '.join(strange)} and does not declare that need",
            )
            needs = self._application(written).step.operation.needs
            if unused := sorted(needs - applied.used):
                doubt(
                    f"{_with(written)}it declares the need for {', '.join(unused)} and has not "
                    "used it here"
                )

    def test_what_it_is_given_stays(self) -> None:
        """The pipeline that it is given is as it was, its files and its live objects."""
        for written in self.written:
            applied = self._applied(written)
            before, after = applied.digests
            if before == after:
                continue
            hold(
                not self._is_written_alike(written),
                f"{_with(written)}it changes what it is given: the stages that it got are written "
                "differently after it; change a copy, and give it to `stage.changed(...)`",
            )
            doubt(
                f"{_with(written)}whether it changes what it is given cannot be told: the format "
                "writes the same object differently each time"
            )

    def test_it_changes_something(self) -> None:
        """What it gives back is another pipeline, unless it says that it may keep the one given."""
        for written in self.written:
            applied = self._applied(written)
            try:
                list(check_change(self.part, applied.given, applied.made, self.bench.stages))
            except EdgebenchError as error:
                if applied.digests[0] == applied.digests[1]:
                    raise AssertionError(f"{_with(written)}{error}") from error
            if not self.part.may_keep and is_same(
                self._application(written).step.before, self._kept(written)
            ):
                doubt(f"{_with(written)}what it made is to the byte what it was given")

    def test_the_same_seed_makes_the_same(self) -> None:
        """Applied again under the same seed it makes the same files, or what computes the same."""
        for written in self.written:
            application, first = self._application(written), self._kept(written)
            again = application.keep(application.apply())
            if is_same(first, again):
                continue
            batch = self._batches(written)[-1]
            outputs = [self._run(application, place, batch) for place in (first, again)]
            differing = list_differing(*outputs)
            hold(
                not differing,
                f"{_with(written)}under the same seed it makes two pipelines whose outputs differ: "
                f"{', '.join(differing)}",
            )

    def test_what_it_makes_runs(self) -> None:
        """What it makes is kept, loads in a fresh process and gives finite outputs as announced."""
        for written in self.written:
            application, kept = self._application(written), self._kept(written)
            batches = self._batches(written)
            try:
                given = run_afresh(self.bench, application.case, kept, batches)
            except EdgebenchError as error:
                raise AssertionError(
                    f"{_with(written)}what it made does not run in a fresh process: {error}"
                ) from error
            made = self._applied(written).made
            for batch, outputs in zip(batches, given, strict=True):
                check_answers(made, batch, outputs, _with(written))

    def test_it_refuses_with_reasons(self) -> None:
        """Of any pipeline it says that it accepts it, or in one clause why not; it never raises."""
        applied = self._applied("")
        first, *others = applied.given.stages
        unknown = attrs.evolve(first, format="a-format-of-nobody", live=None)
        strange = [
            applied.given,
            applied.made,
            applied.given.replaced([unknown, *others]),
        ]
        for pipeline in strange:
            try:
                said = self.part.accepts(pipeline)
            except Exception as error:
                raise AssertionError(
                    f"accepts raises {one_line(error)} instead of giving its reason"
                ) from error
            clear = said is True or (
                isinstance(said, str) and said.strip() and "\n" not in said.strip()
            )
            hold(clear, f"accepts gives {said!r}: it must be True, or one clause that says why not")

    # --- what they stand on ----------------------------------------------------------------------

    def _application(self, written: str) -> Application:
        key = f"application {written}"
        if key not in self.tried:
            try:
                self.tried[key] = find_application(
                    self.bench, self.part, written, self.model, self.before
                )
            except OptionError as error:
                raise AssertionError(
                    f"it does not take its options ({written}): {error}"
                ) from error
            except EdgebenchError as error:
                self.tried[key] = NotChecked(f"{_with(written)}{error}")
        found = self.tried[key]
        if isinstance(found, NotChecked):
            raise found
        return found  # type: ignore[no-any-return]

    def _try(self, written: str) -> Applied | BaseException:
        key = f"applied {written}"
        if key not in self.tried:
            application = self._application(written)
            try:
                self.tried[key] = application.apply(self._digest)
            except Exception as error:  # noqa: BLE001 (an operator may raise anything)
                self.tried[key] = error
        return self.tried[key]  # type: ignore[no-any-return]

    def _applied(self, written: str, *, whole: bool = True) -> Applied:
        """Return its work.

        Raises:
            NotChecked: It has failed, which another promise tells of.
        """
        applied = self._try(written)
        if isinstance(applied, BaseException):
            raise NotChecked(f"{_with(written)}it could not be applied")
        if whole and not isinstance(applied.made, Pipeline):
            raise NotChecked(f"{_with(written)}it gave back no pipeline")
        return applied

    def _kept(self, written: str) -> Path:
        key = f"kept {written}"
        if key not in self.tried:
            applied = self._applied(written)
            try:
                self.tried[key] = self._application(written).keep(applied)
            except EdgebenchError as error:
                raise AssertionError(
                    f"{_with(written)}what it made is not kept: {error}"
                ) from error
        return self.tried[key]  # type: ignore[no-any-return]

    def _batches(self, written: str) -> list[Tensors]:
        application = self._application(written)
        given = self._applied(written).given
        examples = self.bench.maker.examples(application.case, given)
        fixed = any(isinstance(spec.shape[0], int) for spec in given.inputs)
        one = pick_sample(examples, 0)
        return [one] if fixed else [one, {name: array[:2] for name, array in examples.items()}]

    def _run(self, application: Application, place: Path, batch: Tensors) -> dict[str, Any]:
        return run_here(self.bench, application.case, read_pipeline(place), batch)

    def _digest(self, pipeline: Pipeline) -> str:
        """Return the digest of a pipeline's files, and of what its live objects are written as."""
        found = []
        for stage in pipeline.stages:
            if stage.directory is not None:
                found.append(content_digest(stage.directory))
            if stage.live is not None:
                found.append(self.bench.digest_live(stage))
        return " ".join(found)

    def _is_written_alike(self, written: str) -> bool:
        """Say whether the same pipeline, loaded twice, is written as the same files."""
        application = self._application(written)
        return len({self._digest(application.copy_given()[1]) for _ in range(2)}) == 1


def check_answers(pipeline: Pipeline, batch: Tensors, outputs: Tensors, how: str = "") -> None:
    """See that the outputs of a pipeline are finite, and as its stages announce them."""
    import numpy as np

    announced = {spec.name: spec for stage in pipeline.stages for spec in stage.outputs}
    specs = [attrs.evolve(announced[name], port="") for name in pipeline.outputs]
    given = [attrs.evolve(spec, port="") for spec in pipeline.inputs]
    try:
        check_outputs(specs, outputs, find_sizes(given, batch))
    except WrongOutput as error:
        raise AssertionError(f"{how}what it made runs, and {error}") from error
    for name, array in outputs.items():
        floats = np.issubdtype(array.dtype, np.floating)
        hold(
            not floats or np.isfinite(array).all(),
            f"{how}the output {name!r} of what it made is not finite",
        )


def _with(written: str) -> str:
    return f"with ({written}) " if written else ""


def _say(error: BaseException) -> str:
    return str(error) if isinstance(error, EdgebenchError) else one_line(error)
