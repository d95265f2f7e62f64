"""How requests and answers travel where a model does not say: as numpy's files, and as JSON."""

from __future__ import annotations

import io
import json
from typing import Any

from edgebench.parts.pipeline import Tensors


def encode_plainly(prediction: Any) -> bytes:
    """Encode scores of shape (classes,) as the winning class and its score, others as `.npy`."""
    import numpy as np

    scores = np.asarray(prediction)
    if scores.ndim != 1 or scores.size < 2:
        buffer = io.BytesIO()
        np.save(buffer, scores, allow_pickle=False)
        return buffer.getvalue()
    best = int(scores.argmax())
    return json.dumps({"class": best, "score": round(float(scores[best]), 6)}).encode()


def read_arrays(payload: bytes, variant: str) -> Any:
    """Read a payload in numpy's `.npy` form (one array) or `.npz` form (arrays by name)."""
    import numpy as np

    loaded = np.load(io.BytesIO(payload), allow_pickle=False)
    return loaded if isinstance(loaded, np.ndarray) else dict(loaded)


def take_arrays(decoded: Any, variant: str) -> Tensors:
    """Make a batch of one of arrays by name, or of one that is called `input`."""
    arrays = decoded if isinstance(decoded, dict) else {"input": decoded}
    return {name: array[None] for name, array in arrays.items()}


def pick_first_output(outputs: Tensors, variant: str) -> Any:
    """Return the first output of a sample, without the batch axis."""
    return next(iter(outputs.values()))[0]
