"""Stages in floats and what an operator made of them, run on the same inputs and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import Pipeline, Stage, Tensors
from edgebench.metrics.classes import choose_classes_axis
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.closeness import Closeness
from edgebench_kit.onnx.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgebench_kit.onnx.plain_graphs import PlainGraph

COMPARED = 32
"""How many inputs graphs are compared with those in floats on, one at a time.

Calibrating runs the graph in floats on 100 unless told otherwise; these take less than that again,
and no more memory than the two graphs and one sample."""


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


def compare_stages(
    plain: PlainGraph,
    stage: Stage,
    floats: Sequence[Tensors],
    others: Sequence[Tensors],
    closenesses: dict[str, Closeness],
) -> tuple[list[Tensors], list[Tensors]]:
    """Add what a graph in floats and the one made of it give to the closeness of the answers.

    *floats* are the inputs of the one, *others* those of the other. Returned is what is known
    after each.
    """
    directory = plain.path.parent / "made"
    directory.mkdir()
    made = open_session(directory / graph_files.write_graph(stage.live, directory)[0])
    original = open_session(plain.original)
    known: tuple[list[Tensors], list[Tensors]] = ([], [])
    for before, given in zip(floats, others, strict=False):
        right = run_stage(stage, original, before, plain.names.ends)
        other = run_stage(stage, made, given, {})
        for name in right.keys() & closenesses.keys():
            closenesses[name] = closenesses[name].add(right[name], other[name])
        known[0].append({**before, **right})
        known[1].append({**given, **other})
    return known


def run_stage(
    stage: Stage, session: Any, tensors: Tensors, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Run a stage's graph, whose ends go by labels, and return its outputs by their names."""
    given = {labels.get(spec.inside, spec.inside): tensors[spec.name] for spec in stage.inputs}
    wanted = [labels.get(spec.inside, spec.inside) for spec in stage.outputs]
    written = session.run(wanted, given)
    return {spec.name: array for spec, array in zip(stage.outputs, written, strict=True)}
