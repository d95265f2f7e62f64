"""What speaks against a score by itself, each in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgebench.analysis.agreement import count_not_finite
from edgebench.measure.stand.deployment import Deployment
from edgebench.parts.grouping import group_by
from edgebench.records.outcome import Score
from edgebench.store.splits import open_split

NAMED = 3
"""As many nodes of a stage are named that do not run where they were asked to."""


def doubt_score(score: Score, deployment: Deployment, *, accurate: bool) -> Iterator[str]:
    """Yield all of it; whether it is *accurate* says whether accuracy was scored."""
    found = (doubt_values(score), doubt_predictions(score))
    yield from filter(None, (doubt_share(score, deployment.split) if accurate else "", *found))
    yield from doubt_sessions(score, len(deployment.pipeline.stages))


def doubt_values(score: Score) -> str:
    """Say how many of the values that were kept of the outputs are no numbers."""
    lost, of = count_not_finite(score.outputs)
    return f"{lost} of {of} values of its outputs are NaN or infinite" if lost else ""


def doubt_predictions(score: Score) -> str:
    """Say how many of the predictions that were scored hold what is no number."""
    lost, of = score.not_finite, score.samples
    return f"{lost} of {of} predictions that were scored hold NaN or infinite values" * bool(lost)


def doubt_share(score: Score, split: Path) -> str:
    """Say of how few samples of a split an accuracy is."""
    whole = len(open_split(split))
    if score.samples == whole:
        return ""
    return f"accuracy is that of {score.samples} of {whole} samples (--score-limit)"


def doubt_sessions(score: Score, stages: int) -> Iterator[str]:
    """Yield what its sessions doubt, and which nodes do not run where they were asked to.

    Each says of which of so many *stages* it is, unless it is of all.
    """
    said = [*score.doubts, *_doubt_assignments(score)]
    for text, found in group_by(said, lambda one: one[1]).items():
        numbers = sorted({number for number, _ in found})
        named = ", ".join(str(number) for number in numbers)
        yield text if len(numbers) == stages else f"stage{'s' * (len(numbers) > 1)} {named}: {text}"


def _doubt_assignments(score: Score) -> Iterator[tuple[int, str]]:
    for number, assignment in score.assignments.items():
        asked, *others = assignment
        whole = sum(map(len, assignment.values()))
        for other in others:
            if nodes := assignment[other]:
                share = f"{len(nodes)} of {whole} node{'s' * (whole != 1)}"
                more = f" and {left} more" if (left := len(nodes) - NAMED) > 0 else ""
                names = ", ".join(nodes[:NAMED]) + more
                run = "runs" if len(nodes) == 1 else "run"
                yield int(number), f"{share} {run} on {other}, not on {asked}: {names}"
