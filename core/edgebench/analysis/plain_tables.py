"""Results as plain tables: a row is a mapping of names to values, whatever library reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.intervals import PERCENTILES

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.results import RunResults
    from edgebench.parts.places import Link
    from edgebench.records.outcome import Block

Row = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Tables:
    """The results of some runs as tables; `run` and `id` (of the case) are columns of each.

    Each is a list of rows that are alike, as `pandas.DataFrame` and `polars.DataFrame` take them.
    Times are seconds, sizes bytes, shares 0 to 1; what is not known is None.
    """

    runs: tuple[RunResults, ...]
    """The runs themselves, with all that reports are made of."""

    @cached_property
    def cases(self) -> list[Row]:
        """A row a case: what was measured, and the figures that it gave."""
        return [
            {"run": run.run.id, "tag": run.run.tag, **_describe_case(result)}
            for run in self.runs
            for result in run.results
        ]

    @cached_property
    def phases(self) -> list[Row]:
        """A row a phase of a case: the median seconds that a request spends in it."""
        return [
            {**key, "phase": phase, "median_s": seconds}
            for key, result in self._list_results()
            for phase, seconds in result.phases.items()
        ]

    @cached_property
    def blocks(self) -> list[Row]:
        """A row a block of a case, failed ones among them."""
        return [
            {**key, **_describe_block(block)}
            for key, result in self._list_results()
            for block in result.blocks
        ]

    @cached_property
    def requests(self) -> dict[str, list[Any]]:
        """A column each of what is known of a measured request: there may be many of them."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("run", "id", "block", "request", "input", "seconds")
        }
        for key, result in self._list_results():
            for block in result.measured:
                seconds = [] if block.latency_s is None else block.latency_s.tolist()
                count = len(seconds)
                inputs = [None] * count if block.inputs is None else block.inputs.tolist()
                for name, values in (
                    ("run", [key["run"]] * count),
                    ("id", [key["id"]] * count),
                    ("block", [block.number] * count),
                    ("request", list(range(count))),
                    ("input", inputs),
                    ("seconds", seconds),
                ):
                    columns[name] += values
        return columns

    def _list_results(self) -> Iterator[tuple[dict[str, str], Result]]:
        for run in self.runs:
            for result in run.results:
                yield {"run": run.run.id, "id": result.case.id}, result


def to_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Return rows that are alike as a list a column."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _describe_case(result: Result) -> dict[str, Any]:
    case, facts = result.case, result.facts
    peaks = [peak for block in result.measured for peak in block.peak_memory_bytes.values()]
    return {
        "id": case.id,
        "model": case.model,
        "variant": case.variant,
        "options": ",".join(f"{name}={value}" for name, value in case.options),
        "weights": case.weights.label,
        "dataset": case.dataset,
        "chain": case.chain,
        "placement": str(case.placement),
        "backend": case.backend,
        "device": facts.device,
        "precision": facts.precision,
        "fabric": case.fabric,
        "scenario": case.scenario,
        "links": "; ".join(map(_write_link, case.links)),
        "batch": case.batch,
        "threads": case.threads,
        "status": result.status,
        "reason": result.reason,
        "blocks": len(result.measured),
        "samples": result.samples,
        **_describe_latency(result),
        **_describe_accuracy(result),
        "model_bytes": result.model_bytes,
        "peak_memory_bytes": max(peaks, default=None),
        "doubts": len(result.doubts),
    }


def _write_link(link: Link) -> str:
    """Write a link as `--link` takes it."""
    return f"{'-'.join(link.between)}={link.rate / 1e6:g}mbit,{link.delay * 1e3:g}ms"


def _describe_latency(result: Result) -> dict[str, Any]:
    latency = result.latency
    low, high = latency.interval() if latency else (None, None)
    return {
        "median_s": result.median,
        "median_low_s": low,
        "median_high_s": high,
        "mean_s": float(latency.seconds.mean()) if latency else None,
        **{f"{name}_s": latency.percentile(name) if latency else None for name in PERCENTILES},
    }


def _describe_accuracy(result: Result) -> dict[str, Any]:
    figure = result.figure
    low, high = figure.ci95 if figure else (None, None)
    return {
        "metric": figure.metric if figure else None,
        "accuracy": figure.value if figure else None,
        "accuracy_low": low,
        "accuracy_high": high,
        "accuracy_loss": figure.loss if figure else None,
        "accuracy_verdict": (judge_loss(figure) or None) if figure else None,
    }


def _describe_block(block: Block) -> dict[str, Any]:
    seconds = [] if block.latency_s is None else block.latency_s.tolist()
    return {
        "block": block.number,
        "order": block.order,
        "status": block.status,
        "reason": block.reason,
        "started": block.started,
        "duration_s": block.duration_s,
        "requests": len(seconds),
        "median_s": median(seconds) if seconds else None,
        "warmup": block.warmup,
        "busy": block.machine.get("busy"),
    }
