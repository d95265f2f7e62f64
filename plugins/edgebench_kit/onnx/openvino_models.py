"""Models as OpenVINO has read them: what must be changed before they are compiled, and programs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed

if TYPE_CHECKING:
    from edgebench import Stage

FILE = "model.xml"
"""What a program opens, in its stage's directory."""
WEIGHTED = frozenset(["MatMul", "Convolution", "ConvolutionBackpropData"])
"""Its operators whose second input it lays out anew, where that is constant."""
QUANTIZED = frozenset(["FakeQuantize"])
"""What it makes of QuantizeLinear and DequantizeLinear that follow each other."""
RECURRENT = frozenset(["GRUSequence", "LSTMSequence", "RNNSequence"])
"""What it makes of recurrent nodes."""
PROGRAM = """\
\"\"\"Compiles a graph with OpenVINO, as it was measured.\"\"\"

import numpy
import openvino


def open_stage(directory):
    core = openvino.Core()
    model = core.read_model(directory / {file!r})
    compiled = core.compile_model(model, {device!r}, {properties!r})
    request = compiled.create_infer_request()
    inputs = [(name, compiled.input(name)) for name in {inputs!r}]
    outputs = [(name, compiled.output(name)) for name in {outputs!r}]

    def run(tensors):
        # It takes no others by reference, and does not keep them: they are held here.
        arrays = [numpy.require(tensors[name], requirements="CW") for name, _ in inputs]
        for array, (_, port) in zip(arrays, inputs):
            request.set_tensor(port, openvino.Tensor(array, shared_memory=True))
        request.infer(share_outputs=True)
        return {{name: request.get_tensor(port).data.copy() for name, port in outputs}}

    return run
"""


def write_program(stage: Stage, device: str, properties: Mapping[str, Any]) -> str:
    """Return a program that compiles `FILE` for a device with such properties."""
    return PROGRAM.format(
        file=FILE,
        device=device.upper(),
        properties=dict(properties),
        inputs=[spec.inside for spec in stage.inputs],
        outputs=[spec.inside for spec in stage.outputs],
    )


def open_batch(model: Any) -> None:
    """Open the first dimension of the inputs of a quantized model that multiplies matrices.

    With few rows a thread, and their number fixed, products of integers come out wrong (2026.4). A
    model with recurrent nodes stays as it is: with an open batch others of its nodes do.
    """
    kinds = {op.get_type_name() for op in model.get_ops()}
    if "MatMul" in kinds and kinds & QUANTIZED and not kinds & RECURRENT:
        shapes = {one: one.get_partial_shape() for one in model.inputs}
        for shape in shapes.values():
            if len(shape):
                shape[0] = -1
        model.reshape(shapes)


def find_mixed(model: Any) -> str:
    """Return which weights of a model are read in two ways; empty if none are.

    Of such, laid out anew, it keeps one (2026.4): it knows them by where they lie and their shape.
    """
    fixed: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    ways: dict[str, tuple[str, ...]] = {}
    for op in model.get_ordered_ops():
        kind, read = op.get_type_name(), [one.get_node().get_name() for one in op.input_values()]
        if kind == "Constant":
            # Of a matrix, what it is read through.
            fixed[op.get_name()] = {(op.get_friendly_name(), ())} if len(op.shape) > 1 else set()
        elif read and all(name in fixed for name in read):
            found = {(root, (*way, kind)) for name in read for root, way in fixed[name]}
            fixed[op.get_name()] = found
        elif kind in WEIGHTED:
            settings = str(op.get_attributes()) if kind == "MatMul" else ""
            for root, way in fixed.get(read[1], ()):
                whole = (*way, kind, settings)
                if ways.setdefault(root, whole) != whole:
                    return f"the two ways in which the weights {root!r} are read"
    return ""


@contextmanager
def read_rightly(core: Any, file: Path) -> Iterator[Any]:
    """Give the model of a file as it is meant: what OpenVINO reads, or reads once it is rewritten.

    Reading the graph here takes as long again, so it is done only where there is reason to.

    Raises:
        CaseFailed: It would compute another model.
    """
    # Imported here because whoever lists backends opens no graph.
    from edgebench_kit.onnx import graph_files, openvino_readings, shared_weights

    rewritten = openvino_readings.rewrite(file)
    model = core.read_model(file) if rewritten is None else None
    if model is not None and not find_mixed(model):
        yield model
        return
    rewritten = rewritten or graph_files.read_graph(file)
    shared_weights.separate_ways(rewritten)
    with tempfile.TemporaryDirectory(prefix="edgebench-") as directory:
        place = Path(directory)
        model = core.read_model(place / graph_files.write_graph(rewritten, place)[0])
        if mixed := find_mixed(model):
            raise CaseFailed(f"openvino would compute another model: it mixes up {mixed}")
        yield model
