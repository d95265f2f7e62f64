"""Graphs that run one after the other unless a sample may leave, joined to one with `If` in it.

A runtime runs one branch of an `If` and not the other. A batch goes on if any of its samples must:
those that could have left then keep the answer that they had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx import graphs
from edgebench_kit.onnx.scopes import rename_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

OPSET = 18
"""The least operator set of what is joined: from it on a reduction takes its axes as an input."""


@attrs.frozen(kw_only=True)
class Section:
    """A graph of a sequence, and who may leave after it."""

    model: Any
    names: Mapping[str, str]
    """What its inputs and outputs are called in the sequence, by its own names."""
    condition: str = ""
    """What decides, one number for each sample; empty where none may leave."""
    threshold: float = 0.0
    """The least of it with which a sample leaves."""
    answers: tuple[str, ...] = ()
    """What then stands for the outputs of the sequence."""


def join_graphs(sections: Sequence[Section], outputs: Sequence[str], left: str) -> Any:
    """Join graphs to one that gives the outputs, and *left*: 1 for each sample that left, else 0.

    All but the last have an exit. All is in the operator set of the newest of them.
    """
    import onnx

    opset = max(graphs.read_opset(section.model.opset_import, OPSET) for section in sections)
    models = [_prepare(section, number, opset, outputs) for number, section in enumerate(sections)]
    body = _join(models, sections, list(outputs), left, 0)
    inputs = _list_inputs(models)
    graph = onnx.helper.make_graph(
        body.nodes, "exits", inputs, body.outputs, initializer=body.constants
    )
    domains = {entry.domain: entry for model in models for entry in model.opset_import}
    joined = onnx.helper.make_model(graph, opset_imports=list(domains.values()))
    joined.ir_version = max(model.ir_version for model in models)
    return joined


def _prepare(section: Section, number: int, opset: int, outputs: Sequence[str]) -> Any:
    """Return a copy of a graph in an operator set, each name in it one of its own in all."""
    from onnx.inliner import inline_local_functions

    model = section.model
    if model.functions:
        model = inline_local_functions(model)
    model = graphs.raise_opset(model, opset)
    # A name is given once, in whatever body: what is asked for is written by a conditional.
    names = {own: _at_end(name) if name in outputs else name for own, name in section.names.items()}
    rename_tensors(model.graph, lambda name: names.get(name, f"stage{number}/{name}"))
    for node in model.graph.node:
        node.name = node.name and f"stage{number}/{node.name}"
    return model


@attrs.frozen(kw_only=True)
class _Body:
    nodes: list[Any]
    constants: list[Any]
    outputs: list[Any]


def _join(
    models: Sequence[Any], sections: Sequence[Section], outputs: list[str], left: str, number: int
) -> _Body:
    """Join the graphs from one on, what they give called by the names of that depth."""
    graph, section = models[number].graph, sections[number]
    infos = {one.name: one for one in models[-1].graph.output}
    wanted = [_call(infos[_at_end(name)], _at_depth(name, number)) for name in outputs]
    flag = _describe_flag(_at_depth(left, number))
    nodes, constants = list(graph.node), list(graph.initializer)
    if not section.condition:
        nodes += _finish(outputs, section, left, number)
    else:
        others = _join(models, sections, outputs, left, number + 1)
        nodes += _leave(section, outputs, left, number, others, [*wanted, flag])
    return _Body(nodes=nodes, constants=constants, outputs=[*wanted, flag])


def _at_end(name: str) -> str:
    """Name what the last graph gives."""
    return f"whole/{name}"


def _at_depth(name: str, number: int) -> str:
    """Name what is given at a depth: as asked outside, and otherwise in each body."""
    return f"branch{number}/{name}" if number else name


def _finish(outputs: Sequence[str], section: Section, left: str, number: int) -> Iterator[Any]:
    """Yield the end of the last graph: its own outputs, and that no sample has left."""
    from onnx import helper

    for name in outputs:
        yield helper.make_node("Identity", [_at_end(name)], [_at_depth(name, number)])
    first, rows = _at_end(outputs[0]), f"rows{number}"
    yield helper.make_node("Shape", [first], [rows], start=0, end=1)
    zero = helper.make_tensor("value", 1, [1], [0.0])
    yield helper.make_node("ConstantOfShape", [rows], [_at_depth(left, number)], value=zero)


def _leave(
    section: Section,
    outputs: Sequence[str],
    left: str,
    number: int,
    others: _Body,
    wanted: list[Any],
) -> Iterator[Any]:
    """Yield the nodes that decide, and the conditional."""
    from onnx import TensorProto, helper

    make = helper.make_node
    may, flat = f"may_leave{number}", f"condition{number}"
    threshold = helper.make_tensor("value", 1, [], [section.threshold])
    minus = helper.make_tensor("value", TensorProto.INT64, [1], [-1])
    yield make("Constant", [], [f"threshold{number}"], value=threshold)
    yield make("Constant", [], [f"flat{number}"], value=minus)
    yield make("Reshape", [section.condition, f"flat{number}"], [flat])
    yield make("GreaterOrEqual", [flat, f"threshold{number}"], [may])
    yield make("Cast", [may], [f"flag{number}"], to=TensorProto.FLOAT)
    yield make("ReduceMin", [f"flag{number}"], [f"least{number}"], keepdims=0)
    yield make("Cast", [f"least{number}"], [f"all_leave{number}"], to=TensorProto.BOOL)
    names = [one.name for one in wanted]
    yield helper.make_node(
        "If",
        [f"all_leave{number}"],
        names,
        name=f"exit{number}",
        then_branch=_make_answers(section, number, wanted),
        else_branch=_make_rest(section, number, others, wanted),
    )


def _make_answers(section: Section, number: int, wanted: Sequence[Any]) -> Any:
    """Make the branch in which all samples leave."""
    from onnx import helper

    sources = [*section.answers, f"flag{number}"]
    names = [f"leave{number}/{one.name}" for one in wanted]
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in zip(sources, names, strict=True)]
    outputs = [_call(one, name) for one, name in zip(wanted, names, strict=True)]
    return helper.make_graph(nodes, "leave", [], outputs)


def _make_rest(section: Section, number: int, others: _Body, wanted: Sequence[Any]) -> Any:
    """Make the branch that goes on, in which a sample that could have left keeps its answer."""
    from onnx import helper

    nodes, outputs = list(others.nodes), []
    for source, one, made in zip(
        [*section.answers, f"flag{number}"], wanted, others.outputs, strict=True
    ):
        name, mask = f"stay{number}/{one.name}", f"mask{number}/{one.name}"
        rank = len(one.type.tensor_type.shape.dim)
        shape = helper.make_tensor("value", 7, [rank], [-1, *[1] * (rank - 1)])
        nodes += [
            helper.make_node("Constant", [], [f"{mask}/shape"], value=shape),
            helper.make_node("Reshape", [f"may_leave{number}", f"{mask}/shape"], [mask]),
            helper.make_node("Where", [mask, source, made.name], [name]),
        ]
        outputs.append(_call(one, name))
    return helper.make_graph(nodes, "go_on", [], outputs, initializer=others.constants)


def _call(info: Any, name: str) -> Any:
    """Return a copy of what is noted of a tensor, under another name."""
    copy = type(info).FromString(info.SerializeToString())
    copy.name = name
    return copy


def _describe_flag(name: str) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"])


def _list_inputs(models: Sequence[Any]) -> list[Any]:
    """Return what no graph of the sequence writes, each once."""
    written: set[str] = set()
    inputs: dict[str, Any] = {}
    for model in models:
        for one in model.graph.input:
            if one.name not in written:
                inputs.setdefault(one.name, one)
        written.update(one.name for one in model.graph.output)
    return list(inputs.values())
