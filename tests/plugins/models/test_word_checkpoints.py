"""Checkpoints that classify words give what transformers gives; each word has its answer."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np
import pytest
import torch
import transformers

from edgebench import DataError, Weights
from edgebench_kit.text import grammar
from edgebench_kit.text.sentences import pack_sentences
from edgebench_plugins.models.transformers import MODEL, TransformersOptions

from ... import checkpoints

FAMILIES = ("bert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")
NAMES = checkpoints.NAMES["tokens"]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Checkpoints by family, each made once: its directory, and its network."""
    known = {}

    def make(family):
        if family not in known:
            directory = tmp_path_factory.mktemp(family)
            known[family] = directory, checkpoints.make_word_classifier(directory, family)
        return known[family]

    return make


def read(directory, **said):
    return MODEL.from_file(directory, TransformersOptions(**said))


def draw_texts(count):
    return [text for text, _ in islice(grammar.make_sentences("test", 0), count)]


def make_tensors(pipeline, words):
    bound = MODEL.bound("mine", pipeline.resources)
    return bound.preprocess(bound.decode(pack_sentences(" ".join(words)), "mine"), "mine")


def run(module, tensors):
    with torch.no_grad():
        return module(*map(torch.tensor, tensors.values())).numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_equal_those_of_transformers_on_the_same_words(made, family):
    directory, network = made(family)
    pipeline, tokenizer = read(directory), transformers.AutoTokenizer.from_pretrained(directory)
    length = pipeline.inputs[0].shape[1]
    for text in [*draw_texts(19), "Leo paid Rosa. " * 40]:
        given = tokenizer(
            text.split(), is_split_into_words=True, truncation=True, max_length=length,
            padding="max_length", return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad():
            wanted = network(**given).logits.numpy()
        tensors = make_tensors(pipeline, text.split())
        got = run(pipeline.stages[0].live, tensors)
        for name, one in tensors.items():
            np.testing.assert_array_equal(one, given[name].numpy())
        assert got.shape == (1, length, len(NAMES))
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


def write(path, rows):
    path.write_text("".join(json.dumps({"tokens": w, "ner_tags": t}) + "\n" for w, t in rows))
    return path


@pytest.fixture
def rows():
    drawn = np.random.default_rng(0)
    texts = [text.split() for text in draw_texts(40)]
    return [(words, [NAMES[n] for n in drawn.integers(0, 5, len(words))]) for words in texts]


def judge_by_hand(network, directory, rows, length):
    """The share of words that are right, by transformers' tokenizer and network alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    right = 0
    for words, tags in rows:
        given = tokenizer(
            words, is_split_into_words=True, truncation=True, max_length=length,
            return_tensors="pt",
        )  # fmt: skip
        with torch.no_grad():
            said = network(**given).logits[0].argmax(-1).tolist()
        first = {}
        for place, word in enumerate(given.word_ids()):
            first.setdefault(word, place)
        right += sum(
            n in first and said[first[n]] == NAMES.index(tag) for n, tag in enumerate(tags)
        )
    return right / sum(len(words) for words, _ in rows)


@pytest.mark.parametrize("length", [None, 6])
def test_accuracy_is_of_words_and_those_cut_off_are_wrong(made, rows, tmp_path, length):
    directory, network = made("bert")
    (tmp_path / "data").mkdir()
    for split, own in {"train": rows[:5], "test": rows[5:]}.items():
        write(tmp_path / "data" / f"{split}.jsonl", own)
    dataset = MODEL.inputs(directory, TransformersOptions(length=length), tmp_path / "data")
    pipeline = read(directory, length=length)
    bound = MODEL.bound("mine", pipeline.resources)
    told = dataset.look()
    assert "in 5 classes by word" in told[0]
    metrics = dataset.metrics()
    assert [one.name for one in metrics] == ["word-accuracy", "entity-f1"]
    sums, shortened = 0, 0
    samples = list(dataset.samples("test", 0))
    for payload, answer in samples:
        words = bound.decode(payload, "mine")
        shortened += bound.shortens(words, "mine")
        logits = run(pipeline.stages[0].live, bound.preprocess(words, "mine"))
        sums += np.array(metrics[0].count(bound.postprocess({"logits": logits}, "m"), answer))
    payloads = {payload for payload, _ in samples}
    tested = [row for row in rows if pack_sentences(" ".join(row[0])) in payloads]
    assert len(tested) == len(samples)
    wanted = judge_by_hand(network, directory, tested, length or 66)
    assert metrics[0].value(sums) == pytest.approx(wanted)
    assert sums[1] == sum(len(words) for words, _ in tested)
    assert bool(shortened) == (length is not None)
    assert 0 < metrics[0].value(sums) < 1


def test_a_network_of_words_can_learn(made, rows, tmp_path):
    directory, _ = made("bert")
    stage = read(directory, length=16).stages[0]
    dataset = MODEL.inputs(
        directory, TransformersOptions(length=16, training=0.5), write(tmp_path / "a.jsonl", rows)
    )
    payloads, answers = zip(*dataset.samples("training", 0), strict=True)
    bound = MODEL.bound("mine", read(directory, length=16).resources)
    each = [bound.preprocess(bound.decode(one, "m"), "m") for one in payloads]
    tensors = [torch.tensor(np.concatenate([one[name] for one in each])) for name in each[0]]
    again = MODEL.configured("mine", stage.configuration)
    answers = torch.tensor(np.stack(answers))
    loss = again.loss({"logits": stage.live(*tensors)}, answers)
    # By hand, word by word.
    sure = stage.live(*tensors).log_softmax(-1)
    losses = [
        -sure[n, place, number]
        for n, (places, classes) in enumerate(answers.tolist())
        for place, number in zip(places, classes, strict=True)
        if place >= 0
    ]
    assert loss.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    loss.backward()


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "roberta"])
def test_facts_name_what_is_there_and_heads_answer_for_each_token(made, family):
    directory, _ = made(family)
    stage = read(directory).stages[0]
    again = MODEL.configured("mine", stage.configuration)
    (variant,) = again.variants
    for point in variant.exits:
        stage.live.get_submodule(point.path)
        assert point.head()(torch.zeros(2, 7, 32)).shape == (2, 7, len(NAMES))
    for path in (*variant.keep, *(one.path for one in variant.attention)):
        stage.live.get_submodule(path)
    assert variant.exits
    module = again.build("mine", Weights(kind="random")).stages[0].live
    module.load_state_dict(stage.live.state_dict())
    half = read(directory, student="half").stages[0]
    assert half.parameters < stage.parameters
    assert half.outputs == stage.outputs


def test_a_tokenizer_that_cannot_cut_single_words_is_refused(made, tmp_path):
    directory, _ = made("roberta")
    for path in directory.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = json.loads((tmp_path / "tokenizer.json").read_text())
    whole["pre_tokenizer"] = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True,
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    with pytest.raises(DataError, match="add_prefix_space=True"):
        read(tmp_path)


def test_a_length_has_room_for_a_token_of_the_words(made):
    directory, _ = made("bert")
    options = TransformersOptions(length=2)
    for call in (lambda: read(directory, length=2), lambda: MODEL.look("m", directory, options)):
        with pytest.raises(DataError, match="frames a text with 2 tokens, and the inputs take 2"):
            call()
    assert read(directory, length=3).inputs[0].shape == ("batch", 3)


def test_pairs_and_whole_texts_are_refused(made, tmp_path):
    directory, _ = made("bert")
    (tmp_path / "a.csv").write_text("text,label\nLeo paid,O\nRosa left,B-PER\n")
    with pytest.raises(DataError, match="holds texts, and .* classifies tokens"):
        MODEL.inputs(directory, TransformersOptions(), tmp_path / "a.csv")
    bound = MODEL.bound("mine", read(directory).resources)
    with pytest.raises(DataError, match="holds a pair"):
        bound.decode(pack_sentences("Leo", "Rosa"), "mine")


def test_a_word_that_is_no_class_is_named(made, tmp_path):
    directory, _ = made("bert")
    path = write(tmp_path / "a.jsonl", [(["Leo"], ["B-PERS"]), (["paid"], ["O"])])
    with pytest.raises(DataError, match="did you mean 'B-PER'"):
        MODEL.inputs(directory, TransformersOptions(), path).look()


def test_a_score_that_is_no_number_is_no_class(made):
    bound = MODEL.bound("mine", read(made("bert")[0]).resources)
    logits = np.array([[[0, 1, 0], [0, np.nan, 3]]], np.float32)
    assert bound.postprocess({"logits": logits}, "m").tolist() == [1, -1]
