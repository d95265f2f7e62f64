"""What speaks against a score by itself, each in one sentence; empty where nothing does."""

from __future__ import annotations

from pathlib import Path

from edgebench.analysis.agreement import count_not_finite
from edgebench.records.outcome import Score
from edgebench.store.splits import open_split


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
