"""From an exported torch program to a graph of LiteRT, by litert-torch.

The converter knows batches of one size alone. A graph is made for one sample, its batch then opened
in the file, and kept so where it gives the right answers for several.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Converter, Stage, Tensors, hookimpl
from edgebench_kit.stages.batches import fix_batch, take_first
from edgebench_kit.torch import tflite_graphs
from edgebench_kit.torch.int8_places import name_operator
from edgebench_kit.torch.lowered import compare_outputs, make_module
from edgebench_kit.torch.onnx_export import keep_quiet
from edgebench_kit.torch.quiet_imports import importing_quietly
from edgebench_kit.torch.tflite_runs import open_runner

if TYPE_CHECKING:
    from numpy.typing import NDArray

POOLING = frozenset(["avg_pool2d", "adaptive_avg_pool2d"])
JOINING = frozenset(["cat", "concat"])


@hookimpl
def edgebench_converters() -> Iterable[Converter]:
    """Offer the way from torch's own program to LiteRT."""
    yield Converter(
        name="torch-program-to-tflite",
        summary="Convert a program for LiteRT, its batch left open where it can be.",
        source="torch-program",
        target="tflite",
        convert=convert,
    )


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Convert the program, and compare the two on the examples.

    Raises:
        CaseFailed: It cannot be converted, or its outputs are not the program's.
    """
    model = tflite_graphs.read_graph(_convert(stage, examples))
    inputs = [spec.inside for spec in stage.inputs]
    tflite_graphs.rename_ends(model, inputs, [spec.inside for spec in stage.outputs])
    tflite_graphs.keep_ends_in_floats(model)
    alone = tflite_graphs.write_graph(model)
    _compare(stage, examples, alone, batches=False)
    with suppress(CaseFailed):
        tflite_graphs.open_batch(model)
        several = tflite_graphs.write_graph(model)
        _compare(stage, examples, several, batches=True)
        return stage.changed(several, format="tflite")
    return fix_batch(stage).changed(alone, format="tflite")


def _convert(stage: Stage, examples: Tensors) -> bytes:
    import torch

    with importing_quietly():
        import litert_torch

    litert_torch.progress.console.quiet = True
    firsts = take_first(stage.inputs, [examples[spec.name] for spec in stage.inputs])
    given = tuple(map(torch.tensor, firsts))
    module = make_module(stage)
    try:
        with keep_quiet():
            quantized = _fit_steps(module.program)
            made = litert_torch.convert(
                # Integers of 64 bits stay such, as the stage says that they are.
                module, given, quant_config=_ask_for_steps() if quantized else None, enable_x64=True
            )  # fmt: skip
            return bytes(made.model_content())
    except Exception as error:  # passes of several authors raise anything
        cause = (str(error).strip().splitlines() or [""])[0]
        title = f"{stage.model}:{stage.variant}"
        raise CaseFailed(
            f"litert-torch cannot convert {title}: {cause} ({type(error).__name__})"
        ) from error


def _ask_for_steps() -> Any:
    """Return what has Q/DQ pairs become integers; how they were chosen is the graph's own."""
    from litert_torch.quantize.pt2e_quantizer import (
        PT2EQuantizer,
        get_symmetric_quantization_config,
    )
    from litert_torch.quantize.quant_config import QuantConfig

    asked = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=False)
    return QuantConfig(pt2e_quantizer=PT2EQuantizer().set_global(asked))


def _fit_steps(program: Any) -> bool:
    """Write Q/DQ pairs as the converter takes them; return whether anything is quantized.

    Weights are quantized from floats there, not kept as integers. What is pooled has the steps of
    what it is pooled of, and what is joined those of the whole.
    """
    found = False
    for node in list(program.graph.nodes):
        name = name_operator(node)
        found |= name.startswith("quantize_per_")
        if name.startswith("dequantize_per_") and node.args[0].op == "get_attr":
            _show_floats(program, node)
        elif name in POOLING:
            _pool_in_steps(node)
        elif name in JOINING:
            _join_in_steps(program, node)
    program.graph.eliminate_dead_code()
    program.recompile()
    return found


def _find_steps(node: Any, name: str = "quantize_per_tensor") -> tuple[Any, ...]:
    """Return the steps of a node that quantizes or dequantizes by one; none of another."""
    return tuple(node.args[1:]) if name_operator(node) == name else ()


def _pool_in_steps(node: Any) -> None:
    """Give what is pooled the steps of what it is pooled of."""
    if steps := _find_steps(node.args[0], "dequantize_per_tensor"):
        for whole in filter(_find_steps, list(node.users)):
            for one in (whole, *list(whole.users)):
                one.args = (one.args[0], *steps)


def _join_in_steps(program: Any, node: Any) -> None:
    """Quantize the parts of what is joined in the steps of the whole."""
    import torch

    operators = torch.ops.quantized_decomposed
    steps: tuple[Any, ...] = next(filter(None, map(_find_steps, node.users)), ())
    for part in node.args[0] if steps else ():
        if _find_steps(part, "dequantize_per_tensor") not in ((), steps):
            with program.graph.inserting_before(node):
                floats = part.args[0].args[0]
                call = program.graph.call_function
                whole = call(operators.quantize_per_tensor.default, (floats, *steps))
                back = call(operators.dequantize_per_tensor.default, (whole, *steps))
            node.replace_input_with(part, back)


def _show_floats(program: Any, node: Any) -> None:
    """Have a weight quantized from the floats that its integers stand for."""
    import torch

    kept = f"floats_of_{node.args[0].target.replace('.', '_')}"
    with torch.no_grad():
        floats = node.target(*[_read(program, one) for one in node.args], **node.kwargs)
    program.register_buffer(kept, floats)
    name = name_operator(node).removeprefix("de")
    back = getattr(torch.ops.quantized_decomposed, name).default
    with program.graph.inserting_before(node):
        weight = program.graph.get_attr(kept)
        node.update_arg(0, program.graph.call_function(back, (weight, *node.args[1:])))


def _read(program: Any, argument: Any) -> Any:
    """Return the value of a node's argument: a constant of the program, or what it is."""
    if getattr(argument, "op", "") != "get_attr":
        return argument
    owner, _, name = argument.target.rpartition(".")
    return getattr(program.get_submodule(owner), name)


def _compare(stage: Stage, examples: Tensors, graph: bytes, *, batches: bool) -> None:
    runner = open_runner(graph, 1)
    inputs, outputs = ([one.inside for one in specs] for specs in (stage.inputs, stage.outputs))

    def run(arrays: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        return runner.run(dict(zip(inputs, arrays, strict=True)), outputs)

    compare_outputs(stage, examples, run, "LiteRT", batches=batches)
