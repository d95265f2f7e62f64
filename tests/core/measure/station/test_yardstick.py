"""The yardstick counts the operations of its products over the time that they take."""

import numpy as np
import pytest

from edgebench.measure.station import yardstick
from edgebench.measure.station.yardstick import LEAST_ROUNDS, SIDE, name_blas, time_rounds

PRODUCT_S = 1e-3
FIGURE = 2 * SIDE**3 / PRODUCT_S / 1e9


@pytest.fixture
def clock(monkeypatch):
    """A clock by which each product takes 1 ms, and an hour goes by for others meanwhile."""
    made = []
    monkeypatch.setattr(yardstick.np, "matmul", lambda *_: made.append(1))
    monkeypatch.setattr(yardstick.time, "process_time", lambda: len(made) * PRODUCT_S)
    monkeypatch.setattr(yardstick.time, "perf_counter", lambda: len(made) * PRODUCT_S * 2)
    return made


@pytest.mark.parametrize("seconds", [1e-9, 1.0, 7.0])
def test_a_round_is_what_was_computed_in_the_time_of_this_process(clock, seconds):
    rounds = time_rounds(seconds)
    assert rounds == pytest.approx([FIGURE] * len(rounds))
    assert len(rounds) == max(LEAST_ROUNDS, round(seconds / 0.04))


def test_the_library_that_multiplies_is_named(monkeypatch):
    assert name_blas().strip()
    monkeypatch.setattr(np, "show_config", lambda mode: {})
    assert name_blas() == ""
