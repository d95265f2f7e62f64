"""Whether an ONNX file that somebody else made is whole, and what it computes in.

Nothing here reads the weights that lie in files of their own.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.onnx import graphs
from edgebench_kit.onnx.external_weights import find_external_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FLOATS = {11: "f64", 1: "f32", 16: "bf16", 10: "f16"}
"""The names of the element types of floats, the widest first."""


def read_header(path: Path) -> Any:
    """Read a file's graph, without the weights that lie elsewhere."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise DataError(f"{path} is no ONNX file, or is truncated") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def check_file(path: Path) -> tuple[Any, list[Path]]:
    """Read a file's graph, and check it and that its weights are all there.

    Returned are the graph and the files of weights beside it.
    """
    import onnx

    model = read_header(path)
    beside = find_external_files(path)
    try:
        if beside:
            # By its path, it would refuse files of weights that have other links to them.
            graphs.check_graph(model, shapes=False)
        else:
            onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        said = str(error).strip().splitlines()[0]
        raise DataError(f"{path} does not pass the ONNX checker: {said}") from error
    _check_lengths(model, path)
    return model, beside


def _check_lengths(model: Any, path: Path) -> None:
    """See that the files of weights are as long as the graph says."""
    import onnx

    for tensor in graphs.walk_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location, end = _find_place(tensor, path)
            there = (path.parent / location).stat().st_size
            if there < end:
                raise DataError(
                    f"{path}: its file {location!r} is truncated: it has {there} bytes, "
                    f"and {tensor.name!r} ends at {end}"
                )


def _find_place(tensor: Any, path: Path) -> tuple[str, int]:
    """Return the file that a tensor lies in, and where in it the tensor ends.

    Raises:
        DataError: The graph does not say, or says something else than numbers.
    """
    said = {entry.key: entry.value for entry in tensor.external_data}
    if not said.get("location"):
        raise DataError(f"{path} does not say in which file the values of {tensor.name!r} lie")
    numbers = {}
    for key, usual in (("offset", 0), ("length", graphs.count_tensor_bytes(tensor))):
        written = said.get(key, str(usual))
        if not written.isdecimal():
            raise DataError(f"{path}: the {key} of the values of {tensor.name!r} is {written!r}")
        numbers[key] = int(written)
    return said["location"], numbers["offset"] + numbers["length"]


def find_precision(model: Any) -> str:
    """Return what a graph computes in: int8 where it is quantized, else what most weights are.

    Of a graph without weights it is what most of its inputs and outputs are.
    """
    if graphs.is_quantized(model):
        return "int8"
    ends = (info.type.tensor_type.elem_type for info in (*model.graph.input, *model.graph.output))
    sizes = [(one.data_type, prod(one.dims)) for one in graphs.walk_tensors(model)]
    found = _choose_floats(sizes) or _choose_floats([(kind, 1) for kind in ends])
    return found or FLOATS[1]


def _choose_floats(sizes: Iterable[tuple[int, int]]) -> str:
    """Return the type of floats of which there are most, the widest of equals; none if none is."""
    counts = dict.fromkeys(FLOATS, 0)
    for kind, size in sizes:
        if kind in counts:
            counts[kind] += size
    most = max(counts, key=lambda kind: counts[kind])
    return FLOATS[most] if counts[most] else ""
