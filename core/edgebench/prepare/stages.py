"""Stages as live objects and as files: loading, writing, converting, training and running them.

They are run in the process that prepares, for calibration and checks: never for timing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.ways import find_way
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Converter, Format, Operator, Trainer
from edgebench.parts.errors import CaseFailed, ChainError
from edgebench.parts.pipeline import Pipeline, Stage, Tensors, TensorSpec
from edgebench.parts.places import Backend, Session
from edgebench.parts.subjects import Budget, Model, Weights
from edgebench.prepare.data import Preprocessed
from edgebench.prepare.orders import Progress
from edgebench.sessions.opening import Opening
from edgebench.store.artifacts import write_pipeline
from edgebench.store.splits import open_split


@attrs.frozen(eq=False)
class Stages:
    """Loads, writes, converts and trains stages with the parts that are installed."""

    plugins: Plugins
    store: Path
    """The root of the artifact store: files in it may be linked, as nobody changes them."""
    inputs: Callable[[Case], Path]
    """From a case to the directory of its kept splits, made if need be."""
    progress: Progress

    def live(self, stage: Stage) -> Stage:
        """Return a stage with its live object loaded."""
        if stage.live is not None:
            return stage
        form = self.plugins.get(Format, stage.format)
        with blame(self.plugins, Format, form.name):
            return attrs.evolve(stage, live=form.load(stage, lambda: self._rebuild(stage)))

    def save(self, pipeline: Pipeline, directory: Path) -> None:
        """Write a pipeline into an empty directory."""
        stages = []
        for number, stage in enumerate(pipeline.stages):
            place = directory / f"stage-{number}"
            place.mkdir()
            stages.append(attrs.evolve(stage, files=self.write(stage, place)))
        write_pipeline(pipeline.replaced(stages), directory)

    def write(self, stage: Stage, place: Path) -> tuple[str, ...]:
        """Write the files of a stage into an empty directory; return their names."""
        if stage.directory is None:
            form = self.plugins.get(Format, stage.format)
            with blame(self.plugins, Format, form.name):
                return tuple(form.save(stage, place))
        # A link to a file of the user's would change with it: only what is in the store is linked.
        bring: Callable[[Path, Path], object]
        bring = _link if stage.directory.is_relative_to(self.store) else shutil.copyfile
        for name in stage.files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            bring(stage.directory / name, place / name)
        return stage.files

    def _rebuild(self, stage: Stage) -> Any:
        model = self.plugins.get(Model, stage.model)
        live = model.build(stage.variant, Weights(kind="random")).stages[0].live
        for edit in stage.edits:
            operator = self.plugins.get(Operator, edit.operator)
            if operator.replay is None:
                raise ChainError(f"{edit.operator} recorded an edit and offers no replay")
            with blame(self.plugins, Operator, edit.operator):
                live = operator.replay(live, edit.values)
        return live

    def convert(self, stage: Stage, way: tuple[Converter, ...], examples: Any) -> Stage:
        """Return a stage converted along a way, by converters that are given a batch of its inputs.

        Raises:
            CaseFailed: A converter gave another format than it announces.
        """
        for converter in way:
            live = self.live(stage)
            with blame(self.plugins, Converter, converter.name):
                stage = converter.convert(live, examples)
                if stage.format != converter.target:
                    raise CaseFailed(f"gave {stage.format}, not {converter.target}")
        return stage

    def split(self, case: Case, name: str, pipeline: Pipeline) -> Preprocessed:
        """Return a split of a case's inputs as the tensors of its model, as *pipeline* holds it."""
        model = self.plugins.get(Model, case.model)
        bound = model.bound(case.variant, pipeline.resources)
        return Preprocessed(open_split(self.inputs(case) / name), bound, case.variant)

    def fit(
        self,
        case: Case,
        pipeline: Pipeline,
        stage: Stage,
        *,
        budget: Budget,
        seed: int,
        loss: Callable[..., Any] | None,
        teacher: Stage | None = None,
    ) -> Stage:
        """Train a stage of a pipeline with the trainer of its format.

        The loss makes a scalar of outputs and answers, and of a teacher's outputs if there is one.

        Raises:
            ChainError: Nothing trains stages of its format, or there is no loss.
        """
        if loss is None:
            raise ChainError(f"{stage.model or case.model} gives no loss to be trained with")
        trainers = self.plugins.all(Trainer).values()
        trainer = next((each for each in trainers if each.format == stage.format), None)
        if trainer is None:
            raise ChainError(f"nothing here trains stages of format {stage.format}")
        with blame(self.plugins, Trainer, trainer.name):
            return trainer.fit(
                self.live(stage),
                loss,
                self.split(case, "training", pipeline),
                self.split(case, "validation", pipeline),
                budget,
                seed,
                self.progress,
                teacher=teacher,
            )


@attrs.frozen(eq=False)
class Runner:
    """Opens each stage once, on the first installed backend that reads it, and keeps it open."""

    stages: Stages
    scratch: Path
    _stack: ExitStack
    # Keyed by identity: a live object has no digest, and the stage lives on beside its session.
    _open: dict[int, tuple[Stage, Session, str]] = attrs.field(factory=dict, init=False)

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
            self._open[id(stage)] = (stage, *self._session(stage, tensors))
        _, session, backend = self._open[id(stage)]
        given = {spec.inside: tensors[spec.name] for spec in stage.inputs}
        with blame(self.stages.plugins, Backend, backend):
            written = session.run(given)
            return {spec.name: written[spec.inside] for spec in stage.outputs}

    def _session(self, stage: Stage, tensors: Tensors) -> tuple[Session, str]:
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
        with blame(plugins, Backend, backend.name):
            opening = Opening.of(backend, BackendChoice(backend.name), 1)
            return self._stack.enter_context(opening.session(written)), backend.name

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


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without hard links: a copy serves as well.
        shutil.copyfile(source, target)
