"""What a request spent its time on: phases, and the kinds they are of."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.records.outcome import Block

KINDS = MappingProxyType(
    {
        "inference": "inference",
        "local-hop": "harness",
        "uplink": "network",
        "transfer": "network",
        "downlink": "network",
        "network": "network",
        "emulated": "emulated",
        "emulated-wait": "emulated",
    }
)
"""The group of each phase that is not `processing`."""
GROUPS = ("inference", "processing", "harness", "network", "emulated", "unaccounted")
"""The kinds of phases: the runtime at work; what prepares its inputs, its messages and its answers;
the harness's own way between two processes of one tier, which no deployment has; travelling;
waiting because a tier is emulated; and what no phase explains."""


def find_family(phase: str) -> str:
    """Return what a numbered phase is one of: `inference-0` is an `inference`."""
    return re.sub(r"-\d+$", "", phase)


def find_group(phase: str) -> str:
    """Return which of `GROUPS` a phase belongs to."""
    return KINDS.get(find_family(phase), "processing")


def find_medians(blocks: Sequence[Block]) -> Mapping[str, float]:
    """Return the median seconds of each phase over all requests in which it happened."""
    import numpy as np

    phases = dict.fromkeys(phase for block in blocks for phase in block.phases_s)
    found = {one: [b.phases_s[one] for b in blocks if one in b.phases_s] for one in phases}
    pooled = {phase: np.concatenate(seconds) for phase, seconds in found.items()}
    # A phase that never happened has no median, and numpy would warn of it.
    return {one: float(np.nanmedian(s)) for one, s in pooled.items() if not np.isnan(s).all()}


def add_up_groups(blocks: Sequence[Block]) -> Mapping[str, float]:
    """Return the median seconds that a request spends on each of `GROUPS`.

    Phases are added up within a request before the median is taken, so that the parts of a
    pipeline that are slow in turn are not all counted as slow. Empty without phases.
    """
    import numpy as np

    if not any(block.phases_s for block in blocks):
        return {}
    sums = [_of_block(block) for block in blocks if block.latency_s is not None]
    return {name: float(np.median(np.concatenate([one[name] for one in sums]))) for name in GROUPS}


def _of_block(block: Block) -> dict[str, NDArray[Any]]:
    """Return the seconds of each request by group; what no phase explains is unaccounted."""
    import numpy as np

    latency = np.asarray(block.latency_s, dtype=float)
    sums = {name: np.zeros(len(latency)) for name in GROUPS}
    for phase, seconds in block.phases_s.items():
        sums[find_group(phase)] += np.where(np.isnan(seconds), 0.0, seconds)
    sums["unaccounted"] = latency - sum(sums.values())
    return sums
