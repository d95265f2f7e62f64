"""All ways to cut a graph of nodes in two so that at most a few tensors cross.

A cut is a set of nodes closed under predecessors, neither empty nor everything. Its frontier are
the tensors that are given or written in it and read outside of it. A frontier determines its cut: a
node lies before the cut if and only if a tensor of the frontier depends on it. So cuts are counted
and listed by their frontiers.

They are counted by dynamic programming over undecided regions. Take a longest path of nodes through
a region. Every cut crosses it exactly once: the nodes up to some place lie before the cut, with all
they depend on, the others behind it, with all that depends on them. These places are disjoint
cases; a sweep along the path keeps the tensors that cross for certain, and leaves a case out where
they are too many. What stays undecided falls into components that share no tensor of which it is
open whether it crosses, so that the numbers of their cuts, by how many more tensors cross, are
multiplied as polynomials of a degree that is bounded. The state of a component is the set of its
nodes, with those of the tensors it reads that cross already; each state is solved once.

A sweep costs O(m + s n / 64) for a region of n nodes, m reads and a path of s nodes. A path through
a chain of blocks leaves what is parallel to it within one block, so that there are O(n) states of a
few nodes each: all is done in O(n^2 / 64 + m) time and memory. A graph of k parallel chains has
O(k) states, however long they are. In the worst case there are exponentially many; so the nodes
that are looked at are bounded by `EFFORT`, beyond which a count is a lower bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench_kit.onnx.dependences import Dependences, join_bits, list_bits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EFFORT = 3_000_000
"""Nodes that are looked at, each as often as it is in a region that is solved."""

State = tuple[int, int]
"""The nodes of a component, and those of the tensors it reads that cross already, as bits."""


@attrs.frozen
class _Case:
    """One place at which a path may be crossed."""

    crossing: tuple[int, ...]
    """The tensors that cross then, beside those that did before."""
    parts: tuple[State, ...]
    """What it leaves undecided."""


@attrs.frozen
class _Solved:
    """What is known of a state."""

    bound: int
    """To how many more crossing tensors it was solved."""
    counts: tuple[int, ...]
    """The number of cuts by how many more tensors cross."""
    cases: tuple[tuple[_Case, ...], ...]
    """The cases that have cuts, by how many more tensors cross."""


@attrs.define(eq=False)
class Frontiers:
    """The frontiers of at most so many tensors of a graph whose nodes are in topological order."""

    graph: Dependences
    most: int
    complete: bool = attrs.field(default=True, init=False)
    """Whether all states were solved within the effort."""
    _effort: int = attrs.field(default=0, init=False)
    _solved: dict[State, _Solved] = attrs.field(factory=dict, init=False)
    _divided: dict[State, tuple[State, ...]] = attrs.field(factory=dict, init=False)

    def count(self) -> tuple[int, ...]:
        """Return the number of cuts by how many tensors cross, from none to the most."""
        always, parts = self._begin()
        found = [0] * (self.most + 1)
        rest = self.most - len(always)
        if rest < 0 or any(self.graph.tensors[number].barred for number in always):
            return tuple(found)
        for more, number in enumerate(self._multiply(parts, rest)):
            found[len(always) + more] += number
        for end in self.list_ends():
            if len(end) <= self.most and not any(self.graph.tensors[one].barred for one in end):
                found[len(end)] -= 1
        return tuple(found)

    def walk(self) -> Iterator[tuple[int, ...]]:
        """Yield the frontiers as numbers of tensors, those of fewer tensors first."""
        if not any(self.count()):
            return
        always, parts = self._begin()
        ends = self.list_ends()
        for more in range(self.most - len(always) + 1):
            for found in self._walk_parts(parts, more):
                if frozenset(always + found) not in ends:
                    yield always + found

    def _begin(self) -> tuple[tuple[int, ...], tuple[State, ...]]:
        """Return the given tensors that always cross, and all nodes as components."""
        always = tuple(n for n, one in enumerate(self.graph.tensors) if one.kept and one.writer < 0)
        return always, self._split((1 << self.graph.nodes) - 1, join_bits(always))

    def list_ends(self) -> set[frozenset[int]]:
        """Return the frontiers before all nodes and behind them, which are no cuts."""
        numbered = list(enumerate(self.graph.tensors))
        given = frozenset(n for n, one in numbered if one.writer < 0 and (one.readers or one.kept))
        return {given, frozenset(n for n, one in numbered if one.kept)}

    def _divide(self, left: int, crossing: int) -> tuple[State, ...]:
        """Return the components of undecided nodes; the same region is divided once."""
        if not left:
            return ()
        known = join_bits(one for one in list_bits(crossing) if self.graph.readers[one] & left)
        if (left, known) not in self._divided:
            self._divided[left, known] = self._split(left, known)
        return self._divided[left, known]

    def _split(self, left: int, crossing: int) -> tuple[State, ...]:
        """Return the components of undecided nodes, small ones first."""
        found = []
        while left:
            component, reached = 0, left & -left
            while reached:
                bit = reached & -reached
                component |= bit
                reached |= self.graph.find_near(bit.bit_length() - 1, crossing) & left
                reached &= ~component
            left &= ~component
            read = 0
            for node in list_bits(component):
                read |= self.graph.read_bits[node]
            found.append((component, read & crossing))
        return tuple(sorted(found, key=lambda state: state[0].bit_count()))

    def _multiply(self, parts: Iterable[State], bound: int) -> list[int]:
        """Return the numbers of cuts of independent components together."""
        product = [1] + [0] * bound
        for part in parts:
            counts = self._solve(part, bound).counts
            product = [
                sum(product[one] * counts[more - one] for one in range(more + 1))
                for more in range(bound + 1)
            ]
            if not any(product):
                break
        return product

    def _solve(self, state: State, bound: int) -> _Solved:
        known = self._solved.get(state)
        if known is not None and known.bound >= bound:
            return known
        self._effort += state[0].bit_count()
        counts = [0] * (bound + 1)
        cases: list[list[_Case]] = [[] for _ in counts]
        if self._effort > EFFORT:
            self.complete = False
        else:
            for case in self._sweep(state, bound):
                few = len(case.crossing)
                for more, number in enumerate(self._multiply(case.parts, bound - few), few):
                    counts[more] += number
                    if number:
                        cases[more].append(case)
        solved = _Solved(bound, tuple(counts), tuple(map(tuple, cases)))
        self._solved[state] = solved
        return solved

    def _sweep(self, state: State, bound: int) -> Iterator[_Case]:
        """Yield the cases of where a path through a component is crossed."""
        region, before = state
        path = self._find_path(region)
        crossing = _Crossing.of(self.graph, region, before)
        inside, outside = 0, self.graph.after[path[0]] & region
        crossing.put_behind(outside)
        for place in range(len(path) + 1):
            if place:
                now = self.graph.before[path[place - 1]] & region
                crossing.put_before(now & ~inside)
                behind = self.graph.after[path[place]] & region if place < len(path) else 0
                crossing.take_from_behind(outside & ~behind)
                inside, outside = now, behind
            if len(crossing.found) <= bound and not crossing.barred:
                found = tuple(sorted(crossing.found))
                left = region & ~inside & ~outside
                yield _Case(found, self._divide(left, before | join_bits(found)))

    def _find_path(self, region: int) -> list[int]:
        """Return a longest path through a region."""
        longest: dict[int, tuple[int, int]] = {}
        for node in list_bits(region):
            ways = [
                (longest[one][0], one) for one in self.graph.list_writers(node) if one in longest
            ]
            length, before = max(ways, default=(0, -1))
            longest[node] = (length + 1, before)
        node = max(longest, key=lambda one: longest[one][0])
        path = []
        while node >= 0:
            path.append(node)
            node = longest[node][1]
        return path[::-1]

    def _walk(self, state: State, more: int) -> Iterator[tuple[int, ...]]:
        for case in self._solved[state].cases[more]:
            for found in self._walk_parts(case.parts, more - len(case.crossing)):
                yield case.crossing + found

    def _walk_parts(self, parts: tuple[State, ...], more: int) -> Iterator[tuple[int, ...]]:
        """Yield what components add to a frontier, exactly so many tensors together."""
        if len(parts) < 2:
            if parts:
                yield from self._walk(parts[0], more)
            elif not more:
                yield ()
            return
        counts = self._solve(parts[0], more).counts
        rest = self._multiply(parts[1:], more)[::-1]
        numbers = zip(counts, rest, strict=False)
        for few, (here, there) in enumerate(numbers):
            if here and there:
                for found in self._walk(parts[0], few):
                    for others in self._walk_parts(parts[1:], more - few):
                        yield found + others


@attrs.define(eq=False)
class _Crossing:
    """The tensors of a region that cross for certain while a path through it is swept."""

    graph: Dependences
    region: int
    present: set[int] = attrs.field(factory=set)
    """Tensors that are given, or written before the cut."""
    waiting: dict[int, int] = attrs.field(factory=dict)
    """By tensor, for how many reasons it is wanted behind the cut."""
    found: set[int] = attrs.field(factory=set)
    barred: int = 0
    """How many of those found cannot cross."""

    @classmethod
    def of(cls, graph: Dependences, region: int, before: int) -> _Crossing:
        """Begin a sweep before the first node of a region, what crosses already left out."""
        made = cls(graph, region)
        for node in list_bits(region):
            for number in graph.reads[node]:
                writer = graph.tensors[number].writer
                if (writer < 0 or not region >> writer & 1) and not before >> number & 1:
                    made.present.add(number)
            for number in graph.writes[node]:
                wanted = graph.tensors[number].kept or bool(graph.readers[number] & ~region)
                made.waiting[number] = int(wanted)
        return made

    def put_before(self, nodes: int) -> None:
        """Let nodes lie before the cut."""
        for node in list_bits(nodes):
            for number in self.graph.writes[node]:
                self.present.add(number)
                self._update(number)

    def put_behind(self, nodes: int) -> None:
        """Let nodes lie behind the cut."""
        self._change_waiting(nodes, 1)

    def take_from_behind(self, nodes: int) -> None:
        """Let nodes no longer lie behind the cut."""
        self._change_waiting(nodes, -1)

    def _change_waiting(self, nodes: int, change: int) -> None:
        for node in list_bits(nodes):
            for number in self.graph.reads[node]:
                self.waiting[number] = self.waiting.get(number, 0) + change
                self._update(number)

    def _update(self, number: int) -> None:
        crosses = number in self.present and self.waiting.get(number, 0) > 0
        if crosses != (number in self.found):
            (self.found.add if crosses else self.found.discard)(number)
            self.barred += (1 if crosses else -1) * self.graph.tensors[number].barred
