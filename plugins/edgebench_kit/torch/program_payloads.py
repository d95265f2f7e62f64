"""The tensors that lie with a program: raw bytes of known extent, none of them pickled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError

DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}
"""The names of element types, by the numbers that programs give them."""
BYTES = {"bool": 1, "bfloat16": 2, "complex32": 4, "complex64": 8, "complex128": 16}
"""The sizes of those whose names do not end in them."""
STRIDED = 7
"""The number of the layout that is not sparse."""
PLAIN_NAME = re.compile(r"[\w.\-]+", re.ASCII)
"""What tensors of modules are called: torch writes these names into code of its own."""


@attrs.frozen
class Payload:
    """One tensor of a program."""

    name: str
    file: str
    """The member that holds its bytes, which tensors may share."""
    entry: dict[str, Any]
    """What the program's own list says of it, without a gradient and on the processor."""
    dtype: str
    shape: tuple[int, ...]


def read_payloads(
    document: Mapping[str, Any], sizes: Mapping[str, int], path: Path
) -> tuple[Payload, ...]:
    """Read the list of a program's tensors.

    Args:
        document: The list, as it was parsed.
        sizes: The bytes of each member beside it, by name.
        path: The program's file, for messages.

    Raises:
        DataError: One is pickled, or is not all there.
    """
    entries = document.get("config")
    if not isinstance(entries, dict):
        raise DataError(f"{path} is damaged: a list of its tensors has no 'config'")
    return tuple(_read_payload(name, entry, sizes, path) for name, entry in entries.items())


def _read_payload(name: str, entry: Any, sizes: Mapping[str, int], path: Path) -> Payload:
    try:
        file, pickled, meta = entry["path_name"], entry["use_pickle"], entry["tensor_meta"]
        _refuse_pickle(name, file, pickled, path)
        shape, strides = (
            tuple(_read_number(one) for one in meta[key]) for key in ("sizes", "strides")
        )
        offset, dtype = _read_number(meta["storage_offset"]), DTYPES[meta["dtype"]]
        plain = meta["layout"] == STRIDED and len(shape) == len(strides)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: what it says of its tensor {name!r}") from error
    if not PLAIN_NAME.fullmatch(name) or not PLAIN_NAME.fullmatch(file) or not plain:
        raise DataError(f"{path}: its tensor {name!r} is not called or laid out as torch's are")
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    needed = 0 if 0 in shape else (last + 1) * count_bytes(dtype)
    if file not in sizes or sizes[file] < needed:
        there = sizes.get(file, 0)
        raise DataError(
            f"{path} is damaged: its tensor {name!r} takes {needed} bytes, and {there} are there"
        )
    kept = {**meta, "requires_grad": False, "device": {"type": "cpu", "index": None}}
    clean = {
        "path_name": file,
        "is_param": bool(entry.get("is_param")),
        "use_pickle": False,
        "tensor_meta": kept,
    }
    return Payload(name, file, clean, dtype, shape)


def _refuse_pickle(name: str, file: str, pickled: object, path: Path) -> None:
    if "obj" in file:
        raise DataError(
            f"{path} holds the custom object {name!r}, which is a pickle, and pickles are not "
            "opened; export the model without it"
        )
    if pickled is not False:
        raise DataError(
            f"{path} holds the tensor {name!r} as a pickle, as tensors of classes of their own are "
            "(of quantization, say, or sparse ones), and pickles are not opened; export the model "
            "with plain tensors"
        )


def count_bytes(dtype: str) -> int:
    """Return the bytes of one element of a type."""
    if dtype.startswith("float8"):
        return 1
    return BYTES.get(dtype) or int(re.sub(r"\D", "", dtype)) // 8


def _read_number(said: Mapping[str, Any]) -> int:
    number = said["as_int"]
    if type(number) is not int or not 0 <= number < 2**62:
        raise ValueError("no size")
    return number
