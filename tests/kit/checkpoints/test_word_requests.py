"""Words that a tokenizer stumbles over are named in a line, as texts are."""

import json

import pytest
from tokenizers import Tokenizer, models

from edgebench import DataError, Model
from edgebench_kit.checkpoints.word_requests import bind_words, find_words
from edgebench_kit.text.sentences import pack_sentences
from edgebench_kit.text.tokenizing import RESOURCE


def make_tokenizer():
    unknown = "[UNK]"  # which the vocabulary lacks
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1}, unk_token=unknown))
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=3)
    return tokenizer


@pytest.fixture
def bound():
    model = Model(name="m", summary="M.", build=lambda variant, weights: None)
    resources = {RESOURCE: make_tokenizer().to_str().encode()}
    return bind_words(model, "default", resources, ["input_ids"])


def test_words_are_cut_one_by_one(bound):
    words = bound.decode(pack_sentences("a a"), "default")
    assert bound.preprocess(words, "default")["input_ids"].tolist() == [[1, 1, 0]]
    assert not bound.shortens(words, "default")
    assert bound.shortens(("a",) * 4, "default")
    assert find_words(make_tokenizer(), ("a",) * 4) == [0, 1, 2, -1]
    assert find_words(make_tokenizer(), ()) == []


def test_words_that_a_tokenizer_cannot_cut_are_named(bound):
    words = bound.decode(pack_sentences("a zebra"), "default")
    calls = (
        lambda: bound.preprocess(words, "default"),
        lambda: bound.shortens(words, "default"),
        lambda: find_words(make_tokenizer(), words),
    )
    for call in calls:
        with pytest.raises(DataError, match="cannot cut the text 'a zebra': .*Missing") as error:
            call()
        assert "\n" not in str(error.value)


def test_words_over_which_a_tokenizer_panics_are_named():
    damaged = {"type": "Precompiled", "precompiled_charsmap": "CAAAAP////////8A"}
    whole = json.loads(make_tokenizer().to_str()) | {"normalizer": damaged}
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    with pytest.raises(DataError, match="cannot cut the text 'a'"):
        find_words(tokenizer, ("a",))
