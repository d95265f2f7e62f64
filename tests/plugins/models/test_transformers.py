"""Checkpoints of transformers give what its own pipelines give; what does not fit is refused."""

from __future__ import annotations

import io
import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from edgebench import DataError, Weights
from edgebench_kit.text import grammar
from edgebench_kit.text.sentences import pack_sentences
from edgebench_kit.torch.onnx_export import export_module
from edgebench_plugins.models.transformers import MODEL, TransformersOptions

from ... import checkpoints

PAIR = ("Rosa was never tricked by Leo.", "Quick zebras, pay the café!")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Checkpoints by family, each made once: its directory, and its network."""
    known = {}

    def make(family):
        if family not in known:
            directory = tmp_path_factory.mktemp(family.replace("-", "_"))
            texts = family in checkpoints.TEXTS
            maker = (
                checkpoints.make_text_classifier if texts else checkpoints.make_picture_classifier
            )
            known[family] = directory, maker(directory, family)
        return known[family]

    return make


@pytest.fixture
def copy(made, tmp_path):
    """A checkpoint that is free to be broken."""

    def copy(family):
        shutil.copytree(made(family)[0], tmp_path / "checkpoint")
        return tmp_path / "checkpoint"

    return copy


def read(directory, **said):
    return MODEL.from_file(directory, TransformersOptions(**said))


def look(directory, **said):
    return MODEL.look("mine", directory, TransformersOptions(**said))


def change(directory, name="config.json", **said):
    path = directory / name
    path.write_text(json.dumps(json.loads(path.read_text()) | said))


def refused(call, *given, **said):
    with pytest.raises(DataError) as error:
        call(*given, **said)
    assert "\n" not in str(error.value)
    return str(error.value)


def draw_picture(number):
    """A picture file, of another size each, and noted to be turned in all ways."""
    drawn = np.random.default_rng(number)
    pixels = drawn.integers(0, 255, (40 + number, 70 - number, 3), dtype=np.uint8)
    file, noted = io.BytesIO(), Image.Exif()
    noted[0x112] = number % 8 + 1
    Image.fromarray(pixels).save(file, ("PNG", "JPEG")[number % 2], exif=noted)
    return file.getvalue()


def draw_payloads(family, count):
    if family not in checkpoints.TEXTS:
        return [draw_picture(number) for number in range(count)]
    texts = [text for text, _ in islice(grammar.make_sentences("test", 0), count - 2)]
    # One that must be shortened, and a pair.
    return [pack_sentences(one) for one in [*texts, "Leo paid Rosa. " * 40]] + [
        pack_sentences(*PAIR)
    ]


def make_tensors(pipeline, payloads):
    """A batch as the model itself makes it of payloads."""
    bound = MODEL.bound("mine", pipeline.resources)
    each = [bound.preprocess(bound.decode(one, "mine"), "mine") for one in payloads]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def run(pipeline, tensors):
    with torch.no_grad():
        return pipeline.stages[0].live(*map(torch.tensor, tensors.values())).numpy()


def ask_pipeline(directory, family, payloads):
    """What transformers' own pipeline gives, class by class."""
    if family in checkpoints.TEXTS:
        pipe = transformers.pipeline(
            "text-classification",
            model=str(directory),
            function_to_apply="none",
            top_k=None,
            truncation=True,
            max_length=64 if family == "roberta" else 66,
        )
        asked = [json.loads(one) for one in payloads]
        asked = [
            {"text": one["sentence1"], "text_pair": one["sentence2"]}
            if "sentence2" in one
            else one["sentence1"]
            for one in asked
        ]
    else:
        processor = transformers.AutoImageProcessor.from_pretrained(directory, use_fast=False)
        pipe = transformers.pipeline(
            "image-classification",
            model=str(directory),
            image_processor=processor,
            function_to_apply="none",
            top_k=None,
        )
        asked = [Image.open(io.BytesIO(one)) for one in payloads]
    names = pipe.model.config.id2label.values()
    each = [pipe([one])[0] if isinstance(one, str) else pipe(one) for one in asked]
    said = [{answer["label"]: answer["score"] for answer in one} for one in each]
    return np.array([[one[name] for name in names] for one in said])


# --- the same as transformers' own ---------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "vit", "resnet"])
def test_logits_equal_those_of_transformers_own_pipeline(made, family):
    directory, _ = made(family)
    payloads = draw_payloads(family, 20)
    pipeline = read(directory)
    got = run(pipeline, make_tensors(pipeline, payloads))
    wanted = ask_pipeline(directory, family, payloads)
    assert np.ptp(wanted, axis=0).min() > 0.01
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("family", [*checkpoints.TEXTS, *checkpoints.PICTURES])
def test_every_family_becomes_a_graph_that_gives_the_same(made, family):
    directory, network = made(family)
    pipeline = read(directory)
    tensors = make_tensors(pipeline, draw_payloads(family, 3))
    with torch.no_grad():
        wanted = network(**{name: torch.tensor(one) for name, one in tensors.items()}).logits
    graph = export_module(pipeline.stages[0], tensors, ["logits"])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for count in (3, 1):
        given = {name: one[:count] for name, one in tensors.items()}
        (got,) = session.run(None, given)
        np.testing.assert_allclose(got, wanted[:count].numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "resnet"])
def test_scores_travel_in_the_order_of_the_classes(made, family):
    pipeline = read(made(family)[0])
    tensors = make_tensors(pipeline, draw_payloads(family, 3))
    logits = run(pipeline, tensors)
    scores = MODEL.bound("m", pipeline.resources).postprocess({"logits": logits[:1]}, "m")
    assert scores.argmax() == logits[0].argmax()
    assert scores.sum() == pytest.approx(1)


# --- texts ---------------------------------------------------------------------------------------


def test_texts_are_as_long_as_said_or_as_there_are_positions(made):
    for family, most in [("bert", 66), ("roberta", 64)]:
        directory, _ = made(family)
        assert read(directory).stages[0].inputs[0].shape == ("batch", most)
        assert read(directory, length=16).stages[0].inputs[0].shape == ("batch", 16)
        for call in (look, read):
            said = refused(call, directory, length=most + 1)
            assert said == f"length={most + 1}: the model in {directory} takes {most} at most"


def test_a_length_has_room_for_a_token_of_each_text(made):
    directory, _ = made("bert")
    for length in (2, 3):
        for call in (look, read):
            said = refused(call, directory, length=length)
            assert f"frames a pair of texts with 3 tokens, and the inputs take {length}" in said
    look(directory, length=4)
    pipeline = read(directory, length=4)
    bound = MODEL.bound("mine", pipeline.resources)
    ids = bound.preprocess(("Leo paid", "Rosa left"), "mine")["input_ids"]
    assert ids.shape == (1, 4)


@pytest.mark.parametrize("most", ["a", [], {}, -1, 0, True])
def test_the_most_tokens_of_a_tokenizer_are_a_number(copy, most):
    directory = copy("bert")
    change(directory, "tokenizer_config.json", model_max_length=most)
    for call in (look, read):
        assert refused(call, directory) == (
            f"{directory / 'tokenizer_config.json'}: model_max_length is a number of tokens, from "
            f"1 on, not {most!r}"
        )


def test_a_text_that_is_too_long_is_known_to_be_shortened(made):
    pipeline = read(made("bert")[0], length=16)
    bound = MODEL.bound("mine", pipeline.resources)
    assert bound.shortens(("Leo paid Rosa. " * 9,), "mine")
    assert not bound.shortens(("Leo paid Rosa.",), "mine")


def test_sentences_are_told_apart_only_where_the_tokenizer_does(copy):
    directory = copy("bert")
    change(directory, "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    pipeline = read(directory)
    assert [spec.name for spec in pipeline.inputs] == ["input_ids", "attention_mask"]
    payloads = draw_payloads("bert", 3)
    got = run(pipeline, make_tensors(pipeline, payloads))
    np.testing.assert_allclose(got, ask_pipeline(directory, "bert", payloads), atol=1e-4)


def test_a_vocabulary_alone_makes_a_tokenizer(copy):
    directory = copy("bert")
    vocabulary = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer_config.json").unlink()
    (directory / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)))
    look(directory)
    payloads = draw_payloads("bert", 5)
    pipeline = read(directory)
    got = run(pipeline, make_tensors(pipeline, payloads))
    np.testing.assert_allclose(got, ask_pipeline(directory, "bert", payloads), atol=1e-4)


def test_length_is_of_texts(made):
    said = refused(look, made("vit")[0], length=16)
    assert "length is of texts" in said


@pytest.mark.parametrize("said", [{"calibration": "more"}, {"label": "mood"}, {"training": 0.3}])
def test_what_is_said_of_data_is_not_left_out_where_requests_are_made(made, said):
    directory = made("bert")[0]
    assert MODEL.inputs(directory, TransformersOptions(), None).synthetic
    with pytest.raises(DataError, match=f"^{next(iter(said))} is said of data of your own"):
        MODEL.inputs(directory, TransformersOptions(**said), None)


# --- made again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "vit", "resnet", "deit"])
def test_a_network_is_made_again_from_its_configuration(made, family):
    pipeline = read(made(family)[0])
    stage = pipeline.stages[0]
    again = MODEL.configured("mine", stage.configuration)
    module = again.build("mine", Weights(kind="random")).stages[0].live
    module.load_state_dict(stage.live.state_dict())
    tensors = make_tensors(pipeline, draw_payloads(family, 3))
    with torch.no_grad():
        got = module(*map(torch.tensor, tensors.values())).numpy()
    np.testing.assert_array_equal(got, run(pipeline, tensors))


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra", "xlm-roberta"])
def test_facts_of_encoders_name_what_is_there(made, family):
    stage = read(made(family)[0]).stages[0]
    check_facts(stage, hidden=(2, stage.inputs[0].shape[1], 32))


@pytest.mark.parametrize("family", ["vit", "deit"])
def test_facts_of_vision_encoders_name_what_is_there(made, family):
    check_facts(read(made(family)[0]).stages[0], hidden=(2, 17 + (family == "deit"), 32))


def test_facts_of_resnets_name_what_is_there(made):
    stage = read(made("resnet")[0]).stages[0]
    variant = MODEL.configured("mine", stage.configuration).variants[0]
    for number, point in enumerate(variant.exits):
        stage.live.get_submodule(point.path)
        channels = [8, 16, 24, 32][number]
        assert point.head()(torch.zeros(2, channels, 4, 4)).shape == (2, 5)


def check_facts(stage, hidden):
    variant = MODEL.configured("mine", stage.configuration).variants[0]
    classes = stage.outputs[0].shape[1]
    for point in variant.exits:
        stage.live.get_submodule(point.path)
        assert point.head()(torch.zeros(hidden)).shape == (2, classes)
    for each in variant.attention:
        module = stage.live.get_submodule(each.path)
        for name in each.projections:
            assert module.get_submodule(name).out_features == 32
        assert {getattr(module, name) for name in each.counts} == {each.heads}
        assert {getattr(module, name) for name in each.widths} <= {32}
    for path in variant.keep:
        stage.live.get_submodule(path)
    assert variant.attention
    assert variant.exits
    assert variant.student == "half"


@pytest.mark.parametrize("family", ["bert", "distilbert", "vit", "resnet"])
def test_a_student_begins_with_layers_of_its_teacher(made, family):
    directory, _ = made(family)
    teacher, student = read(directory), read(directory, student="half")
    assert student.stages[0].parameters < teacher.stages[0].parameters
    assert student.inputs == teacher.inputs
    again = MODEL.configured("half", student.stages[0].configuration)
    assert again.variants[0].student == ""
    again.build("half", Weights(kind="random")).stages[0].live.load_state_dict(
        student.stages[0].live.state_dict()
    )
    assert look(directory, student="half").configuration
    given = teacher.stages[0].live.state_dict().values()
    for weights in student.stages[0].live.state_dict().values():
        assert any(weights.shape == one.shape and torch.equal(weights, one) for one in given)


def test_another_student_is_not_known(made):
    assert "one student, 'half'" in refused(look, made("bert")[0], student="tiny")
    said = refused(look, made("swin")[0], student="half")
    assert "no student is known of the family 'swin'" in said


# --- weights -------------------------------------------------------------------------------------


def test_weights_in_several_files_and_pickled_ones_are_read(made, copy):
    payloads = draw_payloads("bert", 3)
    wanted = run(read(made("bert")[0]), make_tensors(read(made("bert")[0]), payloads))
    directory = copy("bert")
    tensors = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    torch.save(tensors, directory / "pytorch_model.bin")
    look(directory)
    got = run(read(directory), make_tensors(read(directory), payloads))
    np.testing.assert_array_equal(got, wanted)
    (directory / "pytorch_model.bin").unlink()
    made("bert")[1].save_pretrained(directory, max_shard_size="50KB")
    assert len(list(directory.glob("model-*.safetensors"))) > 1
    look(directory)
    np.testing.assert_array_equal(
        run(read(directory), make_tensors(read(directory), payloads)), wanted
    )


def test_halves_are_computed_as_floats(copy):
    directory = copy("bert")
    tensors = load_file(directory / "model.safetensors")
    save_file(
        {name: one.half() for name, one in tensors.items()},
        directory / "model.safetensors",
        metadata={"format": "pt"},
    )
    change(directory, dtype="float16", torch_dtype="float16")
    live = read(directory).stages[0].live
    assert {one.dtype for one in live.parameters()} == {torch.float32}


class Runs:
    """What a pickle would run."""

    def __reduce__(self):
        return (Path.write_text, (Path("it-ran"), "yes"))


def test_a_pickle_that_runs_code_is_refused(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directory = copy("bert")
    (directory / "model.safetensors").unlink()
    torch.save({"a": Runs()}, directory / "pytorch_model.bin")
    assert "may run code" in refused(read, directory)
    assert not Path("it-ran").exists()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda held: held.pop("classifier.bias"), "classifier.bias is missing"),
        (
            lambda held: held.update({"bert.other": torch.zeros(2)}),
            "bert.other is unknown to it",
        ),
        (
            lambda held: held.update({"classifier.bias": torch.zeros(7)}),
            "classifier.bias has shape (7,), not (3,)",
        ),
        (lambda held: held.clear(), "bert.embeddings.LayerNorm.bias is missing ("),
    ],
)
def test_weights_that_do_not_fit_are_named(copy, edit, words):
    directory = copy("bert")
    held = load_file(directory / "model.safetensors")
    edit(held)
    save_file(held, directory / "model.safetensors", metadata={"format": "pt"})
    assert words in refused(read, directory)


def test_fewer_layers_than_the_weights_have_are_another_network(copy):
    directory = copy("bert")
    change(directory, num_hidden_layers=1)
    said = refused(read, directory)
    assert "bert.encoder.layer.1" in said
    assert "is unknown to it (15 more do not fit)" in said


def test_what_it_was_trained_as_before_may_be_left(copy):
    directory = copy("bert")
    held = load_file(directory / "model.safetensors")
    held["cls.predictions.bias"] = torch.zeros(9)
    held["bert.embeddings.position_ids"] = torch.arange(66)[None]
    save_file(held, directory / "model.safetensors", metadata={"format": "pt"})
    read(directory)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"vocab_size": 10**12}, "describes a network of"),
        ({"hidden_size": 10**9}, "describes a network of"),
        ({"intermediate_size": 10**13}, "describes a network of"),
        ({"max_position_embeddings": 10**14}, "describes a network of"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers is 1000000000000, and the weights"),
        ({"type_vocab_size": 10**12}, "describes a network of"),
        ({"hidden_size": -4}, "cannot be made"),
        ({"hidden_size": "wide"}, "cannot be made"),
        ({"num_attention_heads": 5}, "cannot be made"),
        ({"hidden_act": "os.system"}, "cannot be made"),
        ({"model_type": "nothing"}, "no family 'nothing' is in transformers"),
        ({"model_type": "vit"}, "the family 'vit' has no BertForSequenceClassification in"),
        ({"architectures": ["OwnForSequenceClassification"]}, "has no OwnForSequenceClassif"),
    ],
)
def test_a_configuration_of_another_network_is_refused_before_it_is_made(copy, said, words):
    directory = copy("bert")
    change(directory, **said)
    assert words in refused(read, directory)


@pytest.mark.parametrize("said", [{"image_size": 64}, {"num_channels": 1}, {"patch_size": 0}])
def test_pictures_that_do_not_fit_the_network_are_refused(copy, said):
    directory = copy("vit")
    change(directory, **said)
    refused(read, directory)


def test_pictures_of_another_size_than_the_network_reads_are_refused(copy):
    directory = copy("vit")
    change(directory, "preprocessor_config.json", size={"height": 40, "width": 40})
    said = refused(read, directory)
    assert "does not run on pixel_values of shape (1, 3, 40, 40)" in said


# --- what lies beside ----------------------------------------------------------------------------


def test_a_tokenizer_with_more_entries_than_rows_is_refused(copy):
    directory = copy("bert")
    change(directory, vocab_size=100)
    for call in (look, read):
        said = refused(call, directory)
        assert "does not fit the weights beside it: it has " in said
        assert said.endswith("entries, and they 100 rows (vocab_size)")


def write_vocabulary(directory, name):
    """Write the tokenizer of a directory as the vocabulary alone, as older checkpoints have it."""
    path = directory / "tokenizer.json"
    numbers = Tokenizer.from_file(str(path)).get_vocab()
    if name == "vocab.json":
        (directory / name).write_text(json.dumps(numbers))
    else:
        lines = sorted(numbers, key=numbers.get)
        (directory / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    path.unlink()
    return len(numbers)


@pytest.mark.parametrize("name", ["vocab.txt", "vocab.json"])
def test_a_vocabulary_by_itself_is_held_against_the_network_when_it_is_looked_at(copy, name):
    directory = copy("bert")
    entries = write_vocabulary(directory, name)
    look(directory)
    change(directory, vocab_size=entries - 1)
    assert f"it has {entries:,} entries, and they {entries - 1:,} rows" in refused(look, directory)
    change(directory, vocab_size=entries, pad_token_id=3)
    assert "fills up with [PAD], 0, and config.json says pad_token_id 3" in refused(look, directory)


def test_what_was_added_to_a_vocabulary_is_held_against_the_network_too(copy):
    directory = copy("bert")
    entries = write_vocabulary(directory, "vocab.txt")
    change(directory, vocab_size=entries)
    look(directory)
    (directory / "added_tokens.json").write_text(json.dumps({"<new>": entries}))
    assert f"it has {entries + 1:,} entries" in refused(look, directory)


def test_a_model_of_sentencepiece_by_itself_is_held_against_the_network_when_it_is_looked_at(copy):
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    directory = copy("bert")
    (directory / "tokenizer.json").unlink()
    path = directory / "sentencepiece.bpe.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["the quick brown fox jumps over the lazy dog"] * 50),
            model_writer=file,
            vocab_size=30,
            minloglevel=2,
        )
    change(directory, vocab_size=30)
    look(directory)
    change(directory, vocab_size=29)
    assert "it has 30 entries, and they 29 rows" in refused(look, directory)
    path.write_bytes(b"no model")
    assert f"{path} cannot be read as a model of sentencepiece" in refused(look, directory)


def test_a_vocabulary_that_is_not_utf_8_is_refused(copy):
    directory = copy("bert")
    write_vocabulary(directory, "vocab.txt")
    (directory / "vocab.txt").write_bytes(b"\xff\xfe\x00")
    assert "vocab.txt cannot be read" in refused(look, directory)


def test_a_tokenizer_that_fills_up_with_another_number_is_refused(copy):
    directory = copy("bert")
    change(directory, pad_token_id=3)
    for call in (look, read):
        said = refused(call, directory)
        assert "fills up with [PAD], 0, and config.json says pad_token_id 3" in said


def test_what_reads_the_last_token_of_a_text_does_not_take_the_filling_for_it(copy):
    directory = copy("bert")
    rows = json.loads((directory / "config.json").read_text())["vocab_size"]
    torch.manual_seed(0)
    small = {"n_positions": 66, "n_embd": 32, "n_layer": 2, "n_head": 4, "num_labels": 3}
    settings = transformers.GPT2Config(
        vocab_size=rows, bos_token_id=None, eos_token_id=None, **small
    )
    transformers.GPT2ForSequenceClassification(settings).save_pretrained(directory)
    assert json.loads((directory / "config.json").read_text()).get("pad_token_id") is None
    own = transformers.AutoModelForSequenceClassification.from_pretrained(directory).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    texts = ["Leo paid Rosa.", "Quick zebras, pay the cafe!"]
    with torch.no_grad():
        wanted = [own(**tokenizer(one, return_tensors="pt")).logits[0].numpy() for one in texts]
    pipeline = read(directory)
    got = run(pipeline, make_tensors(pipeline, map(pack_sentences, texts)))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("content", ["{", "[]", '{"model": 3}'])
def test_a_damaged_tokenizer_is_refused(copy, content):
    directory = copy("bert")
    (directory / "tokenizer.json").write_text(content)
    for call in (look, read):
        assert str(directory / "tokenizer.json") in refused(call, directory)


def test_a_checkpoint_without_a_tokenizer_is_refused(copy):
    directory = copy("bert")
    (directory / "tokenizer.json").unlink()
    assert "has no tokenizer: neither tokenizer.json nor vocab.txt" in refused(look, directory)


def test_a_checkpoint_without_a_recipe_of_pictures_is_refused(copy):
    directory = copy("vit")
    (directory / "preprocessor_config.json").unlink()
    assert "has no preprocessor_config.json" in refused(look, directory)


def test_a_checkpoint_without_weights_is_refused(copy):
    directory = copy("bert")
    (directory / "model.safetensors").unlink()
    assert "has no weights" in refused(look, directory)


def test_only_what_decides_its_answers_belongs_to_it(copy):
    directory = copy("bert")
    for name in ("README.md", "modeling.py", "tf_model.h5", "optimizer.pt"):
        (directory / name).write_bytes(b"")
    assert [path.name for path in MODEL.beside(directory)] == [
        *("config.json", "tokenizer.json", "tokenizer_config.json"),
        "model.safetensors",
    ]


def test_a_text_that_is_filled_up_where_positions_move_is_refused(copy):
    directory = copy("bert")
    change(directory, "tokenizer_config.json", padding_side="left")
    assert 'write "padding_side": "right"' in refused(read, directory)


@pytest.mark.parametrize("said", [0, None])
def test_what_fills_up_is_not_taken_for_text_by_who_answers_at_the_last(copy, said):
    directory = copy("bert")
    names = dict(enumerate(checkpoints.NAMES["texts"]))
    entries = json.loads((directory / "config.json").read_text())["vocab_size"]
    made = transformers.GPT2Config(
        n_embd=32, n_layer=1, n_head=2, vocab_size=entries, id2label=names, pad_token_id=said
    )
    (directory / "model.safetensors").unlink()
    torch.manual_seed(0)
    module = transformers.GPT2ForSequenceClassification(made)
    with torch.no_grad():
        module.score.weight.normal_()
    module.save_pretrained(directory)
    read(directory)  # which refuses what answers otherwise where it is filled up


def test_a_family_that_mixes_what_fills_up_is_doubted_and_not_refused(copy):
    directory = copy("bert")
    assert read(directory).doubts == ()
    rows = json.loads((directory / "config.json").read_text())["vocab_size"]
    names = dict(enumerate(checkpoints.NAMES["texts"]))
    made = transformers.FNetConfig(
        hidden_size=32,
        num_hidden_layers=2,
        intermediate_size=64,
        vocab_size=rows,
        pad_token_id=0,
        max_position_embeddings=66,
        id2label=names,
    )
    torch.manual_seed(0)
    module = transformers.FNetForSequenceClassification(made)
    with torch.no_grad():
        module.classifier.weight.normal_()
    (directory / "model.safetensors").unlink()
    module.save_pretrained(directory)
    (doubt,) = read(directory).doubts
    assert doubt.startswith("a text that is filled up to 66 tokens on its right is answered")
    assert doubt.endswith("in a logit: a fnet reads what fills up too")


def test_a_family_that_looks_for_the_end_of_a_text_is_asked_with_one(copy):
    directory = copy("roberta")
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    made = transformers.BartConfig(
        **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
        **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
        **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64),
        d_model=32,
        init_std=0.3,
        max_position_embeddings=64,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.sep_token_id,
        id2label=dict(enumerate(checkpoints.NAMES["texts"])),
    )
    torch.manual_seed(0)
    (directory / "model.safetensors").unlink()
    transformers.BartForSequenceClassification(made).save_pretrained(directory)
    look(directory)
    pipeline, payloads = read(directory), draw_payloads("roberta", 8)[:-1]
    tensors = make_tensors(pipeline, payloads)
    wanted = ask_pipeline(directory, "roberta", payloads)
    assert np.ptp(wanted, axis=0).min() > 0.01
    np.testing.assert_allclose(run(pipeline, tensors), wanted, rtol=0, atol=1e-4)
    graph = export_module(pipeline.stages[0], tensors, ["logits"])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for count in (7, 1):
        (got,) = session.run(None, {name: one[:count] for name, one in tensors.items()})
        np.testing.assert_allclose(got, wanted[:count], rtol=0, atol=1e-4)


def test_weights_that_are_no_numbers_are_refused(copy):
    directory = copy("resnet")
    file = directory / "model.safetensors"
    tensors = load_file(file)
    tensors["classifier.1.bias"][0] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    assert "classifier.1.bias holds values that are no numbers" in refused(read, directory)


def test_what_says_all_of_processors_goes_before_what_says_pictures_alone(copy):
    directory = copy("resnet")
    said = json.loads((directory / "preprocessor_config.json").read_text())
    nested = {"image_processor": said | {"image_mean": [0.1, 0.2, 0.3]}}
    (directory / "processor_config.json").write_text(json.dumps(nested))
    payloads = draw_payloads("resnet", 3)
    pipeline = read(directory)
    got = run(pipeline, make_tensors(pipeline, payloads))
    wanted = ask_pipeline(directory, "resnet", payloads)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)
    nested["image_processor"]["resample"] = "x"
    (directory / "processor_config.json").write_text(json.dumps(nested))
    assert "processor_config.json: image_processor: 'resample'" in refused(look, directory)


def test_classes_that_are_not_as_many_as_the_head_has_rows_are_refused(copy):
    for family in ("bert", "roberta", "resnet"):
        directory = copy(family)
        look(directory)
        names = ["a", "b", "c", "d", "e", "f"]
        change(directory, id2label=dict(enumerate(names)), label2id=None)
        said = refused(look, directory)
        assert "config.json names 6 classes, and classifier" in said
        assert said.endswith("rows, one a class; make id2label (or num_labels) agree")
        shutil.rmtree(directory)


@pytest.mark.parametrize("family", ["bert", "distilbert", "vit"])
def test_layers_that_cannot_be_those_of_the_weights_are_refused(copy, family):
    directory = copy(family)
    named = {"distilbert": ("dim", "n_heads")}
    width, heads = named.get(family, ("hidden_size", "num_attention_heads"))
    change(directory, **{heads: 7})
    assert f"{width} 32 does not divide into 7 heads ({heads})" in refused(look, directory)
    change(directory, **{heads: 4, width: 10**9})
    said = refused(look, directory)
    assert f"config.json: {width} is 1000000000, and no tensor of the weights" in said


@pytest.mark.parametrize("family", ["My Model", "../../x", "", "Bert", "a\nb"])
def test_a_family_that_cannot_be_one_is_refused_by_its_key(copy, family):
    directory = copy("bert")
    change(directory, model_type=family)
    said = refused(look, directory)
    assert "config.json: model_type" in said
    assert "write the one that the checkpoint is of" in said
