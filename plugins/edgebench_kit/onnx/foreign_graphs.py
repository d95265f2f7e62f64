"""What an ONNX file says of itself: its inputs and outputs, and whether it is whole.

Nothing here reads the weights that lie in files of their own.
"""

from __future__ import annotations

from difflib import get_close_matches
from math import prod
from typing import TYPE_CHECKING, Any

from edgebench import DataError, TensorSpec
from edgebench_kit.onnx import graphs
from edgebench_kit.onnx.external_weights import find_external_files
from edgebench_kit.onnx.graphs import list_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


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


def _find_inputs(model: Any) -> list[Any]:
    """Return the inputs that are not weights; older files list these among them."""
    weights = {one.name for one in model.graph.initializer}
    weights.update(one.values.name for one in model.graph.sparse_initializer)
    return [one for one in model.graph.input if one.name not in weights]


def set_sizes(model: Any, path: Path, wanted: Mapping[str, int]) -> bool:
    """Set open dimensions wherever they stand; return whether that changed the graph.

    One that is written as 0 or -1 is opened, since a runtime may take the 0 for its size.
    """
    numbers, changed = _match_sizes(model, path, wanted), False
    for info in (*model.graph.input, *model.graph.output):
        for dim, size in zip(info.type.tensor_type.shape.dim, list_dimensions(info), strict=True):
            if size in numbers:
                dim.dim_value, changed = numbers[size], True
            elif dim.HasField("dim_value") and dim.dim_value <= 0:
                dim.ClearField("dim_value")
                changed = True
    if changed:
        # What was noted of the tensors between held for the open dimensions.
        del model.graph.value_info[:]
    return changed


def _match_sizes(model: Any, path: Path, wanted: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes by what the graph calls the dimensions, which may go by two names."""
    words = {}
    for info in _find_inputs(model):
        for axis, size in enumerate(list_dimensions(info)):
            if isinstance(size, str):
                words[size] = words[f"{info.name}.{axis}"] = size
    numbers: dict[str, int] = {}
    for name, number in wanted.items():
        if name not in words:
            raise DataError(
                f"{path} has no open dimension {name!r}{offer_names(name, words.values())}"
            )
        if numbers.setdefault(words[name], number) != number:
            raise DataError(f"{path}: dims gives the dimension {words[name]!r} two sizes")
    return numbers


def offer_names(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that offers the nearest known name, or all of them."""
    names = sorted(set(known))
    if near := get_close_matches(name, names, n=1, cutoff=0.5):
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(names)}" if names else "; all are numbers"


def describe_inputs(model: Any, path: Path) -> list[TensorSpec]:
    """Describe what a graph reads: the batch first, each other dimension a number.

    Raises:
        DataError: It reads something else, or nothing.
    """
    inputs = _find_inputs(model)
    if not inputs:
        raise DataError(f"{path} has no inputs, so there is nothing to request of it")
    specs = [_describe(info, path, "input") for info in inputs]
    lacking = [
        (spec.name, str(size))
        for spec, info in zip(specs, inputs, strict=True)
        for size in list_dimensions(info)[1:]
        if isinstance(size, str)
    ]
    if lacking:
        name, word = lacking[0]
        example = " ".join(f"{each}=128" for each in dict.fromkeys(each for _, each in lacking))
        raise DataError(
            f"{path}: the dimension {word!r} of input {name!r} has no number; give one: "
            f"--model '{path}(dims=\"{example}\")'"
        )
    for spec in specs:
        if spec.shape[0] not in {"batch", 1}:
            raise DataError(
                f"{path}: input {spec.name!r} takes {spec.shape[0]} samples at a time; its first "
                "dimension must be open, or 1"
            )
    return specs


def describe_outputs(model: Any, path: Path) -> list[TensorSpec]:
    """Describe what a graph writes, a row for each sample.

    Raises:
        DataError: It writes something else, or nothing.
    """
    if not model.graph.output:
        raise DataError(f"{path} has no outputs")
    return [_describe(info, path, "output") for info in model.graph.output]


def _describe(info: Any, path: Path, side: str) -> TensorSpec:
    """Describe a tensor, an open first dimension being the batch."""
    import onnx

    kind = info.type.tensor_type
    if info.type.WhichOneof("value") != "tensor_type":
        found = str(info.type.WhichOneof("value")).removesuffix("_type").replace("_", " ")
        raise DataError(f"{path}: {side} {info.name!r} is of the kind {found}, not a tensor")
    shape = list_dimensions(info)
    if not shape:
        raise DataError(f"{path}: {side} {info.name!r} has no dimension for the batch")
    shape[0] = "batch" if isinstance(shape[0], str) else shape[0]
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
        return TensorSpec(name=info.name, dtype=dtype, shape=shape)
    except (KeyError, ValueError) as error:
        name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise DataError(
            f"{path}: {side} {info.name!r} holds {name}, which cannot be sent"
        ) from error


def find_precision(model: Any) -> str:
    """Return what a graph computes in: int8 where it is quantized, f16 where most weights are."""
    if graphs.is_quantized(model):
        return "int8"
    floats = {1: 0, 10: 0, 11: 0}  # float, float16, double
    for one in model.graph.initializer:
        if one.data_type in floats:
            floats[one.data_type] += prod(one.dims)
    return "f16" if floats[10] > floats[1] + floats[11] else "f32"
