"""What each operator and each hop of a strategy contributed, laid out for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.analysis.bounds import write_ms
from edgebench.cli.tables import write_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.analysis.explanation import Explanation, StepShare


def lay_out_explanation(strategy: str, found: Explanation) -> Iterator[Any]:
    """Yield what to print of how a strategy comes by its figures."""
    yield f"\n{strategy}:"
    for step in found.steps:
        yield f"  {step.operator}: {_write_step(step)}"
    for tier in found.tiers:
        yield f"  {tier.tier} is at work {write_ms(tier.seconds)} ms a request"
    for hop in found.hops:
        way = f"{hop.source} to {hop.target} and back"
        took = f"{write_ms(hop.claimed_s)} ms by the link"
        yield f"  {way}: {write_size(hop.bytes)}, {took}"
    if found.phases:
        parts = (f"{name} {write_ms(seconds)}" for name, seconds in found.phases.items())
        yield f"  medians of phases in ms: {', '.join(parts)}"


def _write_step(step: StepShare) -> str:
    if step.ratio is None:
        return f"nothing to hold it against: {step.why_not}"
    middle, low, high = step.ratio
    parts = [f"latency x {middle:.3g} ({low:.3g} to {high:.3g})"]
    if step.bytes_ratio is not None:
        parts.append(f"model bytes x {step.bytes_ratio:.3g}")
    if step.points is not None:
        parts.append(f"{step.points:+.2f} points lost")
    return f"{', '.join(parts)}, against {step.against}"
