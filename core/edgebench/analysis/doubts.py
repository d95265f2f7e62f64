"""Reasons to doubt a result, one sentence each, with numbers and units."""

from __future__ import annotations

from collections import Counter
from statistics import median, median_low
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.agreement import find_disagreements
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
"""What backends call the processor among their devices, last where something runs on it."""
CAUSES = (
    "model",
    "import",
    "blocks",
    "links",
    "tiers",
    "pipeline",
    "steadiness",
    "phases",
    "machine",
    "warm-up",
)
"""What reasons to doubt are about, that first which casts the most doubt: outputs of another model,
what was imported and not measured here, blocks that were lost or are too few, links and tiers that
are not what they claim, what was noted of the pipeline and its inputs while it was prepared and
scored, medians that move, time in no phase, the machine, the warm-up."""


@attrs.frozen
class Doubt:
    """One reason to doubt a result."""

    cause: str
    """Which of `CAUSES` it is about."""
    text: str
    """The reason in one sentence, with numbers and units."""
    excess: float | None = None
    """How many times what is allowed was found; None where that is no number."""


def find_doubts(
    outcome: Outcome, latency: Latency | None, groups: Mapping[str, float], *, quick: bool = False
) -> tuple[Doubt, ...]:
    """Return the reasons to doubt an outcome, in the order of `CAUSES`.

    Args:
        outcome: What a case gave.
        latency: The statistics of its latency; None without a measured request.
        groups: The median seconds that a request spends on each kind of phase.
        quick: Whether a quick run measured it.
    """
    found = [Doubt("model", text) for text in find_disagreements(outcome.facts)]
    found += _import(outcome)
    found += _lost_blocks(outcome)
    found += [Doubt("pipeline", text) for text in outcome.facts.doubts]
    if latency is not None:
        # Of what was imported it is said already that one block is all there is, and few suffice to
        # drop what is beaten.
        if not outcome.facts.imported and not outcome.facts.beaten_by:
            found += _size(latency, quick=quick)
        found += _steadiness(latency)
        found += _warm_up(outcome)
        found += _phases(outcome, latency.median, groups)
        found += _links(outcome)
        found += _tiers(outcome)
        found += _machine(outcome.measured)
    return tuple(sorted(found, key=lambda one: CAUSES.index(one.cause)))


def _share(bound: tuple[float, float], whole: float) -> float:
    """Return the larger of a share of the whole and a fixed number of seconds."""
    return max(bound[0] * whole, bound[1])


def _import(outcome: Outcome) -> Iterator[Doubt]:
    if how := outcome.facts.imported:
        yield Doubt("import", f"imported: not measured here, {how}")


def _lost_blocks(outcome: Outcome) -> Iterator[Doubt]:
    for block in outcome.blocks:
        if block.status != "ok":
            yield Doubt("blocks", f"block {block.number}: {block.status}: {block.reason}")


def _size(latency: Latency, *, quick: bool) -> Iterator[Doubt]:
    if (count := len(latency.blocks)) < FEWEST_BLOCKS:
        blocks = f"{'a quick run, of ' * quick}{count} block{'s' * (count != 1)}"
        text = (
            f"{blocks}: what differs between processes is taken from the A/A run of "
            f"{latency.spread.measured[:10]}"
            if latency.spread
            else f"{blocks}: at least {FEWEST_BLOCKS} are needed to see what differs between "
            "processes"
        )
        yield Doubt("blocks", text, FEWEST_BLOCKS / count)


def _steadiness(latency: Latency) -> Iterator[Doubt]:
    medians = latency.block_medians
    low, high = min(medians), max(medians)
    if (spread := (high - low) / median(medians)) > SPREAD:
        ends = f"({low * 1e3:.3g} to {high * 1e3:.3g} ms)"
        text = f"the medians of its blocks spread over {spread:.0%} {ends}"
        yield Doubt("steadiness", text, spread / SPREAD)
    # The halves of a shorter block differ by chance alone.
    halves = [
        median(block[len(block) // 2 :]) / median(block[: len(block) // 2])
        for block in (one.tolist() for one in latency.blocks)
        if len(block) >= 2 * FEWEST_BLOCKS
    ]
    if halves and abs(change := median(halves) - 1) > SPREAD:
        how = "slower" if change > 0 else "faster"
        text = f"the second half of a block is {abs(change):.0%} {how} than the first"
        yield Doubt("steadiness", text, abs(change) / SPREAD)


def _warm_up(outcome: Outcome) -> Iterator[Doubt]:
    restless = [b for b in outcome.measured if b.warmup.startswith("not stable")]
    if restless:
        count, of = len(restless), len(outcome.measured)
        text = f"warm-up was {restless[0].warmup} requests in {count} of {of} blocks"
        yield Doubt("warm-up", text, 1 + count / of)


def _phases(outcome: Outcome, whole: float, groups: Mapping[str, float]) -> Iterator[Doubt]:
    if not groups:
        return
    lost, bound = groups["unaccounted"], _share(UNACCOUNTED, whole)
    if abs(lost) > bound:
        text = f"{lost * 1e3:.3g} ms ({lost / whole:.1%}) of a request is in no phase"
        yield Doubt("phases", text, abs(lost) / bound)
    theory = predict_travel_s(outcome)
    if theory is None:
        return
    off, bound = abs(groups["network"] - theory), _share(NETWORK, theory)
    if off > bound:
        text = (
            f"a request travels {groups['network'] * 1e3:.3g} ms, and the verified links "
            f"predict {theory * 1e3:.3g} ms"
        )
        yield Doubt("links", text, off / bound)


def _links(outcome: Outcome) -> Iterator[Doubt]:
    idle: set[frozenset[str]] = set()
    for link in summarise_links(outcome.measured):
        ends = frozenset((link.source, link.target))
        for figure in link.figures:
            # A round trip is one figure of both ways.
            if figure.failed and not (figure.figure == "round trip" and ends in idle):
                excess = abs(figure.worst_s - figure.claimed_s) / figure.allowed_s
                yield Doubt("links", _say_deviation(link, figure), excess)
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


def _tiers(outcome: Outcome) -> Iterator[Doubt]:
    for name, checks in collect_tier_checks(outcome).items():
        yield from _speeds(name, checks)
        yield from _means(name, checks[0])
        yield from _threads(name, checks, outcome)


def _speeds(name: str, checks: Sequence[TierCheck]) -> Iterator[Doubt]:
    first = checks[0]
    if first.stated is not None and first.stated > 1:
        text = (
            f"speed of {name} not enforced: {first.stated:.3g} of this machine's is stated, and "
            "no tier runs faster than this machine"
        )
        yield Doubt("tiers", text, first.stated)
    elif failed := [check for check in checks if not check.ok]:
        speed = median(check.measured for check in failed)
        text = (
            f"cpu of {name} not enforced at this time scale in {len(failed)} of "
            f"{len(checks)} checks: {speed:.2f} of this machine's speed, "
            f"{first.claimed:.2f} claimed (work of {first.work_s * 1e3:.3g} ms)"
        )
        yield Doubt("tiers", text, _compare_speeds(speed, first.claimed))


def _compare_speeds(one: float, other: float) -> float | None:
    """Return how many times as fast as the slower the faster is."""
    return max(one, other) / min(one, other) if min(one, other) > 0 else None


def _means(name: str, check: TierCheck) -> Iterator[Doubt]:
    """Say what a tier lacked of what stands in its row, or of what it was given."""
    # Checks that were kept without the processors were kept without these facts altogether.
    if check.processors is None:
        return
    if check.stated is None:
        yield Doubt("tiers", f"speed of {name} not stated: it ran as fast as this machine")
    if check.threads > check.processors:
        text = (
            f"{check.threads} thread{'s' * (check.threads > 1)} on {name}, which had "
            f"{check.processors:g} processor{'s' * (check.processors != 1)} here"
        )
        yield Doubt("tiers", text, check.threads / check.processors)
    if check.accelerator and check.device.partition(":")[0].rpartition(".")[2] == CPU:
        text = f"{name}: its accelerator {check.accelerator} was not used: ran on {check.device}"
        yield Doubt("tiers", text)


def _threads(name: str, checks: Sequence[TierCheck], outcome: Outcome) -> Iterator[Doubt]:
    """Say that a backend computes with more threads than it was given, in most of the blocks."""
    known = [check.busy_threads for check in checks if check.busy_threads is not None]
    given = checks[0].threads
    if known and (busy := median_low(known)) > given:
        backend = dict(zip(outcome.case.placement.tiers, outcome.case.backends, strict=True))[name]
        text = (
            f"{backend} computes with {busy} threads on {name}, where it was given {given}: what "
            f"it took is not what {given} thread{'s' * (given > 1)} would"
        )
        yield Doubt("tiers", text, busy / given)


def _machine(blocks: Sequence[Block]) -> Iterator[Doubt]:
    if (steal := _most(blocks, "steal")) > STEAL:
        text = f"other virtual machines took up to {steal:.1%} of the processor time (steal)"
        yield Doubt("machine", text, steal / STEAL)
    if (busy := _most(blocks, "busy")) > BUSY:
        text = f"other programs took up to {busy:.0%} of the processor time"
        yield Doubt("machine", text, busy / BUSY)
    if (swapped := _most(blocks, "swapped_bytes")) > 0:
        text = f"{swapped / 2**20:.3g} MiB were swapped while it was measured"
        yield Doubt("machine", text)
    yield from _frequency(blocks)
    yield from _foreign_messages(blocks)
    own = max((b.controller_cpu or 0.0 for b in blocks), default=0.0)
    if own > CONTROLLER:
        text = f"the controller itself used up to {own:.1%} of a processor"
        yield Doubt("machine", text, own / CONTROLLER)


def _frequency(blocks: Sequence[Block]) -> Iterator[Doubt]:
    speeds = [speed for b in blocks if (speed := b.machine.get("frequency_hz"))]
    if speeds and (change := max(speeds) / min(speeds) - 1) > FREQUENCY:
        text = (
            f"the processor's frequency differed by {change:.0%} between blocks "
            f"({min(speeds) / 1e9:.2f} to {max(speeds) / 1e9:.2f} GHz)"
        )
        yield Doubt("machine", text, change / FREQUENCY)


def _foreign_messages(blocks: Sequence[Block]) -> Iterator[Doubt]:
    counts: Counter[str] = Counter()
    for block in blocks:
        counts.update(block.machine.get("foreign_messages") or {})
    if counts:
        whom = ", ".join(f"{name}: {count}" for name, count in counts.items())
        text = (
            f"{counts.total()} messages of other programs were refused ({whom}), which took time "
            "from what was measured"
        )
        yield Doubt("machine", text)


def _most(blocks: Sequence[Block], key: str) -> float:
    """Return the largest of a figure of the machine over the blocks; 0 where none was readable."""
    return max((float(block.machine.get(key) or 0.0) for block in blocks), default=0.0)
