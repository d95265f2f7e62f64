from __future__ import annotations

import pytest

from edgebench.measure.station.profiler import Profiler, add_medians, fit_within


def test_nodes_are_scaled_down_to_their_stage_and_never_up():
    assert fit_within(3.0, {"a": 4.0, "b": 2.0}) == {"a": 2.0, "b": 1.0}
    assert fit_within(9.0, {"a": 4.0, "b": 2.0}) == {"a": 4.0, "b": 2.0}
    assert fit_within(1.0, {}) == {}
    assert fit_within(1.0, {"a": 0.0}) == {"a": 0.0}


def test_a_node_that_no_input_reaches_is_left_out():
    found = [{"a": 1.0, "b": 0.0}, {"a": 3.0, "c": 5.0}, {"a": 2.0}]
    assert add_medians(found) == {"a": 2.0, "c": 0.0}


class Order:
    tier = "edge"


SCATTERED = (
    "profiled on edge while the machine was disturbed: half of the runs of stage 2 took from 10 to "
    "30 ms, slow-down apart"
)


@pytest.mark.parametrize(
    ("taken", "doubts"),
    [
        ([0.010, 0.011, 0.012, 0.011, 0.010, 0.090], []),
        ([0.010, 0.010, 0.010, 0.030, 0.030, 0.030], [SCATTERED]),
    ],
)
def test_runs_that_scatter_are_doubted_and_one_odd_one_is_not(taken, doubts):
    profiler = Profiler(plugins=None, piece=None, order=Order())
    profiler._doubt_spread(2, taken)
    assert profiler._doubts == doubts
