"""Bounds on what may change from one run to the next: `latency.p95 > +5%` fails a build."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.estimates import Estimate, find_levels
from edgebench.analysis.likeness import Requests, find_load
from edgebench.analysis.quantities import QUANTITIES, Quantity, Unknown, estimate
from edgebench.parts.errors import EdgebenchError, UnknownName

if TYPE_CHECKING:
    from edgebench.analysis.comparison import Comparison, Pair
    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case

_UNITS: Mapping[str, Mapping[str, float]] = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "bytes": {
        "B": 1.0,
        "kB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "KiB": 2.0**10,
        "MiB": 2.0**20,
        "GiB": 2.0**30,
    },
    "points": {"points": 1.0, "point": 1.0},
}
"""By the unit of a figure: how a bound of it may be written, and how much of that unit it is."""
_WRITTEN = re.compile(
    r"\s*(?P<figure>[^\s<>=]*)\s*(?P<sign>[<>]=?|=+|)\s*"
    r"(?P<bound>(?P<plus>[+-]?)\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>[A-Za-z%]*))\s*"
)
BUSIER = 0.1
"""By how much more of a machine's processor time other programs may use before a latency that is
longer proves nothing."""
EXAMPLES = '"latency.p95 > +5%", "latency.median > 50ms" or "accuracy < -1"'


@attrs.frozen(kw_only=True)
class Gate:
    """A bound that a figure of the later run must not pass."""

    text: str
    """As it was written."""
    quantity: Quantity
    above: bool
    """Whether what lies above the bound passes it, or what lies below."""
    bound: float
    """A share where it is `relative`; else seconds, bytes or points."""
    difference: bool
    """Whether it is of the difference to the earlier run, or of the later run alone."""
    relative: bool
    """Whether that difference is a share of what was there before."""

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read a bound: a figure, `>` or `<`, and a number with its unit.

        A number with a sign is a difference to the earlier run, in per cent of what was there
        before, or in the figure's unit; one without a sign is a value. Of accuracy, differences are
        in points, and values in per cent.

        Raises:
            UnknownName: There is no such figure.
            EdgebenchError: It is written otherwise.
        """
        found = _WRITTEN.fullmatch(text)
        if not found or found["sign"] not in ("<", ">"):
            raise _refuse(text, f"is written FIGURE > BOUND, as {EXAMPLES}")
        name, number = found["figure"], float(found["number"])
        if name not in QUANTITIES:
            raise UnknownName.among("figure", name, QUANTITIES)
        quantity = QUANTITIES[name]
        if not math.isfinite(number):
            raise _refuse(text, "has a bound that is too large for any figure")
        signed = found["plus"] != ""
        relative = signed and quantity.relative and found["unit"] == "%"
        scale = 0.01 if relative else _find_scale(quantity, found["unit"], text, signed=signed)
        value = number * scale * (-1 if found["plus"] == "-" else 1)
        if relative and value <= -1:
            raise _refuse(text, "asks for less than nothing: nothing falls by 100 % or more")
        if not signed and not value:
            raise _refuse(text, "has a bound of 0; a difference to it is written +0 or -0")
        return cls(
            text=" ".join(text.split()),
            quantity=quantity,
            above=found["sign"] == ">",
            bound=value,
            difference=signed,
            relative=relative,
        )


def _find_scale(quantity: Quantity, unit: str, text: str, *, signed: bool) -> float:
    """Return what one of a unit is worth in the quantity's own.

    Raises:
        EdgebenchError: It is no unit of it, or lacks.
    """
    if quantity.unit == "points" and (not unit or (unit == "%" and not signed)):
        return 1.0
    if unit == "%" and not signed:
        raise _refuse(text, "has per cent without a sign: write +5% for what is above the other")
    units = _UNITS[quantity.unit]
    if unit not in units:
        known = ", ".join([*units, *(["%"] if quantity.relative else [])])
        what = f"has the unit {unit!r}" if unit else "has a bound without a unit"
        raise _refuse(text, f"{what}; {quantity.name} takes {known}")
    return units[unit]


def _refuse(text: str, why: str) -> EdgebenchError:
    return EdgebenchError(f"--fail-if {text!r} {why}")


@attrs.frozen(kw_only=True)
class Passage:
    """How one case stands to a gate."""

    gate: Gate
    case: Case
    verdict: str
    """`failed` where the bound is shown to be passed; `kept`; `open`."""
    value: float | None = None
    """What the bound is held against, in its unit."""
    ends: tuple[float, float] | None = None
    """Of the interval that the verdict rests on: at the level of its test among all bounds and
    cases (Holm); where the bound is kept, of 95 % for this one alone."""
    confidence: float = 0.95
    """The level of that interval, 0 to 1."""
    why_not: str = ""
    """Why it is not known."""
    blocks_needed: int | None = None
    """Where it is open, about how many more blocks each would tell."""


def judge_gates(gates: Sequence[Gate], comparison: Comparison) -> list[Passage]:
    """Hold all cases of two runs against bounds; what cannot be held against one is open.

    A check fails where the whole interval lies beyond its bound, at the level that its test has
    among those of all bounds and cases (Holm): noise alone does that to any of them in one build
    of forty, however many there are. What a machine may have done that was busier than before is
    open.
    """
    found = [(gate, case, one) for gate in gates for case, one in _estimate_all(gate, comparison)]
    # An interval's one end is a test at half its level.
    chances = [
        2 * one.find_chance(_place(gate), above=gate.above)
        for gate, _, one in found
        if isinstance(one, Estimate)
    ]
    levels = iter(find_levels(chances))
    return [
        _judge(gate, case, one, next(levels))
        if isinstance(one, Estimate)
        else _open(gate, case, one)
        for gate, case, one in found
    ]


def _estimate_all(gate: Gate, comparison: Comparison) -> Iterator[tuple[Case, Estimate | Unknown]]:
    """Yield what each case has to hold against a bound, or why it is not known.

    A bound on the later run alone takes no earlier one; a difference takes both, and there is none
    of a case that is new.
    """
    for pair in comparison.pairs:
        found = _estimate(gate, pair) if gate.difference else _estimate_alone(gate, pair.after)
        quick = pair.quick if gate.difference else pair.after.quick is not None
        yield pair.case, _doubt(gate, pair, _refuse_quick(quick, found))
    for pair in comparison.unmeasured:
        if gate.difference:
            yield pair.case, Unknown(f"it was not measured: {_say_why(pair)}")
        else:
            found = _estimate_alone(gate, pair.after)
            yield pair.case, _refuse_quick(pair.after.quick is not None, found)
    # What a run skipped, as it cannot be, it did not lose.
    for one in () if gate.difference else comparison.only_after:
        if one.status != "skipped":
            found = _estimate_alone(gate, one)
            yield one.case, _refuse_quick(one.quick is not None, found)
    for one in comparison.only_before:
        if one.status != "skipped":
            yield one.case, Unknown("only the earlier run has this case")


def _estimate_alone(gate: Gate, result: Result) -> Estimate | Unknown:
    if not result.measured:
        return Unknown(f"it was not measured: {result.status} {result.reason}".strip())
    try:
        return estimate(gate.quantity, result, Requests.of(result))
    except Unknown as why:
        return why


def _say_why(pair: Pair) -> str:
    failed = pair.after if not pair.after.measured else pair.before
    return f"{failed.status} {failed.reason}".strip()


def _refuse_quick(quick: bool, one: Estimate | Unknown) -> Estimate | Unknown:
    """Return an estimate only where it does not rest on the blocks of a quick run."""
    if quick and isinstance(one, Estimate) and one.blocks:
        return Unknown("not enough data: a quick run measured it; measure it without --quick")
    return one


def _doubt(gate: Gate, pair: Pair, one: Estimate | Unknown) -> Estimate | Unknown:
    """Return an estimate of latency only where no other program may have made what it shows."""
    if isinstance(one, Unknown) or gate.quantity.unit != "s" or not gate.difference:
        return one
    loads = [find_load(result) for result in (pair.before, pair.after)]
    busier = loads[1] - loads[0] if gate.above else loads[0] - loads[1]
    if busier <= BUSIER:
        return one
    used = " and then ".join(f"{load:.0%}" for load in loads)
    return Unknown(f"other programs used {used} of the machine: measure again when it is calm")


def _estimate(gate: Gate, pair: Pair) -> Estimate | Unknown:
    """Return the difference that a bound is held against, or why it is not known."""
    try:
        before, after = pair.estimate(gate.quantity)
    except Unknown as why:
        return why
    if gate.relative or not gate.quantity.relative:
        return pair.find_difference(gate.quantity, before, after)
    return _unfold(after).less(_unfold(before))


def _unfold(one: Estimate) -> Estimate:
    """Return the estimate of a value, from that of its logarithm (by the delta method)."""
    value = math.exp(one.value)
    return attrs.evolve(one, value=value, below=value * one.below, above=value * one.above)


def _place(gate: Gate) -> float:
    """Return the bound on the scale of what is held against it."""
    if gate.relative:
        return math.log1p(gate.bound)
    if gate.difference or not gate.quantity.relative:
        return gate.bound
    return math.log(gate.bound)


def _judge(gate: Gate, case: Case, one: Estimate, level: float) -> Passage:
    place = _place(gate)
    low, high = one.interval(level)
    passed = low > place if gate.above else high < place
    alone = one.interval()
    kept = alone[1] <= place if gate.above else alone[0] >= place
    verdict = "failed" if passed else "kept" if kept else "open"
    # That it is kept is said of each case alone, as it fails nothing.
    low, high = alone if kept else (low, high)
    shown = [_show(gate, value) for value in (one.value, low, high)]
    return Passage(
        gate=gate,
        case=case,
        verdict=verdict,
        value=shown[0],
        ends=(shown[1], shown[2]),
        confidence=0.95 if kept else 1 - level,
        blocks_needed=one.count_more_blocks(place, level) if verdict == "open" else None,
    )


def _show(gate: Gate, value: float) -> float:
    """Return a value on the scale in which the bound is written."""
    # A millionfold is as good as any more.
    bounded = min(value, 14.0)
    if gate.relative:
        return math.expm1(bounded)
    if gate.difference or not gate.quantity.relative:
        return value
    return math.exp(min(value, 700.0))


def _open(gate: Gate, case: Case, why: Unknown) -> Passage:
    return Passage(gate=gate, case=case, verdict="open", why_not=str(why), blocks_needed=why.blocks)
