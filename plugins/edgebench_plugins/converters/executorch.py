"""From an exported torch program to what ExecuTorch runs on a phone, XNNPACK doing the products.

ExecuTorch plans all memory when it lowers a program, so each size that is left open gets a bound.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from edgebench import CaseFailed, Converter, Stage, Tensors, hookimpl
from edgebench_kit.stages.batches import fix_batch, take_first
from edgebench_kit.torch.executorch_programs import open_method, run_method, working_quietly
from edgebench_kit.torch.int8_places import name_operator
from edgebench_kit.torch.lowered import compare_outputs, make_module

BATCH = 64
"""The most samples that a program has memory for."""
STRETCH = 2
"""How much longer than in the examples other open dimensions may be."""
ENDING = frozenset(["linear", "conv2d"])
"""The layers that XNNPACK computes in integers and gives floats of."""
RANGE = (-128, 127)
EPSILON = 1.2e-7
"""The least step of what is quantized as it runs: that of floats at 1."""


@hookimpl
def edgebench_converters() -> Iterable[Converter]:
    """Offer the way from torch's own program to its runtime for phones."""
    yield Converter(
        name="torch-program-to-executorch",
        summary="Lower a program for phones, its products to XNNPACK.",
        source="torch-program",
        target="executorch",
        convert=convert,
    )


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Lower the program, and compare the two on the examples.

    Kernels that move tensors may refuse an open batch, and only when they run: such a program is
    lowered for one sample, and says so.

    Raises:
        CaseFailed: It cannot be lowered, or its outputs are not the program's.
    """
    with suppress(CaseFailed):
        return _convert(stage, examples, BATCH)
    firsts = take_first(stage.inputs, [examples[spec.name] for spec in stage.inputs])
    names = [spec.name for spec in stage.inputs]
    return _convert(fix_batch(stage), dict(zip(names, firsts, strict=True)), 1)


def _convert(stage: Stage, examples: Tensors, most: int) -> Stage:
    """Lower the program for so many samples at most."""
    lowered = _lower(_bound_sizes(stage, examples, most), f"{stage.model}:{stage.variant}")
    run = partial(run_method, open_method(lowered))
    compare_outputs(stage, examples, run, "ExecuTorch", batches=most > 1)
    return stage.changed(lowered, format="executorch")


def _bound_sizes(stage: Stage, examples: Tensors, batch: int) -> Any:
    """Export the program again, each open size bounded.

    It is traced at the bounds. Lowering compares sizes, and takes what came of it for all of them:
    traced with fewer samples than a map has rows, a program had memory for no more than so many.
    """
    import torch

    module = make_module(stage)
    _quantize_ends(module.program)
    bounds: dict[str, int] = {}
    for spec in stage.inputs:
        for axis, size in enumerate(spec.shape):
            if isinstance(size, str):
                most = batch if axis == 0 else STRETCH * examples[spec.name].shape[axis]
                bounds[size] = max(bounds.get(size, 0), most)
    sizes = {word: torch.export.Dim(word, min=1, max=most) for word, most in bounds.items()}
    shapes = [
        tuple(bounds[size] if isinstance(size, str) else size for size in spec.shape)
        for spec in stage.inputs
    ]
    return torch.export.export(
        module,
        # Nothing is computed with them, so that no memory is touched however large they are.
        tuple(
            torch.empty(shape, dtype=getattr(torch, spec.dtype))
            for spec, shape in zip(stage.inputs, shapes, strict=True)
        ),
        # The module takes its inputs as one list.
        dynamic_shapes=(
            tuple(
                {axis: sizes[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
                for spec in stage.inputs
            ),
        ),
    )


def _quantize_ends(program: Any) -> None:
    """Have layers that give floats of integers quantize their input as they run.

    XNNPACK computes in integers what gives integers. The last layer gives floats, and would be left
    to a portable kernel, its weights made floats in each request.
    """
    import torch

    operators = torch.ops.quantized_decomposed
    for node in list(program.graph.nodes):
        if name_operator(node) not in ENDING or not _gives_floats(node):
            continue
        with program.graph.inserting_before(node):
            call = program.graph.call_function
            steps = call(
                operators.choose_qparams.tensor, (node.args[0], *RANGE, EPSILON, torch.int8)
            )
            scale, zero = (call(operator.getitem, (steps, place)) for place in (0, 1))
            rest = (scale, zero, *RANGE, torch.int8)
            whole = call(operators.quantize_per_tensor.tensor, (node.args[0], *rest))
            node.update_arg(0, call(operators.dequantize_per_tensor.tensor, (whole, *rest)))
    program.recompile()


def _gives_floats(node: Any) -> bool:
    """Say whether a node computes with integers, and nothing makes integers of what it gives."""
    reads = all(name_operator(one).startswith("dequantize_per_") for one in node.args[:2])
    behind = [user for one in node.users for user in (one, *one.users)]
    return reads and not any(name_operator(one).startswith("quantize_per_") for one in behind)


def _lower(program: Any, title: str) -> bytes:
    with working_quietly():
        import executorch.kernels.quantized  # noqa: F401  # registers what quantizes
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        try:
            edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            return bytes(edge.to_executorch().buffer)
        except Exception as error:  # passes of several authors raise anything
            cause = (str(error).strip().splitlines() or [""])[0]
            raise CaseFailed(
                f"ExecuTorch cannot lower {title}: {cause} ({type(error).__name__})"
            ) from error
