"""Both forms of the corpus are read, and what is wrong with a directory is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError, Unreadable
from edgebench_kit.text.sentences import unpack_sentences
from edgebench_plugins.datasets import mrpc

HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
GLUE, FIRST = mrpc.FORMS
FORMS = pytest.mark.parametrize("form", mrpc.FORMS, ids=["GLUE", "first"])
TRAINED = ("training", "calibration", "validation")


def line(number, quality=None, first=None, second=None):
    first = first or f"The {number} shares of the company rose ."
    return "\t".join(
        [
            str(number % 2 if quality is None else quality),
            str(number),
            str(number + 1),
            first,
            second or f'Shares " rose by {number} .',
        ]
    )


def write(directory, form, train, test, mark="\ufeff", end="\n"):
    for name, lines in zip(form, (train, test), strict=True):
        text = mark + end.join([HEADER, *lines, ""])
        (directory / name).write_bytes(text.encode())
    return mrpc.from_directory(directory)


def pairs(dataset, split):
    return [one for one in dataset.samples(split, 0) if not isinstance(one, Unreadable)]


def unreadable(dataset):
    splits = (*TRAINED, "test")
    return [o for s in splits for o in dataset.samples(s, 0) if isinstance(o, Unreadable)]


def test_the_record_has_to_be_given_a_directory():
    (dataset,) = mrpc.edgebench_datasets()
    assert (dataset.name, dataset.samples, dataset.synthetic) == ("mrpc", None, False)
    assert [metric.name for metric in dataset.metrics()] == ["f1", "accuracy"]
    assert all(name in dataset.layout for form in mrpc.FORMS for name in form)


@FORMS
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_both_forms_are_read(tmp_path, form, mark, end):
    train, test = [line(n) for n in range(40)], [line(n) for n in range(100, 110)]
    dataset = write(tmp_path, form, train, test, mark, end)
    assert dataset.name == "mrpc"
    tested = pairs(dataset, "test")
    assert [answer for _, answer in tested] == [n % 2 for n in range(100, 110)]
    assert unpack_sentences(tested[0][0]) == (
        "The 100 shares of the company rose .",
        'Shares " rose by 100 .',
    )
    assert list(json.loads(tested[0][0])) == ["sentence1", "sentence2"]
    assert {split: len(pairs(dataset, split)) for split in TRAINED} == {
        "training": 32,
        "calibration": 4,
        "validation": 4,
    }
    assert pairs(dataset, "holdout") == []


def test_the_file_without_answers_is_not_tested_on(tmp_path):
    (tmp_path / "test.tsv").write_text("index\t#1 ID\t#2 ID\t#1 String\t#2 String\n")
    dataset = write(tmp_path, GLUE, [line(n) for n in range(20)], [line(50)])
    assert len(pairs(dataset, "test")) == 1


@given(st.sets(st.integers(0, 400), min_size=20), st.sets(st.integers(0, 400), min_size=1))
def test_splits_are_disjoint_and_lose_only_what_is_tested(tmp_path_factory, train, test):
    dataset = write(
        tmp_path_factory.mktemp("mrpc"), GLUE, map(line, sorted(train)), map(line, sorted(test))
    )
    found = {split: {one for one, _ in pairs(dataset, split)} for split in (*TRAINED, "test")}
    assert sum(map(len, found.values())) == len(set.union(*found.values())) == len(train | test)
    assert len(found["test"]) == len(test)


def test_to_which_split_a_pair_goes_does_not_depend_on_the_order_of_lines(tmp_path):
    lines = [line(n) for n in range(60)]
    given = []
    for some in (lines, lines[::-1]):
        dataset = write(tmp_path, GLUE, some, [line(99)])
        given.append({split: pairs(dataset, split) for split in TRAINED})
    assert {s: sorted(p) for s, p in given[0].items()} == {
        s: sorted(p) for s, p in given[1].items()
    }
    assert given[0]["training"] == given[1]["training"][::-1]


def test_a_pair_that_stands_twice_is_taken_once(tmp_path):
    dataset = write(tmp_path, GLUE, [line(n) for n in (1, 2, 1, 3)], [line(9), line(9)])
    assert sum(len(pairs(dataset, split)) for split in TRAINED) == 3
    assert len(pairs(dataset, "test")) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("1\t2\t3\tonly one .", "it has 4 columns, not 5"),
        (line(5) + "\tmore", "it has 6 columns, not 5"),
        (line(5, quality="yes"), "its Quality is 'yes', neither 0 nor 1"),
        (line(5, second=" "), "it lacks a sentence"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, wrong, reason):
    train = [line(n) for n in range(20)]
    dataset = write(tmp_path, GLUE, [*train[:5], wrong, *train[5:]], [line(99), wrong])
    assert unreadable(dataset) == [
        Unreadable(name="line 7 of train.tsv", reason=reason),
        Unreadable(name="line 3 of dev.tsv", reason=reason),
    ]
    assert sum(len(pairs(dataset, split)) for split in TRAINED) == 20


def test_a_line_that_is_no_text_is_named(tmp_path):
    write(tmp_path, FIRST, [line(n) for n in range(20)], [line(99)])
    with (tmp_path / FIRST[0]).open("ab") as file:
        file.write(b"1\t2\t3\tcaf\xe9 .\tthe caf\xe9 .\n")
    (one,) = unreadable(mrpc.from_directory(tmp_path))
    assert one.name == "line 22 of msr_paraphrase_train.txt"
    assert "not UTF-8" in one.reason


def test_a_sentence_may_hold_what_other_programs_end_a_line_with(tmp_path):
    odd = "One\u2028sentence\x85with\x0bodd ends ."
    dataset = write(tmp_path, GLUE, [line(n) for n in range(20)], [line(99, first=odd)])
    assert unpack_sentences(pairs(dataset, "test")[0][0])[0] == odd


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ([], "which is empty"),
        (["a.tsv", "train.tsv"], "which holds a.tsv, train.tsv"),
        (list("abcdefg"), "which holds a, b, c, d, e and 2 more"),
    ],
)
def test_a_directory_without_the_corpus_says_what_is_there(tmp_path, files, found):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(DataError) as error:
        mrpc.from_directory(tmp_path)
    assert str(error.value) == f"mrpc: looked for {mrpc.LAYOUT} in {tmp_path}, {found}"


def test_a_directory_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="which is no directory"):
        mrpc.from_directory(tmp_path / "nowhere")


@pytest.mark.parametrize("first", ["", "index\t#1 ID", "Quality,#1 ID,#2 ID,#1 String,#2 String"])
def test_a_file_with_other_columns_is_refused(tmp_path, first):
    write(tmp_path, GLUE, [line(1)], [line(2)])
    (tmp_path / "dev.tsv").write_text(first + "\n")
    with pytest.raises(DataError, match=r"dev\.tsv must begin with the columns Quality, #1 ID"):
        mrpc.from_directory(tmp_path)
