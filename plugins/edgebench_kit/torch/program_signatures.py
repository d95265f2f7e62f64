"""What a program takes and gives, from its own signature: tensors with their names and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from edgebench import DataError, TensorSpec
from edgebench_kit.torch.program_files import ProgramFile
from edgebench_kit.torch.program_payloads import DTYPES
from edgebench_kit.torch.program_sizes import Size, read_size

LEARNT = frozenset(("parameter", "buffer", "tensor_constant"))
"""The kinds of inputs of a graph that lie with it."""
WRITTEN = {
    "buffer_mutation": "buffer_name",
    "parameter_mutation": "parameter_name",
    "user_input_mutation": "user_input_name",
}
"""The kinds of outputs of a graph that are written into what it has, by the name of which."""
NAMED_TUPLE = "collections.namedtuple"


@attrs.frozen
class End:
    """One tensor that a request gives, or that answers it."""

    name: str
    """What results and `--input-data` call it."""
    value: str
    """What the graph calls it."""
    dtype: str
    sizes: tuple[Size, ...]


def list_inputs(program: ProgramFile) -> tuple[End, ...]:
    """Return what a request gives: the tensors among the arguments, by position and by name.

    Raises:
        DataError: It takes something else, or nothing.
    """
    found = []
    for spec in program.signature["input_specs"]:
        ((kind, said),) = spec.items()
        if kind == "user_input":
            found.append(_read_input(program, said["arg"]))
        elif kind not in LEARNT and kind != "constant_input":
            raise DataError(
                f"{program.path} takes a {kind.replace('_', ' ')}, and only tensors can be sent"
            )
    if not found:
        raise DataError(f"{program.path} has no inputs, so there is nothing to request of it")
    return tuple(found)


def _read_input(program: ProgramFile, said: Mapping[str, Any]) -> End:
    if "as_tensor" not in said:
        kind = next(iter(said)).removeprefix("as_").replace("_", " ")
        raise DataError(
            f"{program.path} takes an argument of the kind {kind}, which varies from request to "
            "request, and only tensors can be sent; export it with a constant there"
        )
    name = said["as_tensor"]["name"]
    return _read_end(program, name, name, "input")


def list_outputs(program: ProgramFile) -> tuple[End, ...]:
    """Return what answers a request, by where it stands in what the model returns.

    Raises:
        DataError: Something is no tensor, or the program writes into what it has.
    """
    given = []
    for spec in program.signature["output_specs"]:
        ((kind, said),) = spec.items()
        if kind in WRITTEN:
            raise DataError(
                f"{program.path} writes to its own {said[WRITTEN[kind]]!r} while it runs, as a "
                "model in training, a cache or a counter does, so that no answer would be like the "
                "one before; export model.eval(), or the model without it"
            )
        if kind != "user_output":
            raise DataError(
                f"{program.path} gives a {kind.replace('_', ' ')}: it was exported to be trained; "
                "export model.eval() for inference"
            )
        given.append(said["arg"])
    names = _name_outputs(program, len(given))
    taken = {end.name for end in list_inputs(program)}
    found = []
    for place, (name, said) in enumerate(zip(names, given, strict=True)):
        if is_constant(said):
            continue
        if "as_tensor" not in said:
            raise DataError(
                f"{program.path}: what it gives at place {place} is no tensor, and only tensors "
                "can be sent"
            )
        own = f"output_{name}" if name in taken else name
        taken.add(own)
        found.append(_read_end(program, own, said["as_tensor"]["name"], "output"))
    if not found:
        raise DataError(f"{program.path} gives no tensors, so there is nothing to answer")
    return tuple(found)


def is_constant(said: Mapping[str, Any]) -> bool:
    """Say whether what a program gives is the same for every request: nothing, or a number."""
    kinds = ("as_none", "as_int", "as_float", "as_bool", "as_string")
    return any(kind in said for kind in kinds)


def _read_end(program: ProgramFile, name: str, value: str, side: str) -> End:
    meta = program.graph["tensor_values"].get(value)
    if not isinstance(meta, dict):
        raise DataError(f"{program.path} is damaged: it says nothing of its {side} {name!r}")
    dtype = DTYPES.get(meta["dtype"], "something unknown")
    try:
        TensorSpec(name=name, dtype=dtype, shape=())
    except ValueError as error:
        raise DataError(
            f"{program.path}: {side} {name!r} holds {dtype}, which cannot be sent"
        ) from error
    return End(name, value, dtype, tuple(map(read_size, meta["sizes"])))


def _name_outputs(program: ProgramFile, count: int) -> list[str]:
    """Return the names of what a model returns: its keys, or numbers where it has none."""
    calls = program.document["graph_module"].get("module_call_graph") or []
    texts = [
        str((one.get("signature") or {}).get("out_spec"))
        for one in calls
        if not one.get("fqn", " ")
    ]
    fields = program.document["graph_module"].get("treespec_namedtuple_fields") or {}
    try:
        _, tree = json.loads(texts[0])
        names = list(_walk_leaves(tree, "", fields))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        names = []
    if len(names) != count or len(set(names)) != count:
        names = [f"output_{place}" for place in range(count)]
    return names


def _walk_leaves(tree: Mapping[str, Any], within: str, fields: Mapping[str, Any]) -> Iterator[str]:
    children = tree["children_spec"]
    if tree["type"] is None:
        yield within or "output"
        return
    for key, child in zip(_list_keys(tree, len(children), fields), children, strict=True):
        if within:
            yield from _walk_leaves(child, f"{within}.{key}", fields)
        else:
            yield from _walk_leaves(child, f"output_{key}" if key.isdigit() else key, fields)


def _list_keys(tree: Mapping[str, Any], count: int, fields: Mapping[str, Any]) -> list[str]:
    """Return what the parts of a container are called: keys, fields, or numbers."""
    if tree["type"] == NAMED_TUPLE:
        keys = fields[tree["context"]]["field_names"]
    else:
        keys = json.loads(tree["context"])
    plain = isinstance(keys, list) and len(keys) == count
    if plain and all(isinstance(key, str) and key for key in keys):
        return list(keys)
    return [str(place) for place in range(count)]
