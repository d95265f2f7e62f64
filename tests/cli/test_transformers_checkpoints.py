"""A checkpoint of transformers and data of one's own, from the command line to a table."""

from __future__ import annotations

import json
from itertools import islice

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from edgebench_kit.text import grammar

from .. import checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made") / "mine"
    checkpoints.make_text_classifier(directory)
    return directory


@pytest.fixture(scope="module")
def table(checkpoint, tmp_path_factory):
    """Texts with the labels that the checkpoint itself gives, but for every fourth one."""
    network = AutoModelForSequenceClassification.from_pretrained(checkpoint).eval()
    texts = [text for text, _ in islice(grammar.make_sentences("test", 0), 120)]
    given = checkpoints.make_tokenizer(of_bytes=False)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        best = network(**given).logits.argmax(1).tolist()
    assert len(set(best)) > 1
    path = tmp_path_factory.mktemp("data") / "texts.csv"
    lines = ["text,label"]
    for number, (text, at) in enumerate(zip(texts, best, strict=True)):
        name = checkpoints.NAMES["texts"][at if number % 4 else (at + 1) % 3]
        lines.append(f'"{text}",{name}')
    path.write_text("\n".join(lines))
    return path


def change(directory, **said):
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | said))


def test_accuracy_is_by_the_names_of_labels(cli, checkpoint, table):
    said = cli(
        *("run", "--json", "--model", checkpoint, "--data", table),
        *("--backend", "onnxruntime", "--operator", "identity", "--blocks", "1"),
        *("--requests", "4"),
    )
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert case["model"] == "transformers"
    assert "texts.csv: 120 texts in 3 classes" in said.err
    # Three in four are right, and the test is four in five of all.
    assert 0.7 < case["accuracy"]["accuracy"] < 0.8


@pytest.mark.parametrize("operator", ["distill", "early-exit", "prune"])
def test_operators_that_need_facts_of_modules_can_be_planned(cli, checkpoint, table, operator):
    said = cli(
        *("plan", "--json", "--model", checkpoint, "--data", f"{table}(training=0.3)"),
        *("--backend", "onnxruntime", "--operator", operator),
    )
    assert said.status == 0, said.err
    assert len(said.json["cases"]) == 1


@pytest.mark.parametrize("operator", ["distill", "early-exit"])
def test_they_say_which_fact_is_missing_of_another_family(cli, tmp_path, operator):
    checkpoints.make_text_classifier(tmp_path / "other", "mobilebert")
    said = cli(
        *("plan", "--json", "--model", tmp_path / "other"),
        *("--backend", "onnxruntime", "--operator", operator),
    )
    (skipped,) = said.json["skipped"]
    assert {"distill": "names no student", "early-exit": "exit"}[operator] in skipped["reason"]
    told = "the family mobilebert names no exit points and no student; those of bert, camembert, "
    assert told in skipped["reason"]
    assert "Variant(" not in skipped["reason"]


def test_what_is_refused_is_so_when_it_is_planned(cli, tmp_path):
    directory = tmp_path / "mine"
    checkpoints.make_text_classifier(directory)
    for said, words in [
        ({"auto_map": {"AutoModel": "own.Own"}}, "code of a checkpoint is never run"),
        ({"auto_map": None, "vocab_size": 5}, "does not fit the weights beside it"),
        ({"architectures": ["BertModel"]}, "fine-tune it first"),
    ]:
        change(directory, **said)
        found = cli("plan", "--model", directory, "--backend", "onnxruntime")
        assert found.status == 2
        assert words in " ".join(found.err.split())
        assert "Traceback" not in found.err
