"""Results say of how many samples a model left something out."""

from __future__ import annotations

import pytest

from edgebench import Dataset, Model
from edgebench.conduct.shortened import LOOKED_AT, describe_shortened
from edgebench.store.splits import keep_splits, open_split


def model(**callables):
    def build(variant, weights):
        raise AssertionError

    decode = callables.pop("decode", lambda payload, variant: int(payload))
    return Model(name="m", summary="M.", build=build, decode=decode, **callables)


@pytest.fixture
def kept(tmp_path):
    def keep(count):
        def samples(split, seed):
            return ((b"%d" % n, 0) for n in range(count if split == "test" else 0))

        directory = tmp_path / str(count)
        directory.mkdir()
        keep_splits(
            Dataset(name="d", summary="D.", samples=samples), 0, directory, lambda *said: None
        )
        return open_split(directory / "test")

    return keep


def test_how_many_were_shortened_is_said(kept):
    said = describe_shortened(kept(10), model(shortens=lambda number, variant: number > 6), "small")
    assert said == "3 of 10 samples are longer than m:small takes and were shortened"


def test_of_many_samples_the_first_are_looked_at(kept):
    seen = []

    def shortens(number, variant):
        seen.append(variant)
        return number % 2 == 0

    said = describe_shortened(kept(LOOKED_AT + 5), model(shortens=shortens), "tiny")
    assert said.startswith(f"{LOOKED_AT // 2} of the first {LOOKED_AT} samples are longer than")
    assert seen == ["tiny"] * LOOKED_AT


def test_nothing_is_said_where_none_was_shortened(kept):
    assert describe_shortened(kept(3), model(shortens=lambda number, variant: False), "small") == ""


def test_a_model_that_shortens_nothing_is_shown_no_sample(kept):
    def decode(payload, variant):
        raise AssertionError

    assert describe_shortened(kept(3), model(decode=decode), "small") == ""
