"""Which nodes of a graph depend on which, as numbers whose bits stand for nodes.

Whole numbers of any length are the sets here: to join two takes a step for each 64 nodes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@attrs.frozen(kw_only=True)
class Tensor:
    """One tensor that nodes share."""

    writer: int
    """The node that writes it; -1 for one that is given."""
    readers: frozenset[int]
    kept: bool = False
    """Whether it is read after the last node too, so that it crosses wherever it is there."""
    barred: bool = False
    """Whether it cannot cross."""


@attrs.frozen(eq=False, slots=False)
class Dependences:
    """Nodes in topological order, and the tensors that they share."""

    nodes: int
    tensors: Sequence[Tensor]

    @cached_property
    def reads(self) -> list[list[int]]:
        """The tensors that each node reads."""
        found: list[list[int]] = [[] for _ in range(self.nodes)]
        for number, tensor in enumerate(self.tensors):
            for reader in tensor.readers:
                found[reader].append(number)
        return found

    @cached_property
    def writes(self) -> list[list[int]]:
        """The tensors that each node writes."""
        found: list[list[int]] = [[] for _ in range(self.nodes)]
        for number, tensor in enumerate(self.tensors):
            if tensor.writer >= 0:
                found[tensor.writer].append(number)
        return found

    @cached_property
    def read_bits(self) -> list[int]:
        """The tensors that each node reads, as bits."""
        return [join_bits(numbers) for numbers in self.reads]

    @cached_property
    def readers(self) -> list[int]:
        """The nodes that read each tensor, as bits."""
        return [join_bits(tensor.readers) for tensor in self.tensors]

    @cached_property
    def touching(self) -> list[int]:
        """The same with the node that writes it."""
        pairs = zip(self.readers, self.tensors, strict=True)
        return [bits | (1 << one.writer if one.writer >= 0 else 0) for bits, one in pairs]

    @cached_property
    def before(self) -> list[int]:
        """Each node and all that it depends on, as bits."""
        found = [1 << node for node in range(self.nodes)]
        for node in range(self.nodes):
            for writer in self.list_writers(node):
                found[node] |= found[writer]
        return found

    @cached_property
    def after(self) -> list[int]:
        """Each node and all that depends on it, as bits."""
        found = [1 << node for node in range(self.nodes)]
        for node in reversed(range(self.nodes)):
            for writer in self.list_writers(node):
                found[writer] |= found[node]
        return found

    @cached_property
    def _near(self) -> list[int]:
        """The nodes that each node shares a tensor with, as bits."""
        found = [0] * self.nodes
        for node in range(self.nodes):
            for number in (*self.reads[node], *self.writes[node]):
                found[node] |= self.touching[number]
        return found

    def list_writers(self, node: int) -> list[int]:
        """Return the nodes that write what a node reads."""
        writers = (self.tensors[number].writer for number in self.reads[node])
        return [writer for writer in writers if writer >= 0]

    def find_near(self, node: int, crossing: int) -> int:
        """Return the nodes that share a tensor with one, other than those that cross, as bits."""
        if not self.read_bits[node] & crossing:
            return self._near[node]
        near = 0
        for number in self.reads[node]:
            if not crossing >> number & 1:
                near |= self.touching[number]
        for number in self.writes[node]:
            near |= self.readers[number]
        return near

    def find_before(self, number: int) -> int:
        """Return the nodes that a tensor depends on, as bits."""
        writer = self.tensors[number].writer
        return self.before[writer] if writer >= 0 else 0

    def find_frontier(self, numbers: Iterable[int]) -> list[int]:
        """Return what crosses behind all that some tensors depend on."""
        before = 0
        for number in numbers:
            before |= self.find_before(number)
        return [
            number
            for number, one in enumerate(self.tensors)
            if (one.writer < 0 or before >> one.writer & 1)
            and (one.kept or self.readers[number] & ~before)
        ]


def join_bits(numbers: Iterable[int]) -> int:
    """Return numbers as bits."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def list_bits(bits: int) -> list[int]:
    """Return the numbers of the bits that are set, rising."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found
