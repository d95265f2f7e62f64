from __future__ import annotations

import json

import numpy as np
import pytest

from edgebench import Dataset, Unreadable
from edgebench.parts.errors import DataError
from edgebench.store.splits import SUMMARY, Drawn, describe_unreadable, keep_splits, open_split


def dataset(samples) -> Dataset:
    return Dataset(name="toy", summary="A toy.", samples=samples)


def numbered(split: str, seed: int):
    for index in range({"training": 3, "test": 2}.get(split, 0)):
        yield f"{split} {index} {seed}".encode(), index


def kept(samples, tmp_path):
    said = []
    keep_splits(dataset(samples), 5, tmp_path, lambda *event: said.append(event))
    return said


def test_samples_are_read_as_they_were_given(tmp_path):
    kept(numbered, tmp_path)
    test = open_split(tmp_path / "test")
    assert list(test) == [(b"test 0 5", 0), (b"test 1 5", 1)]
    assert (len(test), test[1], test.answer(1)) == (2, b"test 1 5", 1)
    assert test.mean_bytes == 8


def test_answers_may_be_texts_and_arrays(tmp_path):
    def samples(split, seed):
        if split == "test":
            yield b"a", "yes"
            yield b"b", np.arange(6, dtype=np.uint8).reshape(2, 3)

    kept(samples, tmp_path)
    test = open_split(tmp_path / "test")
    assert test.answer(0) == "yes"
    assert test.answer(1).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_split_may_be_empty_but_not_the_test_split(tmp_path):
    kept(numbered, tmp_path)
    said = json.loads((tmp_path / SUMMARY).read_text())
    assert said.pop("unreadable") == []
    sizes = {split: facts["samples"] for split, facts in said.items()}
    assert sizes == {"training": 3, "calibration": 0, "validation": 0, "test": 2}
    assert len(open_split(tmp_path / "calibration")) == 0
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="toy: its test split is empty"):
        kept(lambda split, seed: [], tmp_path / "other")


def test_splits_that_share_a_payload_are_refused(tmp_path):
    def samples(split, seed):
        yield f"only in {split}".encode(), 0
        if split in ("calibration", "test"):
            yield b"in both", 1

    with pytest.raises(
        DataError,
        match="sample 1 of the test split also stands in the calibration split; splits must share no",
    ):
        kept(samples, tmp_path)


def test_a_payload_that_is_no_bytes_is_refused(tmp_path):
    with pytest.raises(DataError, match="payload 0 of the training split is str, not bytes"):
        kept(lambda split, seed: [("text", 0)], tmp_path)


def test_an_answer_that_would_need_pickle_is_refused(tmp_path):
    with pytest.raises(DataError, match="answer 0 of the training split must be a number, a text"):
        kept(lambda split, seed: [(b"payload", {"label": 3})], tmp_path)


def test_an_unknown_split_is_a_data_error(tmp_path):
    kept(numbered, tmp_path)
    with pytest.raises(DataError, match="has no holdout split"):
        open_split(tmp_path / "holdout")


def test_progress_is_said_for_each_split(tmp_path):
    said = kept(numbered, tmp_path)
    assert [(done, total) for done, total, _ in said] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    # The figures count splits: beside the name of one they would be taken for its samples.
    assert {what.rpartition(": ")[2] for _, _, what in said} == {"keeping its splits"}


def partly(unreadable, whole):
    def samples(split, seed):
        for index in range(whole if split == "test" else 0):
            if index < unreadable:
                yield Unreadable(name=f"{index}.jpg", reason="truncated")
            else:
                yield b"%d" % index, index

    return samples


def test_what_cannot_be_read_is_left_out_and_named(tmp_path):
    kept(partly(7, 1000), tmp_path)
    assert len(open_split(tmp_path / "test")) == 993
    assert describe_unreadable(tmp_path) == (
        "7 of 1000 inputs could not be read: 0.jpg (truncated), 1.jpg (truncated), "
        "2.jpg (truncated), 3.jpg (truncated), 4.jpg (truncated) and 2 more"
    )


def test_where_all_can_be_read_nothing_is_said(tmp_path):
    kept(numbered, tmp_path)
    assert describe_unreadable(tmp_path) == ""


def test_from_one_in_a_hundred_on_it_is_no_accident(tmp_path):
    with pytest.raises(DataError, match=r"1 of 100 inputs cannot be read, as 0.jpg \(truncated\)"):
        kept(partly(1, 100), tmp_path)


def test_what_is_drawn_of_a_split_is_spread_over_it_and_always_the_same(tmp_path):
    # Every third is of one class, and so is every stretch: neither the first nor every third do.
    kept(lambda split, _: [(f"{n}".encode(), n) for n in range(60 * (split == "test"))], tmp_path)
    whole = open_split(tmp_path / "test")
    drawn = Drawn.of(whole, 20)
    answers = [drawn.answer(index) for index in range(len(drawn))]
    assert answers == sorted(set(answers))
    assert len({answer % 3 for answer in answers}) == 3
    assert min(answers) < 20 < 40 < max(answers)
    assert [int(drawn[index]) for index in range(len(drawn))] == answers
    again = Drawn.of(whole, 20)
    assert [again.answer(index) for index in range(len(again))] == answers
