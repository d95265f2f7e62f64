"""The reporter `new-name`: one line for each case, the fastest first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import edgebench as eb

if TYPE_CHECKING:
    from edgebench import Result, RunResults

EDGEBENCH_API = (2, 0)


def render(results: RunResults) -> str:
    """Lay out a run: a text, bytes for a format that is none, or something that rich lays out."""
    ordered = sorted(results.results, key=lambda one: one.median or math.inf)
    # `results.decisions` has the answers, `result.doubts` what speaks against a figure.
    lines = [*map(write_line, ordered), *(one.sentence for one in results.decisions)]
    return "\n".join(lines) or "nothing was measured"


def write_line(result: Result) -> str:
    """Write a case and its median latency, or why it has none."""
    case = result.case
    said = f"{case.subject}  {case.chain}  {case.placement}"
    if result.median is None:
        return f"{said}  {result.status}: {result.reason}"
    return f"{said}  {result.median * 1e3:.3f} ms"


@eb.hookimpl
def edgebench_reporters() -> Iterator[eb.Reporter]:
    """Offer it: `edgebench report --format new-name`."""
    yield eb.Reporter(
        name="new-name",
        summary="One line for each case, the fastest first.",
        render=render,
    )
