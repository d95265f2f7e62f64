"""A graph of 32-bit floats made to compute in 16 bits where it may, its ends as they are.

Each tensor of floats is in one width where it is written; whoever needs the other reads a Cast of
it, one for all who do, in the graph that the tensor belongs to. A constant is kept in the widths in
which it is read. Bodies of conditionals and loops take and give 32 bits, as the graph does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx import scopes
from edgebench_kit.onnx.half_nodes import FLOAT, HALF, Judge

if TYPE_CHECKING:
    from edgebench_kit.onnx.scopes import Labels


SIZING = frozenset(["Shape", "Size"])
"""The operators to which it is all one how wide the numbers are."""


@attrs.frozen(kw_only=True)
class Conversion:
    """What became of the nodes that have floats."""

    halved: Counter[str] = attrs.field(factory=Counter)
    """How many compute in 16 bits, by kind."""
    kept: dict[str, Counter[str]] = attrs.field(factory=dict)
    """How many stay in 32, by kind, for each reason."""
    in_bodies: Counter[str] = attrs.field(factory=Counter)
    """Of the halved, those in bodies."""


def convert_to_halves(model: Any, judge: Judge, labels: Labels) -> Conversion:
    """Make a graph compute in 16 bits, in place, and note so of its tensors."""
    conversion = Conversion()
    _Scope.open(model.graph, judge, labels, conversion).convert()
    scopes.drop_unread(model.graph)
    return conversion


@attrs.frozen(kw_only=True)
class _Scope:
    """One graph or body while its nodes are written anew."""

    graph: Any
    judge: Judge
    labels: Labels
    conversion: Conversion
    around: _Scope | None
    owned: frozenset[str]
    outputs: frozenset[str]
    nodes: list[Any] = attrs.field(factory=list)
    widths: dict[tuple[str, int], str] = attrs.field(factory=dict)
    """By tensor and width, what has it."""

    @classmethod
    def open(
        cls,
        graph: Any,
        judge: Judge,
        labels: Labels,
        conversion: Conversion,
        around: _Scope | None = None,
    ) -> _Scope:
        """Begin with what a graph is given, in 32 bits."""
        return cls(
            graph=graph,
            judge=judge,
            labels=labels,
            conversion=conversion,
            around=around,
            owned=frozenset(scopes.list_owned(graph)),
            outputs=frozenset(one.name for one in graph.output),
            widths={(name, FLOAT): name for name in _list_given(graph)},
        )

    def convert(self) -> None:
        """Write each node as it is to compute."""
        for node in self.graph.node:
            for body in scopes.walk_node_bodies(node):
                _Scope.open(body, self.judge, self.labels, self.conversion, self).convert()
            copy = type(node).FromString(node.SerializeToString())
            if not any(map(self.judge.is_float, (*node.input, *node.output))):
                self.nodes.append(copy)
            elif node.op_type in SIZING:
                copy.input[0] = self.find_any(node.input[0])
                self.nodes.append(copy)
            elif why := self.judge.explain_kept(node):
                self.conversion.kept.setdefault(why, Counter())[node.op_type] += 1
                self._write(copy, frozenset())
            else:
                self._note_halved(node.op_type)
                self._write(copy, frozenset(self.judge.list_halved(node)))
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        self._note_widths()

    def _note_widths(self) -> None:
        """Let what is noted of tensors say how wide they are now; their shapes stay."""
        widths = {made: width for (_, width), made in self.widths.items()}
        for info in self.graph.value_info:
            noted = info.type.tensor_type
            if noted.elem_type == FLOAT:
                noted.elem_type = widths.get(info.name, FLOAT)

    def _note_halved(self, kind: str) -> None:
        self.conversion.halved[kind] += 1
        if self.around is not None:
            self.conversion.in_bodies[kind] += 1

    def _write(self, node: Any, halved: frozenset[tuple[bool, int]]) -> None:
        """Let a node read and write halves at some of its places, and floats at the others."""
        for at, name in enumerate(node.input):
            if self.judge.is_float(name):
                node.input[at] = self.find(name, HALF if (True, at) in halved else FLOAT)
        for body in scopes.walk_node_bodies(node):
            self._widen_captured(body)
        written = list(node.output)
        for at, name in enumerate(written):
            if self.judge.is_float(name):
                width = HALF if (False, at) in halved else FLOAT
                made = self.labels.add(name) if width == HALF and name in self.outputs else name
                self.widths[name, width] = node.output[at] = made
        _set_type(node, halved)
        self.nodes.append(node)
        for name in self.outputs.intersection(written):
            if self.judge.is_float(name) and (name, FLOAT) not in self.widths:
                self._cast(self.widths[name, HALF], name, FLOAT)
                self.widths[name, FLOAT] = name

    def _widen_captured(self, body: Any) -> None:
        """See that what a body hands on as it is has 32 bits."""
        own = set(scopes.list_owned(body))
        for one in body.output:
            if one.name not in own and self.judge.is_float(one.name):
                one.name = self.find(one.name, FLOAT)

    def find(self, name: str, width: int) -> str:
        """Return what has a tensor's values in a width, made here or further out if need be."""
        if name not in self.owned and self.around is not None:
            return self.around.find(name, width)
        if (name, width) not in self.widths:
            made = self.labels.add(name)
            if name in self.judge.constants:
                self._add_half(name, made)
            else:
                other = HALF if width == FLOAT else FLOAT
                self._cast(self.widths[name, other], made, width)
            self.widths[name, width] = made
        return self.widths[name, width]

    def find_any(self, name: str) -> str:
        """Return what has a tensor's values in either width, as long as it is there."""
        if name not in self.owned and self.around is not None:
            return self.around.find_any(name)
        return self.widths.get((name, FLOAT)) or self.widths[name, HALF]

    def _add_half(self, name: str, made: str) -> None:
        import onnx

        values = onnx.numpy_helper.to_array(self.judge.constants[name])
        self.graph.initializer.append(onnx.numpy_helper.from_array(values.astype("f2"), made))

    def _cast(self, read: str, written: str, width: int) -> None:
        import onnx

        label = self.labels.add(self.nodes[-1].name) if self.nodes else self.labels.give("Cast")
        self.nodes.append(onnx.helper.make_node("Cast", [read], [written], name=label, to=width))


def _list_given(graph: Any) -> list[str]:
    return [one.name for one in (*graph.input, *graph.initializer)]


def _set_type(node: Any, halved: frozenset[tuple[bool, int]]) -> None:
    """Let a Cast whose output is halved make halves."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and (False, 0) in halved:
            attribute.i = HALF
