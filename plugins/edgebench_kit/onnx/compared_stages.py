"""Stages in floats and what an operator made of them, run on the same inputs and compared."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Exit, Pipeline, Stage, Tensors
from edgebench.metrics.classes import choose_classes_axis
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.closeness import Closeness
from edgebench_kit.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edgebench_kit.onnx.plain_graphs import PlainGraph

COMPARED = 32
"""How many inputs graphs are compared with those in floats on, one at a time.

Calibrating runs the graph in floats on 100 unless told otherwise; these take less than that again,
and no more memory than one of the two graphs and what both give for them."""
OTHERWISE = 0.05
"""The share of inputs that leave elsewhere than in floats from which on that is a doubt."""
NO_LABELS: Mapping[str, str] = MappingProxyType({})


def list_answers(pipeline: Pipeline) -> dict[str, Closeness]:
    """Return, with nothing compared yet, what a pipeline and its exits answer; the first decides.

    Whether the largest value of another output means anything is not known.
    """
    ranks = {spec.name: len(spec.shape) for stage in pipeline.stages for spec in stage.outputs}
    exits = [name for stage in pipeline.stages if stage.exit for name in stage.exit.answer]
    first = pipeline.outputs[0]
    return {
        name: Closeness(
            name=name,
            axis=choose_classes_axis(pipeline.classes, ranks[name]) if name == first else None,
        )
        for name in dict.fromkeys((*pipeline.outputs, *exits))
        if name in ranks
    }


@attrs.define
class Comparison:
    """Holds a pipeline in floats against what is made of it, stage by stage, on the same inputs."""

    floats: list[Tensors]
    """What is known of each input after the stages so far, in floats."""
    others: list[Tensors]
    """The same after what was made of them."""
    closenesses: dict[str, Closeness]
    """How near the answers are, by name."""
    changed: dict[str, int] = attrs.field(factory=dict)
    """By the condition of an exit, how many inputs leave there in one alone."""

    @classmethod
    def begin(cls, pipeline: Pipeline, samples: Sequence[Tensors]) -> Comparison:
        """Begin with inputs of a pipeline."""
        return cls([*samples], [*samples], list_answers(pipeline))

    def add(self, plain: PlainGraph, stage: Stage) -> None:
        """Run the next stage in floats and what was made of it, each on what is known before it."""
        directory = plain.path.parent / "made"
        directory.mkdir()
        made = directory / graph_files.write_graph(stage.live, directory)[0]
        # One graph after the other: a session takes the memory of its weights once more.
        self.floats = [*run_each(stage, plain.original, self.floats, plain.names.ends)]
        self.others = [*run_each(stage, made, self.others)]
        names = self.closenesses.keys() & {spec.name for spec in stage.outputs}
        for right, other in zip(self.floats, self.others, strict=True):
            for name in names:
                self.closenesses[name] = self.closenesses[name].add(right[name], other[name])
        if stage.exit is not None:
            self.changed[stage.exit.condition] = self._count_changed(stage.exit)

    def _count_changed(self, leaves: Exit) -> int:
        pairs = zip(self.floats, self.others, strict=True)
        sure = (
            [one[leaves.condition].item() >= leaves.threshold for one in pair] for pair in pairs
        )
        return sum(floats != made for floats, made in sure)

    def list_doubts(self) -> Iterator[str]:
        """Yield what speaks against what was made, in clauses with their numbers."""
        count = len(self.floats)
        for closeness in self.closenesses.values():
            for fault in closeness.list_faults():
                yield f"against floats, on {count} calibration inputs, {fault}"
        for condition, changed in self.changed.items():
            if changed > OTHERWISE * count:
                yield (
                    f"{changed} of {count} calibration inputs leave by {condition!r} where they "
                    "did not in floats, or the other way round: its threshold was tuned in floats"
                )


def run_each(
    stage: Stage, path: Path, known: Iterable[Tensors], labels: Mapping[str, str] = NO_LABELS
) -> Iterator[dict[str, Any]]:
    """Yield what is known of each input, with what a stage gives for it by its graph in a file."""
    session = open_session(path)
    for each in known:
        yield {**each, **run_stage(stage, session, each, labels)}


def run_stage(
    stage: Stage, session: Any, tensors: Tensors, labels: Mapping[str, str] = NO_LABELS
) -> dict[str, Any]:
    """Run a stage's graph, whose ends go by labels, and return its outputs by their names."""
    given = {labels.get(spec.inside, spec.inside): tensors[spec.name] for spec in stage.inputs}
    wanted = [labels.get(spec.inside, spec.inside) for spec in stage.outputs]
    written = session.run(wanted, given)
    return {spec.name: array for spec, array in zip(stage.outputs, written, strict=True)}
