"""What classifiers have in common, whatever they read: their scores and their loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgebench import Tensors

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def compute_class_scores(outputs: Tensors, variant: str) -> NDArray[Any]:
    """Turn the `logits` of one sample into scores of shape (classes,) that add up to one."""
    import numpy as np

    logits = outputs["logits"][0].astype(np.float64)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def cross_entropy(outputs: Mapping[str, torch.Tensor], answers: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy of `logits` (batch, classes) for class numbers (batch,)."""
    from torch.nn import functional

    return functional.cross_entropy(outputs["logits"], answers)
