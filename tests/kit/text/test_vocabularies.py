"""Tokenizers are the same each time, spell every word, and fill up to one length."""

from __future__ import annotations

import json
import os
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edgebench import DataError
from edgebench_kit.text.grammar import make_sentences
from edgebench_kit.text.kinds import BYTES, WORDPIECE
from edgebench_kit.text.tokenizing import tokenize
from edgebench_kit.text.vocabularies import (
    ENTRIES,
    open_tokenizer,
    train_tokenizer,
    write_tokenizer,
)

FRESH = """
import hashlib, sys
from edgebench_kit.text.kinds import BYTES, WORDPIECE
from edgebench_kit.text.vocabularies import train_tokenizer, write_tokenizer
for kind in (WORDPIECE, BYTES):
    print(hashlib.sha256(write_tokenizer(train_tokenizer(kind), kind, 32)).hexdigest())
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""
NAMES = ("input_ids", "attention_mask", "token_type_ids")
WORDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)
KINDS = pytest.mark.parametrize("kind", [WORDPIECE, BYTES], ids=["wordpiece", "bytes"])


@pytest.fixture(scope="module")
def tokenizers():
    return {kind: train_tokenizer(kind) for kind in (WORDPIECE, BYTES)}


def framed(tokenizers, kind, length):
    copy = Tokenizer.from_str(tokenizers[kind].to_str())
    return Tokenizer.from_str(write_tokenizer(copy, kind, length).decode())


def test_fresh_processes_train_the_same_and_import_little(python):
    runs = [python(FRESH, env=os.environ | {"PYTHONHASHSEED": seed}) for seed in ("1", "2", "3")]
    assert len({run.stdout for run in runs}) == 1
    assert runs[0].stdout.endswith("[]\n")
    assert {run.stderr for run in runs} == {""}


@KINDS
def test_a_vocabulary_has_no_more_entries_than_the_models_have_rows(tokenizers, kind):
    vocabulary = tokenizers[kind].get_vocab()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(vocabulary) <= ENTRIES
    assert [vocabulary[token] for token in kind.special] == list(range(len(kind.special)))


@KINDS
def test_words_of_made_sentences_are_one_token_each(tokenizers, kind):
    texts = [text for text, _ in make_sentences("test", 0)]
    plain = [text.replace(",", " ,").replace(".", " .").split() for text in texts]
    counted = [len(tokenizers[kind].encode(text).ids) - 2 for text in texts]
    assert sum(counted) <= 1.02 * sum(map(len, plain))
    assert max(counted) + 2 <= 32


@given(WORDS)
def test_a_wordpiece_spells_every_word(tokenizers, word):
    tokens = tokenizers[WORDPIECE].encode(word, add_special_tokens=False).tokens
    assert "".join(token.removeprefix("##") for token in tokens) == word.lower()


@given(st.text(max_size=30))
def test_a_vocabulary_of_bytes_spells_everything(tokenizers, text):
    encoding = tokenizers[BYTES].encode(text, add_special_tokens=False)
    if not any(token in text for token in BYTES.special):
        assert tokenizers[BYTES].decode(encoding.ids, skip_special_tokens=False) == text


@given(st.lists(WORDS, max_size=30), st.none() | st.lists(WORDS, max_size=30), st.integers(8, 40))
def test_everything_comes_at_one_length(tokenizers, first, second, length):
    for kind in (WORDPIECE, BYTES):
        text = tuple(" ".join(words) for words in (first, second) if words is not None)
        tensors = tokenize(framed(tokenizers, kind, length), text, NAMES)
        assert list(tensors) == list(NAMES)
        assert {(str(one.dtype), one.shape) for one in tensors.values()} == {("int64", (1, length))}
        ids, mask = tensors["input_ids"][0], tensors["attention_mask"][0]
        padding = tokenizers[kind].token_to_id(kind.padding)
        count = int(mask.sum())
        assert mask.tolist() == [1] * count + [0] * (length - count)
        assert (ids[count:] == padding).all()
        assert not (ids[:count] == padding).any()
        assert ids[0] == tokenizers[kind].token_to_id(kind.opening)
        assert ids[count - 1] == tokenizers[kind].token_to_id(kind.closing)


def test_the_second_sentence_of_a_pair_has_another_number(tokenizers):
    tensors = tokenize(framed(tokenizers, WORDPIECE, 16), ("Leo paid Ben", "Ben paid"), NAMES)
    tokens = tokenizers[WORDPIECE].decode(tensors["input_ids"][0].tolist(), False)
    assert tokens.startswith("[CLS] leo paid ben [SEP] ben paid [SEP] [PAD]")
    assert tensors["token_type_ids"][0].tolist() == [0] * 5 + [1] * 3 + [0] * 8


def test_a_pair_of_bytes_is_parted_twice(tokenizers):
    encoding = framed(tokenizers, BYTES, 16).encode("Leo", "Leo")
    assert encoding.tokens[:6] == ["<s>", "Leo", "</s>", "</s>", "Leo", "</s>"]


@KINDS
def test_of_a_long_pair_something_of_both_is_left(tokenizers, kind):
    long, short = "Anna paid Leo. " * 20, "Emma robbed Leo."
    encoding = framed(tokenizers, kind, 24).encode(long, short)
    own = encoding.sequence_ids
    assert own.count(1) == len(tokenizers[kind].encode(short, add_special_tokens=False).ids)
    assert own.count(0) >= 10


def test_a_checkpoint_may_have_a_whole_tokenizer(tokenizers, tmp_path):
    tokenizers[BYTES].save(str(tmp_path / "tokenizer.json"))
    text = "Rosa was never tricked by Leo."
    assert open_tokenizer(BYTES, tmp_path).encode(text).ids == tokenizers[BYTES].encode(text).ids


@KINDS
def test_a_checkpoint_may_have_a_vocabulary_alone(tokenizers, kind, tmp_path):
    tokenizers[kind].model.save(str(tmp_path))
    for some in (("Rosa was never tricked by Leo.",), ("Zebras, pay!", "CAFÉ")):
        assert (
            open_tokenizer(kind, tmp_path).encode(*some).ids == tokenizers[kind].encode(*some).ids
        )


def test_a_vocabulary_alone_is_used_as_its_settings_say(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "leo", "Leo", "é", "e"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    seen = {}
    for lower in (True, False):
        settings = {"do_lower_case": lower, "strip_accents": lower}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        seen[lower] = open_tokenizer(WORDPIECE, tmp_path).encode("Leo é").tokens
    assert seen == {
        True: ["[CLS]", "leo", "e", "[SEP]"],
        False: ["[CLS]", "Leo", "é", "[SEP]"],
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nothing", "", "has no tokenizer; tokenizer.json, or vocab.txt, must lie beside"),
        ("tokenizer.json", "{", "cannot be read"),
        ("tokenizer_config.json", "{", "has no tokenizer|cannot be read"),
        ("vocab.txt", "a\nb\n", r"of another kind: it has no \[CLS\]"),
    ],
)
def test_what_is_wrong_with_the_tokenizer_of_a_checkpoint_is_said(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        open_tokenizer(WORDPIECE, tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("said", [{}, {"tokenizer_class": "BertTokenizer"}])
def test_a_whole_tokenizer_is_used_as_its_settings_say_too(tokenizers, tmp_path, said):
    tokenizers[WORDPIECE].save(str(tmp_path / "tokenizer.json"))
    for lower in (True, False):
        settings = {"do_lower_case": lower, **said}
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
        unknown = open_tokenizer(WORDPIECE, tmp_path).encode("PAID").tokens == [
            *("[CLS]", "[UNK]", "[SEP]")
        ]
        assert unknown is not lower


@pytest.mark.parametrize(
    ("part", "said", "usual"),
    [
        *(
            (f"{part}_token", "[MASK]", f"[{part.upper()}]")
            for part in ("cls", "sep", "pad", "unk")
        ),
        *((f"{part}_side", "left", "right") for part in ("padding", "truncation")),
    ],
)
def test_a_checkpoint_that_differs_from_its_kind_is_refused(
    tokenizers, tmp_path, part, said, usual
):
    tokenizers[WORDPIECE].model.save(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({part: said}))
    told = f"tokenizer_config.json says {part} {said!r}, and of this kind it is {usual!r}"
    with pytest.raises(DataError, match=re.escape(told)):
        open_tokenizer(WORDPIECE, tmp_path)


def test_a_tokenizer_of_another_kind_is_refused(tokenizers, tmp_path):
    tokenizers[BYTES].save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(DataError, match=r"of another kind: it has no \[CLS\]"):
        open_tokenizer(WORDPIECE, tmp_path)
