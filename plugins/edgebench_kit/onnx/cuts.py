"""An ONNX graph with what each node reads and what depends on its inputs.

A tensor separates the graph if every path from an input to an output passes through it. Then all
nodes that are not its ancestors are its descendants, so that, whatever the order of the nodes, it
is the only tensor alive right after the node that writes it: one pass over them finds all of these.
`cut_lists` finds where several tensors cross together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import TensorSpec
from edgebench_kit.onnx.graphs import (
    count_tensor_bytes,
    describe_tensor,
    infer_infos,
    is_quantized,
    walk_bodies,
)
from edgebench_kit.onnx.scopes import (
    find_captured,
    find_free_name,
    list_names,
    walk_node_bodies,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


SIZING = frozenset(["Shape", "Size"])
"""The operators that give nothing of a tensor but its dimensions."""


@attrs.frozen(eq=False)
class Graph:
    """A graph with what each of its nodes reads; constants are told from what depends on inputs."""

    model: Any
    infos: Mapping[str, Any]
    """What is noted of each tensor or could be inferred, by name."""
    reads: tuple[set[str], ...]
    """By node, the names it reads, those that the bodies of a conditional or loop capture too, and
    the name of what these hold."""
    constants: Mapping[str, int]
    """Bytes of each initialiser and each tensor of a Constant node, by name, and of all of these
    that the bodies of a node hold, by a name that no tensor has."""
    held: Mapping[str, Sequence[Any]]
    """The bodies of each node that has some, at any depth, by the name of what they hold."""
    varying: frozenset[str]
    """The names that depend on an input."""
    sizes: frozenset[str]
    """Of these, those that depend on nothing but the shapes of what they are read off."""

    @classmethod
    def of(cls, model: Any) -> Graph:
        """Read a graph, its shapes inferred where they are not noted in it."""
        constants = {one.name: count_tensor_bytes(one) for one in model.graph.initializer}
        varying = {one.name for one in model.graph.input} - constants.keys()
        named = _name_held(model.graph)
        held = {name: bodies for name, bodies in named if bodies}
        constants |= {name: sum(map(_count_bytes, bodies)) for name, bodies in held.items()}
        reads = tuple(
            find_captured(node).union(filter(None, node.input), [name] if bodies else [])
            for node, (name, bodies) in zip(model.graph.node, named, strict=True)
        )
        for node, names in zip(model.graph.node, reads, strict=True):
            if not names.isdisjoint(varying):
                varying.update(filter(None, node.output))
            elif node.op_type == "Constant":
                constants[node.output[0]] = _count_written(node)
        sizes = _find_sizes(model.graph.node, reads, varying)
        return cls(model, infer_infos(model), reads, constants, held, frozenset(varying), sizes)

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

    def find_separators(self) -> list[str]:
        """Return each tensor that alone crosses where it is written, able to be sent or not."""
        # All later nodes depend on it alone: the text of the module says why.
        swept = self._sweep(self.find_active())
        return [name for _, alive in swept if len(alive) == 1 for name in alive]

    def find_narrowest(self) -> list[str]:
        """Return the fewest tensors that cross between two nodes; none where there are not two."""
        swept = (sorted(alive) for _, alive in self._sweep(self.find_active()))
        return min(swept, key=len, default=[])

    def find_active(self) -> list[int]:
        """Return the numbers of the nodes that outputs depend on, and that depend on an input.

        What depends on no input is left out: either part computes it again for itself.
        """
        return [
            number
            for number in self.find_needed(self.outputs)
            if not self.varying.isdisjoint(self.model.graph.node[number].output)
        ]

    def name_batch(self) -> tuple[frozenset[int | str], frozenset[int | str]]:
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

    def find_roots(self) -> dict[str, frozenset[str]]:
        """Return the constants that each name which does not vary is computed from."""
        rooted = {name: frozenset([name]) for name in self.constants}
        for node, reads in zip(self.model.graph.node, self.reads, strict=True):
            if self.varying.isdisjoint(node.output):
                roots = frozenset().union(*(rooted.get(name, ()) for name in reads))
                for name in node.output:
                    rooted.setdefault(name, roots)
        return rooted

    def find_sendable(self) -> dict[str, TensorSpec]:
        """Return what may cross, as it crosses: sizes with a row for each sample."""
        batch, others = self.name_batch()
        rows = self.name_rows()
        found = {}
        for name, spec in self.describe_tensors().items():
            if name in rows:
                first = next(iter(batch), "batch")
                shape = (first, *spec.shape)
                found[name] = attrs.evolve(spec, name=rows[name], shape=shape)
            elif _may_have_rows(spec, batch, others):
                found[name] = spec
        return found

    def name_rows(self) -> dict[str, str]:
        """Return how each size is called once it has a row for each sample, if it has none."""
        batch, _ = self.name_batch()
        taken = self.infos.keys() | self.constants.keys()
        return {
            name: find_free_name(f"{name}.rows", taken)
            for name, spec in self.describe_tensors().items()
            if name in self.sizes and (not spec.shape or spec.shape[0] not in batch)
        }

    def describe_rows(self, name: str, lifted: str) -> Any:
        """Return what is noted of a size that has a row for each sample."""
        import onnx

        spec = self.find_sendable()[name]
        kind = self.infos[name].type.tensor_type.elem_type
        return onnx.helper.make_tensor_value_info(lifted, kind, spec.shape)

    def describe_tensors(self) -> dict[str, TensorSpec]:
        """Return dtype and shape of each tensor for which both are known, and may cross."""
        specs = ((name, describe_tensor(info)) for name, info in self.infos.items())
        return {name: spec for name, spec in specs if spec is not None}


def _name_held(graph: Any) -> list[tuple[str, list[Any]]]:
    """Return for each node its bodies at any depth, and a name that no tensor has."""
    taken, found = list_names(graph), []
    for number, node in enumerate(graph.node):
        bodies = [deep for body in walk_node_bodies(node) for deep in walk_bodies(body)]
        found.append((find_free_name(f"bodies of node {number}", taken), bodies))
    return found


def _count_bytes(body: Any) -> int:
    """Return the bytes of the constants of a body, without those of bodies within it."""
    written = sum(_count_written(node) for node in body.node if node.op_type == "Constant")
    return sum(map(count_tensor_bytes, body.initializer)) + written


def _count_written(node: Any) -> int:
    """Return the bytes of what a Constant node writes."""
    return sum(count_tensor_bytes(one.t) for one in node.attribute if one.name == "value")


def _find_sizes(
    nodes: Iterable[Any], reads: Sequence[set[str]], varying: set[str]
) -> frozenset[str]:
    """Return what depends on inputs through nothing but their shapes."""
    sizes: set[str] = set()
    for node, names in zip(nodes, reads, strict=True):
        if (found := names & varying) and (node.op_type in SIZING or found <= sizes):
            sizes.update(filter(None, node.output))
    return frozenset(sizes)


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
