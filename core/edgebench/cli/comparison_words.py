"""What is said of a comparison, in words and figures for people, whatever lays it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.likeness import LEAST_SHARED

if TYPE_CHECKING:
    from edgebench.analysis.comparison import Change, Comparison, Pair
    from edgebench.analysis.gates import Passage
    from edgebench.analysis.quantities import Quantity
    from edgebench.analysis.results import RunResults

HEAD = ("verdict", "case", "before", "after", "change (95 %)")
FIRST = "latency.median"
"""The figure whose changes are shown for every case."""


@attrs.frozen
class Line:
    """One line of a table of changes: a cell for each of `HEAD`."""

    cells: tuple[str, ...]
    changed: bool


def write_value(quantity: Quantity, value: float | None) -> str:
    """Write a figure of a case with its unit."""
    if value is None:
        return "-"
    if quantity.unit == "s":
        return f"{value * 1e3:.4g} ms"
    if quantity.unit == "points":
        return f"{value:.2f} %"
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= scale:
            return f"{value / scale:.4g} {unit}"
    return f"{value:.4g} B"


def write_share(quantity: Quantity, value: float) -> str:
    """Write a difference: in per cent of what was before, or in points."""
    return f"{100 * value:+.1f} %" if quantity.relative else f"{value:+.2f}"


def write_change(change: Change) -> str:
    """Write a difference with its interval; why it is not known, where it is not."""
    ends, share = change.interval(), change.share
    if ends is None or share is None:
        return change.why_not
    quantity = change.quantity
    low, high = (write_share(quantity, end).removesuffix(" %") for end in ends)
    return f"{write_share(quantity, share)} ({low} to {high})"


def list_lines(changes: Sequence[Change], names: Mapping[str, str]) -> list[Line]:
    """Return a line of a table for each change; *names* are the cases', by their ids."""
    return [
        Line(
            (
                one.verdict,
                names[one.case.id],
                write_value(one.quantity, one.before),
                write_value(one.quantity, one.after),
                write_change(one),
            ),
            one.changed,
        )
        for one in changes
    ]


def write_run(results: RunResults) -> str:
    """Write which run one is."""
    run = results.run
    what = ", ".join(filter(None, (run.suite, run.tag and f"tag {run.tag}", run.started)))
    return f"{run.id} ({what}) of {results.path}"


def list_surroundings(comparison: Comparison) -> list[str]:
    """Return what differs beside the figures, a line each; first what is too little to tell by."""
    found = list(_list_quick(comparison))
    found += [f"{one.what}: {one.before} -> {one.after}" for one in comparison.surroundings]
    made = Counter(one for pair in comparison.pairs for one in pair.changed)
    for change, count in made.items():
        where = f"{change.what} of {count} case{'s' * (count != 1)}"
        found.append(f"{where}: {change.before} -> {change.after}")
    for why, count in Counter(map(_explain_inputs, comparison.pairs)).items():
        if why:
            cases = f"{count} case{'s' * (count != 1)}"
            found.append(f"inputs of {cases}: {why}, so they were not matched")
    return [*found, *_list_left_out(comparison)]


def _explain_inputs(pair: Pair) -> str:
    """Say why the inputs of a pair were not matched; nothing where they were."""
    if pair.requests[0].matched is None:
        return "they were not noted in both runs"
    if pair.requests[0].matched:
        return ""
    before, after = pair.before.samples, pair.after.samples
    # Whoever sends more goes on to inputs that the other run never came to.
    if before != after and max(one.shared or 0.0 for one in pair.requests) >= LEAST_SHARED:
        return f"as many requests were not asked for ({before:,} and {after:,} of a case)"
    return "others were sent"


def _list_quick(comparison: Comparison) -> Iterator[str]:
    for where, results in (("before", comparison.before), ("after", comparison.after)):
        if quick := results.run.quick:
            yield (
                f"the run {where} is a quick one, {quick.blocks} blocks of {quick.requests} "
                "requests a case: that shows no change, and passes and fails no bound"
            )


def _list_left_out(comparison: Comparison) -> Iterator[str]:
    """Yield of which requests the figures below are not, a line for each run."""
    for where, at in (("before", 0), ("after", 1)):
        sides = [pair.requests[at] for pair in comparison.pairs]
        left = sum(one.left_out for one in sides)
        if left:
            all_sent = left + sum(one.count for one in sides)
            yield (
                f"inputs: {left:,} of {all_sent:,} requests {where} sent what the other run never "
                "did, and are in no latency that is compared"
            )


def list_unmatched(comparison: Comparison) -> Iterator[str]:
    """Yield the cases that were not compared, a line each."""
    for where, alone in (("before", comparison.only_before), ("after", comparison.only_after)):
        for one in alone:
            said = comparison.explain_unmatched(one)
            yield f"only in the run {where}: {comparison.names[one.case.id]}{said and f' ({said})'}"
    for pair in comparison.unmeasured:
        failed = "before" if not pair.before.measured else "after"
        result = pair.before if failed == "before" else pair.after
        reason = f": {result.reason}" if result.reason else ""
        yield f"not measured {failed}: {comparison.names[pair.case.id]}, {result.status}{reason}"


def list_others(comparison: Comparison) -> list[Change]:
    """Return the changes that are shown of figures other than the first, and that are news.

    That the mean is slower where the median is says nothing.
    """
    first = {one.case.id: one.verdict for one in comparison.list_changes(FIRST)}
    return [
        one
        for one in comparison.changes
        if one.changed and one.quantity.name != FIRST and one.verdict != first[one.case.id]
    ]


def write_answer(comparison: Comparison) -> str:
    """Say in one sentence how many cases are slower, faster, equal, or not told apart."""
    changes = comparison.list_changes(FIRST)
    counts = Counter(one.verdict for one in changes)
    order = ("slower", "faster", "equal", "undecided", "unknown")
    said = ", ".join(f"{counts[one]} {one}" for one in order if counts[one])
    more = _write_needs([one for one in changes if one.verdict in ("undecided", "unknown")])
    many = f"of {len(changes)} case{'s' * (len(changes) != 1)}, median latency"
    return f"{many}: {said} (margin {comparison.margin:.1%}){more}."


def _write_needs(undecided: Sequence[Change]) -> str:
    """Say how many more blocks would tell all of them, and of how many none is foreseen."""
    known = [one.blocks_needed for one in undecided if one.blocks_needed is not None]
    rest = len(undecided) - len(known)
    if not undecided:
        return ""
    if any(one.quick for one in undecided):
        return "; a quick run shows no change, one without --quick may"
    if not known:
        return "; how many more blocks would tell is not foreseen"
    of = f" {len(known)} of these" if rest else ""
    said = f"; about {max(known)} more block{'s' * (max(known) != 1)} each would tell{of}"
    return f"{said}, and of {rest} it is not foreseen" if rest else said


def write_passage(passage: Passage, names: Mapping[str, str]) -> str:
    """Say how one case stands to a gate; *names* are the cases', by their ids."""
    case, gate = passage.case, passage.gate
    if passage.value is None or passage.ends is None:
        found = passage.why_not
    else:
        value, low, high = (_write_bound(passage, one) for one in (passage.value, *passage.ends))
        found = f"{value} ({low} to {high} at {100 * passage.confidence:.4g} %)"
    need = ""
    # Where it is said why it is open and no blocks would change that, there is no more to say.
    if passage.verdict == "open" and (passage.blocks_needed or not passage.why_not):
        more = passage.blocks_needed
        some = f"about {more} more block{'s' * (more != 1)} each would tell" if more else ""
        need = f"; not enough data: {some or 'how many blocks would tell is not foreseen'}"
    return f"{passage.verdict}: {gate.text}: {names[case.id]}: {found}{need}"


def _write_bound(passage: Passage, value: float) -> str:
    gate = passage.gate
    if gate.relative or (gate.difference and not gate.quantity.relative):
        return write_share(gate.quantity, value)
    sign = "+" if gate.difference and value >= 0 else "-" if gate.difference else ""
    return sign + write_value(gate.quantity, abs(value) if gate.difference else value)


def write_gate_answer(passages: Sequence[Passage], *, strict: bool) -> str:
    """Say in one sentence whether the gates hold."""
    counts = Counter(one.verdict for one in passages)
    said = f"{counts['failed']} of {len(passages)} checks failed"
    if counts["open"]:
        how = "fails under --strict" if strict else "fails nothing; --strict would"
        said += f", {counts['open']} not decided, which {how}"
    return f"gates: {said}."
