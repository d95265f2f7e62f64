import pytest

from edgebench.measure.stand.overheads import measure_overheads, time_in_process


@pytest.mark.process
def test_the_three_figures_are_seconds_of_a_sensible_order(tmp_path):
    found = measure_overheads(tmp_path)
    assert set(found) == {"bracket", "in_process", "request"}
    # No promise is held here, for that is what the benchmark is for: only that each is what it says.
    assert 0 <= found["bracket"] < found["in_process"] < found["request"] < 0.1
    assert list(tmp_path.iterdir()) == []


def test_a_request_in_process_costs_something():
    assert time_in_process() > 1e-7
