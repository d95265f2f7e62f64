"""What a terminal report says of predictions that were held against measurements."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from edgebench_kit.reports.notes import name_strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edgebench_kit.reports.figures import Case


def describe_predicted(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each case that was measured to verify a prediction, then how far off."""
    errors = []
    for case in cases:
        found = case["prediction"]
        if not found:
            continue
        name, predicted = name_strategy(case), f"{1e3 * found['median_s']:.3g} ms"
        if found["error"] is None:
            yield f"{name}: {predicted} predicted, not measured"
            continue
        took = f"{1e3 * case['latency_s']['median']:.3g} ms measured"
        beyond = f"; beyond what was measured: {found['extrapolated']}" * bool(
            found["extrapolated"]
        )
        yield f"{name}: {predicted} predicted, {took}, off by {found['error']:+.1%}{beyond}"
        errors.append(abs(found["error"]))
    if len(errors) > 1:
        yield f"median of the {len(errors)} errors, without their signs: {median(errors):.1%}"
