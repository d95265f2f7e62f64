"""Graphs opened by ONNX Runtime while they are worked on, where it is the judge of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graph_files import write_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Tensors

IN_FLOATS = ("session.qdq_matmulnbits_accuracy_level", "1")
"""Has ONNX Runtime multiply floats as floats where weights alone are integers.

Unasked it makes MatMulNBits of a DequantizeLinear before a MatMul, and makes integers of 8 bits of
what comes to it, which no graph says (1.31): 9.4e-3 away from the graph, and 2.5e-7 so."""


def make_options() -> Any:
    """Return options for sessions that are not timed: threads sleep, and errors are not printed."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(*IN_FLOATS)
    return options


def open_session(path: Path) -> Any:
    """Open a graph as it is opened to be measured; what goes wrong is raised, not printed."""
    import onnxruntime

    options = make_options()
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_graph(model: Any, inputs: Sequence[Tensors]) -> list[list[Any]]:
    """Return what a graph that is held in memory gives for each of several inputs."""
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        session = open_session(Path(scratch, write_graph(model, Path(scratch))[0]))
        return [session.run(None, dict(each)) for each in inputs]


def shorten_reason(error: Exception) -> str:
    """Return what an exception of a runtime says, in one line, without its codes."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0].split(" : ", 3)[-1]
