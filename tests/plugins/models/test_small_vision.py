"""The picture models that train here: names as torchvision's, counts as said, photos handled."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from edgebench import DataError, Weights
from edgebench_kit.torch.classification import compute_class_scores, cross_entropy
from edgebench_kit.vision import digit_pictures
from edgebench_kit.vision.decoding import decode_picture
from edgebench_kit.vision.inputs import crop_centre
from edgebench_plugins.datasets import digit_photos
from edgebench_plugins.models import efficientnet, mobilenet, resnet, resnext, shufflenet, vgg

from . import by_hand, compact_by_hand

MODULES = pytest.mark.parametrize(
    "module",
    [efficientnet, mobilenet, resnet, resnext, shufflenet, vgg],
    ids=lambda module: module.MODEL.name,
)

MOBILE = {
    "small": (
        *[(3, 24, 24, 8, "relu", 1), (3, 96, 40, 0, "relu", 1), (3, 120, 40, 0, "relu", 1)],
        (5, 160, 64, 40, "hardswish", 2),
        *[(5, 256, 64, 64, "hardswish", 1)] * 2,
        (5, 256, 96, 64, "hardswish", 2),
        *[(5, 384, 96, 96, "hardswish", 1)] * 2,
    ),
    "tiny": (
        *[(3, 16, 16, 8, "relu", 1), (3, 64, 24, 0, "relu", 1), (5, 96, 40, 24, "hardswish", 2)],
        *[(5, 160, 64, 40, "hardswish", 2), (5, 256, 64, 64, "hardswish", 1)],
    ),
}
"""As `compact_by_hand.V3_SMALL`."""
EFFICIENT = {
    "small": (
        *[(1, 3, 1, 16, 1), (4, 3, 1, 32, 2), (4, 5, 2, 48, 2), (4, 3, 1, 64, 2)],
        (4, 5, 2, 96, 2),
    ),
    "tiny": (
        *[(1, 3, 1, 16, 1), (4, 3, 1, 24, 1), (4, 5, 2, 40, 1), (4, 3, 1, 48, 1)],
        (4, 5, 2, 72, 1),
    ),
}
"""As `compact_by_hand.B0`."""
SHAPES = {
    (efficientnet, "small"): compact_by_hand.efficientnet_shapes(EFFICIENT["small"], 24, 10),
    (efficientnet, "tiny"): compact_by_hand.efficientnet_shapes(EFFICIENT["tiny"], 24, 10),
    (mobilenet, "small"): compact_by_hand.v3_shapes(MOBILE["small"], 24, 384, 256, 10),
    (mobilenet, "tiny"): compact_by_hand.v3_shapes(MOBILE["tiny"], 16, 256, 128, 10),
    (resnet, "small"): by_hand.basic_shapes((2, 2, 2, 2), (48, 64, 96, 128), (1, 1, 2, 1), 10),
    (resnet, "tiny"): by_hand.basic_shapes((1, 1, 1, 1), (32, 48, 64, 96), (1, 1, 2, 1), 10),
    (resnext, "small"): by_hand.bottleneck_shapes(
        (2, 2, 2, 2), base=8, groups=8, stem=(48, 3), planes=(32, 64, 96, 128), classes=10
    ),
    (resnext, "tiny"): by_hand.bottleneck_shapes(
        (1, 1, 1, 1), base=8, groups=8, stem=(32, 3), planes=(24, 32, 64, 96), classes=10
    ),
    (shufflenet, "small"): compact_by_hand.shufflenet_shapes((4, 6), (192, 320), 48, 512, 10),
    (shufflenet, "tiny"): compact_by_hand.shufflenet_shapes((2, 3), (112, 192), 32, 256, 10),
    (vgg, "small"): by_hand.vgg_shapes(((64, 64), (96, 96), (192, 192)), 4, 256, 10),
    (vgg, "tiny"): by_hand.vgg_shapes(((32, 32), (64, 64), (128, 128)), 4, 192, 10),
}
FORWARD = {
    efficientnet: lambda state, x, size: compact_by_hand.efficientnet(state, x, EFFICIENT[size]),
    mobilenet: lambda state, x, size: compact_by_hand.mobilenet_v3(state, x, MOBILE[size], 1e-5),
    shufflenet: lambda state, x, size: compact_by_hand.shufflenet(state, x, pool=False),
}
SIZES = pytest.mark.parametrize(
    ("module", "variant"),
    list(SHAPES),
    ids=lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2],
)


def record(module):
    (model,) = module.edgebench_models()
    return model


def built(module, seed=0, variant="small"):
    return record(module).build(variant, Weights(kind="random", seed=seed)).stages[0]


@SIZES
def test_the_parameters_have_exactly_torchvisions_names(module, variant):
    state = built(module, variant=variant).live.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == SHAPES[module, variant]


def test_most_parameters_of_vgg_are_in_its_classifier():
    network = built(vgg).live
    last = sum(weight.numel() for weight in network.classifier.parameters())
    assert last > sum(weight.numel() for weight in network.features.parameters())


@SIZES
def test_the_variant_says_how_many_parameters_it_has(module, variant):
    stage = built(module, variant=variant)
    counted = sum(weight.numel() for weight in stage.live.parameters())
    assert record(module).variant(variant).parameters == stage.parameters == counted


@SIZES
def test_the_stage_keeps_its_word_on_names_and_shapes(module, variant):
    model = record(module)
    pipeline = model.build(variant, Weights(kind="trained"))
    (stage,) = pipeline.stages
    assert (pipeline.model, pipeline.variant) == (stage.model, stage.variant)
    assert (stage.model, stage.variant, stage.format) == (model.name, variant, model.format)
    assert [(spec.name, spec.shape) for spec in stage.inputs] == [("input", ("batch", 3, 32, 32))]
    with torch.no_grad():
        assert stage.live.eval()(torch.zeros(3, 3, 32, 32)).shape == (3, 10)
    assert [(spec.name, spec.shape) for spec in stage.outputs] == [("logits", ("batch", 10))]


@SIZES
def test_what_operators_are_told_of_is_there(module, variant):
    network, facts = built(module, variant=variant).live, record(module).variant(variant)
    assert len(facts.exits) >= 2
    for point in facts.exits:
        assert list(network.get_submodule(point.path).parameters()) or "features" in point.path
    assert [network.get_submodule(path).out_features for path in facts.keep] == [10]


@SIZES
def test_the_network_computes_what_its_paper_says(module, variant):
    network = built(module, variant=variant).live.eval()
    state = by_hand.random_state(SHAPES[module, variant])
    network.load_state_dict(state)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    if module is vgg:
        wanted = by_hand.vgg(state, x)
    elif module in FORWARD:
        wanted = FORWARD[module](state, x, variant)
    else:
        wanted = by_hand.residual(state, x, strides=(1, 1, 2, 1))
    with torch.no_grad():
        torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-4)


@MODULES
def test_a_student_is_half_the_size_and_sees_the_same(module):
    model = record(module)
    small, tiny = model.variant("small"), model.variant("tiny")
    assert (small.student, tiny.student) == ("tiny", "")
    assert tiny.parameters < small.parameters / 2
    assert model.dataset_of("small") == model.dataset_of("tiny") == "digit-photos"


@MODULES
def test_training_can_end_early(module):
    budget = record(module).budget
    assert 1 + budget.patience < budget.epochs


@MODULES
def test_a_seed_decides_the_weights_and_nothing_else(module):
    before = torch.random.get_rng_state()
    one, same, other = (built(module, seed).live.state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@MODULES
def test_the_first_variant_is_small_and_trained_unless_asked_otherwise(module):
    assert record(module).variant("").name == "small"
    for name in ("small", "tiny"):
        assert record(module).variant(name).weights == ("trained", "random", "file")


@MODULES
def test_loading_the_plugin_and_handling_a_photo_needs_no_framework(module, python):
    script = f"""
import io, sys
import numpy as np
from PIL import Image
from {module.__name__} import edgebench_models
(model,) = edgebench_models()
kept = io.BytesIO()
Image.new("RGB", (320, 240)).save(kept, "PNG")
tensors = model.preprocess(model.decode(kept.getvalue(), "small"), "small")
model.encode(model.postprocess({{"logits": np.zeros((1, 10), np.float32)}}, "small"))
print(tensors["input"].shape, "torch" in sys.modules)
"""
    done = python(script)
    assert done.stdout.split("\n")[0] == "(1, 3, 32, 32) False"


@MODULES
def test_the_network_sees_the_digit_and_little_of_the_noise(module):
    model = record(module)
    digits, _ = digit_pictures.read_digits("digit-photos")
    index = digit_pictures.select_digits("validation", digits)[0]
    payload, _ = next(digit_photos.samples("validation", 0))
    tensors = model.preprocess(model.decode(payload, "small"), "small")
    assert list(tensors) == ["input"]
    assert (tensors["input"].dtype, tensors["input"].shape) == (np.float32, (1, 3, 32, 32))
    assert tensors["input"].flags.c_contiguous
    seen = tensors["input"][0].mean(axis=0)
    drawn = digits[index].repeat(4, axis=0).repeat(4, axis=1)
    assert np.corrcoef(seen.ravel(), drawn.ravel())[0, 1] > 0.97


@MODULES
def test_the_answer_travels_as_a_class_and_its_score(module):
    model = record(module)
    logits = np.full((1, 10), -1000.0, np.float32)
    logits[0, 4] = 1000.0
    scores = model.postprocess({"logits": logits}, "small")
    assert scores.shape == (10,)
    assert json.loads(model.encode(scores)) == {"class": 4, "score": 1.0}


def test_scores_are_a_distribution():
    logits = np.random.default_rng(0).normal(size=(1, 10)).astype(np.float32)
    wanted = torch.softmax(torch.from_numpy(logits), dim=1)[0].numpy()
    np.testing.assert_allclose(compute_class_scores({"logits": logits}, ""), wanted, rtol=1e-6)


def test_the_loss_is_the_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    loss = cross_entropy({"logits": logits}, torch.tensor([0, 1]))
    wanted = (np.log1p(np.exp(-2.0)) + np.log(2.0)) / 2
    assert loss.item() == pytest.approx(wanted)


def test_the_middle_is_cut_out_and_averaged():
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[1:9, 6:14, 0] = 200
    picture[1:5, 6:10, 1] = 100
    cut = crop_centre(picture, part=0.8, size=2, mean=0.0, spread=1.0)["input"][0]
    np.testing.assert_allclose(cut[0], np.full((2, 2), 200 / 255), rtol=1e-6)
    np.testing.assert_allclose(cut[1], [[100 / 255, 0], [0, 0]], rtol=1e-6)


def test_values_are_normalised():
    picture = np.full((8, 8, 3), 51, np.uint8)
    cut = crop_centre(picture, part=1.0, size=4, mean=0.1, spread=0.5)["input"]
    np.testing.assert_allclose(cut, (0.2 - 0.1) / 0.5, rtol=1e-5)


def encoded(mode, kind="PNG"):
    kept = io.BytesIO()
    Image.new(mode, (4, 3)).save(kept, kind)
    return kept.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_pictures_of_any_kind_come_as_three_channels(mode):
    assert decode_picture(encoded(mode), "").shape == (3, 4, 3)


PHOTO = next(digit_photos.samples("test", 0))[0]
BLACK = encoded("RGB", "JPEG")
VAST = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    for kind, body in (
        (b"IHDR", struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
    )
)
"""Little to send, ten gigabytes to hold."""


@pytest.mark.parametrize(
    "payload",
    [b"", b"not a picture", PHOTO[:90_000], PHOTO[:16] + b"?" + PHOTO[17:], BLACK[:-20], VAST],
    ids=["empty", "text", "truncated PNG", "damaged PNG", "truncated JPEG", "bomb"],
)
def test_what_is_no_picture_is_said(payload):
    with pytest.raises(DataError, match=f"payload of {len(payload)} bytes is no picture"):
        decode_picture(payload, "")
