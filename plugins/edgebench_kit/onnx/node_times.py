"""What runtimes say that nodes take, told by the nodes of the graph that they were given.

Runtimes run other graphs than their files hold: nodes fused, laid out anew, put in between. What
such a node takes is told by a node of the file: the one whose name, or whose output's name, that of
the runtime's own is made of; else the one that ran before it, as its times are next to each other.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

FUSED = re.compile(r"^(fused )+", re.IGNORECASE)
"""How the names of nodes begin that were fused with their activation."""
BORDER = re.compile(r"[^0-9A-Za-z]")
"""What may stand behind a name of which another is made."""


def list_nodes(path: Path) -> Sequence[str]:
    """Return what the nodes of a file are called, in order; not those within others."""
    import onnx

    return name_nodes(onnx.load_model(path, load_external_data=False).graph)


def name_nodes(graph: Any) -> Sequence[str]:
    """Return what the nodes of a graph are called, in order, no two alike.

    By their names; one that has none, or that of a node before it, by its first output.
    """
    seen: Counter[str] = Counter()
    names = []
    for node in graph.node:
        name = node.name
        if not name or seen[name]:
            name = next((one for one in node.output if one), name)
        seen[name] += 1
        names.append(name)
    return names


@attrs.frozen
class Origins:
    """Finds the node of a graph that a node of a runtime's is made of."""

    nodes: Mapping[str, str]
    """By the names of nodes, and of what they write, what the node is called."""

    @classmethod
    def of(cls, graph: Any) -> Origins:
        """Note the nodes of a graph, and what they write."""
        names = name_nodes(graph)
        known = {
            output: name
            for name, node in zip(names, graph.node, strict=True)
            for output in node.output
            if output
        }
        # What a node is called comes before what another one writes.
        return cls(known | {name: name for name in names})

    def find(self, *called: str) -> str:
        """Return the node that the first of some names, that is made of one's, leads to.

        Empty where none does.
        """
        plain = [FUSED.sub("", one) for one in called]
        exact = (self.nodes[one] for one in plain if one in self.nodes)
        return next(exact, "") or next(filter(None, map(self._find_beginning, plain)), "")

    def _find_beginning(self, called: str) -> str:
        """Return the node of the longest name that another one begins with."""
        ends = [found.start() for found in BORDER.finditer(called)]
        beginnings = (called[:end] for end in reversed(ends))
        return next((self.nodes[one] for one in beginnings if one in self.nodes), "")


def add_up(taken: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Add up the seconds of one run, in the order in which nodes ran, by node.

    What has no name of a node's counts with the one before it, or else with the first that has one.
    """
    names, seconds = zip(*taken, strict=True) if (taken := list(taken)) else ((), ())
    first = next(filter(None, names), "")
    owners = accumulate(names, lambda before, name: name or before, initial=first)
    by_node: dict[str, float] = defaultdict(float)
    for owner, took in zip(list(owners)[1:], seconds, strict=True):
        by_node[owner] += took
    return {name: took for name, took in by_node.items() if name}


def find_medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return by node the median of its seconds in some runs; a run without it counts as none."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: median(run.get(name, 0.0) for run in runs) for name in names}
