"""Figures of merit as counts that add up, shared by the datasets.

No plugin itself. A sample gives a short vector of counts and a figure is a function of their sum,
so counts may be added in any order and grouping, and resampled for a bootstrap interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench import DataError, Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accuracy", "f1", "mean_iou", "top"]


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

    return Metric(name=f"top{best}", count=count, value=_share)


def accuracy() -> Metric:
    """Give the share of samples whose class is the answer.

    Predictions are scores of shape (classes,), two or more, of which the first of the largest wins,
    or class numbers of an integer or boolean type; answers are class numbers. One score alone is
    refused: which of its values mean which class cannot be told.
    """

    def count(prediction: Any, answer: Any) -> tuple[float, float]:
        return float(_class_of(prediction) == int(answer)), 1.0

    return Metric(name="accuracy", count=count, value=_share)


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

    return Metric(name="f1", count=count, value=value)


def mean_iou(classes: int, ignore: int = 255) -> Metric:
    """Give intersection over union (Jaccard index), meaned over classes, named `miou`.

    Predictions and answers are integer masks of shape (height, width); a prediction of another
    size is resampled to the answer's by nearest neighbour. Pixels whose answer is *ignore* do not
    count. The counts are each class's intersection, then each class's union, in pixels, added over
    the whole set before dividing; classes that are in neither mask anywhere are left out.
    """

    def count(prediction: Any, answer: Any) -> tuple[float, ...]:
        import numpy as np

        true = _mask(answer)
        said = _resampled(_mask(prediction), true.shape)
        counted = true != ignore
        table = _confusion(true[counted], said[counted], classes)
        both = table.diagonal()
        either = table.sum(axis=1) + table[:, :classes].sum(axis=0) - both
        return tuple(np.concatenate([both, either]).astype(float).tolist())

    def value(sums: NDArray[Any]) -> float:
        both, either = sums[:classes], sums[classes:]
        there = either > 0
        return float((both[there] / either[there]).mean()) if there.any() else 0.0

    return Metric(name="miou", count=count, value=value)


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


def _mask(given: Any) -> NDArray[Any]:
    import numpy as np

    mask = np.asarray(given)
    if mask.ndim != 2 or not mask.size or not np.issubdtype(mask.dtype, np.integer):
        raise DataError(
            f"miou takes integer masks of shape (height, width), not {mask.dtype} of shape "
            f"{mask.shape}"
        )
    return mask


def _resampled(mask: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Take for each pixel the one whose area its centre falls into."""
    import numpy as np

    if mask.shape == shape:
        return mask
    places = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(shape, mask.shape, strict=True)
    )
    return mask[np.ix_(*places)]


def _confusion(true: NDArray[Any], said: NDArray[Any], classes: int) -> NDArray[Any]:
    """Return how many pixels of each class were said to be of which: shape (classes, classes + 1).

    The last column is of labels that are no class.
    """
    import numpy as np

    strangers = true[(true < 0) | (true >= classes)]
    if strangers.size:
        raise DataError(
            f"miou counts the classes 0 to {classes - 1}, and an answer has the label "
            f"{strangers[0]}"
        )
    known = np.where((said >= 0) & (said < classes), said, classes)
    pairs = true.astype(np.int64) * (classes + 1) + known
    return np.bincount(pairs, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
