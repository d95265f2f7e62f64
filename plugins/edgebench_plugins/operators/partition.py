"""The operator `partition`: a pipeline in two or three pieces, wherever few tensors cross."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import attrs

from edgebench import (
    ChainError,
    Context,
    Cuts,
    Operator,
    Pipeline,
    Stage,
    TensorSpec,
    Usable,
    hookimpl,
)
from edgebench import (
    Cut as ShownCut,
)
from edgebench_kit.onnx.compared_parts import PartsCompared
from edgebench_kit.onnx.cut_rules import (
    doubt_cutting,
    doubt_sizes,
    find_rule,
    find_sizes,
    predict_latency,
)
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graphs import count_parameters
from edgebench_kit.onnx.hindrances import explain_uncut
from edgebench_kit.onnx.named_cuts import find_named, name_places, split_cuts, write_option
from edgebench_kit.onnx.parts_and_whole import OTHER_SIDE, SIDE, find_tolerance
from edgebench_kit.onnx.pipeline_cuts import PipelineCuts, Ranked
from edgebench_kit.onnx.scopes import find_free_name
from edgebench_kit.onnx.splitting import split_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench_kit.onnx.cut_lists import Cut
    from edgebench_kit.onnx.pipeline_cuts import Place

CUT = "cut already; one partition(pieces=3) makes three pieces"
"""What a pipeline is from then on."""
MEASURED = 20
"""At how many cuts of a quantized graph where floats cross the pieces are run for a table."""


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
    several cuts, these by `;`. A name that holds one of these or a blank stands in single quotes.
    Of tensors that several stages have, `@` and a stage's number say which are meant."""
    pieces: int = attrs.field(default=2, validator=attrs.validators.in_((2, 3)))
    """How many pieces are made: 2, or 3 for three tiers."""

    def __attrs_post_init__(self) -> None:
        """Refuse a rule where there is nothing left to choose."""
        if self.tensor and self.choose != "balanced-bytes":
            raise ValueError(
                f"tensor names the cut, which choose={self.choose} would choose; leave one out"
            )
        if self.tensor and (named := len(split_cuts(self.tensor))) != self.pieces - 1:
            raise ValueError(_say_other_number(self.tensor, named))


def _say_other_number(tensor: str, named: int) -> str:
    """Say how many pieces tensors that are named make, or how many can be named."""
    said = f"tensor={tensor!r} names {named} cut{'s' * (named != 1)}"
    if named in (1, 2):
        quoted = ", or, if that is one name, put it in single quotes" if ";" in tensor else ""
        return f"{said}, which makes {named + 1} pieces; say pieces={named + 1}{quoted}"
    return f"{said}; name one or two, joined by ; (the tensors of one are joined by +)"


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Cut a pipeline in two or three.

    A quantized graph is cut where tensors cross as integers, unless tensors are named: there alone
    do the parts give what the whole gives, to the bit. A place between two stages is as good as one
    within a stage; then there is nothing to be split.

    Raises:
        ChainError: The named tensors are not there or do not separate the graph, or none do.
        CaseFailed: The parts compute something else than the whole.
    """
    options = context.options
    cuts = PipelineCuts(pipeline, find_sizes(context) if _predicts(options) else {})
    if options.tensor:
        places = find_named(cuts, options.tensor)
    elif options.choose == "min-latency":
        prediction = predict_latency(cuts, context)
        if places := cuts.choose(prediction.predict, options.pieces):
            doubt_cutting(prediction, places, context)
        doubt_sizes(cuts, context)
    else:
        places = cuts.choose(find_rule(options.choose, options.pieces), options.pieces)
        if options.choose == "min-transfer":
            doubt_sizes(cuts, context)
    if len(places) != options.pieces - 1:
        raise ChainError(_explain_none(cuts, options.pieces))
    if not options.tensor:
        context.chose("tensor", name_places(cuts, places))
    for place, what in zip(places, ("bytes", "bytes of the second"), strict=False):
        context.chose(what, place.cut.sent)
    return cut_at(pipeline, cuts, places, context)


def cut_at(
    pipeline: Pipeline, cuts: PipelineCuts, places: Sequence[Place], context: Context
) -> Pipeline:
    """Cut a pipeline at places that lie one behind the other.

    Raises:
        CaseFailed: The parts compute something else than the whole.
    """
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
    if pieces > 2:
        found = cuts.rank(lambda weighed, *_: [weighed.sent])
        of = f" of the {len(found.places):,} best" if found.total > len(found.places) else ""
        if found.places:
            return f"the graph cannot be cut in {pieces}: no two{of} cuts lie one behind the other"
    return f"the graph cannot be cut in two: {explain_uncut(cuts.graphs[0])}"


def _split(
    pipeline: Pipeline, number: int, cuts: Sequence[Cut], graph: Graph, context: Context
) -> list[Stage]:
    """Return the stages that one is split into, compared with the whole; none without a cut."""
    if not cuts:
        return []
    whole = pipeline.stages[number]
    parts = _make_parts(pipeline, whole, graph, cuts)
    compared = PartsCompared(pipeline=pipeline, whole=whole, context=context)
    floats = [cut.names[0] for cut in cuts if graph.holds_quantized and not cut.quantized]
    if floats:
        compared.doubt_difference(parts, floats[0])
        return parts
    sized = any(name in graph.sizes for cut in cuts for name in cut.names)
    for side in [SIDE, OTHER_SIDE] if sized else [SIDE]:
        compared.check(parts, find_tolerance(graph, context.backends.values()), side)
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


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is cut already."""
    if pipeline.cuts:
        return f"it is {CUT}"
    return True


def list_cuts(pipeline: Pipeline, context: Context) -> Cuts:
    """Return where a pipeline may be cut in two, best first by the rule; no tier is asked here.

    At the first cuts of a quantized graph where floats cross the pieces are run beside the whole.

    Raises:
        ChainError: The rule needs to know where the pieces will run, three pieces are asked for, or
            the named tensors do not cut the pipeline.
    """
    cuts = PipelineCuts(pipeline)
    ranked = _rank(cuts, context.options)
    exact = [_is_exact(place, cuts) for place in ranked.places]
    floats = [at for at, one in enumerate(exact) if not one][:MEASURED]
    differences = {}
    for done, at in enumerate(floats):
        context.progress(done, len(floats), "cuts at floats compared with the whole")
        differences[at] = _measure_difference(pipeline, cuts, ranked.places[at], context)
    shown = [
        ShownCut(
            crossing=place.cut.crossing,
            bytes=place.cut.sent,
            parameters=_share(place.cut.parameters, cuts.parameters),
            operations=_share(place.cut.operations, sum(place.cut.operations)),
            exact=exact[at],
            difference=differences.get(at),
            written=write_option(cuts, place, "partition"),
        )
        for at, place in enumerate(ranked.places)
    ]
    return Cuts(cuts=shown, total=ranked.total, more=ranked.more, assumed=cuts.assumed)


def _rank(cuts: PipelineCuts, options: PartitionOptions) -> Ranked:
    """Return the cut that is named; all, best first, where none is."""
    if options.pieces > 2:
        raise ChainError(
            f"a table lists single cuts, and pieces={options.pieces} makes {options.pieces - 1} "
            "that are chosen together; leave pieces out"
        )
    if options.tensor:
        return Ranked(places=tuple(find_named(cuts, options.tensor)), total=1, more=False)
    if options.choose == "min-latency":
        raise ChainError(
            "choose=min-latency needs profiles of the tiers, which a table of cuts has not; list "
            "by balanced-bytes or min-transfer"
        )
    return cuts.rank(find_rule(options.choose, 2))


def _is_exact(place: Place, cuts: PipelineCuts) -> bool:
    return place.cut.quantized or not any(graph.holds_quantized for graph in cuts.graphs)


def _measure_difference(
    pipeline: Pipeline, cuts: PipelineCuts, place: Place, context: Context
) -> float | None:
    """Return by how much the parts differ from the whole; None where it cannot be run."""
    whole = pipeline.stages[place.stage]
    parts = _make_parts(pipeline, whole, cuts.graphs[place.stage], [place.cut])
    return PartsCompared(pipeline=pipeline, whole=whole, context=context).measure(parts)


def _share(sides: Sequence[int], whole: int) -> list[float]:
    return [side / whole if whole else 0.0 for side in sides]


def count_added(options: PartitionOptions) -> int:
    """Return how many cuts it adds."""
    return options.pieces - 1


def list_needs(options: PartitionOptions) -> Sequence[str]:
    """Return what it needs: only a prediction needs to know where the pieces will run."""
    return ["run", *(["profile", "placement", "links"] if _predicts(options) else [])]


def _predicts(options: PartitionOptions) -> bool:
    return options.choose == "min-latency" and not options.tensor


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
