"""The operator `partition`: a pipeline in two or three pieces, wherever few tensors cross."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import attrs

from edgebench import (
    CaseFailed,
    ChainError,
    Context,
    Cuts,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    Usable,
    hookimpl,
)
from edgebench import (
    Cut as ShownCut,
)
from edgebench_kit.onnx.cut_rules import find_rule
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graphs import count_parameters
from edgebench_kit.onnx.hindrances import explain_uncut
from edgebench_kit.onnx.named_cuts import find_named
from edgebench_kit.onnx.parts_and_whole import (
    OTHER_SIDE,
    SIDE,
    draw_inputs,
    find_difference,
    find_tolerance,
)
from edgebench_kit.onnx.pipeline_cuts import PipelineCuts
from edgebench_kit.onnx.scopes import find_free_name
from edgebench_kit.onnx.splitting import split_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench_kit.onnx.cut_lists import Cut

CUT = "cut already"
"""What a pipeline is from then on."""


@attrs.frozen(kw_only=True)
class PartitionOptions:
    """Where the graph is cut."""

    choose: Literal["balanced-bytes", "min-transfer", "min-latency"] = "balanced-bytes"
    """The rule that chooses among the cuts: `balanced-bytes` divides the bytes of the weights
    evenly, with fewer tensors crossing where no piece has less than half its share, and of two that
    do so equally well takes the one that sends less; `min-transfer` sends the fewest bytes;
    `min-latency` is predicted to answer first, by a profile of the nodes on each tier and the
    links between."""
    tensor: str = ""
    """The tensors to cut at instead, by their names in the graph, joined by `+`; where there are
    several cuts, these by `;`."""
    pieces: int = attrs.field(default=2, validator=attrs.validators.in_((2, 3)))
    """How many pieces are made: 2, or 3 for three tiers."""

    def __attrs_post_init__(self) -> None:
        """Refuse a rule where there is nothing left to choose."""
        if self.tensor and self.choose != "balanced-bytes":
            raise ValueError(
                f"tensor names the cut, which choose={self.choose} would choose; leave one out"
            )


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Cut a pipeline in two or three.

    A quantized graph is cut where tensors cross as integers, unless tensors are named: there alone
    do the parts give what the whole gives, to the bit. A place between two stages is as good as one
    within a stage; then there is nothing to be split.

    Raises:
        ChainError: The named tensors are not there or do not separate the graph, or none do.
        CaseFailed: The parts compute something else than the whole.
    """
    cuts, options = PipelineCuts(pipeline), context.options
    if options.tensor:
        places = find_named(cuts, options.tensor, options.pieces)
    else:
        rule = find_rule(options.choose, cuts, options.pieces, context)
        places = cuts.choose(rule, options.pieces)
    if len(places) != options.pieces - 1:
        raise ChainError(_explain_none(cuts, options.pieces))
    stages: list[Stage] = []
    bounds = []
    for number, whole in enumerate(pipeline.stages):
        here = [place for place in places if place.stage == number]
        bounds += [len(stages) for place in here if not place.inside]
        inner = [place.cut for place in here if place.inside]
        bounds += [len(stages) + 1 + at for at in range(len(inner))]
        stages += _split(pipeline, number, inner, cuts.graphs[number], context) or [whole]
    return pipeline.replaced(stages, cuts=bounds)


def _explain_none(cuts: PipelineCuts, pieces: int) -> str:
    if pieces > 2 and cuts.rank(lambda weighed, *_: [weighed.sent], most=1).places:
        return f"the graph cannot be cut in {pieces}: no two cuts lie one behind the other"
    return f"the graph cannot be cut in two: {explain_uncut(cuts.graphs[0])}"


def _split(
    pipeline: Pipeline, number: int, cuts: Sequence[Cut], graph: Graph, context: Context
) -> list[Stage]:
    """Return the stages that one is split into, compared with the whole; none without a cut."""
    if not cuts:
        return []
    whole = pipeline.stages[number]
    parts = _make_parts(pipeline, whole, graph, cuts)
    floats = [cut.names[0] for cut in cuts if graph.holds_quantized and not cut.quantized]
    if not floats:
        sized = any(name in graph.sizes for cut in cuts for name in cut.names)
        for side in [SIDE, OTHER_SIDE] if sized else [SIDE]:
            _compare(pipeline, whole, parts, graph, context, side)
    else:
        context.doubt(
            f"the parts were not compared with the whole: it is quantized, and what crosses at "
            f"{floats[0]!r} is not integers"
        )
    return parts


def _make_parts(pipeline: Pipeline, whole: Stage, graph: Graph, cuts: Sequence[Cut]) -> list[Stage]:
    """Return the stages; what could leave the whole early leaves the last."""
    specs = {spec.inside: spec for spec in (*whole.inputs, *whole.outputs)}
    for spec in (spec for cut in cuts for spec in cut.crossing):
        specs.setdefault(spec.name, _rename(pipeline, spec))
    parts = split_graph(graph, *(cut.names for cut in cuts))
    stages = [
        whole.changed(
            part,
            inputs=tuple(specs[one.name] for one in part.graph.input),
            outputs=tuple(specs[one.name] for one in part.graph.output),
            exit=None,
            parameters=count_parameters(part),
            operations=None,
        )
        for part in parts
    ]
    return [*stages[:-1], attrs.evolve(stages[-1], exit=whole.exit)]


def _rename(pipeline: Pipeline, spec: TensorSpec) -> TensorSpec:
    """Give a tensor a plain name that no other tensor of the pipeline has."""
    taken = {one.name for stage in pipeline.stages for one in (*stage.inputs, *stage.outputs)}
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", spec.name).strip("_") or "cut"
    name = find_free_name(plain, taken)
    return attrs.evolve(spec, name=name, port=spec.name if name != spec.name else "")


def _compare(
    pipeline: Pipeline,
    whole: Stage,
    parts: Sequence[Stage],
    graph: Graph,
    context: Context,
    side: int,
) -> None:
    """Run the parts as they will be deployed, and the whole beside them, on the same numbers.

    Raises:
        ChainError: What crosses has not a row for each sample.
        CaseFailed: The parts compute something else than the whole.
    """
    inputs = draw_inputs(whole, context.seed, side)
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
    for part in parts[:-1]:
        _check_rows(part, got, len(next(iter(inputs.values()))))
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


def list_cuts(pipeline: Pipeline, options: PartitionOptions) -> Cuts:
    """Return where a pipeline may be cut in two, best first by the rule; no tier is asked here.

    Raises:
        ChainError: The rule needs to know where the pieces will run.
    """
    if options.choose == "min-latency":
        raise ChainError(
            "choose=min-latency needs profiles of the tiers, which a table of cuts has not; list "
            "by balanced-bytes or min-transfer"
        )
    cuts = PipelineCuts(pipeline)
    ranked = cuts.rank(find_rule(options.choose, cuts, 2))
    quantized = any(graph.holds_quantized for graph in cuts.graphs)
    shown = [
        ShownCut(
            crossing=place.cut.crossing,
            bytes=place.cut.sent,
            parameters=_share(place.cut.parameters, cuts.parameters),
            operations=_share(place.cut.operations, sum(place.cut.operations)),
            exact=place.cut.quantized or not quantized,
        )
        for place in ranked.places
    ]
    return Cuts(cuts=shown, total=ranked.total, more=ranked.more)


def _share(sides: Sequence[int], whole: int) -> list[float]:
    return [side / whole if whole else 0.0 for side in sides]


def count_added(options: PartitionOptions) -> int:
    """Return how many cuts it adds."""
    return options.pieces - 1


def list_needs(options: PartitionOptions) -> Sequence[str]:
    """Return what it needs: only a prediction needs to know where the pieces will run."""
    predicted = ["profile", "placement", "links"]
    return ["run", *(predicted if options.choose == "min-latency" else [])]


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer cutting in two or three."""
    yield Operator(
        name="partition",
        summary="Cut a graph in two or three, so that tiers can share it.",
        apply=apply,
        options=PartitionOptions,
        needs=list_needs,
        reads=["onnx"],
        writes="onnx",
        cuts=count_added,
        accepts=accepts,
        list_cuts=list_cuts,
        once=CUT,
    )
