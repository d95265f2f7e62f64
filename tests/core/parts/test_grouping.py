from __future__ import annotations

from edgebench.parts.grouping import group_by


def test_groups_and_what_is_in_them_keep_their_order():
    found = group_by(["bee", "ant", "bat", "cow", "ape"], lambda word: word[0])
    assert list(found.items()) == [("b", ["bee", "bat"]), ("a", ["ant", "ape"]), ("c", ["cow"])]


def test_of_nothing_there_is_no_group():
    assert group_by([], str) == {}
