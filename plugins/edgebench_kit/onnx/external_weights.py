"""Which files an ONNX file keeps weights in, read from its bytes alone.

An ONNX file is a protobuf message; the tensors that lie elsewhere name their file in an entry
`location`. Only the heads of the messages on the way to tensors are read, so that weights inside
are passed over, and no framework is needed. Field numbers are those of `onnx.proto`.
"""

from __future__ import annotations

import mmap
import os.path
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgebench import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

BELOW = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""By message, the fields on the way to tensors, and which messages they hold."""
ENTRY, PLACE, ELSEWHERE = 13, 14, 1
"""Of a tensor: the entries that say where it lies, and the field that says whether they count."""
VARINT, EIGHT, DELIMITED, FOUR = 0, 1, 2, 5
"""The wire types of protobuf that ONNX uses."""
LONGEST = 10
"""Bytes of a varint at most."""

Field = tuple[int, int, int]
"""A field's number, and where its content begins and ends; for a varint its value, and -1."""


def find_external_files(path: Path) -> list[Path]:
    """Return the files that an ONNX file keeps weights in, each once, in the order of the graph.

    What is no ONNX file names none.

    Raises:
        DataError: A file is not there, or lies outside of the directory of the ONNX file, be it by
            a link.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found = dict.fromkeys(_find_locations(content))
    return list(dict.fromkeys(_find_below(path, location) for location in found))


def _find_below(path: Path, location: str) -> Path:
    named = PurePosixPath(location)
    if named.is_absolute() or ".." in named.parts or not named.parts:
        raise DataError(
            f"{path} keeps weights in {location!r}, which is outside of its directory; "
            "save it with all its weights beside it"
        )
    found = path.parent / named
    if not os.path.isfile(found):  # noqa: PTH113  # which is false, and no error, for any text
        raise DataError(f"{path} keeps weights in {location!r}, and no such file lies beside it")
    if not found.resolve().is_relative_to(path.parent.resolve()):
        # A directory that is passed on may hold a link to whatever its reader may read.
        raise DataError(
            f"{path} keeps weights in {location!r}, a link to {found.resolve()}, which is outside "
            "of its directory; put the file itself there"
        )
    return found


def _find_locations(content: mmap.mmap) -> Iterator[str]:
    """Yield what each tensor that lies elsewhere names as its file."""
    left = [("model", 0, len(content))]
    while left:
        kind, start, end = left.pop()
        if kind == "tensor":
            yield from _read_location(content, start, end)
            continue
        inner = [
            (BELOW[kind][number], low, high)
            for number, low, high in _read_fields(content, start, end)
            if number in BELOW[kind] and high >= 0
        ]
        left += reversed(inner)


def _read_location(content: mmap.mmap, start: int, end: int) -> Iterator[str]:
    """Yield the location of a tensor, if it has one."""
    elsewhere, named = False, []
    for number, low, high in _read_fields(content, start, end):
        if number == PLACE and high < 0:
            elsewhere = low == ELSEWHERE
        elif number == ENTRY and high >= 0:
            pair = {
                one: content[first:last].decode(errors="replace")
                for one, first, last in _read_fields(content, low, high)
                if last >= 0
            }
            named += [pair.get(2, "")] if pair.get(1) == "location" else []
    if elsewhere:
        yield from named


def _read_fields(content: mmap.mmap, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of a message, as far as the bytes are one."""
    at = start
    while at < end:
        tag, at = _read_varint(content, at, end)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, at = _read_varint(content, at, end)
            field = number, value, -1
        else:
            length = {EIGHT: 8, FOUR: 4}.get(wire, -1)
            if wire == DELIMITED:
                length, at = _read_varint(content, at, end)
            field = number, at, at + length
            at += length
        if at > end or (wire != VARINT and length < 0):
            return
        yield field


def _read_varint(content: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """Return a number and where it ends: beyond *end* if it is none."""
    value = 0
    for shift in range(LONGEST):
        if at + shift >= end:
            break
        byte = content[at + shift]
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    return 0, end + 1
