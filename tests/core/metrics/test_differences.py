"""The largest difference of two arrays, and how much of one is allowed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.metrics.differences import find_excess


@pytest.mark.parametrize(
    ("wanted", "got", "said"),
    [
        ([0.0, 0.5], [0.0, 0.509], None),
        ([0.0, 0.5], [0.0, 0.52], "by 0.02; 0.01 is allowed"),
        ([0.0, 100.0], [0.9, 100.0], None),
        ([0.0, 100.0], [1.1, 100.0], "by 1.1; 1 is allowed"),
        ([0.0, -100.0], [0.9, -100.0], None),
        ([], [], None),
        ([0.0], [np.nan], "by nan; 0.01 is allowed"),
        ([np.nan], [0.0], "by nan; 0.01 is allowed"),
        ([0.0], [np.inf], "by inf; 0.01 is allowed"),
        ([[0.0, 0.0]], [0.0, 0.0], r"in its shape, (2,) for (1, 2)"),
    ],
)
def test_what_is_more_than_allowed_is_said_with_its_numbers(wanted, got, said):
    found = find_excess(np.array(wanted), np.array(got), 0.01)
    assert found == (said and f"differs {said}")


def test_narrow_numbers_do_not_overflow():
    wanted, got = np.array([200], dtype=np.uint8), np.array([201], dtype=np.uint8)
    assert find_excess(wanted, got, 0.0) == "differs by 1; 0 is allowed"
    assert find_excess(wanted, got, 0.01) is None


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.floats(1e-6, 1.0),
    st.floats(0, 0.9) | st.floats(1.1, 3),
)
def test_the_bound_is_relative_to_the_largest_beyond_one(wanted, tolerance, part):
    wanted = np.array(wanted)
    got = wanted.copy()
    got[-1] += part * tolerance * max(1.0, np.abs(wanted).max())
    assert (find_excess(wanted, got, tolerance) is None) == (part < 1)
