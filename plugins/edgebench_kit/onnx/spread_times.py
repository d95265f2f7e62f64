"""How long each node of an ONNX graph takes, by what a runtime says of the nodes it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgebench_kit.onnx.cuts import Graph


def find_owners(graph: Graph, numbers: Sequence[int]) -> dict[str, int]:
    """Return, by the name of each node and of what it writes, with which node its time counts.

    With itself, where it is among those of *numbers*, as its place there. One that is not (a
    DequantizeLinear, a constant) is there for the first node that reads what it writes.
    """
    nodes = graph.model.graph.node
    places = {number: at for at, number in enumerate(numbers)}
    readers = {name: n for n in range(len(nodes) - 1, -1, -1) for name in graph.reads[n]}
    owners: dict[str, int] = {}
    # Backward: whoever reads what a node writes stands after it.
    for number in range(len(nodes) - 1, -1, -1):
        node = nodes[number]
        reading = min((readers[name] for name in node.output if name in readers), default=number)
        if number not in places and reading in places:
            places[number] = places[reading]
        if number in places:
            names = (*filter(None, node.output), *([node.name] if node.name else []))
            owners.update({name: places[number] for name in names if name not in owners})
    return owners


def spread_times(
    owners: Mapping[str, int], seconds: Mapping[str, float], total: float, work: Sequence[float]
) -> list[float]:
    """Return the time of each node, as many as there is *work* of.

    Nodes that were timed take what they took. What the *total* is beyond that is no node's: the
    cost of a call, which every piece pays, and what other programs took of a processor: a run of
    all nodes is disturbed where most runs of a single one are not. So it is left out.
    A runtime that runs several nodes as one names it after one of them: what it takes counts with
    that, and the others take nothing. Where nothing is known, the total goes by the *work* of
    nodes, and by their number where there is none.
    """
    found = [0.0] * len(work)
    for name, took in seconds.items():
        if name in owners:
            found[owners[name]] += took
    return found if any(found) else _scale(work, total)


def _scale(parts: Iterable[float], total: float) -> list[float]:
    shares = list(parts)
    if not any(shares):
        shares = [1.0] * len(shares)
    whole = sum(shares)
    return [share * total / whole for share in shares]
