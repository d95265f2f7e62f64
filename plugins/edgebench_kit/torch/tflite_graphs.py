"""Graphs of LiteRT (`.tflite`), changed where the converter leaves them other than a stage says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

IDENTIFIER = b"TFL3"
SHAPED = ("RESHAPE", "BROADCAST_TO", "FILL")
"""The operators that read the sizes of what they give, in an input."""


def read_graph(data: bytes) -> Any:
    """Return what a file holds as an object that may be changed.

    Raises:
        ValueError: It is no graph of LiteRT.
    """
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != IDENTIFIER:
        raise ValueError("it is no graph of LiteRT, or is damaged")
    return schema.ModelT.InitFromPackedBuf(data, 0)


def write_graph(model: Any) -> bytes:
    """Return the file of a graph."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def name_operators(model: Any) -> list[str]:
    """Return what the operators of a graph are called, in their order."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if name[0].isupper()}
    # Codes over 127 came later, and have a field of their own.
    codes = [names[max(one.builtinCode, one.deprecatedBuiltinCode)] for one in model.operatorCodes]
    return [codes[one.opcodeIndex] for one in model.subgraphs[0].operators]


def rename_ends(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Call the inputs and outputs of a graph's only signature what a stage calls them.

    The converter numbers them in the order in which the module takes and gives them.
    """
    (signature,) = model.signatureDefs
    for ends, prefix, names in (
        (signature.inputs, "args_", inputs),
        (signature.outputs, "output_", outputs),
    ):
        for end in ends:
            end.name = names[int(end.name.removeprefix(prefix.encode()))]


def keep_ends_in_floats(model: Any) -> None:
    """Quantize inputs in the graph, and dequantize outputs, where they are integers with steps."""
    from ai_edge_litert import schema_py_generated as schema

    graph, (signature,) = model.subgraphs[0], model.signatureDefs
    given = _float_twins(graph, graph.inputs)
    taken = _float_twins(graph, graph.outputs)
    operators = schema.BuiltinOperator
    first = [_make_operator(model, operators.QUANTIZE, new, old) for old, new in given.items()]
    last = [_make_operator(model, operators.DEQUANTIZE, old, new) for old, new in taken.items()]
    graph.operators = [*first, *graph.operators, *last]
    graph.inputs = [given.get(place, place) for place in graph.inputs]
    graph.outputs = [taken.get(place, place) for place in graph.outputs]
    for ends, twins in ((signature.inputs, given), (signature.outputs, taken)):
        for end in ends:
            end.tensorIndex = twins.get(end.tensorIndex, end.tensorIndex)


def _float_twins(graph: Any, places: Sequence[int]) -> dict[int, int]:
    """Add a tensor of floats for each that is quantized; return its place by the other's."""
    from ai_edge_litert import schema_py_generated as schema

    twins: dict[int, int] = {}
    for place in map(int, places):
        tensor = graph.tensors[place]
        steps = tensor.quantization
        if tensor.type == schema.TensorType.INT8 and steps is not None and steps.scale is not None:
            twin = schema.TensorT()
            twin.name = tensor.name + b"_float"
            twin.shape, twin.shapeSignature = tensor.shape, tensor.shapeSignature
            twin.hasRank, twin.type = True, schema.TensorType.FLOAT32
            twins[place] = len(graph.tensors)
            graph.tensors.append(twin)
    return twins


def _make_operator(model: Any, code: int, read: int, written: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    kind = schema.OperatorCodeT()
    kind.builtinCode = kind.deprecatedBuiltinCode = code
    kind.version = 1
    model.operatorCodes.append(kind)
    made = schema.OperatorT()
    made.opcodeIndex = len(model.operatorCodes) - 1
    made.inputs, made.outputs = [read], [written]
    return made


def open_batch(model: Any) -> None:
    """Leave the batch open in a graph that was made for one sample.

    Where an operator is told the sizes of what it gives, a leading one becomes what is left over.
    Whether all of them meant the batch, only running it with several samples shows.
    """
    import numpy as np

    graph = model.subgraphs[0]
    for tensor in graph.tensors:
        if tensor.shape is not None and len(tensor.shape) and tensor.shape[0] == 1:
            tensor.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    for name, operator in zip(name_operators(model), graph.operators, strict=True):
        if name not in SHAPED or len(operator.inputs) < 2:
            continue
        buffer = model.buffers[graph.tensors[operator.inputs[1]].buffer]
        if buffer.data is not None and len(buffer.data):
            sizes = np.frombuffer(bytes(buffer.data), np.int32).copy()
            if sizes[0] == 1 and -1 not in sizes:
                sizes[0] = -1
                buffer.data = np.frombuffer(sizes.tobytes(), np.uint8)
                if operator.builtinOptions is not None and name == "RESHAPE":
                    operator.builtinOptions.newShape = sizes


def list_signature(model: Any) -> Mapping[str, Sequence[str]]:
    """Return the names of a graph's `inputs` and `outputs`, those of its first signature."""
    signature = model.signatureDefs[0]
    return {
        "inputs": [one.name.decode() for one in signature.inputs],
        "outputs": [one.name.decode() for one in signature.outputs],
    }
