"""From a torch module to an ONNX graph, and what the module itself gives."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Stage, Tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 18


def run_module(stage: Stage, inputs: Tensors) -> dict[str, NDArray[Any]]:
    """Run the module; its outputs are in the order in which it gives them."""
    import torch

    with torch.no_grad():
        result = stage.live(*as_torch(inputs))
    if not isinstance(result, Mapping):
        tensors = [result] if isinstance(result, torch.Tensor) else list(result)
        names = [spec.inside for spec in stage.outputs]
        if len(tensors) != len(names):
            raise CaseFailed(f"the module gives {len(tensors)} outputs, not {', '.join(names)}")
        result = dict(zip(names, tensors, strict=True))
    return {name: tensor.numpy() for name, tensor in result.items()}


def as_torch(inputs: Tensors) -> tuple[Any, ...]:
    """Return the arrays as tensors, in their order."""
    import torch

    # Copied, because a read-only array makes torch warn.
    return tuple(torch.tensor(array) for array in inputs.values())


def export_module(stage: Stage, inputs: Tensors, outputs: Sequence[str]) -> Any:
    """Export the module of a stage to a graph, the words among its dimensions left open.

    *inputs* are a batch of at least 2 by the names in the file, since the exporter takes a
    dimension of 1 for a constant; *outputs* those names of what it gives.

    Raises:
        CaseFailed: Something in the module has no operator of ONNX.
    """
    import torch

    try:
        with keep_quiet():
            program = torch.onnx.export(
                stage.live,
                as_torch(inputs),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=name_open_sizes(stage),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise CaseFailed(
            f"the module of {stage.model or 'a stage'} has no ONNX: {cause}"
        ) from error
    return _clean(program.model_proto)


def name_open_sizes(stage: Stage) -> tuple[dict[int, Any], ...]:
    """Name the dimensions that vary; the same word is the same dimension everywhere."""
    import torch

    words = {word for spec in stage.inputs for word in spec.shape if isinstance(word, str)}
    # As many as one is allowed below: a batch of none is no request.
    dims = {word: torch.export.Dim(word, min=1) for word in words}
    return tuple(
        {axis: dims[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in stage.inputs
    )


@contextmanager
def keep_quiet() -> Iterator[None]:
    """Keep back what the exporter says of itself and of packages that are not installed."""
    chatter = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch copies its own tree specs by a constructor that it has deprecated.
            warnings.filterwarnings("ignore", r".isinstance\(treespec, LeafSpec\)", FutureWarning)
            # The same word for two dimensions is meant: they are one.
            warnings.filterwarnings("ignore", r"# The axis name: (\w+) .* another axis: \1\.")
            yield
    finally:
        chatter.setLevel(level)


def _clean(model: Any) -> Any:
    """Take out the exporter's notes: stack traces and paths of this machine."""
    graph = model.graph
    owners = (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output)
    for owner in (*owners, *graph.initializer, *model.functions):
        owner.ClearField("metadata_props")
    for node in graph.node:
        node.ClearField("doc_string")
    return model
