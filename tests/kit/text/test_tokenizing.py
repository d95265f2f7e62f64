"""Sentences travel as JSON, and become tensors by the tokenizer that a pipeline keeps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError, Model
from edgebench_kit.text import tokenizing
from edgebench_kit.text.kinds import WORDPIECE
from edgebench_kit.text.sentences import pack_sentences, unpack_sentences
from edgebench_kit.text.vocabularies import train_tokenizer, write_tokenizer

NAMES = ("input_ids", "attention_mask")


@pytest.fixture(scope="module")
def resources():
    return {tokenizing.RESOURCE: write_tokenizer(train_tokenizer(WORDPIECE), WORDPIECE, 12)}


@pytest.fixture
def model():
    def build(variant, weights):
        raise AssertionError

    def bind(model, variant, resources):
        return tokenizing.bind_tokenizer(model, variant, resources, NAMES)

    return Model(
        name="m",
        summary="M.",
        build=build,
        bind=bind,
        decode=tokenizing.decode_sentences,
        preprocess=tokenizing.refuse_unbound,
    )


@given(st.text(), st.none() | st.text())
def test_any_sentences_survive_their_way(first, second):
    sentences = (first,) if second is None else (first, second)
    assert unpack_sentences(pack_sentences(*sentences)) == sentences
    assert tokenizing.decode_sentences(pack_sentences(*sentences), "small") == sentences


def test_a_payload_is_plain_json():
    assert pack_sentences("Leo paid.") == b'{"sentence1": "Leo paid."}'
    assert json.loads(pack_sentences("a", "\u00e9")) == {"sentence1": "a", "sentence2": "\u00e9"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"Leo paid.",
        b"[1]",
        b'"sentence1"',
        b"{}",
        b'{"sentence2": "b"}',
        b'{"sentence1": 1}',
        b'{"sentence1": "a", "sentence2": null}',
        b'{"sentence1": "\xff"}',
        rb'{"sentence1": "\ud800"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_sentence_is_said(payload):
    with pytest.raises(
        DataError, match=f"payload of {len(payload)} bytes is not the JSON"
    ) as error:
        unpack_sentences(payload)
    assert "\n" not in str(error.value)


@pytest.mark.framework
def test_a_bound_model_reads_what_its_pipeline_keeps(model, resources):
    bound = model.bound("small", resources)
    tensors = bound.preprocess(bound.decode(pack_sentences("Leo paid Ben."), "small"), "small")
    assert list(tensors) == list(NAMES)
    np.testing.assert_array_equal(tensors["attention_mask"], [[1] * 6 + [0] * 6])
    assert tensors["input_ids"].shape == (1, 12)


@pytest.mark.framework
def test_a_bound_model_tells_what_it_cuts(model, resources):
    bound = model.bound("small", resources)
    for words, cut in ((9, False), (10, False), (11, True), (40, True)):
        assert bound.shortens(("Leo " * words,), "small") is cut
    assert bound.shortens(("Leo " * 4, "Ben " * 5), "small") is False
    assert bound.shortens(("Leo " * 5, "Ben " * 5), "small") is True
    assert bound.preprocess(("Leo " * 40,), "small")["attention_mask"].tolist() == [[1] * 12]


def test_nothing_is_read_without_a_tokenizer(model):
    assert model.bound("small", {}) is model
    with pytest.raises(DataError, match="none is bound"):
        model.preprocess(("Leo paid.",), "small")


@pytest.mark.framework
@pytest.mark.parametrize(
    "resources", [{"other": b""}, {tokenizing.RESOURCE: b"{"}, {tokenizing.RESOURCE: b"\xff"}]
)
def test_a_tokenizer_that_is_missing_or_damaged_is_said(model, resources):
    with pytest.raises(DataError, match=r"m:small has no tokenizer\.json that can be read"):
        model.bound("small", resources)
