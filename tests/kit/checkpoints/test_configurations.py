"""What a configuration says is read, and refused where it is of nothing that can be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError
from edgebench_kit.checkpoints.configurations import (
    Configuration,
    check_parts,
    read_configuration,
)

BERT = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "num_hidden_layers": 2,
    "id2label": {"0": "bad", "1": "so so", "2": "good"},
    "label2id": {"bad": 0, "so so": 1, "good": 2},
}


def write(directory, name="config.json", **said):
    path = directory / name
    path.write_text(json.dumps(BERT | said if name == "config.json" else said))
    return directory


def refused(directory):
    with pytest.raises(DataError) as error:
        read_configuration(directory)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_task_family_and_classes_are_read(tmp_path):
    found = read_configuration(write(tmp_path))
    assert (found.family, found.task, found.classes) == ("bert", "texts", ("bad", "so so", "good"))
    write(tmp_path, architectures=["ViTForImageClassification"], model_type="vit")
    assert read_configuration(tmp_path).task == "pictures"


def test_classes_are_in_the_order_of_their_numbers(tmp_path):
    names = {"1": "b", "10": "k", "0": "a"} | {str(n): chr(97 + n) for n in range(2, 10)}
    assert read_configuration(write(tmp_path, id2label=names, label2id=None)).classes == tuple(
        "abcdefghijk"
    )


def test_without_names_classes_are_numbered_as_transformers_does(tmp_path):
    found = read_configuration(write(tmp_path, id2label=None, label2id=None, num_labels=4))
    assert found.classes == ("LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3")
    found = read_configuration(write(tmp_path, id2label=None, label2id=None))
    assert found.classes == ("LABEL_0", "LABEL_1")


def test_two_classes_may_have_one_name(tmp_path):
    # As `crane`, the bird and the machine, of ImageNet.
    names = {"0": "crane", "1": "kite", "2": "crane"}
    found = read_configuration(write(tmp_path, id2label=names, label2id={"crane": 2, "kite": 1}))
    assert found.classes == ("crane", "kite", "crane")


def test_what_is_written_is_read_again(tmp_path):
    found = read_configuration(write(tmp_path))
    assert Configuration.from_text(found.to_text()) == found
    assert Configuration.from_text(found.to_text()).to_text() == found.to_text()


def test_what_says_how_to_run_it_is_no_part_of_the_network(tmp_path):
    found = read_configuration(
        write(
            tmp_path,
            attn_implementation="kernels-community/flash-attn",
            _attn_implementation="flash_attention_2",
            _name_or_path="/home/anna/bert",
            torch_dtype="float16",
            transformers_version="4.0.0",
        )
    )
    assert set(found.settings) == set(BERT)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "tokenizer_config.json",
        "preprocessor_config.json",
        "processor_config.json",
    ],
)
def test_code_of_a_checkpoint_is_refused_by_name(tmp_path, name):
    write(tmp_path)
    write(tmp_path, name, auto_map={"AutoModel": "modeling_own.OwnModel"})
    (tmp_path / "modeling_own.py").write_text("raise SystemExit('it ran')")
    said = refused(tmp_path)
    assert str(tmp_path / name) in said
    assert "auto_map" in said
    assert "modeling_own.py beside it" in said
    assert "never run" in said


def test_what_makes_vectors_of_texts_is_told_by_what_lies_beside(tmp_path):
    write(tmp_path, architectures=["BertModel"])
    assert refused(tmp_path).endswith("fine-tune it first")
    (tmp_path / "modules.json").write_text("[]")
    said = refused(tmp_path)
    assert "it makes vectors of texts, by its modules.json, which are not measured" in said


def test_a_python_file_beside_is_ignored(tmp_path):
    (tmp_path / "modeling_own.py").write_text("raise SystemExit('it ran')")
    assert read_configuration(write(tmp_path)).family == "bert"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"architectures": ["BertModel"]}, "BertModel, which has no head .* fine-tune it first"),
        ({"architectures": ["BertForMaskedLM"]}, "BertForMaskedLM, which .* fine-tune it first"),
        ({"architectures": ["BertForPreTraining"]}, "fine-tune it first"),
        ({"architectures": ["GPT2LMHeadModel"]}, "fine-tune it first"),
        (
            {"architectures": ["T5ForConditionalGeneration"]},
            "not classify texts, words or pictures",
        ),
        (
            {"architectures": ["BertForMultipleChoice"]},
            "does not classify texts, words or pictures",
        ),
        ({"architectures": []}, "names no architectures"),
        ({"architectures": None}, "names no architectures"),
        ({"architectures": [7]}, "names no architectures"),
        ({"model_type": None}, "names no model_type"),
        ({"model_type": 3}, "names no model_type"),
        ({"quantization_config": {"bits": 4}}, "of a quantized checkpoint"),
        ({"problem_type": "multi_label_classification"}, "says problem_type 'multi_label"),
        ({"problem_type": "regression"}, "accuracy is of classes"),
        ({"id2label": {"0": "score"}, "label2id": {"score": 0}}, "of 1 classes"),
        ({"id2label": {"1": "a", "2": "b"}}, "2 numbers of id2label are not 0 to 1"),
        ({"id2label": ["a", "b"]}, "id2label is of names by number, not list"),
        ({"id2label": None, "num_labels": 10**12}, "of 1000000000000 classes"),
        ({"id2label": None, "num_labels": "3"}, "of '3' classes"),
        (
            {"label2id": {"bad": 2, "so so": 1, "good": 0}},
            "id2label calls class 0 'bad', and label2id says that 'bad' is 2; make the two agree",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(tmp_path, said, words):
    import re

    assert re.search(words, refused(write(tmp_path, **said)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "cannot be read as JSON"),
        (b"[]", "holds a list, not keys and values"),
        (b"{}", "names no model_type"),
        (b"", "cannot be read as JSON"),
    ],
)
def test_damaged_json_is_refused(tmp_path, content, words):
    (tmp_path / "config.json").write_bytes(content)
    said = refused(tmp_path)
    assert words in said
    assert str(tmp_path / "config.json") in said


def test_an_adapter_is_refused(tmp_path):
    write(tmp_path, "adapter_config.json", base_model_name_or_path="bert-base-uncased")
    assert "holds an adapter" in refused(write(tmp_path))


# --- how many parts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"num_hidden_layers": 10**12}, "num_hidden_layers"),
        ({"n_layers": 10**12}, "n_layers"),
        ({"n_layer": 10**12}, "n_layer"),
        ({"encoder_layers": 10**12}, "encoder_layers"),
        ({"depths": [3, 10**9, 3]}, "depths"),
        ({"num_feedforward_networks": 10**9}, "num_feedforward_networks"),
        ({"vision_config": {"num_hidden_layers": 10**9}}, "num_hidden_layers"),
        ({"hidden_sizes": [1] * 2000}, "hidden_sizes"),
    ],
)
def test_more_layers_than_there_are_tensors_are_refused(said, key):
    with pytest.raises(DataError, match=f"{key} is [0-9]+, and the weights beside it are 40"):
        check_parts(said, 40, Path("config.json"))


def test_what_networks_have_is_no_damage():
    large = {
        **BERT,
        "vocab_size": 250_000,
        "num_labels": 21_841,
        "id2label": {str(number): "x" for number in range(21_841)},
        "num_hidden_layers": 96,
        "depths": [3, 4, 30, 3],
        "hidden_sizes": [96, 192],
    }
    check_parts(large, 25, Path("config.json"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*BERT, "num_labels", "problem_type"]), json_values))
def test_whatever_json_says_is_read_or_refused(tmp_path_factory, said):
    directory = tmp_path_factory.mktemp("checkpoint")
    write(directory, **said)
    try:
        found = read_configuration(directory)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert found.task == "texts"
        assert len(found.classes) >= 2
        try:
            check_parts(found.settings, 40, directory / "config.json")
        except DataError as error:
            assert "\n" not in str(error)
