"""What makes a program answer otherwise each time: values that it writes to, and drawn ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgebench import DataError

if TYPE_CHECKING:
    from edgebench_kit.torch.program_files import ProgramFile

VIEWS = re.compile(
    r"torch\.ops\.aten\.(to|alias|contiguous|view|view_as|reshape|_unsafe_view|flatten|unflatten"
    r"|unsqueeze|squeeze|expand|permute|transpose|t|detach|slice|select|narrow|split|chunk|unbind)"
)
"""Operators that give the memory that they read, in another shape; at least where they can."""
DRAWING = {"dropout": "train", "alpha_dropout": "train", "feature_dropout": "train"} | {
    "native_dropout": "train",
    "rrelu": "training",
}
"""The operators that draw in training alone, and which argument says that they do."""
KEEPING = {
    "batch_norm": ("training", "running_mean"),
    "native_batch_norm": ("training", "running_mean"),
    "cudnn_batch_norm": ("training", "running_mean"),
    "instance_norm": ("use_input_stats", "running_mean"),
}
"""Those that keep statistics in training: which argument says so, and where they are kept."""


def refuse_changes(program: ProgramFile) -> None:
    """Refuse a program that answers the same request otherwise the next time.

    Raises:
        DataError: It writes to what it has, or draws as models do in training.
    """
    graph, path = program.graph, program.path
    names = [end["as_tensor"]["name"] for end in graph["inputs"] if "as_tensor" in end]
    owned = dict(zip(names, names, strict=True))
    for node in graph["nodes"]:
        if (name := _find_written(node, owned)) is not None:
            raise DataError(
                f"{path} writes to its own {name!r} while it runs, as a model in training, a cache "
                "or a counter does, so that no answer would be like the one before; export "
                "model.eval(), or the model without it"
            )
        if operator := _find_drawing(node):
            raise DataError(
                f"{path} was exported in training: its {operator} is on, so that no answer would "
                "be like the one before; export model.eval()"
            )
        if VIEWS.fullmatch(_name_operator(node, whole=True)) and (read := _read(node, 0)) in owned:
            owned.update(dict.fromkeys(_list_written(node), owned[read]))


def _find_written(node: Mapping[str, Any], owned: Mapping[str, str]) -> str | None:
    """Return what of the program's own a node writes to, by its name in the graph; None if none.

    *owned* are the inputs of the graph, and the values that lie in the memory of one.
    """
    operator = _name_operator(node)
    arguments = {one["name"]: one["arg"] for one in node["inputs"]}
    flag, kept = KEEPING.get(operator, ("", ""))
    place = arguments.get(kept, {}).get("as_tensor", {}).get("name")
    if arguments.get(flag, {}).get("as_bool") is True and place in owned:
        return owned[place]
    in_place = operator.endswith("_") and not operator.endswith("__")
    return owned.get(_read(node, 0)) if in_place else None


def _find_drawing(node: Mapping[str, Any]) -> str:
    """Return the operator of a node that draws, as in training; empty if it does not."""
    operator = _name_operator(node)
    arguments = {one["name"]: one["arg"] for one in node["inputs"]}
    on = arguments.get(DRAWING.get(operator, ""), {}).get("as_bool") is True
    return operator if on and arguments.get("p", {}).get("as_float") != 0 else ""


def _name_operator(node: Mapping[str, Any], *, whole: bool = False) -> str:
    """Return the name of a node's operator, without which of several it is."""
    called = str(node["target"]).rpartition(".")[0]
    return called if whole else called.removeprefix("torch.ops.aten.")


def _read(node: Mapping[str, Any], place: int) -> str:
    """Return the value that a node reads at a place; empty if it reads none there."""
    if len(node["inputs"]) <= place:
        return ""
    return str(node["inputs"][place]["arg"].get("as_tensor", {}).get("name", ""))


def _list_written(node: Mapping[str, Any]) -> Iterator[str]:
    for one in node["outputs"]:
        for said in (*one.get("as_tensors", ()), one.get("as_tensor")):
            if said is not None:
                yield said["name"]
