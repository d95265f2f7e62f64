"""Running pipelines in the process that prepares, for calibration and checks: never for timing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.ways import find_way
from edgebench.parts.changes import Converter
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Pipeline, Stage, Tensors, TensorSpec
from edgebench.parts.places import Backend, Session
from edgebench.prepare.stages import Stages
from edgebench.sessions.opening import Opening


@attrs.frozen(eq=False)
class Runner:
    """Opens each stage once, on the first installed backend that reads it, and keeps it open."""

    stages: Stages
    scratch: Path
    _stack: ExitStack
    # Keyed by identity: a live object has no digest, and the stage lives on beside its session.
    _open: dict[int, tuple[Stage, Session]] = attrs.field(factory=dict, init=False)

    @classmethod
    @contextmanager
    def open(cls, stages: Stages) -> Iterator[Runner]:
        """Give a runner; its sessions are closed and its files gone when the context ends."""
        with (
            tempfile.TemporaryDirectory(prefix="edgebench-") as scratch,
            ExitStack() as stack,
        ):
            yield cls(stages, Path(scratch), stack)

    def outputs(self, pipeline: Pipeline, inputs: Tensors) -> dict[str, Any]:
        """Run every stage on a batch, and return the outputs, those of exits where samples leave.

        Every stage is run for every sample, which costs time that nobody measures here.
        """
        import numpy as np

        tensors = dict(inputs)
        for stage in pipeline.stages:
            tensors.update(self.stage(stage, tensors))
        outputs = {name: tensors[name] for name in pipeline.outputs}
        # From the last exit to the first: a sample leaves at the first that lets it.
        for leaves in (stage.exit for stage in reversed(pipeline.stages) if stage.exit):
            gone = np.asarray(tensors[leaves.condition]).reshape(-1) >= leaves.threshold
            for name, answer in zip(pipeline.outputs, leaves.answer, strict=True):
                shape = (-1,) + (1,) * (outputs[name].ndim - 1)
                outputs[name] = np.where(gone.reshape(shape), tensors[answer], outputs[name])
        return outputs

    def stage(self, stage: Stage, tensors: Tensors) -> dict[str, Any]:
        """Run one stage on the tensors that it reads, and return those that it writes."""
        if id(stage) not in self._open:
            self._open[id(stage)] = (stage, self._session(stage, tensors))
        _, session = self._open[id(stage)]
        given = {spec.inside: tensors[spec.name] for spec in stage.inputs}
        written = session.run(given)
        return {spec.name: written[spec.inside] for spec in stage.outputs}

    def _session(self, stage: Stage, tensors: Tensors) -> Session:
        plugins = self.stages.plugins
        converters = plugins.all(Converter).values()
        ways = {}
        for name, backend in plugins.all(Backend).items():
            way = find_way(converters, stage.format, backend.formats)
            if way is not None and backend.formats:
                ways[len(way), name] = (backend, way)
        if not ways:
            raise CaseFailed(f"no installed backend can run a stage of format {stage.format} here")
        backend, way = ways[min(ways)]
        given = {spec.name: _double(tensors[spec.name], spec) for spec in stage.inputs}
        written = self._write(self.stages.convert(stage, way, given))
        opening = Opening(backend=backend, device="cpu", threads=1, options=backend.options())
        return self._stack.enter_context(opening.session(written))

    def _write(self, stage: Stage) -> Stage:
        if stage.directory is not None:
            return stage
        place = self.scratch / f"stage-{len(self._open)}"
        place.mkdir()
        files = self.stages.write(stage, place)
        return attrs.evolve(stage, directory=place, files=files)


def _double(array: Any, spec: TensorSpec) -> Any:
    """Double an open batch of one: a converter would take its size for fixed."""
    import numpy as np

    lone = len(array) == 1 and isinstance(spec.shape[0], str)
    return np.concatenate([array, array]) if lone else array
