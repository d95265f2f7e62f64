"""A label is a class by its name; no order is ever guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError
from edgebench_kit.own_data.class_names import match_classes, note_shared, read_class_names

FLOWERS = ["daisy", "Sea Holly", "rose"]
SILENT = ["LABEL_0", "LABEL_1", "LABEL_2"]


@pytest.mark.parametrize(
    ("found", "classes", "numbers"),
    [
        (["rose", "daisy"], FLOWERS, {"rose": 2, "daisy": 0}),
        (["ROSE", "sea_holly"], FLOWERS, {"ROSE": 2, "sea_holly": 1}),
        (["sea-holly", " Sea  holly "], FLOWERS, {"sea-holly": 1, " Sea  holly ": 1}),
        (["sea - holly"], FLOWERS, {"sea - holly": 1}),
        (["A-", "a", "f"], ["A", "A-", "F"], {"A-": 1, "a": 0, "f": 2}),
        (["-1", "0", "+1"], ["-1", "0", "+1"], {"-1": 0, "0": 1, "+1": 2}),
        (["0", "2"], FLOWERS, {"0": 0, "2": 2}),
        (["0", "2"], SILENT, {"0": 0, "2": 2}),
        (["LABEL_2", "label_0"], SILENT, {"LABEL_2": 2, "label_0": 0}),
        (["3", "7"], (), {"3": 3, "7": 7}),
        # Names that are numbers are names, whatever their order.
        (["1", "2", "3"], ["3", "2", "1"], {"1": 2, "2": 1, "3": 0}),
        (["a", "A"], ["A", "a"], {"a": 1, "A": 0}),
        (["Größe", "STRASSE"], ["größe", "straße"], {"Größe": 0, "STRASSE": 1}),
    ],
)
def test_a_label_is_its_class(found, classes, numbers):
    assert match_classes(found, classes, "data") == numbers


@pytest.mark.parametrize(
    ("found", "classes", "said"),
    [
        (
            ["rose", "dasiy"],
            FLOWERS,
            (
                "data: the label 'dasiy' is none of the model's 3 classes (daisy, Sea Holly, rose); "
                "did you mean 'daisy'? rename it, or give classes=FILE"
            ),
        ),
        (["rose", "xyz"], FLOWERS, "the label 'xyz' is none of the model's 3 classes"),
        (["1", "2", "3"], SILENT, "the labels are the numbers 1 to 3 and the model's classes 0 to"),
        (["0", "3"], SILENT, "the label 3 is a number beyond the model's classes, 0 to 2"),
        (["0", "3"], FLOWERS, "the label 3 is a number beyond the model's classes, 0 to 2"),
        (["cat", "dog"], SILENT, "which is which cannot be told; give classes=FILE"),
        (["cat", "dog"], (), "the model does not say what its classes are called"),
        (["cat", "0"], SILENT, "which is which cannot be told"),
        (["crane"], ["crane", "crow", "crane"], "may be any of 2 classes of the model"),
        (["CRANE"], ["crane", "Crane"], "may be any of 2 classes of the model"),
        (["-1", "0"], SILENT, "which is which cannot be told"),
        # A sign or a mark is no separator: -1 is not 1, and A- is not A.
        (["-1", "0", "1"], ["0", "1", "2"], "the labels are -1, 0, 1, and the model calls its 3"),
        (["-1", "1"], ["0", "1"], "the labels are -1, 1, and the model calls its 2 classes 0, 1"),
        (["-1", "+1"], ["0", "1"], "which is which cannot be told"),
        (["A", "A-", "B"], ["A", "B"], "the label 'A-' is none of the model's 2 classes"),
        (["class -1"], ["class 1", "class 2"], "which is which cannot be told"),
        (["1e-5"], ["1e 5", "x"], "the label '1e-5' is none of the model's 2 classes"),
        # Classes in the order of folders, 10 before 2, of which one is new.
        (["1", "2", "4"], ["1", "10", "2", "3", "11"], "the label 1 is the name of the model's"),
        (["0", "1", "2"], ["1", "0", "x"], "whether labels are names or numbers cannot be told"),
        (
            ["1", "2"],
            ["1 star", "2 stars", "3 stars"],
            "the label 1 may be the model's class 0, '1 star'",
        ),
        (
            ["2", "1"],
            ["grade 3", "grade 2", "grade 1"],
            "the label 2 may be the model's class 1, 'grade",
        ),
        (["0.5", "1"], FLOWERS, "the label '0.5' is none of the model's 3 classes"),
    ],
)
def test_what_is_no_class_is_said(found, classes, said):
    with pytest.raises(DataError) as error:
        match_classes(found, classes, "data")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_that_are_one_class_are_said():
    assert note_shared(match_classes(["Rose", "daisy", "rose"], FLOWERS, "data")) == [
        "labels are taken for one class: Rose, rose"
    ]
    assert note_shared(match_classes(["1", "01", "2", "02", "3", "03"], (), "data")) == [
        "labels are taken for one class: 1, 01; 2, 02, and 1 more such"
    ]
    assert note_shared(match_classes(["rose", "daisy"], FLOWERS, "data")) == []


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.randoms())
def test_every_class_of_the_model_is_found_by_its_own_name(classes, random):
    found = random.sample(classes, len(classes))
    assert match_classes(found, classes, "data") == {one: classes.index(one) for one in found}


@given(st.lists(st.text(max_size=4)), st.lists(st.text(max_size=4)))
def test_any_labels_are_matched_or_refused_in_one_line(found, classes):
    try:
        numbers = match_classes(found, classes, "data")
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert set(numbers) == set(found)
        assert all(number < len(classes) or not classes for number in numbers.values())


def test_names_are_read_one_a_line(tmp_path):
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffMaßliebchen\r\nStechpalme\r\nRose\r\n\r\n".encode())
    assert read_class_names(file, FLOWERS) == ("Maßliebchen", "Stechpalme", "Rose")
    assert read_class_names(file, ()) == ("Maßliebchen", "Stechpalme", "Rose")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("daisy\nrose\n", "names 2 classes and the model has 3"),
        ("daisy\n\nrose\n", "line 2 is empty"),
        ("rose\nSea Holly\ndaisy\n", "has 'rose' as class 0, and the model has it as class 2"),
        ("Rose\nsea holly\nDaisy\n", "has 'Rose' as class 0, and the model has it as class 2"),
    ],
)
def test_names_that_do_not_fit_the_model_are_refused(tmp_path, text, said):
    file = tmp_path / "names.txt"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        read_class_names(file, FLOWERS)


def test_names_for_a_model_that_has_only_numbers_are_taken(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("cat\ndog\nLABEL_1\n")
    assert match_classes(["dog"], read_class_names(file, SILENT), "data") == {"dog": 1}


def test_a_file_of_names_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="names.txt cannot be read: No such file"):
        read_class_names(tmp_path / "names.txt", FLOWERS)
