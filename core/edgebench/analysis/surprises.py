"""Results that surprise, and why that may be: each reason with what it was read from.

Nothing here knows an operator or a runtime by name. What one did is read from what became of the
precision, the parameters, the operations, the exits and the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.decisions import find_margin
from edgebench.analysis.doubts import FEWEST_BLOCKS
from edgebench.analysis.exits import find_exits, find_sent
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.analysis.verdicts import Verdicts

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.records.outcome import Run

RARE = 0.01
"""Share of the samples below which an exit lets out next to none."""
LESS = 0.1
"""Share of parameters or operations whose loss is expected to show: a few percent of a request's
computing are lost in its other parts, and in what repetitions differ by."""
ELSEWHERE = 0.5
"""Share of a request that is not inference from which on that is a reason."""


@attrs.frozen(kw_only=True)
class Surprise:
    """One thing that is not as expected of a case."""

    case: str
    """The id of the case."""
    text: str
    """What is not, with its figures."""
    reasons: tuple[str, ...]
    """Why that may be, each with its evidence; and what was not looked at."""


def find_surprises(run: Run, results: Sequence[Result]) -> tuple[Surprise, ...]:
    """Return what surprises in the results of a run, in their order."""
    by_case = {one.case: one for one in results}
    verdicts = Verdicts.of(results, find_margin(run), run.max_blocks)
    return tuple(
        Surprise(case=result.case.id, text=text, reasons=tuple(reasons))
        for result in results
        for text, reasons in _look_at(result, by_case, run, verdicts)
    )


Found = Iterator[tuple[str, list[str]]]


def _look_at(result: Result, by_case: Mapping[Case, Result], run: Run, verdicts: Verdicts) -> Found:
    before = list(_list_before(result, by_case)) if result.latency else []
    if _is_integer(result):
        yield from _look_at_integers(result, before, run, verdicts)
    else:
        yield from _look_at_shapes(result, before, verdicts)
    yield from _look_at_exits(result)
    yield from _look_at_cuts(result)


# --- the same, with less done to it ---------------------------------------------------------------


def _list_before(result: Result, by_case: Mapping[Case, Result]) -> Iterator[Result]:
    """Yield the measured results of the beginnings of a chain, run alike, the longest first."""
    chains = [step.chain for step in result.facts.steps if step.operator]
    for chain in dict.fromkeys((*reversed(chains[:-1]), UNTRANSFORMED)):
        found = by_case.get(attrs.evolve(result.case, chain=chain))
        if found is not None and found is not result and found.latency is not None:
            yield found


def _is_slow(own: Result, other: Result, verdicts: Verdicts) -> bool:
    """Say whether a result is no faster than another."""
    if own.latency is None or other.latency is None:
        return False
    verdict = verdicts.judge(own, other)
    undecided = verdict == "undecided" and own.latency.median >= other.latency.median
    return undecided or verdict in ("slower", "equal")


def _find_too_few(own: Result, other: Result, verdicts: Verdicts) -> list[str]:
    """Say that nothing could have been shown, where that is so."""
    if own.latency is None or other.latency is None:
        return []
    blocks = min(len(own.latency.blocks), len(other.latency.blocks))
    verdict = verdicts.judge(own, other)
    # Of one block each no verdict counts: what differs between processes is not in it.
    if blocks > 1 and (verdict != "undecided" or blocks >= FEWEST_BLOCKS):
        return []
    return [f"too few blocks to tell: {blocks} measured, at least {FEWEST_BLOCKS} are needed"]


def _compare(own: Result, other: Result) -> str:
    """Write two medians."""
    medians = [1e3 * (one.median or 0.0) for one in (own, other)]
    return f"{medians[0]:.3g} ms, and {medians[1]:.3g} ms of {other.case.chain}"


def _find_rest(result: Result) -> list[str]:
    """Say where a request spends its time, if not in inference."""
    if result.median is None or not result.groups:
        return []
    parts = _count_waits(result)
    rest = 1 - parts.pop("inference") / result.median
    if rest < ELSEWHERE:
        return []
    most = max(parts, key=lambda name: parts[name])
    spent = f"{1e3 * parts[most]:.3g} of {1e3 * result.median:.3g} ms"
    waits = "; what an emulated tier waits is counted with what it slows" * ("emulated" in parts)
    return [f"{rest:.0%} of a request is not inference, most of it {most} ({spent}){waits}"]


def _count_waits(result: Result) -> dict[str, float]:
    """Return the seconds of each group, the waits of emulated tiers with what they slow.

    A tier waits a multiple of what it computes, inference or not. Of several it is not known which
    of them waited for what: all of it may have been inference.
    """
    parts = dict(result.groups)
    wait, inference = parts["emulated"], parts["inference"]
    if wait <= 0:
        return {name: seconds for name, seconds in parts.items() if name != "emulated"}
    computed = inference + parts["processing"]
    share = inference / computed if len(result.case.route) == 1 and computed > 0 else 1.0
    parts["inference"] += share * wait
    parts["processing"] += (1 - share) * wait
    return {**parts, "emulated": 0.0}


# --- integers -------------------------------------------------------------------------------------


def _is_integer(result: Result) -> bool:
    return any(stage.precision.startswith("int") for stage in result.facts.stages)


def _look_at_integers(
    result: Result, before: Sequence[Result], run: Run, verdicts: Verdicts
) -> Found:
    floats = next((one for one in before if not _is_integer(one)), None)
    if floats is not None and _is_slow(result, floats, verdicts):
        text = f"integers are not shown to be faster than floats: {_compare(result, floats)}"
        others = [*_find_remarks(result), _judge_processor(run), *_find_rest(result)]
        yield text, _find_too_few(result, floats, verdicts) or others


def _find_remarks(result: Result) -> Sequence[str]:
    """Return what its runtimes said of how they run it, or that they said nothing."""
    if result.facts.remarks is None:
        return ["how the runtime runs the graph was not looked at: it does not tell"]
    return result.facts.remarks or ["the runtime left nothing of it in floats that it could tell"]


def _judge_processor(run: Run) -> str:
    found = run.environment.get("integer_instructions")
    if found is None:
        return "whether the processor multiplies integers in one step is not known"
    if not found:
        return "the processor has no instructions that multiply and add 8-bit integers in one step"
    return f"not for lack of integer instructions: the processor has {', '.join(found)}"


# --- shapes ---------------------------------------------------------------------------------------


def _look_at_shapes(result: Result, beginnings: Sequence[Result], verdicts: Verdicts) -> Found:
    before = next(iter(beginnings), None)
    if before is None or _is_integer(before) or not _is_slow(result, before, verdicts):
        return
    too_few = _find_too_few(result, before, verdicts)
    lost = {name: _find_share_lost(before, result, name) for name in ("parameters", "operations")}
    known = {name: share for name, share in lost.items() if share is not None}
    words = " and ".join(f"{share:.0%} fewer {name}" for name, share in known.items())
    if any(share >= LESS for share in known.values()):
        text = f"{words}, and not shown to be faster: {_compare(result, before)}"
        others = [*_explain_shapes(lost, before, result), *_find_rest(result)]
        yield text, too_few or others
    elif len(result.facts.stages) == len(before.facts.stages) and set(known.values()) == {0.0}:
        why = [_explain_values(before, result, words)]
        yield _say_what_changed(before, result), too_few or why


def _find_share_lost(before: Result, after: Result, name: str) -> float | None:
    """Return the share of a figure of all stages that is gone; None where one is not known."""
    sums = []
    for result in (before, after):
        found = [getattr(stage, name) for stage in result.facts.stages]
        if not found or None in found:
            return None
        sums.append(sum(found))
    return 1 - sums[1] / sums[0] if sums[0] else None


def _say_what_changed(before: Result, after: Result) -> str:
    """Say what is otherwise where as much is computed: the precision, or the weights alone."""
    old, new = _list_precisions(before), _list_precisions(after)
    changed = "its weights changed" if old == new else f"its precision is {new} in place of {old}"
    return f"{changed}, and it is not shown to be faster: {_compare(after, before)}"


def _explain_values(before: Result, after: Result, words: str) -> str:
    """Say why other values of the same shapes need not be quicker, and where more is said."""
    old, new = _list_precisions(before), _list_precisions(after)
    why = (
        f"as many numbers are computed as before, by the same kernels ({words})"
        if old == new
        else f"a runtime that lacks kernels for {new} casts to wider numbers and back ({words})"
    )
    known = {step.chain for step in before.facts.steps}
    told = [one.what for one in after.facts.steps if one.chain not in known and one.doubts]
    more = f"; the doubts of {' and '.join(told)} say more" if told else ""
    return f"{why}{more}"


def _list_precisions(result: Result) -> str:
    return ", ".join(dict.fromkeys(stage.precision for stage in result.facts.stages))


def _explain_shapes(lost: dict[str, float | None], before: Result, after: Result) -> Iterator[str]:
    operations = lost["operations"]
    if operations is None:
        yield "whether operations fell is not known: the format does not tell"
    elif operations < LESS:
        yield f"operations fell by {operations:.0%} only: what was removed computes little"
    elif _keeps_layers(before, after):
        yield "narrower layers may use the processor less well: time is not in proportion"
    else:
        yield "time is not in proportion to operations: what was left out may have taken little"


def _keeps_layers(before: Result, after: Result) -> bool:
    """Say whether all that is less is within the layers: as many as before, of every type.

    That is not known where the step before an operator's is in another format.
    """
    steps = after.facts.steps
    known = {step.chain for step in before.facts.steps}
    added = [n for n, step in enumerate(steps) if step.operator and step.chain not in known]
    pairs = [(steps[number - 1], steps[number]) for number in added if number]
    return bool(pairs) and all(
        one.nodes and one.formats == other.formats and dict(one.nodes) == dict(other.nodes)
        for one, other in pairs
    )


# --- exits and cuts -------------------------------------------------------------------------------


def _look_at_exits(result: Result) -> Found:
    for one in find_exits(result):
        # Without labels few samples are scored: less than are measured.
        if result.figure is None or one.scored_rate is None:
            rate, of = one.rate, f"{result.samples * result.case.batch} measured"
        else:
            rate, of = one.scored_rate, f"{result.figure.samples} scored"
        if one.exit is not None and rate < RARE:
            yield f"exit {one.exit} on {one.tier} lets out {rate:.1%} of {of} samples", [_RARELY]


_RARELY = (
    "its threshold lies over nearly all that its condition reaches; what the exit computes is paid "
    "for by every sample"
)


def _look_at_cuts(result: Result) -> Found:
    weighs = result.facts.request_bytes
    if weighs is None or not result.measured:
        return
    computing = dict.fromkeys(stage.tier for stage in result.facts.stages)
    sent = find_sent(result)
    for tier in [*computing][:-1]:
        if (size := sent.get(tier, 0.0)) > weighs:
            why = f"what crosses the cut is {size / weighs:.1f} times as large as the input"
            spent = f"{1e3 * result.groups['network']:.3g} ms of network" * bool(result.groups)
            yield (
                f"{tier} sends {size / 1e3:.4g} kB on, and its input weighs {weighs / 1e3:.4g} kB",
                [f"{why}; {spent or 'its time on the links is not known'}"],
            )
