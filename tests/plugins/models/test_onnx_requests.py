"""An ONNX file with what says how pictures and texts become its inputs: what travels, what comes."""

from __future__ import annotations

import csv
import io
import json
import warnings

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from sklearn.datasets import load_sample_image
from tokenizers import Tokenizer
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizerFast,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from edgebench import DataError
from edgebench_kit.vision.recipes import Recipe
from edgebench_plugins.models import onnx as plugin
from edgebench_plugins.models.onnx import OnnxOptions

from ... import foreign

(MODEL,) = plugin.edgebench_models()
NAMES = ["cat house", "tree", "flower"]
WORDS = [
    "the",
    "cat",
    "dog",
    "ran",
    "sat",
    "on",
    "a",
    "mat",
    "river",
    "bank",
    "happy",
    "sad",
    "very",
    "not",
    "is",
    "was",
    "good",
    "bad",
]
VIT = {"image_processor_type": "ViTImageProcessor", "size": {"height": 24, "width": 32}}


def export(module, feeds, path, axes):
    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, *given):
            return self.module(**dict(zip(feeds, given, strict=True))).logits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's, of what it takes for constant
        torch.onnx.export(
            Logits().eval(),
            tuple(feeds.values()),
            str(path),
            input_names=list(feeds),
            output_names=["logits"],
            dynamic_axes={**dict.fromkeys(feeds, axes), "logits": {0: "batch_size"}},
            dynamo=False,
        )
    return path


def draw_photos(directory, names, count=8):
    """Save pieces of two photographs, of all sizes, a folder for each class."""
    drawn = np.random.default_rng(0)
    photos = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    for number, name in enumerate(names):
        (directory / name).mkdir(parents=True)
        for each in range(count):
            photo = photos[(number + each) % 2]
            height, width = drawn.integers(30, 300, 2)
            top, left = drawn.integers(0, 427 - height), drawn.integers(0, 640 - width)
            piece = photo[top : top + height, left : left + width]
            ending = "png" if each % 4 == 0 else "jpg"
            Image.fromarray(piece).save(directory / name / f"{each}.{ending}")
    return directory


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("data") / "photos", ["Cat_House", "flower", "tree"])


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A ViT as optimum exports it: all dimensions open, its processor and names beside it."""
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("vit")
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        id2label=dict(enumerate(NAMES)),
    )
    model = ViTForImageClassification(config).eval()
    config.save_pretrained(directory)
    processor = ViTImageProcessorPil(size={"height": 64, "width": 64})
    processor.save_pretrained(directory)
    axes = {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"}
    feeds = {"pixel_values": torch.zeros(1, 3, 64, 64)}
    return export(model, feeds, directory / "model.onnx", axes), model, processor


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    torch.manual_seed(0)
    directory = tmp_path_factory.mktemp("bert")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (directory / "vocab.txt").write_text("\n".join([*special, *WORDS]) + "\n")
    tokenizer = BertTokenizerFast(str(directory / "vocab.txt"))
    tokenizer.save_pretrained(directory)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        id2label=dict(enumerate(["negative", "neutral", "positive"])),
    )
    model = BertForSequenceClassification(config).eval()
    config.save_pretrained(directory)
    ids = torch.ones(1, 12, dtype=torch.long)
    feeds = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids * 0}
    axes = {0: "batch_size", 1: "sequence_length"}
    return export(model, feeds, directory / "model.onnx", axes), model, tokenizer


def write_texts(path, pairs=False):
    drawn = np.random.default_rng(1)
    labels = ["negative", "neutral", "positive"]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["first", "second", "label"] if pairs else ["text", "label"])
        for number in range(60):
            made = [" ".join(drawn.choice(WORDS, drawn.integers(2, 16))) for _ in range(1 + pairs)]
            rows.writerow([*made, labels[number % 3]])
    return path


def open_model(path, **options):
    """Return what a host has: the bound record, and a session of the stage."""
    pipeline = MODEL.from_file(path, OnnxOptions(**options))
    (stage,) = pipeline.stages
    graph = stage.live.SerializeToString() if stage.live is not None else str(stage.file)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return MODEL.bound("model", pipeline.resources), session


def list_samples(path, data, split="test", **options):
    return list(MODEL.inputs(path, OnnxOptions(**options), data).samples(split, 7))


def make_inputs(model, payload):
    return model.preprocess(model.decode(payload, ""), "")


def refuse(path, words, data=None, **options):
    """See that planning ends with one line that holds the words."""

    def plan():
        MODEL.look("model", path, OnnxOptions(**options))
        dataset = MODEL.inputs(path, OnnxOptions(**options), data)
        if dataset.look:
            dataset.look()

    with pytest.raises(DataError) as caught:
        plan()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# --- by a second way ------------------------------------------------------------------------------


def test_logits_of_pictures_are_those_of_transformers(vit, photos):
    path, module, processor = vit
    model, session = open_model(path)
    files = {file.read_bytes(): file for file in photos.rglob("*.*")}
    samples = [one for split in ("test", "training") for one in list_samples(path, photos, split)]
    assert len(samples) >= 16
    for payload, answer in samples[:20]:
        file = files[payload]
        assert NAMES[answer] == file.parent.name.lower().replace("_", " ")
        (found,) = session.run(None, make_inputs(model, payload))
        given = processor(Image.open(file).convert("RGB"), return_tensors="pt")
        with torch.no_grad():
            wanted = module(**given).logits.numpy()
        assert np.abs(found - wanted).max() < 1e-4
        assert json.loads(model.encode(found[0]))["class"] == wanted.argmax()


@pytest.mark.parametrize("pairs", [False, True])
def test_logits_of_texts_are_those_of_transformers(bert, tmp_path, pairs):
    path, module, tokenizer = bert
    data = write_texts(tmp_path / "texts.csv", pairs)
    options = {"dims": "sequence_length=12"} | ({"text": "first second"} if pairs else {})
    model, session = open_model(path, **options)
    samples = list_samples(path, data, **options)
    assert len(samples) >= 20
    shortened = 0
    for payload, _ in samples[:20]:
        texts = list(json.loads(payload).values())
        assert len(texts) == 1 + pairs
        given = tokenizer(*texts, truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            wanted = module(**given).logits.numpy()
        inputs = make_inputs(model, payload)
        assert {array.shape for array in inputs.values()} == {(1, 12)}
        assert np.abs(session.run(None, inputs)[0] - wanted).max() < 1e-4
        longer = len(tokenizer(*texts)["input_ids"]) > 12
        assert model.shortens(model.decode(payload, ""), "") == longer
        shortened += longer
    assert 0 < shortened < 20


def test_a_photo_is_turned_as_its_camera_was_held(tmp_path):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    model, _ = open_model(path, preprocess="imagenet")
    image = Image.fromarray(load_sample_image("flower.jpg")[:200, :90])
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    image.save(turned, "PNG", exif=exif)
    upright = np.asarray(image.rotate(-90, expand=True))
    wanted = Recipe.imagenet((24, 32)).apply(upright)
    assert np.array_equal(make_inputs(model, turned.getvalue())["photo"], wanted)


# --- what the input takes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "kind", "last"),
    [
        (["N", 3, 24, 32], TensorProto.FLOAT, False),
        (["N", 24, 32, 3], TensorProto.FLOAT, True),
        (["N", 3, 24, 32], TensorProto.FLOAT16, False),
        (["N", 24, 32, 3], TensorProto.UINT8, True),
        ([1, 3, 24, 32], TensorProto.UINT8, False),
        (["N", "C", "H", "W"], TensorProto.FLOAT, False),
        (["N", "height", "width", 3], TensorProto.FLOAT, True),
    ],
)
def test_layout_type_and_size_are_the_inputs(tmp_path, photos, shape, kind, last):
    path = foreign.pixels(tmp_path / "m.onnx", shape, kind=kind, last=last)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT))
    model, session = open_model(path)
    photo = next(photos.rglob("*.jpg"))
    picture = np.asarray(Image.open(photo))
    (tensor,) = make_inputs(model, photo.read_bytes()).values()
    recipe = attrs.evolve(Recipe.read(VIT), layout="nhwc" if last else "nchw")
    bytes_ = kind == TensorProto.UINT8
    wanted = recipe.arrange(picture) if bytes_ else recipe.apply(picture)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    assert tensor.dtype == dtype
    assert np.array_equal(tensor, wanted.astype(dtype))
    assert session.run(None, {"photo": tensor})[0].shape == (1, 3)


def test_imagenet_takes_its_size_from_the_input(tmp_path, photos):
    for shape, size in ((["N", 3, 96, 96], (96, 96)), (["N", 3, "H", "W"], (224, 224))):
        path = foreign.pixels(tmp_path / "m.onnx", shape)
        model, _ = open_model(path, preprocess="imagenet")
        payload = next(photos.rglob("*.jpg")).read_bytes()
        wanted = Recipe.imagenet(size).apply(model.decode(payload, ""))
        assert np.array_equal(make_inputs(model, payload)["photo"], wanted)


def test_what_was_said_of_a_size_goes_before_a_recipe(tmp_path):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, "H", "W"])
    model, _ = open_model(path, preprocess="imagenet", dims="H=64 photo.3=48")
    (tmp_path / "r.json").write_text('{"resize": [64, 48]}')
    open_model(path, preprocess=tmp_path / "r.json", dims="H=64")
    assert model.decode is not MODEL.decode


def test_tensors_are_taken_beside_pictures(tmp_path):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    model, session = open_model(path, preprocess="imagenet")
    dataset = MODEL.inputs(path, OnnxOptions(preprocess="imagenet"), None)
    assert (dataset.payloads, dataset.synthetic) == ("raw tensors", True)
    assert "requests are random tensors: --data PATH gives pictures" in dataset.look()[-1]
    payload, _ = next(iter(dataset.samples("test", 0)))
    session.run(None, make_inputs(model, payload))


def test_what_is_found_and_does_not_fit_leaves_tensors(tmp_path, photos):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 25, 32])
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT))
    model, session = open_model(path)
    assert model.decode is MODEL.decode
    ((payload, _), *_) = list_samples(path, None)
    session.run(None, make_inputs(model, payload))
    said = (
        f"{tmp_path / 'preprocessor_config.json'} makes (N, 3, 24, 32) of a picture, and the input "
        f"'photo' of {path} takes (N, 3, 25, 32)"
    )
    refuse(path, said, photos)
    refuse(path, said, preprocess=tmp_path)


def test_what_lies_beside_belongs_to_the_file_and_is_said(vit, photos):
    path, *_ = vit
    assert {one.name for one in MODEL.beside(path)} == {"config.json", "preprocessor_config.json"}
    *_, line = MODEL.inputs(path, OnnxOptions(), photos).look()
    assert line == (
        "a request is a picture file, resized to 64x64, RGB, pixels of 0 to 1, normalised by mean "
        "0.5 and std 0.5, as 'pixel_values' of 3x64x64, as preprocessor_config.json beside it says"
    )
    refuse(path, "has no number; give one", preprocess="none")


# --- masks ----------------------------------------------------------------------------------------


@pytest.fixture
def streets(tmp_path):
    drawn = np.random.default_rng(2)
    for name in ("images", "masks"):
        (tmp_path / "streets" / name).mkdir(parents=True)
    photo = load_sample_image("china.jpg")
    for number in range(24):
        top, left = drawn.integers(0, 300), drawn.integers(0, 500)
        piece = Image.fromarray(photo[top : top + 60, left : left + 90])
        piece.save(tmp_path / "streets" / "images" / f"{number}.png")
        mask = drawn.integers(0, 3, (60, 90), np.uint8)
        Image.fromarray(mask).save(tmp_path / "streets" / "masks" / f"{number}.png")
    return tmp_path / "streets"


@pytest.mark.parametrize(
    ("recipe", "shape"), [({"resize": [30, 45]}, (60, 90)), ({"resize": 30, "crop": 30}, (30, 30))]
)
def test_masks_lie_on_what_the_model_sees(tmp_path, streets, recipe, shape):
    (tmp_path / "r.json").write_text(json.dumps(recipe))
    size = (30, 45) if shape == (60, 90) else (30, 30)
    path = foreign.masks(tmp_path / "m.onnx", size)
    options = OnnxOptions(preprocess=tmp_path / "r.json")
    dataset = MODEL.inputs(path, options, streets)
    (metric,) = dataset.metrics()
    assert metric.name == "miou"
    model, session = open_model(path, preprocess=tmp_path / "r.json")
    payload, mask = next(iter(dataset.samples("test", 0)))
    assert mask.shape == shape
    (scores,) = session.run(None, make_inputs(model, payload))
    assert len(metric.count(scores[0], mask)) == 6
    said = {"preprocess": tmp_path / "r.json", "metric": "top1"}
    refuse(path, "metric=top1 is not for masks; miou is", streets, **said)


def test_classes_that_come_last_are_seen_before_anything_runs(tmp_path, streets):
    """Also where no mask shows it, since they are kept as wide as the pictures are."""
    (tmp_path / "r.json").write_text(json.dumps({"resize": [30, 30], "layout": "nhwc"}))
    nodes = [helper.make_node("Identity", ["photo"], ["scores"])]
    ends = ("photo", ["N", 30, 30, 3]), ("scores", ["N", 30, 30, 3])
    path = foreign._saved(tmp_path / "m.onnx", nodes, [], *([end] for end in ends))
    said = {"preprocess": tmp_path / "r.json", "metric": "miou"}
    refuse(path, "fit if the classes come last; say classes-axis=3, or 1", streets, **said)
    assert MODEL.inputs(path, OnnxOptions(**said, classes_axis="3"), streets).metrics()
    assert MODEL.inputs(path, OnnxOptions(**said, classes_axis="1"), streets).metrics()


def test_masks_of_classes_that_the_model_has_not_are_seen_before_anything_runs(tmp_path, streets):
    (tmp_path / "r.json").write_text(json.dumps({"resize": [30, 45]}))
    path, said = foreign.masks(tmp_path / "m.onnx", (30, 45)), {"preprocess": tmp_path / "r.json"}
    assert MODEL.inputs(path, OnnxOptions(**said), streets).look()
    for mask in (streets / "masks").iterdir():
        Image.fromarray(np.full((60, 90), 20, np.uint8)).save(mask)
    refuse(path, "holds 20, which is none of 3 classes nor 255", streets, **said)
    names = tmp_path / "names.txt"
    names.write_text("road\nsky\n")
    refuse(path, "names 2 classes and the model has 3", streets, **said, classes=names)


# --- no answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [True, False])
def test_pictures_need_no_labels_for_no_metric(tmp_path, photos, labelled):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    (tmp_path / "r.json").write_text(json.dumps({"resize": [24, 32]}))
    said = {"preprocess": tmp_path / "r.json"}
    data = photos
    if not labelled:
        data = tmp_path / "flat"
        data.mkdir()
        for one in photos.glob("*/*.*"):
            (data / f"{one.parent.name}{one.name}").write_bytes(one.read_bytes())
    refuse(path, "which is which cannot be told" if labelled else "no labels", data, **said)
    dataset = MODEL.inputs(path, OnnxOptions(**said, metric="none"), data)
    told, _, request = dataset.look()
    assert "24 pictures without answers" in told
    assert request.startswith("a request is a picture file, resized to 24x32")
    assert list(dataset.metrics()) == []
    assert {answer for _, answer in dataset.samples("test", 0)} == {0}
    refuse(path, "classes is of answers", data, **said, metric="none", classes=tmp_path / "r.json")


# --- mistakes -------------------------------------------------------------------------------------


def test_pictures_without_a_recipe_are_refused_with_the_remedy(tmp_path, photos):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    refuse(path, "takes tensors; say how a request becomes its input: preprocess=imagenet", photos)
    refuse(path, "takes tensors", photos, preprocess="none")


def test_texts_for_a_model_of_pictures_are_refused(vit, bert, photos, tmp_path):
    data = write_texts(tmp_path / "texts.csv")
    refuse(vit[0], "holds texts, and", data)
    refuse(bert[0], "holds pictures, and", photos, dims="sequence_length=12")


@pytest.mark.parametrize(
    ("shape", "kind", "recipe", "words"),
    [
        (["N", 1, 24, 32], 1, {"resize": [24, 32]}, "makes (N, 3, 24, 32) of a picture, and"),
        (["N", 3, 24, 32], 1, {"resize": [24, 32], "layout": "nhwc"}, "makes (N, 24, 32, 3)"),
        (["N", 24, 32, 3], 1, {"resize": [24, 32], "layout": "nchw"}, "makes (N, 3, 24, 32)"),
        (["N", 3, 24, 32], 2, {"resize": [24, 32]}, ""),
        (["N", 3, 24, 32], 2, {"resize": [24, 32], "mean": 0.5}, "takes them as they are (uint8)"),
        (["N", 3, 24, 32], 6, {"resize": [24, 32]}, "makes one input of a picture, or input_ids"),
        (["N", 3, "H", "W"], 1, {"resize": 24}, "has no number; give one"),
        (["N", 3, 24, 32], 1, {"size": 24}, "r.json: 'size' is no key of a recipe"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(tmp_path, shape, kind, recipe, words):
    last = shape[-1] == 3
    path = foreign.pixels(tmp_path / "m.onnx", shape, kind=kind, last=last)
    (tmp_path / "r.json").write_text(json.dumps(recipe))
    if words:
        refuse(path, words, preprocess=tmp_path / "r.json")
    else:
        open_model(path, preprocess=tmp_path / "r.json")


def test_a_picture_that_stays_as_large_as_it_is_must_fit(tmp_path, photos):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    (tmp_path / "r.json").write_text('{"mean": 0.5}')
    model, _ = open_model(path, preprocess=tmp_path / "r.json")
    with pytest.raises(DataError, match="let it resize or crop"):
        make_inputs(model, next(photos.rglob("*.jpg")).read_bytes())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("nowhere", "nowhere is not there"),
        ("empty", "holds no preprocessor_config.json and no tokenizer.json"),
        ("bad.json", "bad.json cannot be read as JSON"),
        ("tokenizer.json", "tokenizer.json says nothing of pictures"),
    ],
)
def test_a_place_that_says_nothing_is_refused(tmp_path, bert, said, words):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("{")
    place = bert[0].with_name(said) if said == "tokenizer.json" else tmp_path / said
    refuse(path, words, preprocess=place)


def test_a_tokenizer_of_another_model_is_refused(bert, tmp_path):
    path, *_ = bert
    tokenizer = Tokenizer.from_file(str(path.with_name("tokenizer.json")))
    tokenizer.add_tokens(["another"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    last = tokenizer.get_vocab_size() - 1
    refuse(
        path,
        f"has tokens up to number {last}, and the table that the input 'input_ids' of {path} picks "
        f"from has {last} rows",
        preprocess=tmp_path,
        dims="sequence_length=12",
    )
    (tmp_path / "tokenizer.json").write_text('{"model": {}, "added_tokens": []}')
    refuse(path, "cannot be read", preprocess=tmp_path, dims="sequence_length=12")
    refuse(path, "frames a pair of texts with 3 tokens", write_texts(tmp_path / "t.csv"),
           dims="sequence_length=3")  # fmt: skip


def test_a_tokenizer_without_a_token_that_fills_up_is_refused(tmp_path):
    path = foreign.text(tmp_path / "m.onnx")
    tokenizer = Tokenizer.from_str(json.dumps({
        "version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
        "decoder": None, "truncation": None, "padding": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"a": 0, "?": 1, "none": 2}, "unk_token": "?"},
    }))  # fmt: skip
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    said = {"preprocess": tmp_path, "dims": "seq=8"}
    refuse(path, "nothing says with which token", **said)
    (tmp_path / "tokenizer_config.json").write_text(
        '{"pad_token": {"content": "none"}, "padding_side": "left"}'
    )
    model, session = open_model(path, **said)
    inputs = make_inputs(model, b'{"sentence1": "a b"}')
    assert inputs["ids"].tolist() == [[2, 2, 2, 2, 2, 2, 0, 1]]
    assert session.run(None, inputs)[0].shape == (1, 2)
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "none", "padding_side": "up"}')
    refuse(path, "padding_side is left or right, not 'up'", **said)


def test_names_of_classes_must_be_as_many_as_the_model_has(tmp_path, photos):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    said = {"preprocess": "imagenet"}
    refuse(path, "which is which cannot be told; give classes=FILE", photos, **said)
    names = tmp_path / "names.txt"
    names.write_text("tree\nCat House\n")
    refuse(path, "names 2 classes and the model has 3", photos, classes=names, **said)
    names.write_text("tree\nCat House\nflower\n")
    dataset = MODEL.inputs(path, OnnxOptions(classes=names, **said), photos)
    dataset.look()
    files = {file.read_bytes(): file.parent.name for file in photos.rglob("*.*")}
    found = {files[payload]: answer for payload, answer in dataset.samples("test", 0)}
    assert found == {"tree": 0, "Cat_House": 1, "flower": 2}
    (tmp_path / "config.json").write_text('{"id2label": {"0": "a", "1": "b"}}')
    refuse(path, "names 2 classes, and", photos, **said)
    (tmp_path / "config.json").write_text('{"id2label": {"0": "a", "2": "b"}}')
    refuse(path, "are not 0 to 1", photos, **said)


def test_scores_that_are_not_of_classes_are_refused(tmp_path, photos):
    path = foreign.masks(tmp_path / "m.onnx", (24, 24))
    refuse(path, "metric=top1 takes scores of shape (classes)", photos, preprocess="imagenet")


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("kind", ["vit", "bert"])
def test_a_class_alone_before_the_scores_is_held_against_the_label(
    request, tmp_path, photos, kind, kept
):
    scored = request.getfixturevalue(kind)[0]
    graph = onnx.load(scored)
    node = helper.make_node("ArgMax", ["logits"], ["winner"], axis=1, keepdims=kept)
    graph.graph.node.append(node)
    shape = ["batch_size", 1][: 1 + kept]
    graph.graph.output.insert(0, helper.make_tensor_value_info("winner", TensorProto.INT64, shape))
    path = scored.with_name("winner.onnx")
    onnx.save(graph, path)
    data = photos if kind == "vit" else write_texts(tmp_path / "texts.csv")
    said = {} if kind == "vit" else {"dims": "sequence_length=12"}
    for name, metric in [("auto", "accuracy"), ("accuracy", "accuracy"), ("f1", "f1")]:
        dataset = MODEL.inputs(path, OnnxOptions(metric=name, **said), data)
        dataset.look()
        assert [one.name for one in dataset.metrics()] == [metric]
    (found,) = MODEL.inputs(path, OnnxOptions(**said), data).metrics()
    wanted = list_samples(scored, data, **said)
    bound, session = open_model(path, **said)
    for (payload, answer), (same, right) in zip(
        list_samples(path, data, **said), wanted, strict=True
    ):
        assert (payload, answer) == (same, right)
        winner, scores = session.run(None, make_inputs(bound, payload))
        given = bound.postprocess({"winner": winner, "logits": scores}, "")
        assert found.count(given, answer) == (float(scores.argmax() == answer), 1)
        assert json.loads(bound.encode(given)) == {"class": scores.argmax()}
    refuse(path, "for a sample; metric=accuracy takes a class alone", data, metric="top1", **said)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "y"}, "label is said of data of your own, and requests are random"),
        ({"calibration": "x"}, "calibration is said of data"),
        ({"training": 0.5}, "training is said of data"),
    ],
)
def test_what_is_said_of_data_that_is_not_there_is_refused(tmp_path, options, words):
    path = foreign.pixels(tmp_path / "m.onnx", ["N", 3, 24, 32])
    refuse(path, words, **options)
