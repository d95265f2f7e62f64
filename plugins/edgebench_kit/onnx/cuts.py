"""Where an ONNX graph may be cut in two, and the cutting.

A cut is found by a sweep over the nodes in their order, which is topological. A tensor separates
the graph if every path from an input to an output passes through it. Then all nodes that are not
its ancestors are its descendants, so that, whatever the order, it is the only tensor alive right
after the node that writes it: one pass finds all of them.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import TensorSpec
from edgebench_kit.onnx.graphs import (
    SEPARATE_WEIGHTS,
    check_graph,
    count_tensor_bytes,
    describe_tensor,
    infer_infos,
    is_quantized,
)
from edgebench_kit.onnx.scopes import find_captured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@attrs.frozen(kw_only=True)
class Cut:
    """One place where a graph falls in two."""

    crossing: tuple[TensorSpec, ...]
    """What the second part reads of the first, by its names in the graph."""
    weights: tuple[int, int]
    """Bytes of weights of the two parts; what both use counts for both."""
    quantized: bool
    """Whether what crosses is all written by QuantizeLinear: then the parts equal the whole
    exactly, since a runtime fuses nothing across it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what crosses."""
        return tuple(spec.name for spec in self.crossing)

    @property
    def sent(self) -> int:
        """Bytes that cross for one sample, dimensions that vary taken as 1."""
        import numpy as np

        return sum(
            np.dtype(spec.dtype).itemsize * prod(n for n in spec.shape if isinstance(n, int))
            for spec in self.crossing
        )


@attrs.frozen(eq=False)
class Graph:
    """A graph with what each of its nodes reads; constants are told from what depends on inputs."""

    model: Any
    infos: Mapping[str, Any]
    """What is noted of each tensor or could be inferred, by name."""
    reads: tuple[set[str], ...]
    """By node, the names it reads, those that the bodies of a conditional or loop capture too."""
    constants: Mapping[str, int]
    """Bytes of each initialiser and each tensor of a Constant node, by name."""
    varying: frozenset[str]
    """The names that depend on an input."""

    @classmethod
    def of(cls, model: Any, *, sizes_vary: bool = True) -> Graph:
        """Read a graph, its shapes inferred where they are not noted in it.

        Unless *sizes_vary*, the shapes that its nodes read off are taken for constants.
        """
        constants = {one.name: count_tensor_bytes(one) for one in model.graph.initializer}
        varying = {one.name for one in model.graph.input} - constants.keys()
        reads = tuple(
            find_captured(node).union(filter(None, node.input)) for node in model.graph.node
        )
        for node, names in zip(model.graph.node, reads, strict=True):
            if not names.isdisjoint(varying) and (sizes_vary or node.op_type != "Shape"):
                varying.update(filter(None, node.output))
            elif node.op_type == "Constant":
                constants[node.output[0]] = sum(
                    count_tensor_bytes(a.t) for a in node.attribute if a.name == "value"
                )
        return cls(model, infer_infos(model), reads, constants, frozenset(varying))

    @property
    def outputs(self) -> list[str]:
        """The names of its outputs."""
        return [one.name for one in self.model.graph.output]

    @property
    def holds_quantized(self) -> bool:
        """Whether anything in it was quantized."""
        return is_quantized(self.model)

    def find_needed(self, wanted: Iterable[str], given: Iterable[str] = ()) -> list[int]:
        """Return the numbers of the nodes that *wanted* depends on, not going beyond *given*."""
        nodes = self.model.graph.node
        missing, stop = set(wanted), set(given)
        missing -= stop
        numbers = []
        # Backward: a node stands after what it reads, so that one pass finds all it depends on.
        for number in range(len(nodes) - 1, -1, -1):
            if not missing.isdisjoint(nodes[number].output):
                numbers.append(number)
                missing |= self.reads[number] - stop
        return numbers[::-1]

    def find_crossing(self, front: Iterable[int]) -> list[str]:
        """Return what is there after *front* and still read, or given, after it."""
        inside = set(front)
        nodes = self.model.graph.node
        later = [n for n in self.find_needed(self.outputs) if n not in inside]
        wanted = set(self.outputs).union(*(self.reads[number] for number in later))
        written = [name for number in sorted(inside) for name in nodes[number].output]
        present = [one.name for one in self.model.graph.input] + written
        return [name for name in present if name in wanted and name in self.varying]

    def find_cuts(self) -> list[Cut]:
        """Return every cut at which one tensor, a row for each sample, crosses, in graph order."""
        nodes, active = self.model.graph.node, self._find_active()
        balance = self._balance_weights(active)
        specs, (batch, others) = self.describe_tensors(), self._name_batch()
        found = []
        for position, alive in self._sweep(active):
            spec = specs.get(next(iter(alive))) if len(alive) == 1 else None
            if spec is not None and _may_have_rows(spec, batch, others):
                by = nodes[active[position - 1]].op_type
                found.append(
                    Cut(
                        crossing=(spec,),
                        weights=balance[position],
                        quantized=by == "QuantizeLinear",
                    )
                )
        return found

    def find_separators(self) -> list[str]:
        """Return each tensor that alone crosses where it is written, able to be sent or not."""
        # All later nodes depend on it alone: the text of the module says why.
        swept = self._sweep(self._find_active())
        return [name for _, alive in swept if len(alive) == 1 for name in alive]

    def find_narrowest(self) -> list[str]:
        """Return the fewest tensors that cross between two nodes; none where there are not two."""
        swept = (sorted(alive) for _, alive in self._sweep(self._find_active()))
        return min(swept, key=len, default=[])

    def _find_active(self) -> list[int]:
        """Return the numbers of the nodes that outputs depend on, and that depend on an input.

        What depends on no input is left out: either part computes it again for itself.
        """
        return [
            number
            for number in self.find_needed(self.outputs)
            if not self.varying.isdisjoint(self.model.graph.node[number].output)
        ]

    def _name_batch(self) -> tuple[frozenset[int | str], frozenset[int | str]]:
        """Return what the inputs call their first dimension, and what they call the others."""
        inputs = [
            describe_tensor(one) for one in self.model.graph.input if one.name in self.varying
        ]
        shapes = [spec.shape for spec in inputs if spec is not None and spec.shape]
        first = frozenset(shape[0] for shape in shapes)
        return first, frozenset(size for shape in shapes for size in shape[1:]) - first

    def _sweep(self, active: list[int]) -> Iterator[tuple[int, set[str]]]:
        """Yield the tensors that are alive after each active node but the last, and its number.

        A set is good until the next.
        """
        reads = [self.reads[number] & self.varying for number in active]
        uses = Counter(name for names in reads for name in names)
        # An output is read once more than nodes read it, after the last, and so stays alive.
        uses.update(self.outputs)
        alive = {one.name for one in self.model.graph.input if one.name in uses} & self.varying
        for position, number in enumerate(active[:-1]):
            uses.subtract(reads[position])
            alive.update(name for name in self.model.graph.node[number].output if uses[name])
            alive.difference_update(name for name in reads[position] if not uses[name])
            yield position + 1, alive

    def _balance_weights(self, active: list[int]) -> list[tuple[int, int]]:
        """Return the bytes of weights before and after each position among the active nodes."""
        rooted = self._find_roots()
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for position, number in enumerate(active):
            for constant in frozenset().union(*(rooted.get(n, ()) for n in self.reads[number])):
                first.setdefault(constant, position)
                last[constant] = position
        # A constant weighs on the front once its first reader is in it, and no longer on the tail
        # once its last one is: those between weigh on both, as both parts get them.
        begun, ended = [0] * (len(active) + 1), [0] * (len(active) + 1)
        for constant, position in first.items():
            begun[position + 1] += self.constants[constant]
            ended[last[constant] + 1] += self.constants[constant]
        total = sum(begun)
        pairs = zip(accumulate(begun), accumulate(ended), strict=True)
        return [(before, total - over) for before, over in pairs]

    def _find_roots(self) -> dict[str, frozenset[str]]:
        """Return the constants that each name which does not vary is computed from."""
        rooted = {name: frozenset([name]) for name in self.constants}
        for node, reads in zip(self.model.graph.node, self.reads, strict=True):
            if self.varying.isdisjoint(node.output):
                roots = frozenset().union(*(rooted.get(name, ()) for name in reads))
                for name in node.output:
                    rooted.setdefault(name, roots)
        return rooted

    def describe_tensors(self) -> dict[str, TensorSpec]:
        """Return dtype and shape of each tensor for which both are known, and may cross."""
        specs = ((name, describe_tensor(info)) for name, info in self.infos.items())
        return {name: spec for name, spec in specs if spec is not None}


def _may_have_rows(
    spec: TensorSpec, batch: frozenset[int | str], others: frozenset[int | str]
) -> bool:
    """Say whether a tensor may have a row for each sample; only such a one can be sent."""
    if not spec.shape:
        return False
    first = spec.shape[0]
    if first in batch or not batch:
        return True
    # A word that inference or an exporter made up may stand for the batch; a sum of words, no.
    unknown = isinstance(first, str) and (first.isidentifier() or first == f"{spec.name}.0")
    return unknown and first not in others


def split_graph(graph: Graph, crossing: tuple[str, ...]) -> tuple[Any, Any]:
    """Return the two parts of a graph that is cut where *crossing* crosses, both checked.

    Constants go to whichever part uses them, to both if both do.
    """
    front = graph.find_needed(crossing)
    tail = graph.find_needed(graph.outputs, given=crossing)
    ahead = [name for name in graph.outputs if name not in crossing]
    return _make_part(graph, front, (), crossing), _make_part(graph, tail, crossing, ahead)


def _make_part(
    graph: Graph, numbers: list[int], given: Sequence[str], wanted: Sequence[str]
) -> Any:
    import onnx

    source = graph.model.graph
    nodes = [source.node[number] for number in numbers]
    # A constant may be an output itself, read by no node.
    read = frozenset(wanted).union(*(graph.reads[number] for number in numbers))
    inputs = [one.name for one in source.input if one.name in read and one.name in graph.varying]
    # What is an end of the part is noted there, and not again among its inner tensors.
    ends = {*inputs, *given, *wanted, *graph.outputs}
    inner = read.union(*(node.output for node in nodes)) - ends
    part = onnx.helper.make_model(
        onnx.helper.make_graph(
            nodes,
            source.name,
            [graph.infos[name] for name in (*given, *(n for n in inputs if n not in set(given)))],
            [graph.infos[name] for name in wanted],
            initializer=[one for one in source.initializer if one.name in read],
            value_info=[info for name, info in graph.infos.items() if name in inner],
            sparse_initializer=[
                one for one in source.sparse_initializer if one.values.name in read
            ],
        ),
        ir_version=max(graph.model.ir_version, SEPARATE_WEIGHTS),
        opset_imports=graph.model.opset_import,
        functions=graph.model.functions,
        producer_name=graph.model.producer_name,
    )
    check_graph(part)
    return part
