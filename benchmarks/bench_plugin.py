"""What the benchmarks measure with: a model, rows of noise, and a backend that does nothing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from edgebench import (
    Backend,
    Dataset,
    Model,
    Pipeline,
    Session,
    Stage,
    Tensors,
    TensorSpec,
    Weights,
    hookimpl,
)

SHAPE = (16, 64, 64)
LAYERS = 16


@attrs.frozen
class NullSession:
    """A session that computes nothing."""

    given: Tensors

    def run(self, inputs: Tensors) -> Tensors:  # noqa: ARG002 - whatever they are
        """Give back what was there before."""
        return self.given


@contextmanager
def open_nothing(stage: Stage, device: str, threads: int, options: Any) -> Iterator[Session]:
    """Open nothing."""
    import numpy as np

    yield NullSession({"output": np.zeros((1, 16), np.float32)})


def network() -> Any:
    """Build a stack of convolutions that takes some milliseconds on one thread."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    channels, *sides = SHAPE
    nodes, weights, last = [], [], "input"
    for layer in range(LAYERS):
        values = random.normal(scale=0.05, size=(channels, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(values, f"w{layer}"))
        convolved, last = f"c{layer}", f"r{layer}" if layer < LAYERS - 1 else "features"
        nodes.append(
            helper.make_node(
                "Conv",
                [f"r{layer - 1}" if layer else "input", f"w{layer}"],
                [convolved],
                pads=[1] * 4,
            )
        )
        nodes.append(helper.make_node("Relu", [convolved], [last]))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["output"]))
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", channels, *sides])
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", channels])
    graph = helper.make_graph(nodes, "stack", [given], [made], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def build(variant: str, weights: Weights) -> Pipeline:
    """Build the stack of convolutions as one stage."""
    return Pipeline(
        model="bench",
        variant=variant,
        outputs=["output"],
        stages=[
            Stage(
                format="onnx",
                inputs=[TensorSpec(name="input", dtype="float32", shape=("batch", *SHAPE))],
                outputs=[TensorSpec(name="output", dtype="float32", shape=("batch", SHAPE[0]))],
                live=network(),
            )
        ],
    )


def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
    """Yield inputs of noise; the answers mean nothing."""
    import numpy as np

    random = np.random.default_rng([seed, *split.encode()])
    for number in range(16):
        file = io.BytesIO()
        np.save(file, random.normal(size=SHAPE).astype(np.float32))
        yield file.getvalue(), number


@hookimpl
def edgebench_models() -> Iterator[Model]:
    """Offer the stack of convolutions."""
    yield Model(
        name="bench",
        summary="A stack of convolutions.",
        build=build,
        dataset="bench-noise",
        format="onnx",
    )


@hookimpl
def edgebench_datasets() -> Iterator[Dataset]:
    """Offer noise."""
    yield Dataset(name="bench-noise", summary="Noise.", samples=samples, synthetic=True)


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer what costs nothing."""
    yield Backend(
        name="bench-null",
        summary="Computes nothing.",
        open=open_nothing,
        formats=["onnx"],
    )
