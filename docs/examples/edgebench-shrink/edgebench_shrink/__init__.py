"""The operator `shrink`: two thin layers in place of a wide one, fitted to data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import edgebench as eb
from edgebench_kit.onnx.sessions import run_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGEBENCH_API = (2, 0)


@attrs.frozen(kw_only=True)
class Options:
    """What may be written in brackets: `shrink(keep=0.95)`."""

    keep: float = attrs.field(
        default=0.99,
        validator=[attrs.validators.gt(0), attrs.validators.lt(1)],
    )
    """The share of the variance of what each layer writes that must stay."""


def find_basis(written: NDArray[Any], keep: float) -> NDArray[Any]:
    """Return the fewest directions, shape (width, rank), that keep a share of the variance.

    They are the principal components of *written*, shape (samples, width).
    """
    import numpy as np  # here, not above: `edgebench list` must stay quick

    _, sizes, directions = np.linalg.svd(written - written.mean(axis=0), full_matrices=False)
    shares = np.cumsum(sizes**2) / np.sum(sizes**2)
    return directions[: int(np.searchsorted(shares, keep)) + 1].T


def watch_layers(graph: Any, inputs: Sequence[eb.Tensors]) -> dict[str, NDArray[Any]]:
    """Return what each fully connected layer writes, shape (samples, width), by its name."""
    import numpy as np
    from onnx import ModelProto, TensorProto, helper

    probe = ModelProto.FromString(graph.SerializeToString())
    names = [node.output[0] for node in probe.graph.node if node.op_type == "Gemm"]
    if not names:
        raise eb.ChainError("shrink finds no fully connected layer (Gemm) here")
    del probe.graph.output[:]
    for name in names:
        probe.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    written = zip(*run_graph(probe, inputs), strict=True)
    return dict(zip(names, map(np.concatenate, written), strict=True))


def split_layer(layer: Any, tensors: Mapping[str, Any], basis: Any, mean: Any) -> tuple[Any, Any]:
    """Return the nodes and the tensors of two thin layers; none where they would be no smaller."""
    from onnx import helper, numpy_helper

    flags = {one.name: helper.get_attribute_value(one) for one in layer.attribute}
    plain = flags.get("alpha", 1) == flags.get("beta", 1) == 1 and not flags.get("transA")
    if not plain or not {*layer.input[1:]} <= tensors.keys():
        return [], []
    matrix, *biases = (numpy_helper.to_array(tensors[name]) for name in layer.input[1:])
    matrix = matrix.T if flags.get("transB") else matrix
    if basis.size + len(matrix) * basis.shape[1] >= matrix.size:
        return [], []
    # x W + b, moved to the mean of what it writes, turned into the basis and back again.
    name, given = layer.output[0], layer.input[0]
    names = [f"{name}/{one}" for one in ("left", "right", "bias")]
    values = matrix @ basis, basis.T, (sum(biases) - mean) @ basis @ basis.T + mean
    nodes = [
        helper.make_node("MatMul", [given, names[0]], [f"{name}/narrow"], f"{name}/narrow"),
        helper.make_node("Gemm", [f"{name}/narrow", *names[1:]], [name], layer.name),
    ]
    return nodes, [
        numpy_helper.from_array(value.astype("float32"), name)
        for name, value in zip(names, values, strict=True)
    ]


def shrink_graph(graph: Any, inputs: Sequence[eb.Tensors], keep: float) -> Any:
    """Copy a graph, with two thin layers in place of each that is wider than its outputs vary."""
    from onnx import ModelProto

    copy = ModelProto.FromString(graph.SerializeToString())
    tensors = {tensor.name: tensor for tensor in copy.graph.initializer}
    nodes = list(copy.graph.node)
    for name, written in watch_layers(graph, inputs).items():
        place = next(i for i, node in enumerate(nodes) if name in node.output)
        basis, mean = find_basis(written, keep), written.mean(axis=0)
        thin, added = split_layer(nodes[place], tensors, basis, mean)
        nodes[place : place + 1] = thin or [nodes[place]]
        copy.graph.initializer.extend(added)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in copy.graph.initializer if tensor.name in used]
    del copy.graph.node[:], copy.graph.initializer[:]
    copy.graph.node.extend(nodes)
    copy.graph.initializer.extend(kept)
    return copy


def apply(pipeline: eb.Pipeline, context: eb.Context) -> eb.Pipeline:
    """Shrink the one stage, fitted to the inputs of the calibration split."""
    (stage,) = pipeline.stages
    inputs = [
        {spec.inside: tensors[spec.name] for spec in stage.inputs}
        for tensors, _ in context.inputs("calibration")
    ]
    graph = shrink_graph(stage.live, inputs, context.options.keep)
    return pipeline.replaced([stage.changed(graph)])


def accepts(pipeline: eb.Pipeline) -> eb.Usable:
    """Say whether it can be applied, or in one clause why not."""
    if len(pipeline.stages) > 1:
        return "is in several stages: write shrink before what cuts"
    whole = pipeline.stages[0].precision == "f32"
    return whole or "is quantized: write shrink before what does that"


@eb.hookimpl
def edgebench_operators() -> Iterator[eb.Operator]:
    """Offer it."""
    yield eb.Operator(
        name="shrink",
        summary="Make two thin layers of a wide one, fitted to data.",
        apply=apply,
        accepts=accepts,
        options=Options,
        needs=["calibration"],
        reads=["onnx"],
        writes="onnx",
    )
