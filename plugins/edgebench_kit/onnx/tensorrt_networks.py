"""Reads a graph into a network of TensorRT 10 or 11, and holds its ends against the stage's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed
from edgebench_kit.onnx import float_biases, graph_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from edgebench import Stage, TensorSpec

Range = tuple[int, int, int]
"""The least size of an open dimension, that for which kernels are chosen, and the greatest."""
Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""The least, the usual and the greatest shape of an input."""

OLDEST, ALWAYS_TYPED = 10, 11
"""The major versions that are known, and from which on every network is strongly typed."""
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
INTEGER = ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul")


def read_major() -> int:
    """Return the major version of TensorRT."""
    import tensorrt

    return int(tensorrt.__version__.partition(".")[0])


def read_network(builder: Any, log: Any, stage: Stage, scratch: Path) -> tuple[Any, Any]:
    """Return the network of a stage's graph, strongly typed, and the parser, which must outlive it.

    Precision is the graph's own then: floats are what they are, and int8 is where it is quantized.

    Raises:
        CaseFailed: TensorRT does not read the graph, or reads other inputs or outputs.
    """
    import tensorrt

    # From 11 on the flag is deprecated, and there is no other kind.
    typed = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed if read_major() < ALWAYS_TYPED else 0)
    parser = tensorrt.OnnxParser(network, log)
    file = stage.file
    if (rewritten := float_biases.write_out_biases(file)) is not None:
        file = scratch / graph_files.write_graph(rewritten, scratch)[0]
    if not parser.parse_from_file(str(file)):
        raise CaseFailed(f"tensorrt does not read the graph: {explain_errors(parser)}", log.text)
    check_ends(network, stage)
    return network, parser


def explain_errors(parser: Any) -> str:
    """Return what a parser refuses, in one line."""
    errors = [parser.get_error(number) for number in range(parser.num_errors)]
    if not errors:
        return "its parser gives no reason"
    first = errors[0]
    kind, name = first.node_operator(), first.node_name()
    where = f"{kind} {name!r}: " if kind else ""
    more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
    hint = ""
    if kind in (*QUANTIZED, *INTEGER):
        hint = (
            "; it takes int8 around zero, written with QuantizeLinear and DequantizeLinear, as "
            "quantizers write it that are told of this backend"
        )
    return f"{where}{' '.join(first.desc().split())}{more}{hint}"


def check_ends(network: Any, stage: Stage) -> None:
    """Hold the inputs and outputs of a network against what its stage announces.

    Raises:
        CaseFailed: They are others.
    """
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    outputs = [network.get_output(number) for number in range(network.num_outputs)]
    announced = {spec.inside for spec in stage.inputs}
    for tensor in inputs:
        if tensor.name not in announced:
            raise CaseFailed(f"the graph reads {tensor.name!r}, which its stage does not announce")
        if tensor.is_shape_tensor:
            raise CaseFailed(
                f"the values of the input {tensor.name!r} are sizes of others, for which TensorRT "
                "would need their range: make it a constant of the graph"
            )
    for ends, specs, what in ((inputs, stage.inputs, "input"), (outputs, stage.outputs, "output")):
        found = {tensor.name: tensor for tensor in ends}
        for spec in specs:
            if spec.inside not in found:
                raise CaseFailed(f"the graph has no {what} {spec.inside!r}, which is announced")
            _check_end(found[spec.inside], spec, what)


def _check_end(tensor: Any, spec: TensorSpec, what: str) -> None:
    if (dtype := name_dtype(tensor.dtype)) != spec.dtype:
        raise CaseFailed(
            f"tensorrt makes {dtype} of its {what} {spec.inside!r}, which is {spec.dtype}"
        )
    if len(tensor.shape) != len(spec.shape):
        raise CaseFailed(
            f"its {what} {spec.inside!r} has {len(tensor.shape)} dimensions in the graph, "
            f"and {len(spec.shape)} are announced"
        )
    for size, wanted in zip(tensor.shape, spec.shape, strict=True):
        fixed = what == "input" and isinstance(wanted, str) and size != -1
        if fixed or (isinstance(wanted, int) and size not in (-1, wanted)):
            raise CaseFailed(
                f"its {what} {spec.inside!r} has the fixed size {size} in the graph where "
                f"{wanted!r} is announced"
            )


def name_dtype(kind: Any) -> str:
    """Return the name that numpy has for an element type of TensorRT, or TensorRT's own."""
    import numpy as np
    import tensorrt

    try:
        return str(np.dtype(tensorrt.nptype(kind)))
    except TypeError:  # bfloat16 and fewer bits
        return str(kind.name).lower()


def list_shapes(specs: Iterable[TensorSpec], ranges: Mapping[str, Range]) -> Mapping[str, Shapes]:
    """Return by input the shapes that an engine is built for.

    Args:
        specs: The inputs.
        ranges: By word the sizes of an open dimension.

    Raises:
        CaseFailed: A word has no range.
    """
    found = {}
    for spec in specs:
        if lacking := [word for word in spec.shape if _is_unknown(word, ranges)]:
            raise CaseFailed(
                f"its input {spec.inside!r} leaves the size {lacking[0]!r} open, and TensorRT must "
                f'be told from where to where it goes: sizes="{lacking[0]}=1:64:128" '
                "(least:usual:greatest)"
            )
        least, usual, greatest = (
            tuple(ranges[size][place] if isinstance(size, str) else size for size in spec.shape)
            for place in range(3)
        )
        found[spec.inside] = (least, usual, greatest)
    return found


def _is_unknown(size: int | str, ranges: Mapping[str, Range]) -> bool:
    return isinstance(size, str) and size not in ranges


def explain_misfit(name: str, shape: Sequence[int], shapes: Shapes) -> str:
    """Return why an engine does not take an input of a shape, in one sentence; empty if it does."""
    least, _, greatest = shapes
    if len(shape) != len(least):
        return f"its input {name!r} has {len(least)} dimensions, and {len(shape)} came"
    outside = [
        axis
        for axis, (low, size, high) in enumerate(zip(least, shape, greatest, strict=True))
        if not low <= size <= high
    ]
    if not outside:
        return ""
    axis = outside[0]
    option = "min_batch and max_batch" if axis == 0 else "sizes"
    span = f"from {least[axis]} to {greatest[axis]}"
    what = f"a batch of {shape[0]}" if axis == 0 else f"a size of {shape[axis]} in {name!r}"
    return f"{what} is beyond what the engine was built for, {span}: say {option}"
