"""How sure scores are of their largest."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgebench_kit.torch.exit_heads import MOST_PLACES, measure_confidence


def softmax(scores: np.ndarray, axis: int) -> np.ndarray:
    """Return probabilities, in double precision and by another way than what is tested."""
    powers = np.exp(scores.astype(np.float64))
    return powers / powers.sum(axis, keepdims=True)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**31))
def test_of_classes_it_is_the_largest_probability(batch: int, classes: int, seed: int) -> None:
    scores = draw(batch, classes, seed=seed)
    found = measure_confidence(torch.from_numpy(scores), 1).numpy()
    np.testing.assert_allclose(found, softmax(scores, 1).max(1), rtol=1e-5)


def test_scores_whose_powers_overflow_are_as_sure_as_others() -> None:
    scores = torch.tensor([[1000.0, 999.0], [-1000.0, -1001.0]])
    found = measure_confidence(scores, 1).numpy()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-1)), rtol=1e-6)


def test_of_a_small_picture_it_is_the_mean_over_all_pixels() -> None:
    scores = draw(2, 5, 40, 64)
    found = measure_confidence(torch.from_numpy(scores), 1).numpy()
    np.testing.assert_allclose(found, softmax(scores, 1).max(1).mean((1, 2)), rtol=1e-5)


def test_of_a_large_picture_it_is_the_mean_over_a_grid() -> None:
    scores = draw(2, 5, 120, 160)
    found = measure_confidence(torch.from_numpy(scores), 1).numpy()
    # Every second pixel each way would be 4,800 places.
    each = softmax(scores[:, :, ::3, ::3], 1).max(1)
    assert each[0].size <= MOST_PLACES
    np.testing.assert_allclose(found, each.mean((1, 2)), rtol=1e-5)


def test_classes_may_come_last() -> None:
    scores = draw(3, 5000, 4)
    found = measure_confidence(torch.from_numpy(scores), -1).numpy()
    np.testing.assert_allclose(found, softmax(scores[:, ::2], 2).max(2).mean(1), rtol=1e-5)
