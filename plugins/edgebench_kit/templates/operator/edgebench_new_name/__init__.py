"""The operator `new-name`: the smallest weights of a graph become zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import edgebench as eb
from edgebench_kit.onnx.graphs import check_graph, walk_tensors

EDGEBENCH_API = (2, 0)


@attrs.frozen(kw_only=True)
class Options:
    """What may be written in brackets, `share=0.3`: each has a type and a default."""

    share: float = attrs.field(
        default=0.5,
        validator=[attrs.validators.gt(0), attrs.validators.lt(1)],
    )
    """The share of each layer's weights that become zero."""


def zero_smallest(graph: Any, share: float) -> Any:
    """Copy a graph, with zero in place of the smallest weights of each matrix and convolution."""
    import numpy as np  # here, not above: `edgebench list` must stay quick
    import onnx

    copy = onnx.ModelProto.FromString(graph.SerializeToString())
    for tensor in walk_tensors(copy):  # those within loops and functions too
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
            weights = onnx.numpy_helper.to_array(tensor)
            kept = np.abs(weights) > np.quantile(np.abs(weights), share)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights * kept, tensor.name))
    check_graph(copy)
    return copy


def apply(pipeline: eb.Pipeline, context: eb.Context) -> eb.Pipeline:
    """Return the changed pipeline. What is given stays as it is: a changed graph is a copy."""
    share = context.options.share
    # Here is the place for your idea. `context` has more for an operator that declares it in
    # `needs` below: context.inputs("calibration"), context.run, context.fit, context.profiles, ...
    stages = [stage.changed(zero_smallest(stage.live, share)) for stage in pipeline.stages]
    return pipeline.replaced(stages)


def accepts(pipeline: eb.Pipeline) -> eb.Usable:
    """Say whether it can be applied, or in one clause why not."""
    whole = all(stage.precision == "f32" for stage in pipeline.stages)
    return whole or "is quantized: write new-name before what does that"


@eb.hookimpl
def edgebench_operators() -> Iterator[eb.Operator]:
    """Offer it. Everything but name, summary and `apply` has a default."""
    yield eb.Operator(
        name="new-name",
        summary="Make the smallest weights of a graph zero.",
        apply=apply,
        accepts=accepts,
        options=Options,
        needs=[],  # "calibration", "training", "validation", "run", "profile", "target", ...
        reads=["onnx"],  # stages in other formats are converted before
        writes="onnx",
    )
