"""The results of a run, as reporters receive them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.causes import group_doubts
from edgebench.analysis.decisions import decide_all, find_margin
from edgebench.analysis.inquiry import Questions
from edgebench.analysis.operators import describe_operators
from edgebench.analysis.result import Result
from edgebench.analysis.surprises import find_surprises
from edgebench.parts.documents import to_document
from edgebench.records.outcome import Run, RunOutcome, find_only

if TYPE_CHECKING:
    from edgebench.analysis.answer import Decision
    from edgebench.analysis.causes import Cause
    from edgebench.analysis.conclusions import Conclusion
    from edgebench.analysis.rounds import Ratio
    from edgebench.analysis.surprises import Surprise

STANDINGS = ("equal", "undecided", "slower", "open", "open_faster", "lost", "refuted")
"""How a strategy may stand that is not the fastest: the fields of a decision, and their keys."""


@attrs.frozen(kw_only=True)
class RunResults:
    """A run with the results of all its cases, in the order they were planned."""

    run: Run
    results: tuple[Result, ...]
    path: Path
    """The database they came from."""
    in_full: bool = False
    """Whether whoever reads them wants every detail, as with `--verbose`."""
    by_operator: bool = False
    """Whether whoever reads them asks what each operator did, as with `--operators`."""
    conclusions: tuple[Conclusion, ...] | None = None
    """What studies concluded, for whoever asks what they asked, as with `--questions`; else None.
    """

    @classmethod
    def of(cls, kept: RunOutcome) -> RunResults:
        """Return the results of what a database holds of a run."""
        results = tuple(Result.of(one, kept.run.quick) for one in kept.cases)
        return cls(run=kept.run, results=results, path=kept.path)

    @cached_property
    def margin(self) -> float:
        """The practical margin: latencies that differ by a lesser share are equal."""
        blocks = max((len(result.measured) for result in self.results), default=0)
        return find_margin(self.run, blocks)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        """Which strategy of each model is shown to be the fastest that keeps its accuracy."""
        return decide_all(self.run, self.results)

    @cached_property
    def doubts_by_cause(self) -> tuple[Cause, ...]:
        """All reasons to doubt its results by what they are about, the worst cause first."""
        return group_doubts({one.case.id: one.reasons for one in self.results})

    @cached_property
    def surprises(self) -> tuple[Surprise, ...]:
        """What is not as expected of its results, each with why that may be."""
        return find_surprises(self.run, self.results)

    @cached_property
    def questions(self) -> Questions | None:
        """What the studies asked and what the data answers; None where nobody asks."""
        if self.conclusions is None:
            return None
        return Questions.of(self.results, self.margin, self.conclusions, self.run.max_blocks)

    @property
    def _accuracy_margin(self) -> float | None:
        """The points of accuracy whose loss counts as none; None where no case has any."""
        figures = (result.figure for result in self.results)
        return next((100 * one.margin for one in figures if one is not None), None)

    def find(self, case: str) -> Result:
        """Return the result of a case by its id, or the only beginning of one.

        Raises:
            UnknownName: No case, or more than one, has an id that begins so.
        """
        by_id = {result.case.id: result for result in self.results}
        return by_id[find_only(case, by_id, self.run.id)]

    def to_json(self) -> dict[str, Any]:
        """Return the whole document that `run --json` and `report --json` print."""
        run = self.run
        return {
            "schema": 6,
            "run": run.id,
            "db": str(self.path),
            "started": run.started,
            "finished": run.finished,
            "suite": run.suite,
            "seed": run.seed,
            "tag": run.tag,
            "source": run.source,
            "aa": _describe_aa(run),
            "quick": _describe_quick(run),
            "max_blocks": run.max_blocks,
            "arguments": list(run.arguments),
            "registry_digest": run.registry_digest,
            "plan_digest": run.plan_digest,
            "environment": to_document(run.environment),
            "overheads_s": dict(run.overheads_s),
            "margin": self.margin,
            "accuracy_margin": self._accuracy_margin,
            "cases": [result.to_json() for result in self.results],
            "doubts_by_cause": [
                {**attrs.asdict(one), "cases": list(one.cases)} for one in self.doubts_by_cause
            ],
            "decisions": [_decision(one) for one in self.decisions],
            "operators": list(describe_operators(self.results)),
            "surprises": [
                {**attrs.asdict(one), "reasons": list(one.reasons)} for one in self.surprises
            ],
            "questions": self.questions.to_json() if self.questions else None,
        }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "title": decision.title,
        "cases": list(decision.cases),
        "fastest": decision.fastest.case.id if decision.fastest else None,
        **{name: [one.case.id for one in getattr(decision, name)] for name in STANDINGS},
        "blocks_needed": decision.blocks_needed,
        "differs_p": decision.differs_p,
        "least_difference": decision.least_difference,
        "untransformed": decision.untransformed.case.id if decision.untransformed else None,
        "gain": _describe_ratio(decision.gain) if decision.gain else None,
        "accuracy_known": decision.accuracy_known,
        "sentence": decision.sentence,
    }


def _describe_quick(run: Run) -> dict[str, Any] | None:
    known = attrs.filters.exclude("unlike", "like")
    return attrs.asdict(run.quick, filter=known) if run.quick else None


def _describe_aa(run: Run) -> dict[str, Any] | None:
    if run.aa_difference is None:
        return None
    names = ("difference", "blocks", "within", "between")
    return {name: getattr(run, f"aa_{name}") for name in names}


def _describe_ratio(ratio: Ratio) -> dict[str, Any]:
    return {"ratio": ratio.middle, "ci95": [ratio.low, ratio.high], "rounds": ratio.rounds}
