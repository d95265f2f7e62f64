"""The answers of models whose outputs are whatever a file says: how they are judged and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Metric, Tensors


def of_first(metric: Metric) -> Metric:
    """Return a metric that holds the first of several outputs against the answer."""

    def count(prediction: Any, answer: Any) -> Sequence[float]:
        first = prediction[0] if isinstance(prediction, tuple) else prediction
        return metric.count(first, answer)

    return attrs.evolve(metric, count=count)


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
    """Write the winning class and its score, of the first output if that is scores of classes."""
    import json

    import numpy as np

    scores = np.asarray(prediction[0] if isinstance(prediction, tuple) else prediction)
    if scores.ndim != 1 or scores.size < 2:
        return encode(prediction)
    best = int(scores.argmax())
    return json.dumps({"class": best, "score": round(float(scores[best]), 6)}).encode()
