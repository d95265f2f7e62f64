"""Results as tables for a terminal: 80 columns do, and more are used."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Reporter, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

    from edgebench import RunResults

Case = dict[str, Any]
TOO_SHORT = "its messages are too short to tell the rate"
WIDE = 116
"""Columns from which phases and loss have columns of their own."""
GROUPS = ("compute", "network", "emulated")
SHORT = ("compute", "net", "wait*")
"""What they are called where there is no room: the wait is the emulated tier's."""


@attrs.frozen
class Report:
    """A run, laid out when the width is known.

    *document* is what `run --json` prints, with the `subject` of each case.
    """

    document: Mapping[str, Any]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the title, then for each model a table and the decision, then the small print."""
        from rich.text import Text

        cases = {case["id"]: case for case in self.document["cases"]}
        decisions = self.document["decisions"]
        yield Text(_title(self.document), style="bold")
        for decision in decisions:
            yield Text(f"\n{decision['title']}", style="bold")
            compared = [cases[one] for one in decision["cases"]]
            yield _table(compared, decision, wide=options.max_width >= WIDE)
        yield from _section("Not measured, or not to the end", _grouped(self.document["cases"]))
        yield from _section("Reasons to doubt", _doubts(self.document["cases"]))
        agreed = _agreements(self.document["cases"])
        yield from _section("Agreement with another runtime", agreed)
        yield from _section("Fastest", (one["sentence"] for one in decisions))
        if decisions:
            yield Text(_explain(self.document["accuracy_margin"]), style="dim")
        yield from _section("Weights and inputs", _subjects(self.document["cases"]))
        yield from _section("How tiers and links were made", _made(self.document["cases"]))


def _explain(margin: float | None) -> str:
    """Say what the table shows, and which loss of accuracy counts as none."""
    keeps = (
        f"A strategy is shown to keep its accuracy if the whole 95 % interval of its loss against "
        f"the untransformed pipeline lies under {margin:g} point{'s' * (margin != 1)}; if it lies "
        "over that, accuracy is lost; else that is open. "
        if margin
        else ""
    )
    return (
        "Below a figure is its 95 % interval; below a strategy, the time of a request in which it "
        f"computes, travels, and waits because its tier is emulated (*). {keeps}> marks the "
        "fastest of those that keep their accuracy, = its equals, ? those not told apart."
    )


def _title(document: Mapping[str, Any]) -> str:
    what = document["suite"] or "cases of the command line"
    where = document["environment"].get("processor") or "a processor not readable here"
    return f"{what}, run {document['run']}, {len(document['cases'])} cases, on {where}"


def _section(title: str, lines: Iterable[str]) -> Iterator[Text]:
    from rich.text import Text

    for number, line in enumerate(lines):
        if number == 0:
            yield Text(f"\n{title}", style="bold")
        yield Text(line)


def _table(cases: list[Case], decision: Mapping[str, Any], *, wide: bool) -> Table:
    """Lay out the strategies of one model, the fastest first; a second line holds intervals."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    metric = next(iter(cases[0]["accuracy"]), "accuracy")
    for name in ("chain", "placement", "backend"):
        table.add_column(name if wide else f"{name}\n", overflow="fold")
    right = ["median ms\n(95 %)", "p95 ms\n(95 %)", f"{metric} %\n(95 %)"]
    right += ["loss points\n(95 %)", "MB", *(f"{one} ms" for one in GROUPS)] if wide else ["MB"]
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    # What computes another model is no strategy for this one, however fast it is.
    for case in sorted(cases, key=lambda one: (one["refuted"], one["latency_s"]["median"])):
        style = "bold" if case["id"] == decision.get("fastest") else ""
        lost = case["id"] in decision.get("lost", ()) or case["refuted"]
        style = "dim" if lost else style
        table.add_row(*_row(case, _mark(case, decision), wide=wide), style=style)
    return table


def _mark(case: Case, decision: Mapping[str, Any]) -> str:
    if case["id"] == decision.get("fastest"):
        return "> "
    marks = {"= ": "equal", "? ": "undecided"}
    return next((mark for mark, name in marks.items() if case["id"] in decision.get(name, ())), "")


def _row(case: Case, mark: str, *, wide: bool) -> list[Text]:
    from rich.text import Text

    latency, metric = case["latency_s"], next(iter(case["accuracy"]), None)
    emulated = "*" if any(_emulated(tier) for tier in case["tiers"]) else ""
    left = [case["chain"], f"{case['placement']}{emulated}", case["backend"]]
    spent = [_figure(case["groups_s"].get(name), 1e3) for name in GROUPS]
    p95 = latency["p95"], latency["percentiles_ci95"]["p95"]
    right = [
        mark + _with_interval(latency["median"], latency["ci95"], 1e3),
        _with_interval(*p95, 1e3) if p95[1] else latency["unsupported"]["p95"],
        _with_interval(case["accuracy"][metric], case["accuracy_ci95"][metric], 100)
        if metric
        else f"n/a:\n{case['no_accuracy'] or 'not scored'}\n{_agreed(case)}",
    ]
    loss = case["accuracy_loss"].get(metric)
    size = _figure(case["model_bytes"], 1e-6)
    if wide:
        known = loss and loss["ci95"]
        right += [_with_interval(loss["points"], known, 1) if known else "-", size, *spent]
    else:
        left = [
            f"{name}\n{group} {seconds}ms"
            for name, seconds, group in zip(left, spent, SHORT, strict=True)
        ]
        right += [f"{size}\n{_lost(loss)}"]
    return [Text(cell) for cell in (*left, *right)]


def _agreed(case: Case) -> str:
    """Write, where there is no accuracy, how the outputs agree with the untransformed model's."""
    found = case["agreement"]
    if case["refuted"]:
        return "disagrees"
    if found is None:
        return "not checked"
    if found["same_answer"] is not None:
        return f"same {found['same_answer']:.1%}"
    if found["not_finite"] and found["max_abs_difference"] is None:
        return "no numbers"
    return f"within {found['relative_difference'] or 0.0:.1g}"


def _lost(loss: Mapping[str, Any] | None) -> str:
    """Write what was lost of the accuracy, in points."""
    return "" if loss is None else f"{round(-loss['points'], 1) + 0:+.1f}pt"


def _figure(value: float | None, factor: float) -> str:
    """Write a number in four characters where that is possible."""
    if value is None:
        return "-"
    scaled = value * factor
    digits = next((d for bound, d in ((9.995, 2), (99.95, 1)) if abs(scaled) < bound), 0)
    return f"{scaled:.{digits}f}"


def _with_interval(value: float, bounds: list[float], factor: float) -> str:
    return f"{_figure(value, factor)}\n{'..'.join(_figure(end, factor) for end in bounds)}"


def _emulated(tier: Mapping[str, Any]) -> bool:
    return "emulated" in tier["enforced"].get("cpu", "")


def _strategy(case: Case) -> str:
    return f"{case['subject']} {case['chain']} on {case['placement']} with {case['backend']}"


def _grouped(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each status and reason, with a few of the cases that have it."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        if case["status"] != "ok":
            found[case["status"], case["reason"]].append(_strategy(case))
    for (status, reason), names in found.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"{len(names)} {status}: {reason} ({'; '.join(names[:3])}{more})"


def _doubts(cases: Iterable[Case]) -> Iterator[str]:
    found: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        for doubt in case["doubts"]:
            found[doubt].append(_strategy(case))
    for doubt, names in found.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{names[0]}{more}: {doubt}"


def _agreements(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each model and backend where there is no accuracy, or no agreement."""
    yield from dict.fromkeys(
        f"{case['subject']}: {check['words']}"
        for case in cases
        for check in case["runtimes"]
        if not case["accuracy"] or check["verdict"] == "differs"
    )


def _subjects(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each model: where its weights and its inputs came from."""
    yield from dict.fromkeys(
        f"{case['subject']}: {case['weights']} weights, inputs of {case['inputs']}"
        for case in cases
        if case["inputs"]
    )


def _made(cases: Iterable[Case]) -> Iterator[str]:
    """Yield one line for each tier and each link: what it claims, what was measured, by what."""
    tiers: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    links: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for case in cases:
        for tier in case["tiers"]:
            tiers[tier["name"]].append(tier)
        for link in case["links"]:
            key = (link[one] for one in ("source", "target", "rate_bit_s", "delay_s"))
            links[tuple(key)].append(link)
    for name, found in tiers.items():
        how = ", ".join(f"{what} {words}" for what, words in found[0]["enforced"].items())
        star = "*" if _emulated(found[0]) else ""
        speeds = [tier["measured"] for tier in found]
        claimed = f"{found[0]['claimed']:.2f} of this machine's speed claimed"
        # Of a check of an older version neither is known.
        silent = found[0]["stated"] is None and found[0]["processors"] is not None
        yield (
            f"{name}{star}: {'speed not stated' if silent else claimed}, "
            f"{min(speeds):.2f} to {max(speeds):.2f} measured, "
            f"{found[0]['threads']} thread{'s' * (found[0]['threads'] > 1)}; "
            f"{how or 'nothing enforced'}"
        )
    for (source, target, rate, delay), found in links.items():
        rates = [one["goodput_bit_s"] / 1e6 for one in found if one["goodput_bit_s"]]
        seen = f"{min(rates):.4g} to {max(rates):.4g} Mbit/s measured" if rates else TOO_SHORT
        late = f" and a delay of {delay * 1e3:g} ms" if delay else ""
        idle = [one["round_trip_s"] * 1e3 for one in found]
        yield (
            f"{source} to {target}: {rate / 1e6:.4g} Mbit/s{late} claimed, {seen}, "
            f"round trip {min(idle):.3g} to {max(idle):.3g} ms"
        )


def render(results: RunResults) -> Report:
    """Lay out a run for a terminal."""
    document = results.to_json()
    subjects = {result.case.id: result.case.subject for result in results.results}
    cases = [{**case, "subject": subjects[case["id"]]} for case in document["cases"]]
    return Report({**document, "cases": cases})


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the terminal reporter."""
    yield Reporter(name="terminal", summary="Tables for a terminal.", render=render)
