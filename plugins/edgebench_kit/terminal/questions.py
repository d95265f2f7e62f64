"""What the studies asked and concluded, laid out for a terminal: 60 columns do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from edgebench_kit.reports.figures import write_figure

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

Entry = Mapping[str, Any]
KINDS = {
    "tier": "Which tier",
    "operator": "Which operator",
    "tiers": "One tier or several",
    "hybrid": "Hybrids and their parts",
}
"""What each kind of question is called, in the order in which they are answered."""
DETAIL = 3
"""As many findings of a conclusion are printed unless all are wanted."""


def lay_out_questions(questions: Entry, *, in_full: bool = False) -> Iterator[RenderableType]:
    """Yield what each model answers, the grids of links, then what is said of each conclusion."""
    for subject, asked in groupby(questions["asked"], lambda one: one["subject"]):
        yield _head(f"\n{subject}")
        yield from _lay_out_kinds(list(asked))
    if not questions["asked"]:
        yield _text(
            "\nnothing can be asked of this run: a question is of two strategies of a model"
        )
    yield from _lay_out_grids(questions["grids"])
    yield _text(f"\n{_explain(questions)}", style="dim")
    yield from _lay_out_conclusions(questions["conclusions"], in_full=in_full)


def _lay_out_kinds(asked: Sequence[Entry]) -> Iterator[RenderableType]:
    for kind, name in KINDS.items():
        found = [one for one in asked if one["kind"] == kind]
        if found:
            yield _head(f"\n{name}")
        for one in found:
            yield _text(f"\n{one['title']}", style="bold")
            yield _lay_out_strategies(one)
            yield _text(one["tested"], style="dim")
            yield _text(one["sentence"])


def _lay_out_strategies(question: Entry) -> Table:
    """Lay out strategies, the lowest median first, and how each stands to that."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    heads = ("strategy", "median ms", "times", "adjusted p", "delta", "points")
    for head in heads:
        left = head == "strategy"
        table.add_column(
            head,
            justify="left" if left else "right",
            overflow="fold",
            no_wrap=not left,
        )
    for one in question["strategies"]:
        table.add_row(*map(_text, _write_cells(one)))
    return table


def _write_cells(strategy: Entry) -> Iterator[str]:
    stand = strategy["against_best"]
    yield strategy["name"]
    yield f"{_write_ms(strategy['median_s'])}"
    yield write_figure(strategy["ratio"], 1)
    yield _write_p(stand["adjusted"]) if stand and stand["adjusted"] is not None else "-"
    yield _write_effect(stand) if stand else "-"
    change = strategy["accuracy_change"]
    yield "n/a" if change is None else f"{change:+.2f}"


def _write_effect(stand: Entry) -> str:
    """Write Cliff's delta, and how large that is, or how else the two stand."""
    if stand["delta"] is None:
        return "dropped" if stand["verdict"] == "slower" else "?"
    mark = {"equal": "=", "undecided": "?"}.get(stand["verdict"], stand["magnitude"])
    return f"{round(stand['delta'], 2) + 0.0:+.2f} {mark}"


def _write_ms(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.1 else f"{1e3 * seconds:.3g}"


def _write_p(p: float) -> str:
    return "<0.001" if p < 1e-3 else f"{p:.3f}"


def _lay_out_grids(grids: Sequence[Entry]) -> Iterator[RenderableType]:
    if grids:
        yield _head("\nUnder which links is which placement the best?")
    alike: dict[str, list[str]] = {}
    for one in grids:
        alike.setdefault(one["sentence"], []).append(one["subject"])
    for sentence, subjects in alike.items():
        yield _text(f"{', '.join(subjects)}: {sentence}")


def _explain(questions: Entry) -> str:
    """Say what the columns are, and what was tested how."""
    modes = {one["mode"] for one in questions["asked"]}
    normal = questions["normal"]
    first = (
        "The first has the lowest median; times, adjusted p and Cliff's delta are of each against "
        "it (= no difference that matters, ? not told apart); points: the change of "
        "accuracy against the untransformed model"
    )
    strategies = [each for one in questions["asked"] for each in one["strategies"]]
    reasons = dict.fromkeys(each["no_accuracy"] for each in strategies if each["no_accuracy"])
    said = [f"{first}{''.join(f'; n/a: {reason}' for reason in reasons)}."]
    if "study" in modes:
        said.append(
            "Study mode: imported, one block each, so requests are tested as the studies did, "
            "which says nothing of another day or process; two are equal where delta is "
            "negligible."
        )
    if "study" in modes and normal["of"]:
        said.append(
            f"Of {normal['of']} cases the requests of {normal['cases']} may be normally "
            "distributed (Shapiro-Wilk, 5 %), so ranks are compared."
        )
    if "rounds" in modes:
        said.append(
            "A round is the replicate; how two stand follows from their ratio within rounds, for "
            "all pairs of the question (the answer of a report holds for all pairs of the model, "
            "and so tells fewer apart); the tests say whether anything differs at all."
        )
    return " ".join(said)


def _lay_out_conclusions(conclusions: Sequence[Entry], *, in_full: bool) -> Iterator[Text]:
    for study, found in groupby(
        sorted(conclusions, key=lambda one: one["study"]), lambda one: one["study"]
    ):
        yield _head(f"\nWhat the {study} study concluded")
        for one in found:
            yield _text(f"\n{one['words']} ({one['source']})")
            yield _text(f"  {one['summary']}", style="bold")
            told = _gather(one)
            for line in told if in_full else told[:DETAIL]:
                yield _text(f"  {line}")
            if more := len(told[DETAIL:]) * (not in_full):
                yield _text(f"  and {more} more, with --verbose")


def _gather(conclusion: Entry) -> list[str]:
    """Return the findings in a line for each ground, those first that decide the verdict."""
    grounds: dict[tuple[str, str], list[str]] = {}
    # What disagrees is what a reader looks for.
    for one in sorted(
        conclusion["findings"], key=lambda each: each["verdict"] != conclusion["verdict"]
    ):
        grounds.setdefault((one["verdict"], one["words"]), []).append(one["subject"])
    return [
        f"{', '.join(subjects)}: {verdict}: {words}"
        for (verdict, words), subjects in grounds.items()
    ]


def _head(text: str) -> Text:
    return _text(text, style="bold underline")


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)
