"""A pipeline of ONNX graphs changed stage by stage, and held against what it was in floats."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

from edgebench_kit.onnx.compared_stages import COMPARED, Comparison
from edgebench_kit.onnx.graph_contents import count_kinds
from edgebench_kit.onnx.plain_graphs import PlainGraph
from edgebench_kit.onnx.staged_samples import run_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Context, Pipeline, Stage, Tensors


class Change(Protocol):
    """Makes another stage of one, or returns the same where there is nothing to change."""

    def __call__(
        self, number: int, stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]
    ) -> Stage:
        """Change the stage of that number, whose plain graph and inputs are given."""


def change_stages(
    pipeline: Pipeline,
    context: Context,
    samples: Sequence[Tensors],
    change: Change,
    *,
    doing: str = "quantizing",
    calibrated: bool = False,
) -> Pipeline:
    """Change every stage, and doubt what comes out far from the pipeline in floats.

    Args:
        pipeline: Stages in ONNX.
        context: Takes the progress and the doubts.
        samples: Calibration inputs of the pipeline. What comes out is compared on the first of
            them, at most `COMPARED`.
        change: What is done to each stage in turn.
        doing: What the progress says.
        calibrated: A stage is changed by what all the samples became after the changed stages
            before it, as ranges of activations must be found; else by what those compared became
            in floats.

    Raises:
        CaseFailed: The runtime does not run what was made.
    """
    stages: list[Stage] = []
    comparison = Comparison.begin(pipeline, samples[:COMPARED])
    for number, stage in enumerate(pipeline.stages):
        context.progress(number, len(pipeline.stages), doing)
        with TemporaryDirectory(prefix="edgebench-") as scratch:
            plain = PlainGraph.make(stage.live, Path(scratch))
            given = samples if calibrated else comparison.floats
            stages.append(change(number, stage, plain, given))
            comparison.add(plain, stages[-1])
        if calibrated and number + 1 < len(pipeline.stages):
            samples = run_on(pipeline, number, stages[-1], samples)
    for doubt in comparison.list_doubts():
        context.doubt(doubt)
    context.progress(len(pipeline.stages), len(pipeline.stages), doing)
    return pipeline.replaced(stages)


def list_kinds(pipeline: Pipeline) -> str:
    """Return the types of a pipeline's nodes in words, each once: what an operator knew none of."""
    return ", ".join(sorted(count_kinds(*(stage.live.graph for stage in pipeline.stages))))


def is_unchanged(before: Pipeline, after: Pipeline) -> bool:
    """Whether every stage is the one that it was."""
    return all(one is other for one, other in zip(before.stages, after.stages, strict=True))
