"""Which tensors of a graph hold marks beside values, so that no step of int8 fits both.

Attention is masked by adding to each score a 0, or a number so low that nothing is left of its
place after the softmax: the lowest that the type has, or -10000, whatever exported the graph. 255
steps from there to the scores leave one step for all scores. Nor can the mark be drawn near: below
the lowest score of the samples, it may lie above that of another input.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edgebench_kit.onnx.activation_ranges import Extremes

HUGE = 1e30
"""From here on a number is a mark wherever it stands: float32 has steps of 7e22 there, so that,
added to it, every other number is lost."""
WIDEST = 64.0
"""How far from 0 scores may lie that a softmax reads. Quantized, their step is then from a quarter
to a half, and rounding alone makes a weight an eighth to a quarter too heavy or too light."""

MOVED = frozenset(
    [
        *("Cast", "Identity", "Transpose", "Flatten", "Reshape", "Squeeze", "Unsqueeze"),
        *("Expand", "Pad", "Slice", "Split", "Tile"),
    ]
)
REACH: dict[str, Callable[[list[float]], float]] = {
    **dict.fromkeys(MOVED, lambda read: read[0]),
    **dict.fromkeys(["Add", "Sub", "Sum"], sum),
    **dict.fromkeys(["Concat", "Where"], max),
    "Mul": prod,
}
"""How far from 0 what a node writes may lie, from how far what it reads does, for all through
which a mask goes on its way to a softmax."""
SOFTMAXES = frozenset(["LogSoftmax", "Softmax"])


def find_marked(path: Path, found: Extremes) -> frozenset[str]:
    """Return the tensors of a graph that hold marks, or would if a sample had any.

    *found* are the ends of what the samples gave; in a graph whose mask hides nothing of them, its
    constants tell. The tensors are those that reach `HUGE`, and those beyond `WIDEST` on the way
    to a softmax, back to where they are computed from products.
    """
    import onnx

    graph = onnx.load_model(path, load_external_data=False).graph
    constants = _find_constants(graph, path.parent)
    reach = _find_reaches(graph, found, constants)
    huge = {name for name, far in reach.items() if not far < HUGE}
    return frozenset((huge | _find_scores(graph, reach)) - constants.keys())


def _find_constants(graph: Any, directory: Path) -> dict[str, float]:
    """Return how far from 0 the floats lie that are mixed with others; no weight of a product."""
    import onnx

    mixed = {name for node in graph.node if node.op_type in REACH for name in node.input}
    return {
        one.name: _measure_distance(onnx.numpy_helper.to_array(one, str(directory)))
        for one in graph.initializer
        if one.name in mixed and onnx.helper.tensor_dtype_to_np_dtype(one.data_type).kind == "f"
    }


def _measure_distance(values: Any) -> float:
    """Return the largest distance from 0; infinite where something is no number."""
    import numpy as np

    far = max(float(np.max(values, initial=0)), -float(np.min(values, initial=0)))
    return float("inf") if np.isnan(values).any() else far


def _find_reaches(graph: Any, found: Extremes, constants: Mapping[str, float]) -> dict[str, float]:
    """Return how far from 0 each tensor may lie: where it lay, or what it is made of takes it."""
    reach = {name: max(map(_measure_distance, ends)) for name, ends in found.items()} | dict(
        constants
    )
    for node in graph.node:
        if node.op_type in REACH:
            read = [reach[name] for name in node.input if name in reach]
            far = REACH[node.op_type](read) if read else 0.0
            for name in node.output:
                if name in found:
                    reach[name] = max(reach[name], far)
    return reach


def _find_scores(graph: Any, reach: Mapping[str, float]) -> set[str]:
    """Return the tensors on the way to a softmax that lie too far from 0 for its steps."""
    writers = {name: node for node in graph.node for name in node.output}
    left = [node.input[0] for node in graph.node if node.op_type in SOFTMAXES]
    scores: set[str] = set()
    while left:
        name = left.pop()
        node = writers.get(name)
        # No mask has been added to what a product writes: the way ends before it.
        mixed = node is None or node.op_type in REACH
        if mixed and name not in scores and reach.get(name, 0.0) > WIDEST:
            scores.add(name)
            left += node.input if node else ()
    return scores
