"""Words and entities are counted as the field counts them, held against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError
from edgebench.metrics.words import FILLER, entity_f1, is_iob2, word_accuracy

NAMES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def answer(tags, places=None):
    """An answer with one token a word, filled up by two."""
    places = range(len(tags)) if places is None else places
    return np.array([[*places, -1, -1], [*map(NAMES.index, tags), FILLER, FILLER]])


def predict(tags):
    return np.array([*map(NAMES.index, tags), 1, 3], np.int32)  # those behind are no words


@pytest.mark.parametrize(
    ("true", "said", "counts"),
    [
        ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", (2, 0, 0)),
        ("B-PER I-PER O B-LOC", "B-PER O O B-LOC", (1, 1, 1)),  # too short
        ("B-PER O", "B-LOC O", (0, 1, 1)),  # another kind
        ("B-PER B-PER", "B-PER I-PER", (0, 1, 2)),  # two taken for one
        ("O O", "I-PER I-PER", (0, 0, 0)),  # no beginning
        ("B-PER I-PER", "B-PER I-LOC", (0, 1, 1)),
        ("B-PER O O", "B-PER I-LOC I-PER", (1, 0, 0)),  # what was broken off does not go on
        ("B-PER O I-PER", "B-PER O O", (1, 0, 0)),
        ("O O", "O O", (0, 0, 0)),
    ],
)
def test_entities_are_strict_spans(true, said, counts):
    metric = entity_f1(NAMES)
    assert metric.count(predict(said.split()), answer(true.split())) == counts


def spans_by_hand(tags):
    """Every stretch that is B-x and then I-x alone, and does not go on."""
    found = set()
    for start in range(len(tags)):
        for end in range(start + 1, len(tags) + 1):
            kind = tags[start][2:]
            whole = tags[start : end + 1]
            if (
                tags[start].startswith("B-")
                and all(one == f"I-{kind}" for one in tags[start + 1 : end])
                and whole[end - start :] != [f"I-{kind}"]
            ):
                found.add((start, end, kind))
    return found


@given(st.lists(st.tuples(*[st.sampled_from(NAMES)] * 2), max_size=9))
def test_entities_are_those_found_by_hand(pairs):
    true, said = ([pair[side] for pair in pairs] for side in (0, 1))
    want, got = spans_by_hand(true), spans_by_hand(said)
    assert entity_f1(NAMES).count(predict(said), answer(true)) == (
        len(want & got), len(got - want), len(want - got),
    )  # fmt: skip


def test_f1_is_of_the_sums():
    metric = entity_f1(NAMES)
    assert metric.value(np.array([3.0, 1.0, 2.0])) == pytest.approx(6 / 9)
    assert metric.value(np.zeros(3)) == 0.0
    assert metric.wrong((3.0, 1.0, 2.0)) == (0.0, 1.0, 5.0)


def test_words_that_were_cut_off_are_wrong():
    metric = word_accuracy()
    true = answer(["O", "O", "B-PER"], places=(1, 3, -1))
    said = np.array([4, 0, 2, 2, 1])
    assert metric.count(said, true) == (1.0, 3.0)
    assert metric.wrong((1.0, 3.0)) == (0.0, 3.0)
    assert metric.value(np.array([1.0, 4.0])) == 0.25
    assert not metric.proportion


def test_an_entity_that_is_cut_in_two_is_missed():
    true = answer(["B-PER", "I-PER"], places=(1, -1))
    assert entity_f1(NAMES).count(np.array([0, 1, 0]), true) == (0, 1, 1)


@pytest.mark.parametrize("said", [np.zeros((3, 5), int), np.zeros(3), np.zeros(1, int)])
def test_what_is_no_class_of_each_token_is_refused(said):
    with pytest.raises(DataError, match="class numbers of an integer type"):
        word_accuracy().count(said, answer(["O", "B-PER"]))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (NAMES, True),
        (("B-a", "O"), True),
        (("O", "I-a"), False),
        (("O", "B-a", "I-b"), False),
        (("NOUN", "VERB"), False),
        (("O", "B-a", "E-a"), False),
        (("LABEL_0", "LABEL_1"), False),
    ],
)
def test_classes_in_iob2_are_known(names, said):
    assert is_iob2(names) is said
