"""Results in Bencher's Metric Format, for figures over time in continuous integration.

https://bencher.dev/docs/reference/bencher-metric-format: by benchmark and measure, a value with the
ends of its interval. Latency is in nanoseconds and file size in bytes, as Bencher's own are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgebench import Reporter, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgebench import Result, RunResults

LONGEST = 1024
"""Characters of the name of a benchmark."""
NANOSECONDS = 1e9
Metric = dict[str, float]


def render(results: RunResults) -> str:
    """Return the measured cases of a run; a case has the same name in every run.

    In quick ones it has another, as they would be a change in a trend that there is not.
    """
    document = {
        _name(result): dict(_list_metrics(result))
        for result in results.results
        if result.latency is not None
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _name(result: Result) -> str:
    """Return a name that ends with the case's id, which tells apart what else reads the same."""
    mark = f" [{result.case.id}]{', a quick run' * (result.quick is not None)}"
    return result.case.label[: LONGEST - len(mark)] + mark


def _list_metrics(result: Result) -> Iterator[tuple[str, Metric]]:
    latency = result.latency
    if latency is not None:
        yield "latency", _metric(latency.median, latency.interval(), NANOSECONDS)
        if (high := latency.percentile("p95")) is not None:
            yield "latency-p95", _metric(high, latency.interval("p95"), NANOSECONDS)
    for figure in result.facts.figures:
        yield figure.metric[:64], _metric(figure.value, figure.ci95, 100)
    if result.model_bytes is not None:
        yield "file-size", {"value": result.model_bytes}


def _metric(value: float, ends: Sequence[float], factor: float) -> Metric:
    low, high = ends
    return {
        "value": value * factor,
        "lower_value": low * factor,
        "upper_value": high * factor,
    }


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the reporter for Bencher."""
    yield Reporter(name="bencher", summary="Bencher's Metric Format, for trends.", render=render)
