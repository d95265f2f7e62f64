"""Inputs of a graph that are the same in every request, made constants of it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.onnx.batch_first import ensure_opset
from edgebench_kit.onnx.graphs import list_dimensions
from edgebench_kit.onnx.scopes import find_free_name, list_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def fix_inputs(model: Any, path: Path, values: Mapping[str, Sequence[float]]) -> bool:
    """Make constants of inputs, each of one value or of as many as it has elements.

    One whose first dimension is open has as many rows as the first other input whose is.

    Raises:
        DataError: An input has other dimensions that are open, another number of elements, or a
            type that does not hold a value.
    """
    for name, numbers in values.items():
        info = next(one for one in model.graph.input if one.name == name)
        dims = list_dimensions(info)
        if lacking := [axis for axis, size in enumerate(dims) if axis and isinstance(size, str)]:
            raise DataError(
                f"{path}: the dimension {dims[lacking[0]]!r} of input {name!r}, which is fixed, "
                f'has no number; give one: dims="{name}.{lacking[0]}=1"'
            )
        row = [int(size) for size in dims if not isinstance(size, str)]
        content = _fill(info, path, row, numbers)
        model.graph.input.remove(info)
        if len(row) == len(dims):
            content.name = name
            model.graph.initializer.append(content)
        else:
            _repeat(model, path, name, content)
    return bool(values)


def _fill(info: Any, path: Path, shape: Sequence[int], numbers: Sequence[float]) -> Any:
    """Return a tensor that holds the values, of the type of its input."""
    import numpy as np
    import onnx

    size, kind = prod(shape), info.type.tensor_type.elem_type
    if len(numbers) not in (1, size):
        raise DataError(
            f"fix: input {info.name!r} of {path} has {size} elements, and {len(numbers)} values "
            "are given; give one for all, or one for each"
        )
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    if dtype.kind not in "fiub":
        raise DataError(f"fix: input {info.name!r} of {path} is {dtype}, and takes no number")
    if dtype.kind == "f":
        array = np.array(numbers, dtype)
    else:
        array = np.array([int(one) for one in numbers], dtype=object)
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if any(one != int(one) or not low <= one <= high for one in numbers):
            raise DataError(
                f"fix: input {info.name!r} of {path} is {dtype} and takes whole numbers from {low} "
                f"to {high}, not {':'.join(f'{one:g}' for one in numbers)}"
            )
    if len(numbers) == 1:
        array = np.repeat(array, size)
    return onnx.numpy_helper.from_array(array.astype(dtype).reshape(shape), info.name)


def _repeat(model: Any, path: Path, name: str, row: Any) -> None:
    """Give a tensor that is one row as many rows as a request has samples."""
    import numpy as np
    import onnx

    graph = model.graph
    weights = {one.name for one in graph.initializer}
    counted = next(
        (
            one
            for one in graph.input
            if one.name not in weights and isinstance((list_dimensions(one) or [1])[0], str)
        ),
        None,
    )
    if counted is None:
        raise DataError(
            f"fix: input {name!r} of {path} has a row for each sample, and no other input tells "
            "how many there are"
        )
    ensure_opset(model)
    taken = list_names(graph)
    parts = ("row", "shape", "samples", "rows", "first", "rest", "repeated")
    names = {part: find_free_name(f"{name}.{part}", taken) for part in parts}
    row.name = names["row"]
    row.dims.insert(0, 1)
    constants = {
        names["first"]: np.array([0]),
        names["rest"]: np.array([int(size) for size in row.dims[1:]], "i8"),
    }
    graph.initializer.extend(
        [row, *(onnx.numpy_helper.from_array(array, key) for key, array in constants.items())]
    )
    for node in reversed(list(_make_repeating(counted.name, name, names, len(row.dims)))):
        graph.node.insert(0, node)


def _make_repeating(counted: str, name: str, names: Mapping[str, str], rank: int) -> Iterator[Any]:
    """Make the nodes that write a row as often as another input has rows."""
    from onnx.helper import make_node

    shape, samples, rows = names["shape"], names["samples"], names["rows"]
    yield make_node("Shape", [counted], [shape], name=shape)
    yield make_node("Gather", [shape, names["first"]], [samples], name=samples, axis=0)
    yield make_node("Concat", [samples, names["rest"]][:rank], [rows], name=rows, axis=0)
    yield make_node("Expand", [names["row"], rows], [name], name=names["repeated"])
