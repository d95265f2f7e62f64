"""The answers of models whose outputs are whatever a file says: how they are judged and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError
from edgebench.metrics.segmentation import mean_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Metric, Tensors
    from edgebench_kit.onnx.batch_axes import OutputAxis


def of_first(metric: Metric) -> Metric:
    """Return a metric that holds the first of several outputs against the answer."""

    def count(prediction: Any, answer: Any) -> Sequence[float]:
        first = prediction[0] if isinstance(prediction, tuple) else prediction
        return metric.count(first, answer)

    return attrs.evolve(metric, count=count)


def of_masks(
    name: str, output: OutputAxis, axis: int | None, size: tuple[int, int] | None
) -> tuple[Metric, int]:
    """Return mIoU of an output that is scores of classes for each pixel, and how many classes.

    *axis* is that of the classes in a sample's scores, None where nobody said: the first. *size* is
    the height and width of the pictures that the model takes, None where that is not known.

    Raises:
        DataError: It has not three dimensions a sample, or no number of classes, or its shape says
            that they come last where nobody said so.
    """
    shape = [size for place, size in enumerate(output.shape) if place != output.axis]
    place = axis or 0
    if len(shape) != 3 or place < 0 or not (classes := shape[place]):
        written = ", ".join("?" if size is None else str(size) for size in shape)
        raise DataError(
            f"metric=miou takes scores of shape (classes, height, width), and {name!r} has the "
            f"shape ({written}); classes-axis says where else the classes are"
        )
    last = max(place for place in range(len(output.shape)) if place != output.axis)
    metric = mean_iou(classes)

    def refuse_last(scores: Sequence[int], what: str, seen: Sequence[int]) -> None:
        if axis is None and _ends_in_classes(scores, seen):
            raise DataError(
                f"miou: scores of shape {tuple(scores)} and {what} of shape {tuple(seen)} fit if "
                f"the classes come last; say classes-axis={last}, or 1 if they do not"
            )

    known = [one for one in shape if one]
    if size is not None and len(known) == len(shape):
        refuse_last(known, "pictures", size)

    def count(scores: Any, answer: Any) -> Sequence[float]:
        refuse_last(scores.shape, "a mask", answer.shape)
        return metric.count(scores.argmax(axis=place), answer)

    return attrs.evolve(metric, count=count), classes


def _ends_in_classes(scores: Sequence[int], mask: Sequence[int]) -> bool:
    """Say whether scores are as wide for their height as a mask only if their classes are last.

    Likewise for the pictures that masks are of.
    """
    (first, second, third), (height, width) = scores, mask
    return first * width == second * height and second * width != third * height


def postprocess(outputs: Tensors, variant: str) -> Any:
    """Return a sample's output without the batch; a tuple of them where there are several."""
    found = tuple(array[0] for array in outputs.values())
    return found if len(found) > 1 else found[0]


def encode(prediction: Any) -> bytes:
    """Write all outputs of a sample, one after another, each in numpy's `.npy` form."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    for array in prediction if isinstance(prediction, tuple) else (prediction,):
        np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def encode_class(prediction: Any) -> bytes:
    """Write the winning class and its score, of the first output, or the class that it names.

    All outputs where the first is neither scores of classes nor one class.
    """
    import json

    import numpy as np

    scores = np.asarray(prediction[0] if isinstance(prediction, tuple) else prediction)
    if scores.size == 1 and scores.dtype.kind in "biu":
        return json.dumps({"class": int(scores.item())}).encode()
    if scores.ndim != 1 or scores.size < 2:
        return encode(prediction)
    best = int(scores.argmax())
    return json.dumps({"class": best, "score": round(float(scores[best]), 6)}).encode()
