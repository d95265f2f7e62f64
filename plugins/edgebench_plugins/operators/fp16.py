"""The operator `fp16`: half precision within, inputs and outputs as they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    CaseFailed,
    ChainError,
    Context,
    Operator,
    Pipeline,
    Stage,
    Usable,
    hookimpl,
)
from edgebench_kit.onnx import graph_files, graphs, half_floats
from edgebench_kit.onnx.activation_ranges import find_extremes
from edgebench_kit.onnx.compared_stages import COMPARED
from edgebench_kit.onnx.graph_contents import count_kinds
from edgebench_kit.onnx.half_conversion import Conversion, convert_to_halves
from edgebench_kit.onnx.half_nodes import Judge
from edgebench_kit.onnx.quantized_stages import refuse_quantized
from edgebench_kit.onnx.scopes import LABEL
from edgebench_kit.onnx.sessions import make_options, open_session, shorten_reason
from edgebench_kit.onnx.stage_by_stage import change_stages, is_unchanged, list_kinds
from edgebench_kit.onnx.staged_samples import feed_plain, take_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench import Tensors
    from edgebench_kit.onnx.plain_graphs import PlainGraph

RETRIES = 6
"""How often a graph that does not run is made again, each time with more left in 32 bits."""
NEARLY_ALL = 0.95
"""The part of the nodes with floats from which on a graph is said to be in half precision."""
ALREADY = "it computes in 16-bit floats already"


@attrs.frozen(kw_only=True)
class Fp16Options:
    """What values are looked for that half precision does not hold."""

    samples: int = attrs.field(default=COMPARED, validator=attrs.validators.ge(1))
    """On how many calibration inputs, at most, values beyond half precision are looked for, and
    the result is compared with the graph in floats."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Convert every stage, and compare what comes out with the floats.

    Raises:
        CaseFailed: There is nothing to look at, or the runtime does not run what was made.
        ChainError: No node of the pipeline can compute in half precision.
    """
    samples = take_samples(context, context.options.samples)

    def change(number: int, stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> Stage:
        model, conversion = _convert(stage, plain, samples)
        for doubt in _list_doubts(conversion, model):
            context.doubt(f"stage {number}: {doubt}")
        return _describe(stage, model, conversion)

    halved = change_stages(pipeline, context, samples, change, doing="converting")
    if is_unchanged(pipeline, halved):
        raise ChainError(
            "nothing in it can compute in half precision: none of its nodes "
            f"({list_kinds(pipeline)}) takes 16-bit floats for the 32-bit floats that it has"
        )
    return halved


def _convert(stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> tuple[Any, Conversion]:
    """Return a graph that runs in half precision as far as it may, under its own names.

    Raises:
        CaseFailed: None runs, whatever is left in 32 bits.
    """
    feeds = feed_plain(stage, plain, samples)
    extremes = _find_sizes(plain.path, feeds)
    left: frozenset[str] = frozenset()
    for _ in range(RETRIES):
        model = graph_files.read_graph(plain.path)
        conversion = convert_to_halves(model, Judge.of(model, extremes, left), plain.labels)
        why = _try_run(model, plain, feeds[0])
        if why is None:
            return plain.restore(model), conversion
        named = set(LABEL.findall(why))
        nodes = frozenset(
            node.name
            for node in graph_files.read_graph(plain.path).graph.node
            if named & {node.name, *node.input, *node.output}
        )
        if nodes <= left:
            break
        left |= nodes
    raise CaseFailed(
        f"no runtime opens the graph in half precision: {plain.labels.explain(why or '')}"
    )


def _find_sizes(path: Path, feeds: Sequence[Tensors]) -> dict[str, float]:
    """Return the largest size of the values of each tensor."""
    found = find_extremes(path, feeds)
    return {
        name: max(abs(float(low[0])), abs(float(high[0]))) for name, (low, high) in found.items()
    }


def _try_run(model: Any, plain: PlainGraph, feed: Tensors) -> str | None:
    """Return what the runtime says against a graph, or None."""
    directory = plain.path.parent / "attempt"
    directory.mkdir(exist_ok=True)
    try:
        path = directory / graph_files.write_graph(model, directory)[0]
        open_session(path).run(None, dict(feed))
    except Exception as error:  # noqa: BLE001 (every runtime's own)
        return shorten_reason(error)
    return None


def _describe(stage: Stage, model: Any, conversion: Conversion) -> Stage:
    """Return the stage with the graph, its precision named; the same if no node changed."""
    halved, kept = conversion.halved.total(), sum(map(Counter.total, conversion.kept.values()))
    if not halved:
        return stage
    share = halved / (halved + kept)
    return stage.changed(model, precision="f16" if share >= NEARLY_ALL else f"f16 ({share:.0%})")


def _list_doubts(conversion: Conversion, model: Any) -> Iterator[str]:
    """Yield what stayed in 32 bits and why, and what the runtimes here make of halves."""
    for reason, kinds in conversion.kept.items():
        yield f"{_count_in_words(kinds)} stay in 32-bit floats: {reason}"
    if conversion.in_bodies:
        yield f"values of {_count_in_words(conversion.in_bodies)} in bodies were not watched"
    if not conversion.halved:
        return
    casts = _count_casts(model)
    if casts:
        yield (
            f"onnxruntime lacks kernels for 16-bit floats on this processor: it adds {casts} Casts "
            f"around the {conversion.halved.total()} nodes that have them and computes those in 32 "
            "bits, so that size is gained there and hardly time; openvino widens all to what it "
            "computes in"
        )


def _count_in_words(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _count_casts(model: Any) -> int:
    """Return how many Casts ONNX Runtime adds to a graph to run it on this processor."""
    import onnx
    import onnxruntime

    with TemporaryDirectory(prefix="edgebench-") as scratch:
        path = Path(scratch, graph_files.write_graph(model, Path(scratch))[0])
        options = make_options()
        options.optimized_model_filepath = str(Path(scratch, "opened.onnx"))
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "opened.data"
        )
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        opened = onnx.load_model(options.optimized_model_filepath, load_external_data=False)
    return max(0, count_kinds(opened.graph)["Cast"] - count_kinds(model.graph)["Cast"])


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized, and what is in half precision already."""
    quantized = refuse_quantized(pipeline)
    if quantized is not True:
        return quantized
    halves = (stage.format == "onnx" and _holds_halves(stage) for stage in pipeline.stages)
    return ALREADY if any(halves) else True


def _holds_halves(stage: Stage) -> bool:
    import onnx

    if stage.live is None and stage.directory is None:
        return stage.precision.startswith("f16")
    model = stage.live or onnx.load_model(stage.file, load_external_data=False)
    return half_floats.holds_halves(model)


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer half precision."""
    yield Operator(
        name="fp16",
        summary="Compute in half precision where a graph's values and operators allow it.",
        apply=apply,
        options=Fp16Options,
        needs=["calibration"],
        reads=["onnx"],
        writes="onnx",
        accepts=accepts,
        # Halves are a coarser step too: what one quantizer made, no other is to make anew.
        once=graphs.QUANTIZED,
    )
