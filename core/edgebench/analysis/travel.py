"""The way of each request, taken out of what it took and put in again under other links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.analysis.phases import find_group
from edgebench.records.freezing import freeze_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgebench.parts.places import Link
    from edgebench.records.outcome import Block, Outcome

DRIVEN = 2.0
"""Requests are taken to differ on their way because their bytes do, where they differ by so many
times as much as answers do, all of which are of about one size."""
REACH = 3.0
"""Bytes are not taken to make more than so many times the usual deviation: what lies further off
is an outlier, of the network or the machine, that another rate would leave as it is."""


def exchange_links(outcome: Outcome, block: Block, links: Sequence[Link]) -> NDArray[Any]:
    """Return what the requests of a block would have taken over other links, shape (requests,).

    *links* stand in the place of the case's own, each for one hop of its route. What a hop took
    beyond what its link claims stays as it was; what requests differ by on their way because of
    their bytes grows and shrinks as those take longer or shorter.
    """
    import numpy as np

    latency = np.asarray(block.latency_s, dtype=float)
    own = outcome.case.links
    if not links or [(o.rate, o.delay) for o in own] == [(n.rate, n.delay) for n in links]:
        return freeze_array(latency)
    took = sum_network(block)
    (old, old_fixed), (new, new_fixed) = (_claim(outcome, block, some) for some in (own, links))
    beyond = took - old - old_fixed
    usual = float(np.median(beyond))
    differs = beyond - usual
    driven = _find_driven(block, differs, old)
    ratio = new / np.where(old > 0, old, 1.0)
    travel = np.maximum(new + new_fixed + usual + differs + driven * (ratio - 1), new_fixed)
    return freeze_array(latency - took + travel)


def sum_network(block: Block) -> NDArray[Any]:
    """Return the seconds that each request of a block travelled, shape (requests,)."""
    import numpy as np

    took = np.zeros(len(np.asarray(block.latency_s)))
    for phase, seconds in block.phases_s.items():
        if find_group(phase) == "network":
            took += np.nan_to_num(seconds)
    return took


def _claim(
    outcome: Outcome, block: Block, links: Sequence[Link]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the seconds that links claim for each request: of its bytes, and of their delays."""
    import numpy as np

    answer = block.bytes_out.get("answer", 0.0)
    size = len(np.asarray(block.latency_s))
    bytes_s, fixed = np.zeros(size), np.zeros(size)
    hops = zip(outcome.case.route, links, _list_travelled(outcome, block), strict=False)
    for tier, link, travelled in hops:
        sent = block.bytes_out.get(tier, 0.0)
        bytes_s += travelled * (sent + answer) * 8 / link.rate
        fixed += travelled * 2 * link.delay
    return bytes_s, fixed


def _list_travelled(outcome: Outcome, block: Block) -> Iterator[NDArray[Any]]:
    """Yield of each hop of a route which requests took it: all the uplink, few what exits leave."""
    import numpy as np

    route, size = outcome.case.route, len(np.asarray(block.latency_s))
    first = route.index(outcome.case.placement.tiers[0])
    for hop in range(len(route) - 1):
        seconds = block.phases_s.get(f"transfer-{hop - first}")
        everyone = np.ones(size, dtype=bool)
        if hop < first or not any(name.startswith("transfer") for name in block.phases_s):
            yield everyone
        else:
            yield ~everyone if seconds is None else ~np.isnan(seconds)


def _find_driven(block: Block, differs: NDArray[Any], old: NDArray[Any]) -> NDArray[Any]:
    """Return how much of what each request differs by on its way is due to its bytes, in seconds.

    Inputs differ in size. Tensors do in some models alone: where requests differ by more than their
    answers do. No more than all of its bytes make a request differ.
    """
    import numpy as np

    spread, back = _spread(differs), block.phases_s.get("downlink")
    if "uplink" not in block.phases_s and back is not None:
        answers = np.asarray(back)[~np.isnan(back)]
        if spread <= DRIVEN * _spread(answers):
            return np.zeros(len(differs))
    most = np.minimum(REACH * spread, old)
    driven: NDArray[Any] = np.clip(differs, -most, most)
    return driven


def _spread(values: NDArray[Any]) -> float:
    """Return the median absolute deviation."""
    import numpy as np

    return float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
