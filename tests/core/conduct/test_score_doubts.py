from __future__ import annotations

import pytest

from edgebench.conduct.score_doubts import doubt_sessions
from edgebench.records.outcome import Score


def shared(**by):
    return {name: tuple(f"{name}{at} (Conv)" for at in range(count)) for name, count in by.items()}


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        (shared(chip=46, cpu=2), "2 of 48 nodes run on cpu, not on chip: cpu0 (Conv), cpu1 (Conv)"),
        (shared(chip=0, cpu=1), "1 of 1 node runs on cpu, not on chip: cpu0 (Conv)"),
        (
            shared(chip=1, cpu=5),
            "5 of 6 nodes run on cpu, not on chip: cpu0 (Conv), cpu1 (Conv), cpu2 (Conv) and 2 more",
        ),
    ],
)
def test_nodes_that_are_not_where_they_were_asked_to_be_are_named(assignment, text):
    assert list(doubt_sessions(Score(key="", assignments={"0": assignment}), 1)) == [text]


def test_all_nodes_on_what_was_asked_for_are_no_doubt():
    assigned = {"0": shared(chip=3), "1": shared(chip=3, cpu=0)}
    assert list(doubt_sessions(Score(key="", assignments=assigned), 2)) == []


def test_each_says_of_which_stage_it_is_unless_it_is_of_all():
    score = Score(
        key="",
        doubts=(
            (0, "its threads"),
            (1, "its threads"),
            (2, "its threads"),
            (0, "slow"),
            (2, "slow"),
        ),
        assignments={"1": shared(chip=1, cpu=1)},
    )
    assert list(doubt_sessions(score, 3)) == [
        "its threads",
        "stages 0, 2: slow",
        "stage 1: 1 of 2 nodes runs on cpu, not on chip: cpu0 (Conv)",
    ]
