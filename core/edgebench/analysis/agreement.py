"""How far a runtime's outputs are from another's, and when that speaks against them.

Two sound runtimes compute an untransformed model alike but for rounding. A difference beyond that
says that one of them computes another model, and then neither its latency nor what is made of the
model for it is worth anything. What a transformation changes on purpose is no such difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from edgebench.records.facts import Agreement, Facts, RuntimeCheck

NOT_CHECKED = "not checked against another runtime"
"""Why there is no comparison; with the reason behind it where one was tried."""
TOLERANCES = {"f64": 1e-3, "f32": 1e-3, "f16": 2e-2, "bf16": 2e-2}
"""By precision, the largest difference that is rounding, over the largest value of the output. Of
whole numbers, which are names as often as amounts, it is the share that may differ."""
COARSE = 5e-2
"""The same of integers with steps, where runtimes round at different places: a few steps of 1/255.
"""
NOTHING = 1e-3
"""What an output of zeros alone is taken to be the size of: there 1e-6 is rounding, in f32."""

FEWEST_SAME = 0.9
"""The share of answers that a transformation may be expected to leave as they are."""
FARTHEST = 0.5
"""The relative difference beyond which outputs are hardly those of the same model."""


def tolerate(*precisions: str) -> float:
    """Return which relative difference the coarsest of some precisions (`f32`, `f32+int8`) allows.

    An empty one is not known, and says nothing.
    """
    known = {name for text in precisions for name in text.split("+") if name}
    return max((TOLERANCES.get(name, COARSE) for name in known), default=TOLERANCES["f32"])


@attrs.frozen(kw_only=True)
class _Difference:
    """How one output differs from another's, value by value."""

    largest: float | None
    """Of the absolute differences; None where no value is finite in both."""
    total: float
    """Their sum."""
    compared: int
    """How many values are finite in both."""
    relative: float
    values: int
    not_finite: int
    unlike: int


def measure_differences(
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], names: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Compare outputs with a reference's of the same shapes; return the numbers of an `Agreement`.

    Each output is held against its own largest value: boxes of hundreds must not hide scores of
    one. *names* are the outputs', in order.
    """
    found = [_compare(own, reference) for own, reference in pairs]
    worst = max(range(len(found)), key=lambda place: found[place].relative)
    compared = sum(one.compared for one in found)
    largest = [one.largest for one in found if one.largest is not None]
    return {
        "max_abs_difference": max(largest, default=None),
        "mean_abs_difference": sum(one.total for one in found) / compared if compared else None,
        "relative_difference": found[worst].relative,
        "output": names[worst] if worst < len(names) else f"output {worst}",
        "values": sum(one.values for one in found),
        "not_finite": sum(one.not_finite for one in found),
        "unlike": sum(one.unlike for one in found),
    }


def _compare(own: NDArray[Any], reference: NDArray[Any]) -> _Difference:
    import numpy as np

    floats = np.issubdtype(reference.dtype, np.floating)
    one, other = own.astype(float), reference.astype(float)
    finite = np.isfinite(one) & np.isfinite(other)
    # As they are: a float holds no whole number beyond 2^53.
    same = (own == reference) | (np.isnan(one) & np.isnan(other))
    with np.errstate(over="ignore"):
        differences = np.nan_to_num(np.abs(one[finite] - other[finite]))
        total = float(np.nan_to_num(differences.sum()))
    largest = float(differences.max()) if differences.size else None
    size = float(np.abs(other[finite]).max()) if differences.size else 0.0
    share = float((~same).mean()) if same.size else 0.0
    return _Difference(
        largest=largest,
        total=total,
        compared=differences.size,
        relative=(largest or 0.0) / (size or NOTHING) if floats else share,
        values=one.size,
        not_finite=int((~np.isfinite(one)).sum()),
        unlike=int((~finite & ~same).sum()),
    )


def count_not_finite(outputs: Sequence[NDArray[Any]]) -> tuple[int, int]:
    """Return how many values of some outputs are NaN or infinite, and how many there are."""
    import numpy as np

    return sum(int((~np.isfinite(one)).sum()) for one in outputs), sum(one.size for one in outputs)


# --- what it says ---------------------------------------------------------------------------------


def differs(agreement: Agreement, tolerance: float) -> bool:
    """Say whether outputs differ by more than rounding, in shape, or in what is finite."""
    relative = agreement.relative_difference
    return bool(
        agreement.other_shape or agreement.unlike or (relative is not None and relative > tolerance)
    )


def describe_difference(agreement: Agreement, tolerance: float) -> str:
    """Return how outputs differ from a reference's, in words with numbers."""
    if agreement.other_shape:
        return agreement.other_shape
    if agreement.unlike:
        return (
            f"{agreement.unlike} of {agreement.values} values are NaN or infinite in one alone "
            f"({agreement.samples} samples)"
        )
    relative = agreement.relative_difference or 0.0
    return (
        f"{agreement.output!r} differs by up to {relative:.2g} of its largest value, "
        f"where {tolerance:g} is rounding ({agreement.samples} samples)"
    )


def describe_check(check: RuntimeCheck) -> str:
    """Return what a check of a backend found, in words."""
    if check.agreement is None:
        return f"{check.backend}: {check.why_not}"
    found = check.agreement
    if differs(found, check.tolerance):
        how = describe_difference(found, check.tolerance)
        return f"{check.backend} does not agree with {found.reference}: {how}"
    if found.not_finite and found.max_abs_difference is None:
        alike = f"in that no value is a number ({found.samples} samples)"
        return f"{check.backend} agrees with {found.reference} {alike}"
    return (
        f"{check.backend} agrees with {found.reference}: {found.relative_difference or 0.0:.2g} of "
        f"the largest value at most, {check.tolerance:g} is rounding ({found.samples} samples)"
    )


def judge(check: RuntimeCheck) -> str:
    """Return `agrees`, `differs`, or `unchecked`."""
    if check.agreement is None:
        return "unchecked"
    return "differs" if differs(check.agreement, check.tolerance) else "agrees"


def is_refuted(facts: Facts) -> bool:
    """Say whether a case's outputs, or its backends', are shown to be those of another model.

    A reference that another runtime differs from is only doubted: it is what the others are held
    against. So is a transformed case whose outputs differ, which its accuracy is there to judge,
    unless values are no numbers that are numbers without it.
    """
    found = facts.agreement
    lost = found is not None and found.unlike > 0 and found.not_finite > 0
    return lost or any(judge(one) == "differs" and not one.trusted for one in facts.checks)


def find_disagreements(facts: Facts) -> Iterator[str]:
    """Yield what the outputs of a case, and of its backends, say against it, a sentence each."""
    for check in facts.checks:
        if judge(check) == "differs":
            yield f"{'' if check.whole else 'with the model itself '}{describe_check(check)}"
        elif check.agreement is None and check.why_not not in ("", NOT_CHECKED):
            # Where no other runtime is at hand, all cases are alike; here one was, and failed.
            yield describe_check(check)
    found = facts.agreement
    if found is None or any(check.agreement == found for check in facts.checks):
        return
    if found.unlike or found.other_shape:
        how = describe_difference(found, 0.0)
        yield f"its outputs are not those of {found.reference}: {how}"
    elif not facts.figures and (how := _describe_loss(found)):
        yield f"its outputs are far from those of {found.reference}: {how}"


def _describe_loss(found: Agreement) -> str:
    """Return what of the untransformed outputs is lost, where no accuracy judges it; else nothing.

    What was compared when a model was transformed does not tell it: that was another runtime.
    """
    if found.same_answer is not None and found.same_answer < FEWEST_SAME:
        how = f"the same answer in {found.same_answer:.2f} of the places, under {FEWEST_SAME:g}"
    elif (relative := found.relative_difference or 0.0) > FARTHEST:
        how = f"{found.output!r} differs by up to {relative:.2g} of its largest value"
    else:
        return ""
    return f"{how} ({found.samples} samples)"
