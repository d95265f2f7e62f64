"""The operator `partition`: one graph in two, where a single tensor separates it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

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
from edgebench_kit.onnx.hindrances import explain_obstacle, explain_uncut
from edgebench_kit.onnx.parts_and_whole import draw_inputs, find_difference, find_tolerance
from edgebench_kit.onnx.scopes import find_free_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        _compare(pipeline, whole, (front, tail), graphs[number], context)
    else:
        context.doubt(
            f"the parts were not compared with the whole: it is quantized, and what crosses at "
            f"{cut.names[0]!r} is not integers"
        )
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
        if name in graph.varying or name in graph.constants:
            obstacle = explain_obstacle(graph, name)
            raise ChainError(f"the graph cannot be cut at {name!r}: {obstacle}")
    near = get_close_matches(name, known, n=3, cutoff=0.4) or known[:12]
    known_cuts = f"it can be cut at {', '.join(near)}"
    offer = known_cuts if near else "and no single one separates the graph"
    raise ChainError(f"no tensor is called {name!r}; {offer}")


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
        raise ChainError(f"the graph cannot be cut in two: {explain_uncut(graphs[0])}")
    # Of equals the last: an activation stays with the layer that a runtime fuses it with.
    *_, number, cut = min(reversed(ranked), key=lambda row: row[:2])
    return number, cut


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
    name = find_free_name(plain, taken)
    return attrs.evolve(spec, name=name, port=spec.name if name != spec.name else "")


def _compare(
    pipeline: Pipeline, whole: Stage, parts: Sequence[Stage], graph: Graph, context: Context
) -> None:
    """Run the parts as they will be deployed, and the whole beside them, on the same numbers.

    Raises:
        ChainError: What crosses has not a row for each sample.
        CaseFailed: The parts compute something else than the whole.
    """
    inputs = draw_inputs(whole, context.seed)
    wholes, failed = _run_whole(_alone(pipeline, [whole]), inputs, context)
    if failed:
        where = f" but on {', '.join(wholes)}" if wholes else ""
        context.doubt(
            f"the parts were not compared with the whole{where}: the whole does not run on made-up "
            f"inputs: {failed}"
        )
    if not wholes:
        return
    got = context.run(_alone(pipeline, parts), inputs)
    _check_rows(parts[0], got, len(next(iter(inputs.values()))))
    tolerance = find_tolerance(graph, context.backends.values())
    different = find_difference(list(wholes.values()), got, tolerance)
    if different and (different.slight or failed):
        context.doubt(f"cut in two, {different.clause}")
    elif different:
        raise CaseFailed(f"cut in two, {different.clause}")


def _run_whole(
    whole: Pipeline, inputs: Tensors, context: Context
) -> tuple[Mapping[str, Tensors], str]:
    """Return what the whole gives on each backend that runs it, and why another does not."""
    wholes, failed = {}, []
    for backend in context.backends:
        try:
            wholes[backend] = context.run(whole, inputs, on=backend)
        except ChainError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a runtime says to made-up inputs)
            said = str(error).strip().partition("\n")[0]
            named = said.startswith(f"backend {backend} ")
            failed.append(said if named else f"{backend}: {said}")
    return wholes, "; ".join(failed)


def _alone(pipeline: Pipeline, stages: Sequence[Stage]) -> Pipeline:
    """Return stages as a pipeline that gives all they write, whatever could leave it early."""
    return attrs.evolve(
        pipeline,
        stages=[attrs.evolve(stage, exit=None) for stage in stages],
        outputs=[spec.name for stage in stages for spec in stage.outputs],
        cuts=range(1, len(stages)),
    )


def _check_rows(stage: Stage, written: Tensors, samples: int) -> None:
    """See that what crosses has a row for each sample, which the shapes noted need not tell."""
    for spec in stage.outputs:
        rows = written[spec.name].shape[:1]
        if rows != (samples,):
            raise ChainError(
                f"the graph cannot be cut at {spec.name!r}: it has {rows[0] if rows else 'no'} "
                f"rows for {samples} samples"
            )


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
        needs=["run"],
        reads=["onnx"],
        writes="onnx",
        cuts=added_cuts,
        accepts=accepts,
        once=CUT,
    )
