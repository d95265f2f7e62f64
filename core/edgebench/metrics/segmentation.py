"""Figures of merit of models that give each pixel a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.parts.datasets import Metric
from edgebench.parts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


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

    def wrong(counts: Sequence[float]) -> tuple[float, ...]:
        # No pixel is right, as if all of them were said to be of no class.
        return (*[0.0] * classes, *counts[classes:])

    return Metric(name="miou", count=count, value=value, wrong=wrong)


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
