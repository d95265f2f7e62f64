"""The operator `partition`: one graph in two, where a single tensor separates it."""

from __future__ import annotations

import logging
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench import (
    CaseFailed,
    ChainError,
    Context,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    Usable,
    hookimpl,
)
from edgebench_kit.onnx.cuts import Cut, Graph, split_graph
from edgebench_kit.onnx.graphs import count_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

TOLERANCE = 1e-5
"""Largest difference between the parts and the whole, relative to the largest output where that
exceeds 1: a runtime may lay tensors out in another way where a graph ends."""
SIDE = 64
"""What stands for a dimension that is open when parts and whole are compared: enough for strides
that halve it six times over, and words enough for any sentence that is read."""
CUT = "cut already"
"""What a pipeline is from then on."""


@attrs.frozen(kw_only=True)
class PartitionOptions:
    """Where the graph is cut."""

    choose: Literal["balanced-bytes"] = "balanced-bytes"
    """The rule that chooses among the cuts: `balanced-bytes` halves the bytes of the weights, and
    of two that do so equally well takes the one that sends less."""
    tensor: str = ""
    """The tensor to cut at instead, by its name in the graph."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Cut one stage in two.

    A quantized graph is cut where a tensor crosses as integers, unless a tensor is named: there
    alone do the parts give what the whole gives, to the bit.

    Raises:
        ChainError: The named tensor is not there or does not separate its graph, or none does.
        CaseFailed: The parts compute something else than the whole.
    """
    graphs = [Graph.of(stage.live) for stage in pipeline.stages]
    name = context.options.tensor
    number, cut = _named(graphs, name) if name else _balanced(graphs)
    whole = pipeline.stages[number]
    front, tail = _parts(pipeline, whole, graphs[number], cut)
    if cut.quantized or not graphs[number].holds_quantized:
        _compare(pipeline, whole, (front, tail), context)
    else:
        _not_compared(f"quantized, and what crosses at {cut.names[0]!r} is not integers")
    stages = (*pipeline.stages[:number], front, tail, *pipeline.stages[number + 1 :])
    return pipeline.replaced(stages, cuts=[number + 1])


def _named(graphs: Sequence[Graph], name: str) -> tuple[int, Cut]:
    """Return the stage and the cut at the tensor of that name."""
    cuts = [(number, cut) for number, graph in enumerate(graphs) for cut in graph.find_cuts()]
    for number, cut in cuts:
        if cut.names == (name,):
            return number, cut
    known = [cut.names[0] for _, cut in cuts]
    for graph in graphs:
        if name in graph.varying:
            raise ChainError(f"the graph cannot be cut at {name!r}: {_obstacle(graph, name)}")
    near = get_close_matches(name, known, n=3, cutoff=0.4) or known[:12]
    known_cuts = f"it can be cut at {', '.join(near)}"
    offer = known_cuts if near else "and no single one separates the graph"
    raise ChainError(f"no tensor is called {name!r}; {offer}")


def _obstacle(graph: Graph, name: str) -> str:
    """Say why a tensor that is there does not separate its graph."""
    front = graph.find_needed([name])
    others = [other for other in graph.find_crossing(front) if other != name]
    if not front:
        return "it is an input, nothing lies before it"
    if others:
        shown = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
        return f"{shown} would have to cross too"
    if name in graph.describe_tensors() and name not in graph.outputs:
        return "no output depends on it"
    return "nothing lies behind it" if name in graph.outputs else "its shape or type is not known"


def _balanced(graphs: Sequence[Graph]) -> tuple[int, Cut]:
    """Return the stage and the cut after which both parts of the pipeline weigh most alike."""
    sizes = [sum(graph.constants.values()) for graph in graphs]
    ranked = [
        (abs(sum(sizes[:number]) + front - tail - sum(sizes[number + 1 :])), cut.sent, number, cut)
        for number, graph in enumerate(graphs)
        for cut in _exact(graph)
        for front, tail in [cut.weights]
    ]
    if not ranked:
        raise ChainError(
            f"no single tensor separates the graph, so it cannot be cut in two{_hindrance(graphs)}"
        )
    # Of equals the last: an activation stays with the layer that a runtime fuses it with.
    *_, number, cut = min(reversed(ranked), key=lambda row: row[:2])
    return number, cut


def _hindrance(graphs: Sequence[Graph]) -> str:
    """Say that sizes hinder every cut, where nothing else does."""
    if any(Graph.of(graph.model, sizes_vary=False).find_cuts() for graph in graphs):
        return (
            ": the size of its input, which is not fixed, is read again at its end and would have "
            "to cross too"
        )
    return ""


def _exact(graph: Graph) -> Sequence[Cut]:
    """Return the cuts of a graph, of a quantized one those at integers if there are any.

    There are none where only weights are integers, or floats become such inside single nodes.
    """
    cuts = graph.find_cuts()
    quantized = [cut for cut in cuts if cut.quantized]
    return quantized if graph.holds_quantized and quantized else cuts


def _parts(pipeline: Pipeline, whole: Stage, graph: Graph, cut: Cut) -> tuple[Stage, Stage]:
    """Return the two stages; what could leave the whole early leaves the second."""
    front, tail = split_graph(graph, cut.names)
    outside = {spec.inside: spec for spec in whole.outputs}
    crossing = tuple(outside.get(spec.name) or _renamed(pipeline, spec) for spec in cut.crossing)
    needed = {one.name for one in tail.graph.input}
    return (
        whole.changed(
            front,
            outputs=crossing,
            exit=None,
            parameters=count_parameters(front),
            operations=None,
        ),
        whole.changed(
            tail,
            inputs=(*crossing, *(spec for spec in whole.inputs if spec.inside in needed)),
            outputs=tuple(spec for spec in whole.outputs if spec not in crossing),
            parameters=count_parameters(tail),
            operations=None,
        ),
    )


def _renamed(pipeline: Pipeline, spec: TensorSpec) -> TensorSpec:
    """Give a tensor a plain name that no other tensor of the pipeline has."""
    taken = {one.name for stage in pipeline.stages for one in (*stage.inputs, *stage.outputs)}
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", spec.name).strip("_") or "cut"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}-{number}", number + 1
    return attrs.evolve(spec, name=name, port=spec.name if name != spec.name else "")


def _compare(pipeline: Pipeline, whole: Stage, parts: Sequence[Stage], context: Context) -> None:
    """Run the parts and the whole on the same numbers.

    Raises:
        ChainError: What crosses has not a row for each sample.
        CaseFailed: The parts compute something else than the whole.
    """
    inputs = _inputs(whole, context.seed)
    try:
        wanted = _run(pipeline, whole, inputs, context)
    except CaseFailed:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a runtime says to sizes that do not fit)
        said = str(error).strip().partition("\n")[0]
        _not_compared(f"the whole does not run on made-up inputs: {said}")
        return
    got: dict[str, Any] = {}
    for part in parts:
        got |= _run(pipeline, part, {**inputs, **got}, context)
        _check_rows(part, got, len(next(iter(inputs.values()))))
    for name, array in wanted.items():
        difference = _difference(array, got[name])
        bound = _tolerance(array) * max(1.0, _largest(array))
        if not difference <= bound:
            raise CaseFailed(
                f"cut in two, {name!r} differs by {difference:.3g}; {bound:.1g} is allowed"
            )


def _not_compared(why: str) -> None:
    # What is logged while a case is prepared is kept with it.
    logging.getLogger(__name__).warning("the parts were not compared with the whole: %s", why)


def _run(pipeline: Pipeline, stage: Stage, inputs: Tensors, context: Context) -> Tensors:
    """Run one stage and return what it writes, whatever could leave the pipeline after it."""
    names = [spec.name for spec in stage.outputs]
    alone = attrs.evolve(stage, exit=None) if stage.exit else stage
    return context.run(attrs.evolve(pipeline, stages=[alone], outputs=names, cuts=()), inputs)


def _check_rows(stage: Stage, written: Tensors, samples: int) -> None:
    """See that what crosses has a row for each sample, which the shapes noted need not tell."""
    for spec in stage.outputs:
        if len(written[spec.name]) != samples:
            raise ChainError(
                f"the graph cannot be cut at {spec.name!r}: it has {len(written[spec.name])} rows "
                f"for {samples} samples"
            )


def _tolerance(array: NDArray[Any]) -> float:
    """Return the tolerance, or a few steps of the numbers where these are coarser."""
    import numpy as np

    if not np.issubdtype(array.dtype, np.floating):
        return TOLERANCE
    return max(TOLERANCE, 8 * float(np.finfo(array.dtype).eps))


def _difference(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    """Return the largest difference, infinite for other shapes; what is no number equals itself."""
    import numpy as np

    if wanted.shape != got.shape:
        return float("inf")
    one, other = wanted.astype("f8"), got.astype("f8")
    alike = (one == other) | (np.isnan(one) & np.isnan(other))
    apart = np.subtract(one, other, out=np.zeros_like(one), where=~alike)
    return _largest(apart, nan=float("inf"))


def _largest(array: NDArray[Any], nan: float = 0.0) -> float:
    import numpy as np

    sizes = np.abs(array.astype("f8"))
    return float(np.max(np.nan_to_num(sizes, nan=nan, posinf=nan), initial=0.0))


def _inputs(stage: Stage, seed: int) -> Tensors:
    """Return a batch of two made-up inputs, no two rows alike: floats, or whole numbers 0 and 1."""
    import numpy as np

    random = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for spec in stage.inputs:
        shape = [
            size if isinstance(size, int) else SIDE if axis else 2
            for axis, size in enumerate(spec.shape)
        ]
        drawn: NDArray[Any] = random.standard_normal(shape)
        if not spec.dtype.startswith("float"):
            drawn = drawn > 0
            drawn[1:2] ^= np.array_equal(drawn[:1], drawn[1:2])
        tensors[spec.name] = drawn.astype(spec.dtype)
    return tensors


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is cut already."""
    if pipeline.cuts:
        return f"it is {CUT}"
    return True


def added_cuts(options: PartitionOptions) -> int:
    """Return how many cuts it adds."""
    return 1


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer cutting in two."""
    yield Operator(
        name="partition",
        summary="Cut a graph in two, so that two tiers can share it.",
        apply=apply,
        options=PartitionOptions,
        reads=["onnx"],
        writes="onnx",
        cuts=added_cuts,
        accepts=accepts,
        once=CUT,
    )
