"""Columns are known by their names, or asked for by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError
from edgebench_kit.own_data.columns import (
    Chosen,
    choose_label,
    choose_texts,
    choose_words,
)
from edgebench_kit.own_data.items import Unlabelled


@pytest.mark.parametrize(
    ("columns", "text", "label", "inputs", "place"),
    [
        (("text", "label"), "", "", (0,), 1),
        (("idx", "Review ", "Sentiment"), "", "", (1,), 2),
        (("title", "text", "category"), "", "", (1,), 2),
        (("label", "sentence1", "sentence2", "idx"), "", "", (1, 2), 0),
        (("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"), "", "", (3, 4), 0),
        (("premise", "hypothesis", "label"), "", "", (0, 1), 2),
        (("question", "sentence", "label"), "", "", (0, 1), 2),
        # Names go before numbers.
        (("text", "label", "label_text"), "", "", (0,), 2),
        (("label_name", "label", "text"), "", "", (2,), 0),
        (("class", "text", "class_name"), "", "", (1,), 2),
        (("text", "label", "class_name"), "", "", (0,), 1),
        (("text", "label", "label_text"), "", "label", (0,), 1),
        # Where two columns are left and one is known, the other is the other.
        (("", "kommentar", "label"), "", "", (1,), 2),
        (("text", "stimmung"), "", "", (0,), 1),
        (("kommentar", "stimmung"), "kommentar", "", (0,), 1),
        (("kommentar", "stimmung"), "", "stimmung", (0,), 1),
        # What is said is taken.
        (("text", "label", "a", "b"), "a", "b", (2,), 3),
        (("a", "b", "c"), "a b", "c", (0, 1), 2),
        (("a b", "c d", "e"), "a b", "e", (0,), 2),
        (("a b", "c d", "e"), "a b c d", "e", (0, 1), 2),
        (("Text", "LABEL"), "text", "label", (0,), 1),
        (("sentence", "label"), "", "sentence", (1,), 0),
    ],
)
def test_columns_are_chosen(columns, text, label, inputs, place):
    if (text, label) == ("", "sentence"):
        # A column that is asked for as labels is none of texts.
        assert choose_texts("t", columns, "", "sentence") == Chosen(inputs=(1,), label=0)
        return
    assert choose_texts("t", columns, text, label) == Chosen(inputs=inputs, label=place)


def test_numbers_are_columns_of_a_table_without_a_header():
    assert choose_texts("t", ("I liked it", "pos"), "1", "2") == Chosen(
        inputs=(0,), label=1, header=False
    )
    assert choose_texts("t", ("a", "b", "pos"), "1 2", "3") == Chosen(
        inputs=(0, 1), label=2, header=False
    )
    # A header may be called so.
    assert choose_texts("t", ("2", "1"), "1", "2") == Chosen(inputs=(1,), label=0)


@pytest.mark.parametrize(
    ("columns", "text", "label", "said"),
    [
        (("kommentar", "stimmung"), "", "", "t: no column is known to hold texts nor labels; there are 'kommentar', 'stimmung'; say text=COLUMN, label=COLUMN"),
        (("text", "a", "b"), "", "", "hold labels; there are 'text', 'a', 'b'; say label=COLUMN"),
        (("a", "b", "label"), "", "", "hold texts; there are"),
        (("text", "label"), "txt", "", "t has no column 'txt' (text=); there are 'text', 'label'"),
        (("text", "label"), "", "lable", "t has no column 'lable' (label=); there are"),
        (("text", "label"), "text2 label", "label", "t has no column 'text2' (text=)"),
        (("text", "text", "label"), "text", "", "t has 2 columns called 'text'; give each its own"),
        (("text", "label"), "1", "3", "t has no column '1' (text=)"),
        (("x" * 99, *"abcdefghijklmn"), "", "", "xxx...', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k' and 3 more"),
    ],
)  # fmt: skip
def test_the_columns_that_there_are_are_said(columns, text, label, said):
    with pytest.raises(DataError) as error:
        choose_texts("t", columns, text, label)
    assert said in str(error.value)


def test_a_table_that_lacks_nothing_but_labels_is_told_apart():
    with pytest.raises(Unlabelled):
        choose_texts("t", ("index", "sentence"))
    with pytest.raises(DataError) as error:
        choose_texts("t", ("idx", "a", "b"))
    assert not isinstance(error.value, Unlabelled)


def test_the_label_beside_a_file_is_chosen():
    assert choose_label("t", ("file", "x", "label"), 0, "", header=True).label == 2
    assert choose_label("t", ("id", "breed of dog"), 0, "", header=True).label == 1
    assert choose_label("t", ("a.jpg", "cat"), 0, "", header=False).label == 1
    assert choose_label("t", ("a.jpg", "cat", "9"), 0, "2", header=False).label == 1
    with pytest.raises(Unlabelled, match="there are 'a.jpg', 'cat', '9'"):
        choose_label("t", ("a.jpg", "cat", "9"), 0, "", header=False)


def test_words_and_their_labels_are_chosen():
    assert choose_words(("id", "tokens", "pos_tags", "ner_tags")) == Chosen(inputs=(1,), label=3)
    assert choose_words(("tokens", "pos_tags"), "pos_tags") == Chosen(inputs=(0,), label=1)
    assert choose_words(("tokens", "text")) is None


NAMES = st.lists(st.sampled_from(["text", "label", "a", "b c", "id", "", "sentence1", "sentence2"]))


@given(NAMES, st.sampled_from(["", "a", "b c", "b c a", "1", "x"]), st.sampled_from(["", "a", "2"]))
def test_any_columns_are_chosen_or_refused_in_one_line(columns, text, label):
    try:
        chosen = choose_texts("t", columns, text, label)
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        places = [*chosen.inputs, chosen.label]
        assert len(places) in (2, 3)
        assert all(0 <= place < len(columns) for place in places)
        assert len(set(places)) == len(places) or (text and label)


@pytest.mark.parametrize(
    "columns", [("text", "label", "label"), ("text", "Text", "label"), ("text", "Label", "label")]
)
def test_of_two_columns_of_one_name_none_is_chosen(columns):
    with pytest.raises(DataError, match="data has 2 columns called .* label=COLUMN"):
        choose_texts("data", columns)
    with pytest.raises(DataError, match="data has 2 columns called"):
        choose_label("data", ("file", "class", "Class"), 0, "", header=True)
    assert choose_texts("data", ("text", "Label", "label"), label="Label").label == 1
