"""Running stages in the process that prepares, for training, calibration and checks: never timed.

A pipeline is run either as it will be deployed, each piece on the backend of its tier, or on the
reference backend, where what comes of it must be the same for all backends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.ways import find_way, say_no_way
from edgebench.catalogue.blame import blame
from edgebench.parts.changes import Converter
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Pipeline, Stage, Tensors, TensorSpec
from edgebench.parts.places import Backend, Session
from edgebench.prepare.reference import Answers, References
from edgebench.prepare.stages import Stages
from edgebench.sessions.compiled import open_here
from edgebench.sessions.opening import Opening

MOST_OPEN = 8
"""Sessions that are kept for the next run: those of a few pipelines that are held against each
other. An operator that tries many variants of a model would have them all in memory."""


@attrs.frozen(kw_only=True)
class _Opened:
    """A stage with its session, and what closes that and takes its files away."""

    # The session is found by the stage's identity, as a live object has no digest: so no other may
    # come to lie where this one does.
    stage: Stage
    session: Session
    closing: ExitStack


@attrs.frozen(eq=False)
class Runner:
    """Opens the stages of a case on the backends that they are run on, and keeps the last ones."""

    stages: Stages
    case: Case
    references: References
    scratch: Path
    _open: dict[tuple[int, BackendChoice], _Opened] = attrs.field(factory=dict, init=False)
    """By stage and backend, those used last at the end."""

    @classmethod
    @contextmanager
    def open(cls, stages: Stages, case: Case, answers: Answers) -> Iterator[Runner]:
        """Give a runner; its sessions are closed and its files gone when the context ends."""
        with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
            runner = cls(stages, case, References(answers, case), Path(scratch))
            try:
                yield runner
            finally:
                runner._close_oldest(0)

    @property
    def precisions(self) -> Mapping[str, str]:
        """By how each backend of the case is written, in what it computes what is kept as `f32`."""
        openings = {str(choice): self._opening(choice) for choice in self.case.backends}
        return {name: one.backend.precision(one.options) for name, one in openings.items()}

    def list_deployed(self, pipeline: Pipeline) -> Sequence[BackendChoice]:
        """Return, for each stage, the backend of the tier that its piece will be on."""
        # An operator may run what has other pieces than the case has tiers: a part of a pipeline,
        # or one that is still to be cut.
        last = len(self.case.backends) - 1
        return [
            self.case.backends[min(number, last)]
            for number, piece in enumerate(pipeline.pieces)
            for _ in piece
        ]

    def list_references(self, pipeline: Pipeline) -> Sequence[BackendChoice]:
        """Return, for each stage, the reference backend of its format."""
        own = self.list_deployed(pipeline)
        return [
            self.references.choose(stage.format, choice)
            for stage, choice in zip(pipeline.stages, own, strict=True)
        ]

    def outputs(
        self, pipeline: Pipeline, inputs: Tensors, choices: Sequence[BackendChoice]
    ) -> dict[str, Any]:
        """Run each stage on its backend; return the outputs, those of exits where samples leave.

        Every stage is run for every sample, which costs time that nobody measures here.
        """
        tensors = dict(inputs)
        for stage, choice in zip(pipeline.stages, choices, strict=True):
            tensors.update(self.stage(stage, tensors, choice))
        # Two pipelines that are run in turn, as to compare them, are not opened again and again.
        self._close_oldest(max(MOST_OPEN, 2 * len(pipeline.stages)))
        return take_answers(pipeline, tensors)

    def stage(self, stage: Stage, tensors: Tensors, choice: BackendChoice) -> dict[str, Any]:
        """Run one stage on the tensors that it reads, and return those that it writes."""
        key = (id(stage), choice)
        opened = self._open.pop(key, None) or self._open_stage(stage, tensors, choice)
        self._open[key] = opened
        given = {spec.inside: tensors[spec.name] for spec in stage.inputs}
        with blame(self.stages.plugins, Backend, choice.name):
            written = opened.session.run(given)
            return {spec.name: written[spec.inside] for spec in stage.outputs}

    def _close_oldest(self, most: int) -> None:
        """Close the sessions that were not used for the longest, but for so many."""
        with ExitStack() as closing:
            while len(self._open) > most:
                closing.callback(self._open.pop(next(iter(self._open))).closing.close)

    def _open_stage(self, stage: Stage, tensors: Tensors, choice: BackendChoice) -> _Opened:
        opening = self._opening(choice)
        converters = self.stages.plugins.all(Converter).values()
        way = find_way(converters, stage.format, opening.backend.formats)
        if way is None:
            raise CaseFailed(say_no_way(stage.format, opening.backend.formats, choice.name))
        given = {spec.name: _double(tensors[spec.name], spec) for spec in stage.inputs}
        converted = self.stages.convert(stage, way, given)
        with ExitStack() as stack:
            written = self._write(converted, stack)
            with blame(self.stages.plugins, Backend, choice.name):
                session = stack.enter_context(
                    open_here(opening, written, self.scratch / "compiled")
                )
            return _Opened(stage=stage, session=session, closing=stack.pop_all())

    def _opening(self, choice: BackendChoice) -> Opening:
        backend = self.stages.plugins.get(Backend, choice.name)
        return Opening.of(backend, choice, self.case.threads or 1)

    def _write(self, stage: Stage, stack: ExitStack) -> Stage:
        """Return a stage with files, which go with what is opened of them."""
        if stage.directory is not None:
            return stage
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self.scratch)))
        files = self.stages.write(stage, place)
        return attrs.evolve(stage, directory=place, files=files)


def take_answers(pipeline: Pipeline, tensors: Tensors) -> dict[str, Any]:
    """Return the outputs of a pipeline from all that its stages wrote: where samples leave."""
    import numpy as np

    outputs = {name: tensors[name] for name in pipeline.outputs}
    # From the last exit to the first: a sample leaves at the first that lets it.
    for leaves in (stage.exit for stage in reversed(pipeline.stages) if stage.exit):
        gone = np.asarray(tensors[leaves.condition]).reshape(-1) >= leaves.threshold
        for name, answer in zip(pipeline.outputs, leaves.answer, strict=True):
            shape = (-1,) + (1,) * (outputs[name].ndim - 1)
            outputs[name] = np.where(gone.reshape(shape), tensors[answer], outputs[name])
    return outputs


def _double(array: Any, spec: TensorSpec) -> Any:
    """Double an open batch of one: a converter would take its size for fixed."""
    import numpy as np

    lone = len(array) == 1 and isinstance(spec.shape[0], str)
    return np.concatenate([array, array]) if lone else array
