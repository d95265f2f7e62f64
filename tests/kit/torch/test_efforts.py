"""How long and how fast an operator trains on, by the budget of the model."""

from __future__ import annotations

import pytest

from edgebench import Budget
from edgebench_kit.torch.efforts import scale_budget

BUDGET = Budget(epochs=5, seconds=60, batch=16, learning_rate=1e-2, patience=2)


def test_quick_without_more_is_the_budget_of_the_model():
    assert scale_budget(BUDGET, "quick") == BUDGET


@pytest.mark.parametrize(
    ("effort", "length", "epochs"), [("full", 1, 25), ("quick", 0.5, 3), ("full", 0.5, 13)]
)
def test_an_effort_and_a_length_change_the_epochs_and_round_up(effort, length, epochs):
    assert scale_budget(BUDGET, effort, length=length).epochs == epochs
    assert scale_budget(Budget(epochs=1), "quick", length=0.5).epochs == 1


def test_a_rate_changes_how_fast_it_learns_and_nothing_else():
    assert scale_budget(BUDGET, "quick", rate=0.1).learning_rate == pytest.approx(1e-3)
    assert scale_budget(BUDGET, "full").seconds == 300
    assert scale_budget(Budget(), "full").seconds is None
    assert scale_budget(BUDGET, "full", rate=0.1).batch == 16
