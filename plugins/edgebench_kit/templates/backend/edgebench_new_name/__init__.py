"""The backend `new-name`: graphs run by onnx's own reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import attrs
import edgebench as eb
from edgebench_kit.onnx.graph_files import read_graph
from edgebench_kit.onnx.graphs import raise_opset

EDGEBENCH_API = (2, 0)


@attrs.frozen
class NewNameSession:
    """A stage that is loaded: here goes your runtime's own handle."""

    evaluator: Any
    outputs: list[str]

    def run(self, inputs: eb.Tensors) -> eb.Tensors:
        """Run a batch. Names, types and shapes are those of the stage's file."""
        values = self.evaluator.run(self.outputs, dict(inputs))
        return dict(zip(self.outputs, values, strict=True))


@contextmanager
def open_stage(
    stage: eb.Stage, device: str, threads: int, options: eb.NoOptions
) -> Iterator[NewNameSession]:
    """Load a stage for a device on so many threads; what is after `yield` frees it."""
    from onnx.reference import ReferenceEvaluator  # here: `edgebench list` must stay quick
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads):
        # Of some operators, those that quantize among them, it has the newer versions alone.
        graph = raise_opset(read_graph(stage.file), 19)
        evaluator = ReferenceEvaluator(graph)
        yield NewNameSession(evaluator, [spec.inside for spec in stage.outputs])


def usable(facts: eb.HostFacts, device: str) -> eb.Usable:
    """Say whether it runs on such a host, or in one clause why not; asked on the host."""
    return find_spec("onnx") is not None or "onnx is not installed"


def versions() -> Mapping[str, str]:
    """Return what results are to name, and what artifacts and scores depend on."""
    import onnx

    return {"onnx": onnx.__version__}


@eb.hookimpl
def edgebench_backends() -> Iterator[eb.Backend]:
    """Offer it. `devices`, `options`, `quantization`, `compile` and others have defaults."""
    yield eb.Backend(
        name="new-name",
        summary="Run graphs with onnx's own reference, which numpy computes.",
        open=open_stage,
        formats=["onnx"],  # what is yours alone needs a format, and a converter from "onnx"
        usable=usable,
        versions=versions,
    )
