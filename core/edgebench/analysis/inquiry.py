"""What the studies asked and concluded, held against one run: the document that reporters get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.bandwidths import Grid, find_grids
from edgebench.analysis.conclusions import Conclusion, Held, hold_all
from edgebench.analysis.group_tests import Versus, is_normal
from edgebench.analysis.questions import Question, ask_all, count_points, describe_test, name_in
from edgebench.analysis.verdicts import Verdicts

if TYPE_CHECKING:
    from edgebench.analysis.result import Result


@attrs.frozen(kw_only=True)
class Questions:
    """The questions that a run answers, its grids of links, and conclusions held against it."""

    asked: tuple[Question, ...]
    grids: tuple[Grid, ...]
    held: tuple[Held, ...]
    normal: tuple[int, int]
    """Of how many cases the requests may be normally distributed, and of how many that is known."""

    @classmethod
    def of(
        cls,
        results: Sequence[Result],
        within: float,
        conclusions: Sequence[Conclusion],
        most: int | None = None,
    ) -> Questions:
        """Ask everything of the results of one run.

        Args:
            results: All of its results.
            within: The practical margin: a lesser difference counts as none.
            conclusions: Those that are held against it.
            most: How many blocks a case might have had, where they were added.
        """
        measured = [one for one in results if one.latency]
        verdicts = Verdicts.of(measured, within, most)
        normal = [found for one in measured if (found := is_normal(one)) is not None]
        return cls(
            asked=ask_all(measured, verdicts),
            grids=find_grids(measured, verdicts),
            held=hold_all(conclusions, measured, verdicts),
            normal=(sum(normal), len(normal)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the document: seconds, shares and p values."""
        return {
            "normal": {"cases": self.normal[0], "of": self.normal[1]},
            "asked": [_describe_question(one) for one in self.asked],
            "grids": [_describe_grid(one) for one in self.grids],
            "conclusions": [_describe_held(one) for one in self.held],
        }


def _describe_question(question: Question) -> dict[str, Any]:
    test = question.test
    return {
        "kind": question.kind,
        "subject": question.subject,
        "title": question.title,
        "mode": test.mode,
        "why_not": test.why_not,
        "test": test.name,
        "post_hoc": test.post_hoc,
        "correction": test.correction,
        "statistic": test.whole.statistic if test.whole else None,
        "p": test.whole.p if test.whole else None,
        "replicates": list(test.replicates),
        "dropped": [one.case.id for one in test.dropped],
        "strategies": [_describe_strategy(one, question) for one in test.results],
        "pairs": [_describe_pair(one) for one in test.pairs],
        "tested": describe_test(test),
        "sentence": question.sentence,
    }


def _describe_strategy(result: Result, question: Question) -> dict[str, Any]:
    best, test = question.test.results[0], question.test
    figure = result.figure
    stand = test.find(result, best) if result is not best else None
    return {
        "case": result.case.id,
        "name": name_in(question.kind, result),
        "median_s": result.median,
        "ratio": stand.ratio if stand else (result.median or 0.0) / (best.median or 1.0),
        "against_best": _describe_pair(stand) if stand else None,
        "accuracy_change": count_points(figure.loss)
        if figure and figure.loss is not None
        else None,
        "no_accuracy": "" if figure else result.facts.no_accuracy or "not scored",
    }


def _describe_pair(pair: Versus) -> dict[str, Any]:
    tested = pair.tested
    return {
        "first": pair.first.case.id,
        "second": pair.second.case.id,
        "verdict": pair.verdict,
        "ratio": pair.ratio,
        "ratio_ci95": list(pair.ratio_ci95) if pair.ratio_ci95 else None,
        "p": tested.p if tested else None,
        "adjusted": tested.adjusted if tested else None,
        "wilcoxon": pair.wilcoxon,
        "least_difference": pair.least,
        "delta": tested.delta if tested else None,
        "magnitude": tested.magnitude if tested else None,
    }


def _describe_grid(grid: Grid) -> dict[str, Any]:
    return {
        "subject": grid.subject,
        "settings": [
            {
                "links": one.links,
                "best": one.best.case.id,
                "median_s": one.best.median,
                "beside": [each.case.id for each in one.beside],
            }
            for one in grid.settings
        ],
        "sentence": grid.sentence,
    }


def _describe_held(held: Held) -> dict[str, Any]:
    conclusion = held.conclusion
    return {
        "name": conclusion.name,
        "study": conclusion.study,
        "source": conclusion.source,
        "words": conclusion.words,
        "relation": conclusion.relation,
        "verdict": held.verdict,
        "summary": held.summary,
        "findings": [attrs.asdict(one) for one in held.findings],
    }
