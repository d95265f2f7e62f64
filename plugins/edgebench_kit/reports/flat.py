"""Puts each case in one row of plain figures, for programs that read tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from edgebench_kit.reports.figures import Case

Value = str | int | float | None
PERCENTILES = ("p90", "p95", "p99", "p99.9")
PARTS = ("inference", "processing", "harness", "network", "emulated", "unaccounted")
STANDINGS = ("fastest", "equal", "undecided", "slower", "open", "lost", "refuted")


@attrs.frozen
class Column:
    """A column of plain figures."""

    name: str
    """With its unit, where it has one."""
    kind: type
    """`str`, `int` or `float`; any may be missing."""


def _list_columns() -> Iterator[Column]:
    for name in ("run", "id", "model", "variant", "options", "weights", "dataset", "chain"):
        yield Column(name, str)
    for name in ("placement", "backend", "device", "precision", "fabric", "scenario", "links"):
        yield Column(name, str)
    yield from (Column(name, int) for name in ("batch", "threads"))
    yield from (Column(name, str) for name in ("status", "reason", "stands"))
    yield from (Column(name, int) for name in ("samples", "blocks"))
    for name in ("median", *PERCENTILES):
        yield from (Column(f"latency_{name}{end}_s", float) for end in ("", "_low", "_high"))
    yield Column("metric", str)
    yield from (Column(f"accuracy{end}", float) for end in ("", "_low", "_high"))
    yield from (Column(f"lost_points{end}", float) for end in ("", "_low", "_high"))
    yield Column("loss", str)
    yield from (Column(f"{name}_bytes", int) for name in ("model", "peak_memory"))
    yield from (Column(f"{name}_bytes", float) for name in ("request", "sent"))
    yield Column("cold_s", float)
    yield from (Column(f"{name}_s", float) for name in PARTS)
    yield Column("doubts", str)


COLUMNS: tuple[Column, ...] = tuple(_list_columns())
"""All columns, in order. Columns may be added; none changes its name, unit or meaning."""


def list_flat(document: Mapping[str, Any]) -> Iterator[dict[str, Value]]:
    """Yield each case of a run as the values of `COLUMNS`, by name; None for what is not known."""
    stands = _find_standings(document["decisions"])
    for case in document["cases"]:
        row: dict[str, Value] = dict.fromkeys(column.name for column in COLUMNS)
        row |= {name: case[name] for name in row if name in case and _is_plain(case[name])}
        row |= {"run": document["run"], "stands": stands.get(case["id"])}
        row |= {"links": "; ".join(map(_write_link, case["network"]))}
        row |= {"options": ",".join(f"{name}={value}" for name, value in case["options"].items())}
        row |= {"doubts": "; ".join(case["doubts"])}
        row |= {f"{name}_s": case["groups_s"].get(name) for name in PARTS}
        row |= {**_list_latency(case), **_list_accuracy(case)}
        if case["latency_s"]:
            sent = (size for tier, size in case["bytes_sent"].items() if tier != "answer")
            spent = (sum(phases.values()) for phases in case["cold_s"].values())
            row |= {"sent_bytes": float(sum(sent)), "cold_s": max(spent, default=None)}
        yield row


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _find_standings(decisions: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return how each case stands; under several networks, how it stands under the first."""
    found: dict[str, str] = {}
    for decision in decisions:
        for name in STANDINGS:
            listed = decision[name]
            for case in [listed] if isinstance(listed, str) else listed or ():
                found.setdefault(case, name)
    return found


def _write_link(link: Mapping[str, Any]) -> str:
    between = "-".join(link["between"])
    return f"{between}={link['rate_bit_s'] / 1e6:g}mbit,{link['delay_s'] * 1e3:g}ms"


def _list_latency(case: Case) -> dict[str, Value]:
    latency = case["latency_s"]
    if latency is None:
        return {}
    ends = {"median": latency["ci95"], **latency["percentiles_ci95"]}
    return {
        f"latency_{name}{end}_s": value
        for name in ("median", *PERCENTILES)
        for end, value in zip(
            ("", "_low", "_high"), (latency[name], *(ends[name] or (None, None))), strict=True
        )
    }


def _list_accuracy(case: Case) -> dict[str, Value]:
    """Return the figure of merit that decides, and what was lost of it."""
    metric = next(iter(case["accuracy"]), None)
    if metric is None:
        return {}
    low, high = case["accuracy_ci95"][metric]
    loss = case["accuracy_loss"][metric] or {"points": None, "ci95": None, "verdict": None}
    lost_low, lost_high = loss["ci95"] or (None, None)
    return {
        "metric": metric,
        "accuracy": case["accuracy"][metric],
        "accuracy_low": low,
        "accuracy_high": high,
        "lost_points": loss["points"],
        "lost_points_low": lost_low,
        "lost_points_high": lost_high,
        "loss": loss["verdict"],
    }
