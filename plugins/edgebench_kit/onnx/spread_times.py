"""How long each node of an ONNX graph takes, by what a runtime says of the nodes it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def spread_times(
    nodes: Sequence[Any], seconds: Mapping[str, float], total: float, work: Sequence[float]
) -> list[float]:
    """Return the time of each node.

    Nodes that were timed take what they took. What the *total* is beyond that is no node's: the
    cost of a call, which every piece pays, and what other programs took of a processor: a run of
    all nodes is disturbed where most runs of a single one are not. So it is left out.
    A runtime that runs several nodes as one names it after one of them: what it takes counts with
    that, and the others take nothing. A name that no node has counts with the node whose name, or
    an output's, is the longest within it. Where nothing is known, the total goes by the *work* of
    nodes, and by their number where there is none.
    """
    places = {name: at for at, node in enumerate(nodes) for name in (*node.output, node.name)}
    found = [0.0] * len(nodes)
    for name, took in seconds.items():
        at = places.get(name)
        if at is None:
            within = max((one for one in places if one and one in name), key=len, default="")
            at = places.get(within) if within else None
        if at is not None:
            found[at] += took
    return found if any(found) else _scale(work, total)


def _scale(parts: Iterable[float], total: float) -> list[float]:
    shares = list(parts)
    if not any(shares):
        shares = [1.0] * len(shares)
    whole = sum(shares)
    return [share * total / whole for share in shares]
