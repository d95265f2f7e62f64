"""Says what stands in the table of all cases: their figures, and by what they are sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from edgebench_kit.html.sweeps import find_sweeps, write_network
from edgebench_kit.html.tradeoffs import STANDINGS, Standing, find_standing
from edgebench_kit.reports.columns import (
    write_accuracy,
    write_cold,
    write_loss,
    write_median,
    write_p95,
    write_place,
    write_sent,
    write_size,
)
from edgebench_kit.reports.figures import write_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from edgebench_kit.reports.figures import Case


@attrs.frozen
class Head:
    """The head of a column."""

    name: str
    title: str
    """What it holds, in a sentence."""
    figures: bool = False
    """Whether it holds figures, which stand to the right."""


@attrs.frozen
class Cell:
    """What stands in a column for a case."""

    text: str
    below: str = ""
    """Its interval."""
    sort: float | str | None = None
    """By what it is sorted; None for what stands last, whichever way."""


@attrs.frozen(kw_only=True)
class Row:
    """A case as the table has it."""

    number: int
    case: str
    """Its id."""
    mark: str
    """How it stands to the answer, as a sign."""
    colour: str
    cells: tuple[Cell, ...]
    filters: Mapping[str, str]
    """What it may be chosen by: the values of `FILTERS`."""


FILTERS = ("model", "stands", "placement", "backend", "status")
Write = tuple["Callable[[Case], str]", "Callable[[Case], float | None]"]


def number_cases(cases: Sequence[Case]) -> dict[str, int]:
    """Return a number for each case, by id: by model, and the fastest first."""

    def rank(case: Case) -> tuple[int, bool, float]:
        latency = case["latency_s"]
        median = latency["median"] if latency else 0.0
        return subjects.index(case["subject"]), latency is None or case["refuted"], median

    subjects = list(dict.fromkeys(case["subject"] for case in cases))
    ranked = sorted(cases, key=rank)
    return {case["id"]: number for number, case in enumerate(ranked, 1)}


def list_heads(cases: Sequence[Case]) -> Iterator[Head]:
    """Yield the heads of the columns."""
    metrics = {next(iter(case["accuracy"])) for case in cases if case["accuracy"]}
    metric = metrics.pop() if len(metrics) == 1 else "accuracy"
    yield Head("#", "The number by which charts name a strategy")
    yield from (Head(name, title) for name, title in _NAMED.items() if _differ(name, cases))
    yield Head("median ms", "Median latency of a request, with its 95 % interval", figures=True)
    yield Head("p95 ms", "95 % percentile of the latency, with its interval", figures=True)
    yield Head(f"{metric} %", "What was deployed scores, with its interval", figures=True)
    yield Head("lost points", "Of accuracy, against the untransformed model", figures=True)
    yield Head("model MB", "The files of all pieces", figures=True)
    yield Head("peak MB", "Memory of the largest process", figures=True)
    yield Head("sent kB", "What all tiers send on for a request", figures=True)
    yield Head("cold s", "From the start of a process to its first answer", figures=True)
    yield Head("doubts", "How many reasons there are to doubt it", figures=True)


_NAMED = {
    "model": "Model and variant",
    "strategy": "The chain, where it runs (* marks a tier that is emulated), and the runtime",
    "status": "What became of the case",
    "stands": "How it stands to the answer of its model",
}


def _differ(name: str, cases: Sequence[Case]) -> bool:
    """Say whether a column tells cases apart; of all the same, it would only take room."""
    keys = {"model": "subject", "status": "status"}
    return name not in keys or len({case[keys[name]] for case in cases}) > 1


def list_rows(document: Mapping[str, Any], numbers: Mapping[str, int]) -> Iterator[Row]:
    """Yield all cases of a run in the order of their numbers."""
    standings: dict[str, list[Standing]] = {case["id"]: [] for case in document["cases"]}
    for decision in document["decisions"]:
        for one in decision["cases"]:
            standings[one].append(find_standing(one, decision))
    cases = document["cases"]
    shown = [name for name in _NAMED if _differ(name, cases)]
    swept = {sweep.link for sweep in find_sweeps(cases)}
    for case in sorted(cases, key=lambda one: numbers[one["id"]]):
        # What sets apart cases that were measured under several settings of a link.
        place = ", ".join([write_place(case), case["backend"], *write_network(case, swept)])
        yield _make_row(case, place, numbers[case["id"]], standings[case["id"]], shown)


def _make_row(
    case: Case, place: str, number: int, found: Sequence[Standing], shown: Sequence[str]
) -> Row:
    standing = min(found, key=STANDINGS.index, default=None)
    words = standing.label if standing else "-"
    if len(set(found)) > 1 and standing:
        words += f" in {found.count(standing)} of {len(found)}"
    names = {
        "model": Cell(case["subject"], sort=case["subject"]),
        "strategy": Cell(case["chain"], place, f"{case['chain']} {place}"),
        "status": Cell(case["status"], sort=case["status"]),
        "stands": Cell(words, sort=words),
    }
    return Row(
        number=number,
        case=case["id"],
        mark=standing.mark if standing else "",
        colour=standing.colour if standing else "inherit",
        cells=(
            Cell(str(number), sort=number),
            *(names[name] for name in shown),
            *_list_figures(case),
        ),
        filters={
            "model": case["subject"],
            "stands": words,
            "placement": write_place(case),
            "backend": case["backend"],
            "status": case["status"],
        },
    )


def _list_figures(case: Case) -> Iterator[Cell]:
    if case["latency_s"] is None:
        yield from [Cell("-")] * (len(FIGURES) + 1)
        return
    for write, sort in FIGURES:
        text, _, below = write(case).partition("\n")
        yield Cell(text, below, sort(case))
    yield Cell(str(len(case["doubts"])), sort=len(case["doubts"]))


def _find_accuracy(case: Case) -> float | None:
    return next(iter(case["accuracy"].values()), None)


def _find_loss(case: Case) -> float | None:
    loss = next(iter(case["accuracy_loss"].values()), None)
    return loss["points"] if loss else None


def _find_sent(case: Case) -> float | None:
    return float(sum(size for tier, size in case["bytes_sent"].items() if tier != "answer"))


def _find_cold(case: Case) -> float | None:
    return max((sum(phases.values()) for phases in case["cold_s"].values()), default=None)


FIGURES: Sequence[Write] = (
    (write_median, lambda case: case["latency_s"]["median"]),
    (write_p95, lambda case: case["latency_s"]["p95"]),
    (write_accuracy, _find_accuracy),
    (write_loss, _find_loss),
    (write_size, lambda case: case["model_bytes"]),
    (
        lambda case: write_figure(case["peak_memory_bytes"], 1e-6),
        lambda case: case["peak_memory_bytes"],
    ),
    (write_sent, _find_sent),
    (write_cold, _find_cold),
)
"""Of each column of figures: how it is written, and by what it is sorted."""
