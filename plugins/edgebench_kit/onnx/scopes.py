"""Who reads and writes which name in a graph and in the bodies of its conditionals and loops.

A body reads what the graph around it writes, without a word of it at its node; whoever reorders or
renames nodes has to know.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from itertools import chain, count
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx.graphs import walk_bodies

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

GRAPHS = frozenset([5, 10])
"""The kinds of attributes that hold bodies: one, or several."""
LABEL = re.compile(r"t\d{7}t")
MADE_UP = "InsertedPrecisionFreeCast_"
"""What ONNX Runtime puts before the name of a tensor of 16-bit floats to name its cast; it opens no
graph in which that is another tensor's name."""


def walk_node_bodies(node: Any) -> Iterator[Any]:
    """Yield the bodies that a node runs, without those within them."""
    for attribute in node.attribute:
        if attribute.type in GRAPHS:
            yield from attribute.graphs or (attribute.g,)


def list_owned(graph: Any) -> list[str]:
    """Return the names that a graph itself gives: its inputs, constants, and what nodes write."""
    names = [
        *(one.name for one in (*graph.input, *graph.initializer)),
        *(one.values.name for one in graph.sparse_initializer),
        *(name for node in graph.node for name in node.output if name),
    ]
    return list(dict.fromkeys(names))


def list_names(owner: Any) -> set[str]:
    """Return the names of all tensors of a graph, or of a function, and the bodies within it."""
    names: set[str] = set()
    for body in walk_bodies(owner):
        names.update(name for node in body.node for name in (*node.input, *node.output))
        if hasattr(body, "initializer"):
            names.update(list_owned(body), (one.name for one in body.output))
        else:  # the ends of a function are names alone
            names.update(body.input, body.output)
    return names


def find_free_name(wanted: str, taken: Container[str]) -> str:
    """Return the name, or one with the first number behind it, from 1 on, that is not taken."""
    names = (f"{wanted}.{number}" for number in count(1))
    return next(name for name in chain([wanted], names) if name not in taken)


def find_captured(node: Any) -> set[str]:
    """Return the names that the bodies of a node read from around them."""
    return {name for body in walk_node_bodies(node) for name in _find_free(body)}


def _find_free(graph: Any) -> set[str]:
    read = {one.name for one in graph.output}
    for node in graph.node:
        read.update(node.input, find_captured(node))
    return read.difference(list_owned(graph), [""])


def drop_unread(graph: Any) -> None:
    """Take out the constants of a graph and of its bodies that nothing reads any more."""
    for node in graph.node:
        for body in walk_node_bodies(node):
            drop_unread(body)
    read = {one.name for one in graph.output}
    for node in graph.node:
        read.update(node.input, find_captured(node))
    for at in reversed(range(len(graph.initializer))):
        if graph.initializer[at].name not in read:
            del graph.initializer[at]


def sort_nodes(graph: Any) -> None:
    """Put each node after what it and its bodies read, and leave the order as it is otherwise.

    Raises:
        ValueError: Nodes read each other in a circle.
    """
    writers = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
    readers: dict[int, set[int]] = defaultdict(set)
    for at, node in enumerate(graph.node):
        for name in {*node.input, *find_captured(node)} & writers.keys():
            readers[writers[name]].add(at)
    order = list(_order(len(graph.node), readers))
    if len(order) < len(graph.node):
        raise ValueError("the nodes of the graph read each other in a circle")
    if order != sorted(order):
        nodes = [graph.node[at] for at in order]
        # What is copied must not be what is deleted.
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)


def _order(count: int, readers: Mapping[int, set[int]]) -> Iterator[int]:
    """Yield the nodes in order, of those that may come next always the first (Kahn, 1962)."""
    waiting = Counter(at for found in readers.values() for at in found)
    ready = [at for at in range(count) if not waiting[at]]
    while ready:
        at = heapq.heappop(ready)
        yield at
        for reader in readers.get(at, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)


def rename_tensors(
    graph: Any, rename: Callable[[str], str], around: Mapping[str, str] | None = None
) -> None:
    """Give every name that a graph and its bodies own another one, wherever it is read."""
    names = {**(around or {}), **{name: rename(name) for name in list_owned(graph)}}
    for one in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        one.name = names.get(one.name, one.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = names[sparse.values.name]
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for body in walk_node_bodies(node):
            rename_tensors(body, rename, names)
    del graph.quantization_annotation[:]


def replace_reads(graph: Any, instead: Mapping[str, str]) -> None:
    """Let a body read other tensors of the graph around it."""
    owned = set(list_owned(graph))
    names = {name: other for name, other in instead.items() if name not in owned}
    for one in graph.output:
        one.name = names.get(one.name, one.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for body in walk_node_bodies(node):
            replace_reads(body, names)


@attrs.frozen
class Labels:
    """Names that no tool makes up, given to all tensors and nodes of a graph, and what they mean.

    Tools make names of names, by an end (`_scale`, `_quantized`, a number) or a beginning. All
    labels are of one form and length, so that nothing made of one is another.
    """

    meanings: dict[str, str] = attrs.field(factory=dict)
    ends: dict[str, str] = attrs.field(factory=dict)
    """The labels of the inputs and outputs, by name."""
    _taken: set[str] = attrs.field(factory=set, eq=False)
    """The names among the meanings."""

    @classmethod
    def replace_names(cls, graph: Any) -> Labels:
        """Label the tensors and nodes of a graph and its bodies."""
        labels = cls()
        labels._name_nodes(graph)
        rename_tensors(graph, labels.give)
        labels.ends.update(
            (labels.meanings[one.name], one.name) for one in (*graph.input, *graph.output)
        )
        return labels

    def _name_nodes(self, graph: Any) -> None:
        for number, node in enumerate(graph.node):
            node.name = self.give(node.name or f"{node.op_type}.{number}")
            for body in walk_node_bodies(node):
                self._name_nodes(body)

    def give(self, name: str) -> str:
        """Return a new label for a name."""
        label = f"t{len(self.meanings):07}t"
        self.meanings[label] = name
        self._taken.add(name)
        return label

    def add(self, label: str) -> str:
        """Return a label for something new, named after something that has one."""
        return self.give(find_free_name(self.meanings[label], self._taken))

    def explain(self, text: str) -> str:
        """Return a text with names for the labels in it."""
        return LABEL.sub(lambda found: self.meanings.get(found[0], found[0]), text)

    def restore_names(self, graph: Any) -> None:
        """Give everything in a graph its name, and what was made of a label one made of the name.

        What was made gives way where a name is taken.
        """
        taken = set(self._taken)

        def rename(name: str) -> str:
            meaning = self.meanings.get(name, "")
            if meaning in self.ends or (meaning and not meaning.startswith(MADE_UP)):
                return meaning
            wanted = self.explain(name).removeprefix(MADE_UP)
            made = find_free_name(wanted, taken)
            taken.add(made)
            return made

        rename_tensors(graph, rename)
        self._restore_nodes(graph)

    def _restore_nodes(self, graph: Any) -> None:
        taken: set[str] = set()
        for node in graph.node:
            node.name = find_free_name(self.explain(node.name), taken)
            taken.add(node.name)
            for body in walk_node_bodies(node):
                self._restore_nodes(body)
