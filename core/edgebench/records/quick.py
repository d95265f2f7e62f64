"""Quick runs: what is kept of how one was measured, and what equal cases spread by in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench.parts.units import write_link

if TYPE_CHECKING:
    from edgebench.cases.case import Case

BLOCKS, REQUESTS = 2, 10
"""Blocks a case of a quick run, and measured requests of each."""
SCORED = 400
"""Samples of a test split that a quick run scores: the fewest, rounded, of which no answer lost
shows that less than a point is (381 by Tango's interval)."""


@attrs.frozen(kw_only=True)
class Setting:
    """What is measured and how, whatever operators and backends do: by that cases are alike."""

    subject: str
    """The model and its variant, with a digest of its weights and options."""
    conditions: str
    """What `describe_conditions` says, and how fast each tier is and on how many threads."""


@attrs.frozen(kw_only=True)
class EqualSpread:
    """What equal cases differ by on a machine in as few requests as a quick run measures."""

    difference: float
    """The 95th percentile of the relative differences between two copies in two rounds."""
    within: float
    """Standard deviation of the logarithms of block medians within a round."""
    between: float
    """That of the rounds themselves: what the blocks of a round share."""
    copies: int
    """How many copies of the case each round had."""
    rounds: int
    requests: int
    """How many requests of each block it is taken from, the first ones."""
    case: str
    """The case, in words."""
    subject: str
    """Its model, as its `Setting` has it."""
    measured: str
    """When its run began, UTC, ISO 8601."""
    case_id: str = ""
    conditions: str = ""
    """Where and how it was measured, as its `Setting` has it."""
    median_s: float = 0.0
    """Its latency; 0 where that is not known."""

    def is_like(self, setting: Setting) -> bool:
        """Say whether a case is of the same model under the same conditions."""
        return setting == Setting(subject=self.subject, conditions=self.conditions)


@attrs.frozen(kw_only=True)
class Quick:
    """How a run was measured that is a quick one."""

    blocks: int = BLOCKS
    requests: int = REQUESTS
    spread: EqualSpread | None = None
    """What was known then of equal cases on its machine; None where nothing was."""
    unlike: EqualSpread | None = None
    """What was known and is not taken, as the cases at hand are much longer or shorter."""
    like: tuple[str, ...] = ()
    """The ids of the cases that are of the same model under the same conditions."""


def describe_conditions(case: Case) -> str:
    """Say where a case is measured and how, but for its operators and its backend."""
    links = [f" over {' and '.join(map(write_link, case.links))}"] if case.links else []
    batch = [f", batch {case.batch}"] if case.batch > 1 else []
    threads = [f", threads {case.threads}"] if case.threads else []
    return "".join([f"on {case.placement}", *links, *batch, *threads])
