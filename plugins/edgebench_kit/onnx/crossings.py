"""Which tensors of an ONNX graph may cross where it is cut, and between which of its nodes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from edgebench_kit.onnx.dependences import Dependences, Tensor
from edgebench_kit.onnx.frontiers import Frontiers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgebench_kit.onnx.cuts import Graph

MOST_TENSORS = 4
"""The most tensors that may cross."""


@attrs.frozen(eq=False, kw_only=True, slots=False)
class Crossings:
    """Which tensors of a graph may cross, and between which nodes."""

    graph: Graph
    kept: frozenset[str] = frozenset()
    """Inputs that are read after the graph as well, and so cross wherever it is cut."""
    most: int = MOST_TENSORS

    @cached_property
    def numbers(self) -> list[int]:
        """The numbers, in the graph, of the nodes that a cut lies between."""
        taken = {number for number, _ in self.restored.values()}
        return [number for number in self.graph.find_active() if number not in taken]

    @cached_property
    def names(self) -> list[str]:
        """The names of the tensors that the frontiers number."""
        nodes = self.graph.model.graph.node
        written = [name for number in self.numbers for name in nodes[number].output]
        given = [one.name for one in self.graph.model.graph.input]
        wanted = set(self.graph.outputs).union(self.kept, *self.reads)
        return [n for n in (*given, *written) if n in wanted and n in self.graph.varying]

    @cached_property
    def restored(self) -> dict[str, tuple[int, str]]:
        """By what DequantizeLinear makes of integers that vary, the node and the integers."""
        graph, found = self.graph, {}
        for number in graph.find_active():
            node = graph.model.graph.node[number]
            reads = graph.reads[number] & graph.varying
            alone = node.op_type == "DequantizeLinear" and reads == {node.input[0]}
            if alone and node.output[0] not in graph.outputs:
                found[node.output[0]] = (number, node.input[0])
        return found

    @cached_property
    def reads(self) -> list[set[str]]:
        """By node, what it reads that varies: the integers where it reads floats made of them."""
        return [
            {
                self.restored[name][1] if name in self.restored else name
                for name in self.graph.reads[number] & self.graph.varying
            }
            for number in self.numbers
        ]

    @cached_property
    def frontiers(self) -> Frontiers:
        """What counts and walks the cuts."""
        nodes, place = self.graph.model.graph.node, {n: i for i, n in enumerate(self.names)}
        writers = {
            name: at for at, number in enumerate(self.numbers) for name in nodes[number].output
        }
        readers: list[set[int]] = [set() for _ in place]
        for at, reads in enumerate(self.reads):
            for name in reads:
                readers[place[name]].add(at)
        kept, sendable = {*self.graph.outputs, *self.kept}, self.graph.find_sendable()
        tensors = [
            Tensor(
                writer=writers.get(name, -1),
                readers=frozenset(readers[number]),
                kept=name in kept,
                barred=name not in sendable,
            )
            for name, number in place.items()
        ]
        return Frontiers(Dependences(len(self.numbers), tensors), self.most)

    @cached_property
    def used(self) -> list[set[str]]:
        """By node, the constants that it is computed with."""
        roots, found = self.graph.find_roots(), []
        for number in self.numbers:
            own = self.graph.reads[number]
            around = [self.restored[name][0] for name in own if name in self.restored]
            names = own.union(*(self.graph.reads[one] for one in around))
            found.append(set[str]().union(*(roots.get(name, ()) for name in names)))
        return found

    def find_before(self, names: Iterable[str]) -> int:
        """Return the nodes that some tensors depend on, as bits."""
        before = 0
        for name in names:
            before |= self.frontiers.graph.find_before(self.names.index(name))
        return before

    def is_exact(self, frontier: Iterable[int]) -> bool:
        """Say whether a runtime fuses nothing across the tensors of these numbers."""
        return all(self._exact[number] for number in frontier)

    @cached_property
    def _exact(self) -> list[bool]:
        """By tensor, whether a runtime fuses nothing across it."""
        nodes = self.graph.model.graph.node
        by = {n: node.op_type for node in nodes for n in node.output}
        return [
            name not in by or by[name] == "QuantizeLinear" or name in self.graph.sizes
            for name in self.names
        ]
