"""The sentences mean what their answers say, and counting words does not find that out."""

from __future__ import annotations

import json
import re
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from edgebench import Dataset
from edgebench_kit.text import grammar
from edgebench_kit.text.grammar import GIVING, SPLITS, TAKING, make_sentences
from edgebench_kit.text.sentences import unpack_sentences
from edgebench_plugins.datasets import outcomes

FRESH = """
import sys
from itertools import islice
from edgebench_plugins.datasets.outcomes import samples
for split in ("training", "test"):
    for payload, answer in islice(samples(split, 7), 5):
        print(payload.decode(), answer)
print(sorted({"numpy", "sklearn", "torch", "tokenizers", "transformers"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def everything():
    return {split: list(make_sentences(split, 0)) for split in SPLITS}


def test_the_record_says_that_the_sentences_are_invented():
    (dataset,) = outcomes.edgebench_datasets()
    assert isinstance(dataset, Dataset)
    assert (dataset.name, dataset.synthetic) == ("outcomes", True)
    assert [metric.name for metric in dataset.metrics()] == ["f1", "accuracy"]


def test_splits_have_their_sizes_and_as_many_good_as_bad(everything):
    for split, items in everything.items():
        assert len(items) == SPLITS[split]
        assert sum(answer for _, answer in items) * 2 == len(items)
    assert SPLITS["test"] >= 1000


def test_no_sentence_comes_twice_in_any_split(everything):
    texts = [text for items in everything.values() for text, _ in items]
    assert len(set(texts)) == len(texts)


@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_splits_share_no_sentence_whatever_the_seeds(one, other):
    training = {text for text, _ in islice(make_sentences("training", one), 50)}
    tested = {text for text, _ in islice(make_sentences("test", other), 50)}
    assert not training & tested


def test_a_split_that_is_not_there_is_empty():
    assert list(outcomes.samples("holdout", 0)) == []


def test_fresh_processes_make_the_same_bytes_and_import_little(python):
    runs = [python(FRESH, env={"PYTHONHASHSEED": seed}).stdout.splitlines() for seed in ("1", "2")]
    here = [
        f"{payload.decode()} {answer}"
        for split in ("training", "test")
        for payload, answer in islice(outcomes.samples(split, 7), 5)
    ]
    assert runs[0] == runs[1] == [*here, "[]"]


def test_a_payload_is_the_sentence_as_json():
    (text, answer), (payload, same) = (
        next(iter(made("validation", 3))) for made in (make_sentences, outcomes.samples)
    )
    assert json.loads(payload) == {"sentence1": text}
    assert unpack_sentences(payload) == (text,)
    assert answer == same


def read_main_clause(text):
    """Judge a sentence by reading it, not as it was made: None if no reading is found."""
    text = text.removesuffix(".")
    first = text.partition(" ")[0].lower()
    if first in grammar.LINKS:
        text = text.partition(", ")[2]
    words = re.sub(r"^(\w+), (who|whom) [^,]*,", r"\1", text).partition(", who")[0]
    words = re.split(rf" (?:{'|'.join(grammar.LINKS)}) ", words)[0].split()
    known = {form: True for verb in TAKING for form in verb}
    known |= {form: False for verb in GIVING for form in verb}
    (takes,) = (known[word] for word in words if word in known)
    acts = "by" not in words
    denials = sum(word in ("not", "never", "failed", "avoided", "fail", "avoid") for word in words)
    return (takes == acts) != bool(denials % 2)


def test_answers_are_what_a_reader_finds(everything):
    for text, answer in everything["test"] + everything["training"][:2000]:
        assert read_main_clause(text) == answer, text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Emma robbed Leo.", 1),
        ("Emma was robbed by Leo.", 0),
        ("Emma was not robbed by Leo.", 1),
        ("Emma did not avoid being robbed by Leo.", 0),
        ("Emma paid Leo.", 0),
        ("Emma failed to pay Leo.", 1),
        ("After Leo was paid by Rosa, Emma was never tricked by Hugo.", 1),
    ],
)
def test_the_reader_understands_what_the_documentation_says(text, answer):
    assert read_main_clause(text) == answer


@pytest.mark.parametrize(
    "part",
    [
        "was never",
        "did not fail to",
        "did not avoid being",
        ", who had",
        ", whom",
        "After",
        "while",
    ],
)
def test_every_construction_occurs(everything, part):
    assert sum(part in text for text, _ in everything["test"]) >= 5


def test_a_bag_of_words_is_lost(everything):
    training, tested = everything["training"], everything["test"]
    counter = CountVectorizer()
    counted = counter.fit_transform([text for text, _ in training])
    model = LogisticRegression(max_iter=2000).fit(counted, [answer for _, answer in training])
    said = model.predict(counter.transform([text for text, _ in tested]))
    assert 0.3 < f1_score([answer for _, answer in tested], said) < 0.6
