from __future__ import annotations

import pytest

from edgebench.metrics.classes import choose_classes_axis, guess_classes_axis


@pytest.mark.parametrize(
    ("dimensions", "axis"), [(0, None), (1, None), (2, 1), (3, 2), (4, 1), (5, 1)]
)
def test_classes_are_usually_along(dimensions, axis):
    assert guess_classes_axis(dimensions) == axis


@pytest.mark.parametrize(("stated", "axis"), [(None, 1), (0, None), (3, 3)])
def test_what_is_stated_goes_before_what_is_usual(stated, axis):
    assert choose_classes_axis(stated, 4) == axis
