"""Weights that a graph reads in more than one way, given to each way for itself.

As in an autoencoder of tied weights, which multiplies by a matrix and by its transpose. A runtime
that keeps weights once, laid out anew, may know them by where they lie and how large they are: a
matrix and its transpose have both in common where it is square, and are taken for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx.scopes import find_free_name, list_names, walk_node_bodies

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKS = frozenset(["Gather", "GatherElements", "GatherND", "Shape", "Size"])
"""The operators that read a constant as it lies, and need none of their own."""

Way = tuple[Any, ...]


def separate_ways(model: Any) -> bool:
    """Give each way of reading a constant a copy of it, in place; return whether there are two.

    What is computed of constants alone (a transpose, a product with steps) is copied with them.
    Those of bodies and functions are left.
    """
    return _Separation.of(model.graph).apply()


@attrs.frozen(kw_only=True)
class _Separation:
    graph: Any
    makers: dict[str, Any]
    """By name, the tensors and nodes that give what depends on no input."""
    taken: set[str]
    ways: dict[str, Way] = attrs.field(factory=dict)
    """The way in which each constant itself is read, the first that there is."""
    copies: dict[tuple[str, Way], str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, graph: Any) -> _Separation:
        """Find what of a graph depends on no input."""
        given = {one.name for one in graph.input}
        makers = {one.name: one for one in graph.initializer if one.name not in given}
        for node in graph.node:
            inner = any(walk_node_bodies(node))
            if not inner and makers.keys() >= set(filter(None, node.input)):
                makers.update(dict.fromkeys(filter(None, node.output), node))
        return cls(graph=graph, makers=makers, taken=list_names(graph))

    def apply(self) -> bool:
        """Let nodes read copies where they have to; return whether any do."""
        nodes: list[Any] = []
        for node in self.graph.node:
            if node.op_type not in LOOKS and not self.makers.keys() & set(node.output):
                for position, name in enumerate(node.input):
                    if name in self.makers:
                        node.input[position] = self._find_own(
                            name, _find_way(node, position), nodes
                        )
            nodes.append(type(node).FromString(node.SerializeToString()))
        if self.copies:
            del self.graph.node[:]
            self.graph.node.extend(nodes)
        return bool(self.copies)

    def _find_own(self, name: str, way: Way, nodes: list[Any]) -> str:
        """Return the name of what a way of reading may read; nodes that make it are appended."""
        roots = dict(self._walk_roots(name, way))
        if all(self.ways.setdefault(root, one) == one for root, one in roots.items()):
            return name
        if (name, way) not in self.copies:
            self.copies[name, way] = self._copy(name, nodes)
        return self.copies[name, way]

    def _walk_roots(self, name: str, way: Way) -> Iterator[tuple[str, Way]]:
        """Yield the matrices that something is computed of, and all that is done with each."""
        maker = self.makers[name]
        if hasattr(maker, "dims"):
            if len(maker.dims) > 1:
                yield name, way
        elif not maker.input:
            yield name, way
        else:
            for position, read in enumerate(maker.input):
                if read:
                    yield from self._walk_roots(read, (*_find_way(maker, position), *way))

    def _copy(self, name: str, nodes: list[Any]) -> str:
        maker = self.makers[name]
        copy = type(maker).FromString(maker.SerializeToString())
        if hasattr(maker, "dims"):
            copy.name = self._take_name(name)
            self.graph.initializer.append(copy)
            return str(copy.name)
        copy.input[:] = [self._copy(read, nodes) if read else "" for read in maker.input]
        copy.output[:] = [self._take_name(one) if one else "" for one in maker.output]
        copy.name = copy.output[0]
        nodes.append(copy)
        return str(copy.output[list(maker.output).index(name)])

    def _take_name(self, wanted: str) -> str:
        self.taken.add(free := find_free_name(wanted, self.taken))
        return free


def _find_way(node: Any, position: int) -> Way:
    """Return what tells how a node reads an input, whatever the node is called."""
    settings = tuple(sorted(one.SerializeToString() for one in node.attribute))
    return node.domain, node.op_type, position, settings
