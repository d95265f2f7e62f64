"""Checkpoints that transformers wrote are loaded, tokenizer and all, and wrong ones refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
import transformers
from tokenizers.models import BPE, WordPiece

from edgebench import DataError, Look, NoOptions, Weights
from edgebench_kit.text import vocabularies
from edgebench_kit.text.encoder_models import Family
from edgebench_plugins.models import bert, roberta

FAMILIES = {"bert": bert.FAMILY, "roberta": roberta.FAMILY}
PREFIXES = {"bert": "Bert", "roberta": "Roberta"}
PAIR = ("Rosa was never tricked by Leo.", "Quick zebras, pay the café!")


def own_tokenizer(name):
    """A tokenizer that is not the one trained here: the same text, other numbers."""
    tokenizer = vocabularies.train_tokenizer(FAMILIES[name].kind)
    special = FAMILIES[name].kind.special
    plain = [token for token in sorted(tokenizer.get_vocab()) if token not in special]
    vocabulary = {token: number for number, token in enumerate([*special, *plain])}
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"].get("merges", [])]
    tokenizer.model = (
        WordPiece(vocabulary, unk_token=FAMILIES[name].kind.tokens["unk_token"])
        if name == "bert"
        else BPE(vocabulary, merges)
    )
    return tokenizer


@pytest.fixture(scope="module", params=list(FAMILIES))
def written(request, tmp_path_factory):
    """The family, a checkpoint of its small size as transformers writes it, and what it gives."""
    name = request.param
    family: Family = FAMILIES[name]
    configuration = family.find_size("small").make_configuration()
    plain = type(configuration)(
        **{
            key: getattr(configuration, key)
            for key in (
                *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
                *("intermediate_size", "max_position_embeddings", "type_vocab_size"),
                *("layer_norm_eps", "num_labels"),
            )
        },
        initializer_range=0.1,
    )
    network = getattr(transformers, f"{PREFIXES[name]}ForSequenceClassification")
    torch.manual_seed(11)
    directory = tmp_path_factory.mktemp(name)
    network(plain).save_pretrained(directory)
    tokenizer = own_tokenizer(name)
    tokenizer.save(str(directory / "tokenizer.json"))
    theirs = network.from_pretrained(directory, local_files_only=True).eval()
    ids = tokenizer.encode(*PAIR)
    given = {
        "input_ids": torch.tensor([ids.ids]),
        "attention_mask": torch.tensor([ids.attention_mask]),
    }
    if name == "bert":
        given["token_type_ids"] = torch.tensor([ids.type_ids])
    with torch.no_grad():
        wanted = theirs(**given).logits.numpy()
    return family, directory, wanted


@pytest.fixture
def copy(written, tmp_path):
    """The checkpoint, free to be broken."""
    shutil.copytree(written[1], tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def load(family, path, variant="small"):
    return family.build(variant, Weights(kind="file", path=path, seed=3))


def given_logits(family, pipeline):
    model = family.make_model("M.", bert.MODEL.budget).bound("small", pipeline.resources)
    tensors = model.preprocess(PAIR, "small")
    assert {one.shape for one in tensors.values()} == {(1, 32)}
    stage = pipeline.stages[0]
    with torch.no_grad():
        return stage.live(*(torch.tensor(tensors[spec.name]) for spec in stage.inputs))[0].numpy()


def change(directory, **changes):
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(family, path, variant="small"):
    with pytest.raises(DataError) as error:
        load(family, path, variant)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_checkpoint_gives_what_transformers_gives(written):
    family, directory, wanted = written
    got = given_logits(family, load(family, directory))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    drawn = given_logits(family, family.build("small", Weights(kind="random", seed=3)))
    assert np.abs(drawn - wanted).max() > 1e-2


def test_weights_in_the_older_file_are_loaded_too(written, copy):
    family, _, wanted = written
    safe = copy / "model.safetensors"
    network = load(family, copy).stages[0].live
    positions = {f"{family.name}.embeddings.position_ids": torch.arange(32)[None]}
    torch.save(network.state_dict() | positions, copy / "pytorch_model.bin")
    safe.unlink()
    np.testing.assert_allclose(
        given_logits(family, load(family, copy)), wanted, rtol=1e-4, atol=1e-5
    )


def test_a_vocabulary_alone_will_do(written, copy):
    family, _, wanted = written
    (copy / "tokenizer.json").unlink()
    own_tokenizer(family.name).model.save(str(copy))
    np.testing.assert_allclose(
        given_logits(family, load(family, copy)), wanted, rtol=1e-4, atol=1e-5
    )


def test_a_single_file_goes_with_the_tokenizer_that_is_trained_here(written):
    family, directory, _ = written
    from_file = load(family, directory / "model.safetensors")
    from_directory = load(family, directory)
    own = family.build("small", Weights(kind="random"))
    assert from_file.resources == own.resources != from_directory.resources
    one, other = (given.stages[0].live.state_dict() for given in (from_file, from_directory))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_another_size_is_refused_by_the_first_thing_that_differs(written):
    family, directory, _ = written
    said = refused(family, directory, "tiny")
    assert f"the checkpoint in {directory} is not of {family.name}:tiny" in said
    assert "num_hidden_layers is 4, not 2" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 128}, "hidden_size is 128, not 256"),
        ({"num_attention_heads": 8}, "num_attention_heads is 8, not 4"),
        ({"vocab_size": 28996}, "vocab_size is 28996, not 1024"),
        ({"hidden_act": "relu"}, "hidden_act is relu, not gelu"),
        ({"layer_norm_eps": 0.1}, "layer_norm_eps is 0.1, not"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "num_labels is 3, not 2"),
        ({"position_embedding_type": "relative_key"}, "is relative_key, not absolute"),
        ({"model_type": "gpt2"}, "holds a checkpoint of the type 'gpt2'"),
        ({"hidden_size": "wide"}, "hidden_size is wide, not 256"),
        ({"initializer_range": "wide"}, "is no configuration: "),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_differs_in_its_configuration_is_said(written, copy, changes, message):
    change(copy, **changes)
    assert message in refused(written[0], copy)


def test_what_is_looked_at_is_what_the_network_is_made_of(written):
    for size in written[0].sizes:
        made = size.make_configuration()
        assert {name: getattr(made, name) for name in size.figures} == size.figures
        assert made.model_type == size.network.name


def test_what_a_configuration_leaves_to_its_defaults_is_held_too(written, copy):
    """The defaults are those of the large size; a look leaves them to who loads the weights."""
    path = copy / "config.json"
    said = json.loads(path.read_text())
    del said["hidden_size"]
    path.write_text(json.dumps(said))
    family = written[0]
    assert family.look("small", copy, NoOptions()) == Look()
    assert "hidden_size is 768, not 256" in refused(family, copy)


def test_a_model_of_masked_words_is_refused(written, copy):
    family = written[0]
    prefix = PREFIXES[family.name]
    change(copy, architectures=[f"{prefix}ForMaskedLM"])
    said = refused(family, copy)
    assert f"holds a {prefix}ForMaskedLM, not a {prefix}ForSequenceClassification" in said
    assert "it has no classifier of sentences; fine-tune it first" in said


@pytest.mark.parametrize(
    ("zero", "one"),
    [
        ("equivalent", "not_equivalent"),
        ("Is Paraphrase", "NOT-PARAPHRASE"),
        ("entailment", "non-entailment"),
        ("LABEL_1", "LABEL_0"),
        ("yes", "no"),
        ("POSITIVE", "NEGATIVE"),
    ],
)
def test_classes_in_the_other_order_are_refused(written, copy, zero, one):
    change(copy, id2label={"0": zero, "1": one})
    said = refused(written[0], copy)
    assert f"calls class 0 {zero!r} and class 1 {one!r}" in said
    assert "change the order of the classifier's rows and of id2label" in said


@pytest.mark.parametrize(
    ("zero", "one"),
    [
        ("not_equivalent", "equivalent"),
        ("LABEL_0", "LABEL_1"),
        ("0", "1"),
        ("negative", "positive"),
        ("spam", "eggs"),
        ("equivalent", "equivalent"),
    ],
)
def test_classes_in_the_order_of_the_data_or_in_none_are_taken(written, copy, zero, one):
    family, directory, _ = written
    change(copy, id2label={"0": zero, "1": one})
    got, wanted = (load(family, path).stages[0].live.state_dict() for path in (copy, directory))
    assert all(torch.equal(value, wanted[name]) for name, value in got.items())


def test_weights_without_a_classifier_are_refused(written, copy):
    family = written[0]
    network = load(family, copy).stages[0].live
    kept = {key: value for key, value in network.state_dict().items() if "classifier" not in key}
    (copy / "model.safetensors").unlink()
    torch.save(kept, copy / "pytorch_model.bin")
    assert "classifier" in refused(family, copy)


def test_truncated_weights_are_said(written, copy):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    assert f"{path}, {path.stat().st_size} bytes, is truncated" in refused(written[0], copy)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "is no checkpoint of transformers: it has no config.json"),
        ("model.safetensors", "neither model.safetensors nor pytorch_model.bin"),
        ("tokenizer.json", "has no tokenizer; tokenizer.json, or "),
    ],
)
def test_a_file_that_is_missing_is_said(written, copy, name, message):
    (copy / name).unlink()
    said = refused(written[0], copy)
    assert message in said
    assert str(copy) in said


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_configuration_that_is_none_is_said(written, copy, content):
    (copy / "config.json").write_text(content)
    assert str(copy / "config.json") in refused(written[0], copy)


def test_a_tokenizer_with_too_many_entries_is_refused(written, copy):
    tokenizer = own_tokenizer(written[0].name)
    tokenizer.add_tokens([f"token{number}" for number in range(1024)])
    tokenizer.save(str(copy / "tokenizer.json"))
    assert "and the weights beside it 1024 rows" in refused(written[0], copy)


def test_a_tokenizer_that_fills_up_with_something_else_is_refused(written, copy):
    family = written[0]
    path = copy / "tokenizer.json"
    stored = json.loads(path.read_text())
    padding = family.kind.padding
    stored["added_tokens"] = []
    vocabulary = stored["model"]["vocab"]
    other = next(token for token, number in vocabulary.items() if number == 77)
    vocabulary[padding], vocabulary[other] = vocabulary[other], vocabulary[padding]
    path.write_text(json.dumps(stored))
    assert f"fills up with {padding}, 77, and the configuration beside it says" in refused(
        family, copy
    )


def test_a_single_file_with_another_vocabulary_is_refused(written):
    family, directory, _ = written
    said = refused(family, directory / "model.safetensors", "4x512")
    assert "is without a tokenizer" in said
    assert said.endswith("give the directory of the checkpoint")


@pytest.fixture(scope="module")
def cased(tmp_path_factory):
    """A checkpoint of the form of `haisongzhang/roberta-tiny-cased` after it was fine-tuned."""
    directory = tmp_path_factory.mktemp("cased")
    plain = [token for token in own_tokenizer("bert").get_vocab() if token.isalpha()]
    words = ["[PAD]", *(f"[unused{number}]" for number in range(1, 100))]
    words += ["[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "!", "Quick", "##ed", *sorted(plain)]
    words += [f"word{number}" for number in range(28_996 - len(words))]
    (directory / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    configuration = transformers.BertConfig(
        vocab_size=28_996,
        hidden_size=512,
        num_hidden_layers=4,
        num_attention_heads=8,
        intermediate_size=2048,
        id2label={0: "not_equivalent", 1: "equivalent"},
        initializer_range=0.1,
    )
    torch.manual_seed(11)
    transformers.BertForSequenceClassification(configuration).save_pretrained(directory)
    return directory


def test_the_small_cased_roberta_gives_what_transformers_gives(cased):
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(
        cased, local_files_only=True
    ).eval()
    cut = transformers.BertTokenizer(
        str(cased / "vocab.txt"), do_lower_case=False, model_max_length=128
    )
    given = cut(*PAIR, padding="max_length", truncation=True, return_tensors="pt")
    with torch.no_grad():
        wanted = theirs(**given).logits.numpy()

    pipeline = load(roberta.FAMILY, cased, "4x512")
    stage = pipeline.stages[0]
    assert sum(weight.numel() for weight in theirs.parameters()) == stage.parameters == 27_983_362
    model = roberta.MODEL.bound("4x512", pipeline.resources)
    tensors = model.preprocess(PAIR, "4x512")
    assert {name: values.tolist() for name, values in tensors.items()} == {
        name: given[name].tolist() for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    assert tensors["token_type_ids"].any()
    with torch.no_grad():
        got = stage.live(*(torch.tensor(tensors[spec.name]) for spec in stage.inputs))[0].numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_weights_drawn_for_it_go_with_the_vocabulary_made_for_its_teacher():
    drawn, teacher = (
        roberta.MODEL.build(variant, Weights(kind="random")) for variant in ("4x512", "base")
    )
    assert drawn.resources == teacher.resources


def test_a_checkpoint_of_the_larger_vocabulary_is_not_of_it(written, cased):
    family, directory, _ = written
    if family.name == "roberta":
        said = refused(family, directory, "4x512")
        assert "holds a checkpoint of the type 'roberta', not 'bert'" in said
    else:
        assert "vocab_size is 28996, not 30522" in refused(family, cased, "4x512")
