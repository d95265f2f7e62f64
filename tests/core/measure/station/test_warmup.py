import pytest

from edgebench.measure.station.warmup import LEAST, MOST, WINDOW, judge_warmup


def test_it_goes_on_while_two_windows_are_not_full():
    assert judge_warmup([1e-3] * (2 * WINDOW - 1)) == ""


def test_it_ends_when_two_windows_agree():
    assert judge_warmup([1e-3] * 2 * WINDOW) == "stable after 8"


def test_single_outliers_do_not_keep_it_going():
    assert judge_warmup([9e-3, *[1e-3] * 8, 7e-3]) == "stable after 10"


@pytest.mark.parametrize(("late", "over"), [(1.04, True), (1.06, False), (0.96, True)])
def test_windows_agree_within_a_twentieth(late, over):
    assert bool(judge_warmup([1.0e-3] * WINDOW + [late * 1e-3] * WINDOW)) == over


def test_it_ends_without_agreement_when_patience_runs_out():
    falling = [10e-3 * 0.9**n for n in range(MOST)]
    assert judge_warmup(falling[:-1]) == ""
    assert judge_warmup(falling) == f"not stable after {MOST}"


def test_slow_cases_end_sooner_but_not_at_once():
    assert judge_warmup([4.0]) == ""
    assert judge_warmup([2.0, 2.1]) == f"not stable after {LEAST}"


def test_patience_runs_out_after_three_seconds():
    assert judge_warmup([1.4, 1.5]) == ""
    assert judge_warmup([1.5, 1.5]) == f"not stable after {LEAST}"
