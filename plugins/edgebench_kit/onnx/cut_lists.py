"""The cuts of an ONNX graph at which a few tensors cross, weighed and ranked.

`frontiers` counts and walks them. What depends on no input is on neither side: either part computes
it again. So it is with a node that makes floats of integers (DequantizeLinear): it goes to whoever
reads the floats, so that the integers cross, with their scale a constant on both sides. A tensor
that depends on nothing but the shapes of inputs crosses with a row for each sample.

Ranking weighs as many cuts at once as fit in some megabytes: the nodes before a cut are those that
its tensors depend on, a row of bits each; a product with what each node weighs gives the sums.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import TensorSpec
from edgebench_kit.onnx.crossings import Crossings
from edgebench_kit.onnx.graphs import walk_parameters
from edgebench_kit.onnx.node_operations import count_operations, infer_sizes, list_sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench_kit.onnx.cuts import Graph

MOST_COUNTED = 10**6
"""Cuts beyond which they are not counted, nor compared: those of fewer tensors come first."""
MOST_LISTED = 10_000
"""The most cuts that are listed."""
AT_ONCE = 2**24
"""Bits of nodes before cuts that are held in memory at once, a byte each."""


@attrs.frozen(kw_only=True)
class Cut:
    """One place where a graph falls in two."""

    names: tuple[str, ...]
    """The names, in the graph, of what the second part reads of the first."""
    crossing: tuple[TensorSpec, ...]
    """The same as it crosses: a size has a row for each sample, and a name of its own."""
    weights: tuple[int, int]
    """Bytes of weights of the two parts; what both use counts for both."""
    parameters: tuple[int, int]
    """The same in trained values."""
    operations: tuple[int, int]
    """Multiply-accumulate operations of the two parts, for one sample."""
    sent: int
    """Bytes that cross for one sample."""
    quantized: bool
    """Whether what crosses is all written by QuantizeLinear, inputs and sizes beside it: then the
    parts equal the whole exactly, since a runtime fuses nothing across it."""
    nodes: int
    """How many nodes lie before it."""


@attrs.frozen(kw_only=True)
class Weighed:
    """What many cuts weigh, one after the other, to be ranked by."""

    before: NDArray[Any]
    """For each node whether it lies before the cut."""
    front: NDArray[Any]
    """Bytes of weights before it."""
    tail: NDArray[Any]
    """Bytes of weights behind it."""
    sent: NDArray[Any]
    """Bytes that cross, for one sample."""
    widths: NDArray[Any]
    """How many tensors cross."""


Cost = Callable[[Weighed], "Sequence[NDArray[Any]]"]
"""From cuts to what is to be least, and what of equals is."""


@attrs.frozen(kw_only=True)
class Listed:
    """The best cuts of a graph, and how many there are."""

    cuts: tuple[Cut, ...]
    costs: tuple[tuple[float, ...], ...]
    """What each is ranked by."""
    total: int
    """How many there are, as far as they were counted."""
    more: bool
    """Whether there are more than that."""


@attrs.frozen(eq=False, kw_only=True, slots=False)
class CutFinder(Crossings):
    """Finds, weighs and ranks the cuts of a graph."""

    given: Mapping[str, int] = attrs.field(factory=dict)
    """Sizes of its inputs that are open, by their names; others are taken as 64."""

    @cached_property
    def _sized(self) -> Any:
        return infer_sizes(self.graph.model, self.given)

    @cached_property
    def _sizes(self) -> dict[str, tuple[int, ...]]:
        return list_sizes(self._sized)

    @cached_property
    def operations(self) -> NDArray[Any]:
        """The multiply-accumulate operations of each node, its bodies among them."""
        import numpy as np

        found = count_operations(self._sized, self._sizes)
        return np.array([found[number] for number in self.numbers], float)

    @cached_property
    def _parameters(self) -> dict[str, int]:
        """By constant, how many trained values it has."""
        model = self.graph.model
        held = {
            name: sum(count for _, count in walk_parameters(model, *bodies))
            for name, bodies in self.graph.held.items()
        }
        return {**dict(walk_parameters(model, model.graph)), **held}

    @property
    def parameters(self) -> int:
        """How many trained values the graph has."""
        return sum(self._parameters.values())

    @cached_property
    def _sent(self) -> NDArray[Any]:
        """Bytes of each tensor for one sample, and of none at the end."""
        import numpy as np

        sendable = self.graph.find_sendable()
        return np.array([*(self._count_sent(sendable.get(one)) for one in self.names), 0], float)

    def _count_sent(self, spec: TensorSpec | None) -> int:
        import numpy as np

        if spec is None:
            return 0
        shape = spec.shape
        if any(isinstance(size, str) for size in shape[1:]):
            shape = self._sizes.get(spec.name, shape)
        return np.dtype(spec.dtype).itemsize * prod(n for n in shape if isinstance(n, int))

    @cached_property
    def _before(self) -> NDArray[Any]:
        """For each tensor, and none at the end, whether it depends on each node; a byte each."""
        import numpy as np

        rows = np.zeros((len(self.names) + 1, len(self.numbers)), np.uint8)
        size = -(-len(self.numbers) // 8)
        for number in range(len(self.names)):
            data = self.frontiers.graph.find_before(number).to_bytes(size, "little")
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            rows[number] = bits[: len(self.numbers)]
        return rows

    def weigh(self, frontiers: Sequence[Sequence[int]]) -> Weighed:
        """Weigh cuts that are given by the numbers of the tensors that cross."""
        import numpy as np

        none = len(self.names)
        found = np.full((len(frontiers), self.most), none)
        for row, frontier in enumerate(frontiers):
            found[row, : len(frontier)] = frontier
        before = self._before[found[:, 0]]
        for column in range(1, self.most):
            np.bitwise_or(before, self._before[found[:, column]], out=before)
        front, tail = self._sum_constants(before, self.graph.constants)
        sent = self._sent[found].sum(axis=1)
        widths = (found < none).sum(axis=1)
        return Weighed(before=before, front=front, tail=tail, sent=sent, widths=widths)

    def _sum_constants(
        self, before: NDArray[Any], sizes: Mapping[str, int]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return how much of constants is used before cuts and behind them."""
        import numpy as np

        users: dict[str, list[int]] = {}
        for number, names in enumerate(self.used):
            for name in names & sizes.keys():
                users.setdefault(name, []).append(number)
        own = np.zeros(len(self.numbers))
        front, tail = np.zeros(len(before)), np.zeros(len(before))
        for name, nodes in users.items():
            if len(nodes) == 1:
                own[nodes[0]] += sizes[name]
            elif sizes[name]:
                front += sizes[name] * before[:, nodes].any(axis=1)
                tail += sizes[name] * ~before[:, nodes].all(axis=1)
        alone = before @ own
        return front + alone, tail + (own.sum() - alone)

    def count(self) -> tuple[int, bool]:
        """Return how many cuts there are, and whether there are more than that."""
        total = sum(self.frontiers.count())
        over = total > MOST_COUNTED
        return min(total, MOST_COUNTED), over or not self.frontiers.complete

    def rank(self, cost: Cost, most: int = MOST_LISTED) -> Listed:
        """Return the cuts of least cost, exact ones first where the graph is quantized.

        Of equals the one that sends less, then the one at which fewer tensors cross, then the last:
        an activation stays with the layer that a runtime fuses it with.
        """
        import numpy as np

        total, more = self.count()
        walk = islice(self.frontiers.walk(), total)
        step = max(1, AT_ONCE // max(1, len(self.numbers)))
        best: list[tuple[int, ...]] = []
        keys: NDArray[Any] | None = None
        while chunk := list(islice(walk, step)):
            written = self._write_keys(chunk, cost)
            keys = written if keys is None else np.concatenate([keys, written])
            order = np.lexsort(keys.T[::-1])[:most]
            every = best + chunk
            best = [every[one] for one in order]
            keys = keys[order]
        costs = () if keys is None else tuple(map(tuple, keys.tolist()))
        return Listed(cuts=self.describe(best), costs=costs, total=total, more=more)

    def _write_keys(self, chunk: Sequence[tuple[int, ...]], cost: Cost) -> NDArray[Any]:
        import numpy as np

        weighed = self.weigh(chunk)
        inexact = [self.graph.holds_quantized and not self.is_exact(one) for one in chunk]
        last = -weighed.before.sum(axis=1, dtype=float)
        keys = [inexact, *cost(weighed), weighed.sent, weighed.widths, last]
        return np.stack(keys, axis=1).astype(float)

    def describe(self, frontiers: Sequence[tuple[int, ...]]) -> tuple[Cut, ...]:
        """Describe cuts that are given by the numbers of the tensors that cross."""
        sendable, found = self.graph.find_sendable(), []
        step = max(1, AT_ONCE // max(1, len(self.numbers)))
        for begin in range(0, len(frontiers), step):
            chunk = [tuple(sorted(one)) for one in frontiers[begin : begin + step]]
            weighed = self.weigh(chunk)
            trained = self._sum_constants(weighed.before, self._parameters)
            operations, nodes = weighed.before @ self.operations, weighed.before.sum(axis=1)
            for row, frontier in enumerate(chunk):
                names = tuple(self.names[number] for number in frontier)
                done = int(operations[row])
                found.append(
                    Cut(
                        names=names,
                        crossing=tuple(sendable[name] for name in names),
                        weights=(int(weighed.front[row]), int(weighed.tail[row])),
                        parameters=(int(trained[0][row]), int(trained[1][row])),
                        operations=(done, int(self.operations.sum()) - done),
                        sent=int(weighed.sent[row]),
                        quantized=self.graph.holds_quantized and self.is_exact(frontier),
                        nodes=int(nodes[row]),
                    )
                )
        return tuple(found)

    def find(self, names: Iterable[str]) -> tuple[Cut | None, list[str]]:
        """Return the cut after what some tensors depend on, and all that crosses there.

        There is none where more crosses than these tensors, or something that cannot be sent.
        """
        numbers = [self.names.index(name) for name in dict.fromkeys(names)]
        frontier = self.frontiers.graph.find_frontier(numbers)
        crossing = [self.names[number] for number in frontier]
        tensors = [self.frontiers.graph.tensors[number] for number in frontier]
        if set(frontier) != set(numbers) or any(one.barred for one in tensors):
            return None, crossing
        if frozenset(frontier) in self.frontiers.list_ends():
            return None, crossing
        width = max(self.most, len(frontier))
        wide = self if width == self.most else attrs.evolve(self, most=width)
        return wide.describe([tuple(frontier)])[0], crossing


def find_cuts(graph: Graph, most: int = 1) -> list[Cut]:
    """Return every cut at which so many tensors cross at most, in the order of the graph."""
    finder = CutFinder(graph=graph, most=most)
    return sorted(finder.rank(lambda _: []).cuts, key=lambda cut: (cut.nodes, cut.names))
