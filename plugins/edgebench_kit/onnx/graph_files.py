"""ONNX files of any size, read and written with all their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import copy_model, count_weight_bytes, walk_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "model.onnx"
WEIGHTS = "model.onnx.data"
LARGEST = 2**31 - 2**25
"""Bytes of weights that still fit in the graph's file: protobuf stops at 2 GiB, the graph itself
and its messages' heads being among them."""
ALIGNED = 2**12
"""Where each tensor begins in a file of weights: at a page, so that it can be mapped."""


def read_graph(path: Path) -> Any:
    """Read a graph with all its weights.

    onnx's own reader takes no file of weights that has other links to it, as files in a store have.
    """
    import onnx

    return load_weights(onnx.load_model(path, load_external_data=False), path.parent)


def load_weights(model: Any, directory: Path) -> Any:
    """Load the weights that lie in files of a directory into the graph that refers to them."""
    import onnx

    for tensor in walk_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            said = {entry.key: entry.value for entry in tensor.external_data}
            with (directory / said["location"]).open("rb") as weights:
                weights.seek(int(said.get("offset", 0)))
                tensor.raw_data = weights.read(int(said.get("length", -1)))
            tensor.ClearField("data_location")
            tensor.ClearField("external_data")
    return model


def write_graph(model: Any, directory: Path) -> Sequence[str]:
    """Write a graph into a directory, its weights in a second file where one cannot hold them.

    Return the names of the files, the graph's first.
    """
    if count_weight_bytes(model) <= LARGEST:
        (directory / FILE).write_bytes(model.SerializeToString())
        return (FILE,)
    light = move_weights(model, directory / WEIGHTS)
    (directory / FILE).write_bytes(light.SerializeToString())
    return (FILE, WEIGHTS)


def move_weights(model: Any, path: Path) -> Any:
    """Write the weights of a graph into a file; return the graph, which refers to that file.

    It has to be written beside the file. onnx's own way looks for a file of that name in the
    working directory, and refuses if there is one.
    """
    with path.open("wb") as weights:

        def move(tensor: Any) -> Any:
            weights.write(bytes(-weights.tell() % ALIGNED))
            start = weights.tell()
            weights.write(tensor.raw_data or _convert_raw(tensor))
            return _refer_to(tensor, path.name, start, weights.tell() - start)

        return copy_model(model, move)


def _convert_raw(tensor: Any) -> Any:
    """Return the values of a tensor that keeps them as numbers, as the bytes of a file."""
    import onnx

    return onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor)).raw_data


def _refer_to(tensor: Any, location: str, offset: int, length: int) -> Any:
    """Return a tensor whose values lie in a file."""
    import onnx

    reference = onnx.TensorProto(
        name=tensor.name,
        dims=tensor.dims,
        data_type=tensor.data_type,
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        reference.external_data.add(key=key, value=str(value))
    return reference
