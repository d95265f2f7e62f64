"""Softmax of the operator sets before 13, which flattens what it is given, written out.

Up to operator set 12 the ONNX specification has Softmax coerce its input into a matrix, at its axis
(1 if none is given), and work along the rows of that; from 13 on it works along the axis alone (the
last, if none is given). A runtime that reads an old graph by the new rule computes another model.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx.graphs import read_opset, walk_bodies
from edgebench_kit.onnx.scopes import find_free_name, list_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKS_ALONG_AXIS = 13
"""The operator set from which Softmax flattens nothing."""


def mentions(path: Path, *words: bytes) -> bool:
    """Say whether a file holds any of some words, without reading it as a graph.

    Its weights may hold them too: what is found is a reason to look, what is not is not there.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(word) >= 0 for word in words)


def read_operator_set(path: Path) -> int:
    """Return the version of ONNX's own operators that a file uses, its graph skipped; 0 if none.

    The fields of a message follow each other, each with its number and size: see «Encoding» in the
    documentation of Protocol Buffers, and `ModelProto` and `OperatorSetIdProto` in that of ONNX.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        fields = (value for number, value in _walk_fields(data, 0, len(data)) if number == 8)
        imports = [
            dict(_walk_fields(data, value.start, value.stop))
            for value in fields
            if isinstance(value, slice)
        ]
        own = [one for one in imports if data[one.get(1, slice(0, 0))] in {b"", b"ai.onnx"}]
        return max((int(one.get(2, 0)) for one in own), default=0)


def _walk_fields(data: Any, start: int, stop: int) -> Iterator[tuple[int, Any]]:
    """Yield the number of each field, and its value if that is one, or else where it lies."""
    at = start
    while at < stop:
        key, at = _read_number(data, at)
        if key & 7 == 0:
            value, at = _read_number(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(key & 7)
        if size is None:
            size, at = _read_number(data, at)
        yield key >> 3, slice(at, at + size)
        at += size


def _read_number(data: Any, at: int) -> tuple[int, int]:
    """Return a number of any length, seven bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return number, at


def write_out_flattening(model: Any) -> bool:
    """Write out, in place, what Softmax nodes of old operator sets flatten; say if any does.

    Flatten, Softmax along the last axis, and a Reshape back: what every operator set and every
    runtime reads alike. Nodes of bodies and functions are among them; those that work along the
    last axis as it is stay. The operator set stays too: to raise it changes every other node, and
    is refused where one of them cannot be.
    """
    taken = set().union(*(list_names(one) for one in (model.graph, *model.functions)))
    owners = [(model.graph, model.opset_import), *((f, f.opset_import) for f in model.functions)]
    written = [
        _write_out(graph, taken)
        for owner, imports in owners
        if read_opset(imports, WORKS_ALONG_AXIS) < WORKS_ALONG_AXIS
        for graph in list(walk_bodies(owner))
    ]
    return any(written)


def _write_out(graph: Any, taken: set[str]) -> bool:
    """Replace the nodes of one body that flatten."""
    nodes = [list(_replace(node, taken)) for node in graph.node]
    if all(len(made) == 1 for made in nodes):
        return False
    kept = [type(node).FromString(node.SerializeToString()) for made in nodes for node in made]
    del graph.node[:]
    graph.node.extend(kept)
    return True


def _replace(node: Any, taken: set[str]) -> Iterator[Any]:
    from onnx.helper import make_node

    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    if node.op_type != "Softmax" or node.domain not in {"", "ai.onnx"} or axis == -1:
        yield node
        return
    (given,), (wanted,) = node.input, node.output
    parts = [find_free_name(f"{wanted}.{part}", taken) for part in ("flat", "soft", "shape")]
    taken.update(parts)
    flat, soft, shape = parts
    yield make_node("Flatten", [given], [flat], axis=axis)
    yield make_node("Softmax", [flat], [soft], name=node.name, axis=1)
    yield make_node("Shape", [given], [shape])
    yield make_node("Reshape", [soft, shape], [wanted])
