"""Reasons to doubt a result, one sentence each, with numbers and units."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from edgebench.analysis.agreement import find_disagreements
from edgebench.analysis.intervals import count_needed
from edgebench.analysis.links import collect_tier_checks, predict_travel_s, summarise_links

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edgebench.analysis.intervals import Latency
    from edgebench.analysis.links import FigureSummary, LinkSummary
    from edgebench.records.outcome import Block, Outcome, TierCheck

FEWEST_BLOCKS = 3
SPREAD = 0.10
"""Of block medians, against their median; and of the second half of a block, against its first."""
UNACCOUNTED = (0.02, 0.2e-3)
NETWORK = (0.10, 0.5e-3)
BUSY = 0.10
"""Share of the machine's processor time that went to others."""
STEAL = 0.01
FREQUENCY = 0.05
CONTROLLER = 0.01
CPU = "cpu"
"""What backends call the processor among their devices."""


def find_doubts(
    outcome: Outcome, latency: Latency | None, groups: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the reasons to doubt an outcome, a sentence each.

    Args:
        outcome: What a case gave.
        latency: The statistics of its latency; None without a measured request.
        groups: The median seconds that a request spends on each kind of phase.
    """
    found = [*outcome.facts.doubts, *find_disagreements(outcome.facts), *_lost_blocks(outcome)]
    if latency is not None:
        found += _size(outcome, latency)
        found += _steadiness(latency)
        found += _warm_up(outcome)
        found += _phases(outcome, latency.median, groups)
        found += _links(outcome)
        found += _tiers(outcome)
        found += _machine(outcome.measured)
    return tuple(found)


def _share(bound: tuple[float, float], whole: float) -> float:
    """Return the larger of a share of the whole and a fixed number of seconds."""
    return max(bound[0] * whole, bound[1])


def _lost_blocks(outcome: Outcome) -> Iterator[str]:
    for block in outcome.blocks:
        if block.status != "ok":
            yield f"block {block.number}: {block.status}: {block.reason}"


def _size(outcome: Outcome, latency: Latency) -> Iterator[str]:
    if (count := len(latency.blocks)) < FEWEST_BLOCKS:
        yield (
            f"{count} block{'s' * (count != 1)}: at least {FEWEST_BLOCKS} are needed "
            "to see what differs between processes"
        )
    if outcome.samples < count_needed(0.90):
        yield f"{outcome.samples} requests: p90 needs {count_needed(0.90)}"


def _steadiness(latency: Latency) -> Iterator[str]:
    medians = latency.block_medians
    low, high = min(medians), max(medians)
    if (spread := (high - low) / median(medians)) > SPREAD:
        yield (
            f"the medians of its blocks spread over {spread:.0%} "
            f"({low * 1e3:.3g} to {high * 1e3:.3g} ms)"
        )
    # The halves of a shorter block differ by chance alone.
    halves = [
        median(block[len(block) // 2 :]) / median(block[: len(block) // 2])
        for block in (one.tolist() for one in latency.blocks)
        if len(block) >= 2 * FEWEST_BLOCKS
    ]
    if halves and abs(change := median(halves) - 1) > SPREAD:
        how = "slower" if change > 0 else "faster"
        yield f"the second half of a block is {abs(change):.0%} {how} than the first"


def _warm_up(outcome: Outcome) -> Iterator[str]:
    restless = [b for b in outcome.measured if b.warmup.startswith("not stable")]
    if restless:
        yield (
            f"warm-up was {restless[0].warmup} requests in {len(restless)} of "
            f"{len(outcome.measured)} blocks"
        )


def _phases(outcome: Outcome, whole: float, groups: Mapping[str, float]) -> Iterator[str]:
    if not groups:
        return
    if abs(lost := groups["unaccounted"]) > _share(UNACCOUNTED, whole):
        yield f"{lost * 1e3:.3g} ms ({lost / whole:.1%}) of a request is in no phase"
    theory = predict_travel_s(outcome)
    if theory is None:
        return
    if abs(groups["network"] - theory) > _share(NETWORK, theory):
        yield (
            f"a request travels {groups['network'] * 1e3:.3g} ms, and the verified links "
            f"predict {theory * 1e3:.3g} ms"
        )


def _links(outcome: Outcome) -> Iterator[str]:
    idle: set[frozenset[str]] = set()
    for link in summarise_links(outcome.measured):
        ends = frozenset((link.source, link.target))
        for figure in link.figures:
            # A round trip is one figure of both ways.
            if figure.failed and not (figure.figure == "round trip" and ends in idle):
                yield _say_deviation(link, figure)
        idle.add(ends)


def _say_deviation(link: LinkSummary, figure: FigureSummary) -> str:
    what = f"{link.source} to {link.target}: {link.message_bytes / 1e3:.4g} kB took"
    if figure.figure == "round trip":
        what = f"between {link.source} and {link.target}: the round trip of an empty message took"
    return (
        f"link {what} {_ms(figure.worst_s)} at worst, {_ms(figure.claimed_s)} are claimed, "
        f"{_ms(figure.allowed_s)} more or less are allowed "
        f"({figure.failed} of {link.checks} checks failed)"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g} ms"


def _tiers(outcome: Outcome) -> Iterator[str]:
    for name, checks in collect_tier_checks(outcome).items():
        yield from _speeds(name, checks)
        yield from _means(name, checks[0])


def _speeds(name: str, checks: Sequence[TierCheck]) -> Iterator[str]:
    first = checks[0]
    if first.stated is not None and first.stated > 1:
        yield (
            f"speed of {name} not enforced: {first.stated:.3g} of this machine's is stated, and "
            "no tier runs faster than this machine"
        )
    elif failed := [check for check in checks if not check.ok]:
        speed = median(check.measured for check in failed)
        yield (
            f"cpu of {name} not enforced at this time scale in {len(failed)} of "
            f"{len(checks)} checks: {speed:.2f} of this machine's speed, "
            f"{first.claimed:.2f} claimed (work of {first.work_s * 1e3:.3g} ms)"
        )


def _means(name: str, check: TierCheck) -> Iterator[str]:
    """Say what a tier lacked of what stands in its row, or of what it was given."""
    # Checks that were kept without the processors were kept without these facts altogether.
    if check.processors is None:
        return
    if check.stated is None:
        yield f"speed of {name} not stated: it ran as fast as this machine"
    if check.threads > check.processors:
        yield (
            f"{check.threads} thread{'s' * (check.threads > 1)} on {name}, which had "
            f"{check.processors:g} processor{'s' * (check.processors != 1)} here"
        )
    if check.accelerator and check.device.partition(":")[0] == CPU:
        yield f"{name}: its accelerator {check.accelerator} was not used: ran on {check.device}"


def _machine(blocks: Sequence[Block]) -> Iterator[str]:
    if (steal := _most(blocks, "steal")) > STEAL:
        yield f"other virtual machines took up to {steal:.1%} of the processor time (steal)"
    if (busy := _most(blocks, "busy")) > BUSY:
        yield f"other programs took up to {busy:.0%} of the processor time"
    if (swapped := _most(blocks, "swapped_bytes")) > 0:
        yield f"{swapped / 2**20:.3g} MiB were swapped while it was measured"
    speeds = [speed for b in blocks if (speed := b.machine.get("frequency_hz"))]
    if speeds and (change := max(speeds) / min(speeds) - 1) > FREQUENCY:
        yield (
            f"the processor's frequency differed by {change:.0%} between blocks "
            f"({min(speeds) / 1e9:.2f} to {max(speeds) / 1e9:.2f} GHz)"
        )
    yield from _foreign_messages(blocks)
    own = max((b.controller_cpu or 0.0 for b in blocks), default=0.0)
    if own > CONTROLLER:
        yield f"the controller itself used up to {own:.1%} of a processor"


def _foreign_messages(blocks: Sequence[Block]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(block.machine.get("foreign_messages") or {})
    if counts:
        whom = ", ".join(f"{name}: {count}" for name, count in counts.items())
        yield (
            f"{counts.total()} messages of other programs were refused ({whom}), which took time "
            "from what was measured"
        )


def _most(blocks: Sequence[Block], key: str) -> float:
    """Return the largest of a figure of the machine over the blocks; 0 where none was readable."""
    return max((float(block.machine.get(key) or 0.0) for block in blocks), default=0.0)
