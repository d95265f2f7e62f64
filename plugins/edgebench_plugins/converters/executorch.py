"""From an exported torch program to what ExecuTorch runs on a phone, XNNPACK doing the products.

ExecuTorch plans all memory when it lowers a program, so each size that is left open gets a bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from edgebench import CaseFailed, Converter, Stage, Tensors, hookimpl
from edgebench_kit.torch.executorch_programs import open_method, run_method, working_quietly
from edgebench_kit.torch.lowered import compare_outputs, make_module

BATCH = 64
"""The most samples that a program has memory for."""
STRETCH = 2
"""How much longer than in the examples other open dimensions may be."""


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

    Raises:
        CaseFailed: It cannot be lowered, or its outputs are not the program's.
    """
    lowered = _lower(_bound_sizes(stage, examples), f"{stage.model}:{stage.variant}")
    method = open_method(lowered)
    compare_outputs(stage, examples, partial(run_method, method), "ExecuTorch")
    return stage.changed(lowered, format="executorch")


def _bound_sizes(stage: Stage, examples: Tensors) -> Any:
    """Export the program again, each open size bounded.

    It is traced at the bounds. Lowering compares sizes, and takes what came of it for all of them:
    traced with fewer samples than a map has rows, a program had memory for no more than so many.
    """
    import torch

    bounds: dict[str, int] = {}
    for spec in stage.inputs:
        for axis, size in enumerate(spec.shape):
            if isinstance(size, str):
                most = BATCH if axis == 0 else STRETCH * examples[spec.name].shape[axis]
                bounds[size] = max(bounds.get(size, 0), most)
    sizes = {word: torch.export.Dim(word, min=1, max=most) for word, most in bounds.items()}
    shapes = [
        tuple(bounds[size] if isinstance(size, str) else size for size in spec.shape)
        for spec in stage.inputs
    ]
    return torch.export.export(
        make_module(stage),
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
