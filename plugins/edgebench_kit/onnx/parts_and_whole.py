"""Whether the parts of an ONNX graph compute what the whole does, on the same made-up numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Stage, Tensors
from edgebench_kit.onnx.graphs import walk_bodies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from edgebench_kit.onnx.cuts import Graph

TOLERANCE = 1e-5
"""Largest difference between the parts and the whole, relative to the largest output where that
exceeds 1: a runtime may lay tensors out in another way where a graph ends."""
STEPS = 8
"""Of the coarsest numbers in between, how many steps are allowed where these are more."""
KIND_STEPS = {10: 2.0**-10, 16: 2.0**-7} | dict.fromkeys((17, 18), 2.0**-3)
KIND_STEPS |= dict.fromkeys((19, 20), 2.0**-2)
"""The step at 1 of the element types of ONNX that are coarser than float32: float16, bfloat16,
and the 8-bit ones with three and two bits of mantissa."""
PRECISION_STEPS = {"f64": 2.0**-52, "f32": 2.0**-23, "tf32": 2.0**-10, "f16": 2.0**-10}
PRECISION_STEPS |= {"bf16": 2.0**-7}
"""The same of the precisions that backends compute in; any other is taken for the coarsest."""
FLIPPED = 0.1
"""The share of whole numbers that may differ: two floats that are nearly alike, whichever is the
larger after rounding, make other ones."""
SIDE = 64
"""What stands for a dimension that is open in made-up inputs: enough for strides that halve it six
times over, and words enough for any sentence that is read."""
OTHER_SIDE = 48
"""The same once more, where sizes cross: one that was taken for fixed shows at another."""


@attrs.frozen
class Difference:
    """In what the parts differ from the whole."""

    clause: str
    """With its numbers."""
    slight: bool
    """Whether rounding may be behind it."""


def draw_inputs(stage: Stage, seed: int, side: int = SIDE) -> Tensors:
    """Return a batch of two made-up inputs, no two rows alike: floats, or whole numbers 0 and 1.

    Open dimensions are as large as *side*.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for spec in stage.inputs:
        shape = [
            size if isinstance(size, int) else side if axis else 2
            for axis, size in enumerate(spec.shape)
        ]
        drawn: NDArray[Any] = random.standard_normal(shape)
        if not spec.dtype.startswith("float"):
            drawn = drawn > 0
            drawn[1:2] ^= np.array_equal(drawn[:1], drawn[1:2])
        tensors[spec.name] = drawn.astype(spec.dtype)
    return tensors


def find_tolerance(graph: Graph, precisions: Iterable[str] = ()) -> float:
    """Return the tolerance for a graph, by the coarsest numbers that come into what it computes.

    That is what depends on an input, and the *precisions* in which it is computed; its outputs may
    be finer, where they are cast back at its end.
    """
    coarsest = max(PRECISION_STEPS.values())
    steps = [KIND_STEPS.get(kind, 0.0) for kind in _find_kinds(graph)]
    steps += [PRECISION_STEPS.get(precision, coarsest) for precision in precisions]
    return max(TOLERANCE, STEPS * max(steps, default=0.0))


def _find_kinds(graph: Graph) -> Iterator[int]:
    """Yield the element types of what depends on an input, in bodies and functions of anything."""
    for name, info in graph.infos.items():
        if name in graph.varying:
            yield info.type.tensor_type.elem_type
    yield from _find_casts(
        node for node in graph.model.graph.node if not graph.varying.isdisjoint(node.output)
    )
    for function in graph.model.functions:
        yield from _find_casts(function.node)


def _find_casts(nodes: Iterable[Any]) -> Iterator[int]:
    """Yield the element types that nodes cast to, and all that stand in their bodies."""
    for node in nodes:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                yield attribute.i
            for body in (attribute.g, *attribute.graphs):
                for graph in walk_bodies(body):
                    yield from (one.data_type for one in graph.initializer)
                    for info in (*graph.input, *graph.output, *graph.value_info):
                        yield info.type.tensor_type.elem_type
                    yield from _find_casts(graph.node)


def find_difference(
    wholes: Sequence[Tensors], parts: Tensors, tolerance: float
) -> Difference | None:
    """Return the first output in which the parts differ from the whole by more than is allowed.

    Args:
        wholes: What the whole gives on each backend that has a part: the parts may be as far from
            any of them as these are from each other.
        parts: What the parts give.
        tolerance: What is allowed beside that, relative to the largest number.
    """
    found = (_compare([whole[name] for whole in wholes], parts[name], name, tolerance)
             for name in wholes[0])  # fmt: skip
    return next((one for one in found if one), None)


def _compare(
    wanted: Sequence[NDArray[Any]], got: NDArray[Any], name: str, tolerance: float
) -> Difference | None:
    difference = min(_measure_difference(one, got) for one in wanted)
    spread = max(_measure_difference(wanted[0], one) for one in wanted)
    bound = tolerance * max(1.0, _find_largest(wanted[0]))
    # Wholes that are not even of one shape allow nothing.
    allowed = bound + (spread if spread < float("inf") else 0.0)
    if difference <= allowed:
        return None
    if got.dtype.kind == "f" or got.shape != wanted[0].shape:
        return Difference(f"{name!r} differs by {difference:.3g}; {allowed:.1g} is allowed", False)
    other = min(int((one != got).sum()) for one in wanted)
    clause = f"{name!r} differs in {other} of {got.size} whole numbers"
    return Difference(clause, other <= FLIPPED * got.size)


@attrs.frozen
class Apart:
    """How far the parts are from the whole, whatever is allowed."""

    share: float
    """The largest difference relative to the largest output where that exceeds 1, or the share of
    whole numbers that differ; infinite for tensors of other shapes."""
    clause: str
    """The same in words, with the output."""


def find_apart(wholes: Sequence[Tensors], parts: Tensors) -> Apart:
    """Return the most by which an output of the parts differs from that of the nearest whole."""
    found = (
        min((_find_apart(whole[name], parts[name], name) for whole in wholes), key=_get_share)
        for name in wholes[0]
    )
    return max(found, key=_get_share)


def _get_share(apart: Apart) -> float:
    return apart.share


def _find_apart(wanted: NDArray[Any], got: NDArray[Any], name: str) -> Apart:
    difference = _measure_difference(wanted, got)
    largest = _find_largest(wanted)
    if got.dtype.kind == "f" or wanted.shape != got.shape:
        clause = f"{name!r} differs by {difference:.3g}; its largest value is {largest:.3g}"
        return Apart(difference / max(1.0, largest), clause)
    other = int((wanted != got).sum())
    return Apart(other / got.size, f"{name!r} differs in {other} of {got.size} whole numbers")


def _measure_difference(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    """Return the largest difference, infinite for other shapes; what is no number equals itself."""
    import numpy as np

    if wanted.shape != got.shape:
        return float("inf")
    one, other = wanted.astype("f8"), got.astype("f8")
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.subtract(one, other, out=np.zeros_like(one), where=~alike)
    return _find_largest(apart, nan=float("inf"))


def _find_largest(array: NDArray[Any], nan: float = 0.0) -> float:
    import numpy as np

    sizes = np.abs(array.astype("f8"))
    return float(np.max(np.nan_to_num(sizes, nan=nan, posinf=nan), initial=0.0))
