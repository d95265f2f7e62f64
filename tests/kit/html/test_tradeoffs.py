from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from edgebench_kit.html.tradeoffs import STANDINGS, Point, find_front, find_standing


def point(x, y):
    return Point(case={}, number=1, standing=STANDINGS[0], x=x, x_ends=(x, x), y=y, y_ends=(y, y))


points = st.builds(point, *[st.integers(0, 9).map(float)] * 2)


@given(st.lists(points), st.booleans())
def test_the_front_holds_just_what_no_other_beats(found, higher):
    def beats(one, other):
        better = one.y >= other.y if higher else one.y <= other.y
        return one.x <= other.x and better and (one.x, one.y) != (other.x, other.y)

    front = find_front(found, higher=higher)
    kept = {(one.x, one.y) for one in front}
    assert kept == {(p.x, p.y) for p in found if not any(beats(other, p) for other in found)}
    assert len(kept) == len(front)


def test_how_a_case_stands_is_what_the_decision_says():
    decision = {"fastest": "a", "equal": ["b"], "undecided": [], "slower": ["c"], "open": [],
                "lost": ["d"], "refuted": ["e"]}  # fmt: skip
    assert [find_standing(one, decision).field for one in "abcdex"] == [
        "fastest", "equal", "slower", "lost", "refuted", "",
    ]  # fmt: skip
    assert find_standing("b", {**decision, "fastest": None}).field == "equal"


def test_no_two_standings_look_alike():
    for name in attrs.fields_dict(type(STANDINGS[0])):
        assert len({getattr(one, name) for one in STANDINGS}) == len(STANDINGS)
