"""Figures of merit of models that choose one class for a whole sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.parts.datasets import Metric
from edgebench.parts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def top(best: int) -> Metric:
    """Give the share of samples whose class is among the *best* that scored best, as `top5`.

    Predictions are scores of shape (classes,), answers class numbers. Of classes that scored the
    same the first is before the others, as in an argmax, so that a model whose scores are all the
    same is not always right; a score that is not a number is before all others.
    """

    def count(scores: Any, answer: Any) -> tuple[float, float]:
        import numpy as np

        values = np.asarray(scores)
        if values.ndim != 1 or not 0 <= int(answer) < len(values):
            raise DataError(
                f"top{best} needs a score for each class: the answer is class {int(answer)} and "
                f"the scores are of shape {values.shape}"
            )
        own = values[int(answer)]
        # Scores that are no numbers are not counted as right because nothing is above them.
        ahead = np.count_nonzero(~(values <= own)) + np.count_nonzero(values[: int(answer)] == own)
        return float(ahead < best), 1.0

    return Metric(name=f"top{best}", count=count, value=_share, proportion=True)


def accuracy() -> Metric:
    """Give the share of samples whose class is the answer.

    Predictions are scores of shape (classes,), two or more, of which the first of the largest wins,
    or class numbers of an integer or boolean type; answers are class numbers. One score alone is
    refused: which of its values mean which class cannot be told.
    """

    def count(prediction: Any, answer: Any) -> tuple[float, float]:
        return float(_class_of(prediction) == int(answer)), 1.0

    return Metric(name="accuracy", count=count, value=_share, proportion=True)


def f1(positive: int = 1) -> Metric:
    """Give F1 of the class *positive*: 2 TP / (2 TP + FP + FN), and 0 where that is undefined.

    Predictions and answers are those of `accuracy`; every other class is the negative one. The
    counts are true positives, false positives and false negatives (van Rijsbergen 1979).
    """

    def count(prediction: Any, answer: Any) -> tuple[float, float, float]:
        said, true = _class_of(prediction) == positive, int(answer) == positive
        return float(said and true), float(said and not true), float(true and not said)

    def value(sums: NDArray[Any]) -> float:
        right, false, missed = (float(one) for one in sums)
        of = 2 * right + false + missed
        return 2 * right / of if of else 0.0

    def wrong(counts: Sequence[float]) -> tuple[float, float, float]:
        # What was positive is missed; what was negative is said to be positive.
        right, _, missed = counts
        return 0.0, float(not right and not missed), max(right, missed)

    return Metric(name="f1", count=count, value=value, wrong=wrong)


def _share(sums: NDArray[Any]) -> float:
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def _class_of(prediction: Any) -> int:
    """Return the class that scored best, -1 if a score is not a number, or the class given."""
    import numpy as np

    values = np.asarray(prediction)
    if values.size == 1 and values.dtype.kind in "biu":
        return int(values.item())
    if values.ndim != 1 or values.size < 2:
        raise DataError(
            "a prediction must be a class number of an integer type or two or more scores of shape "
            f"(classes,), not {values.dtype} of shape {values.shape}"
        )
    best = int(values.argmax())
    return best if values[best] == values[best] else -1
