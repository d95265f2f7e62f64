"""Both picture models: names as torchvision's, counts as said, and photos handled right."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from edgebench import DataError, Weights
from edgebench_plugins import vision
from edgebench_plugins.datasets import digit_photos
from edgebench_plugins.models import resnet, vgg

MODULES = pytest.mark.parametrize("module", [resnet, vgg], ids=["resnet", "vgg"])


def record(module):
    (model,) = module.edgebench_models()
    return model


def built(module, seed=0):
    return record(module).build("small", Weights(kind="random", seed=seed)).stages[0]


def shapes(module):
    return {name: tuple(value.shape) for name, value in built(module).live.state_dict().items()}


def norm(name, width):
    counted = {f"{name}.{part}": (width,) for part in ("weight", "bias")}
    running = {f"{name}.running_{part}": (width,) for part in ("mean", "var")}
    return counted | running | {f"{name}.num_batches_tracked": ()}


def test_resnet_has_exactly_torchvisions_names():
    wanted = {"conv1.weight": (48, 3, 3, 3), "fc.weight": (10, 128), "fc.bias": (10,)}
    wanted |= norm("bn1", 48)
    before = 48
    for layer, width in enumerate((48, 64, 96, 128), 1):
        for block in range(2):
            at = f"layer{layer}.{block}"
            wanted[f"{at}.conv1.weight"] = (width, before, 3, 3)
            wanted[f"{at}.conv2.weight"] = (width, width, 3, 3)
            wanted |= norm(f"{at}.bn1", width) | norm(f"{at}.bn2", width)
            if before != width:
                wanted[f"{at}.downsample.0.weight"] = (width, before, 1, 1)
                wanted |= norm(f"{at}.downsample.1", width)
            before = width
    assert shapes(resnet) == wanted


def test_vgg_has_exactly_torchvisions_names():
    convolutions = {0: (64, 3), 2: (64, 64), 5: (96, 64), 7: (96, 96), 10: (192, 96)}
    convolutions[12] = (192, 192)
    linears = {0: (256, 192 * 16), 3: (256, 256), 6: (10, 256)}
    wanted = {}
    for at, shape in convolutions.items():
        wanted |= {f"features.{at}.weight": (*shape, 3, 3), f"features.{at}.bias": shape[:1]}
    for at, shape in linears.items():
        wanted |= {f"classifier.{at}.weight": shape, f"classifier.{at}.bias": shape[:1]}
    assert shapes(vgg) == wanted


def test_most_parameters_of_vgg_are_in_its_classifier():
    network = built(vgg).live
    last = sum(weight.numel() for weight in network.classifier.parameters())
    assert last > sum(weight.numel() for weight in network.features.parameters())


@MODULES
def test_the_variant_says_how_many_parameters_it_has(module):
    stage = built(module)
    counted = sum(weight.numel() for weight in stage.live.parameters())
    assert record(module).variant("small").parameters == stage.parameters == counted


@MODULES
def test_the_stage_keeps_its_word_on_names_and_shapes(module):
    model = record(module)
    pipeline = model.build("small", Weights(kind="trained"))
    (stage,) = pipeline.stages
    assert (pipeline.model, pipeline.variant) == (stage.model, stage.variant)
    assert (stage.model, stage.variant, stage.format) == (model.name, "small", model.format)
    assert [(spec.name, spec.shape) for spec in stage.inputs] == [("input", ("batch", 3, 32, 32))]
    with torch.no_grad():
        assert stage.live.eval()(torch.zeros(3, 3, 32, 32)).shape == (3, 10)
    assert [(spec.name, spec.shape) for spec in stage.outputs] == [("logits", ("batch", 10))]


@MODULES
def test_a_seed_decides_the_weights_and_nothing_else(module):
    before = torch.random.get_rng_state()
    one, same, other = (built(module, seed).live.state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


@MODULES
def test_weights_are_trained_or_random_for_lack_of_others(module):
    assert record(module).variant("").weights == ("trained", "random")


@MODULES
def test_loading_the_plugin_and_handling_a_photo_needs_no_framework(module):
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
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "(1, 3, 32, 32) False"


def resnet_by_hand(state, x):
    def bn(x, at):
        mean, var = state[f"{at}.running_mean"], state[f"{at}.running_var"]
        return functional.batch_norm(x, mean, var, state[f"{at}.weight"], state[f"{at}.bias"])

    def conv(x, at, stride=1):
        weight = state[f"{at}.weight"]
        return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    x = functional.relu(bn(conv(x, "conv1", 2), "bn1"))
    for layer in (1, 2, 3, 4):
        for block in (0, 1):
            at, stride = f"layer{layer}.{block}", 2 if (layer, block) == (3, 0) else 1
            y = functional.relu(bn(conv(x, f"{at}.conv1", stride), f"{at}.bn1"))
            y = bn(conv(y, f"{at}.conv2"), f"{at}.bn2")
            if f"{at}.downsample.0.weight" in state:
                x = bn(conv(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            x = functional.relu(x + y)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def vgg_by_hand(state, x):
    for at in (0, 2, 5, 7, 10, 12):
        weight, bias = state[f"features.{at}.weight"], state[f"features.{at}.bias"]
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        if at in (2, 7, 12):
            x = functional.max_pool2d(x, 2)
    x = x.flatten(1)
    for at in (0, 3, 6):
        x = x @ state[f"classifier.{at}.weight"].T + state[f"classifier.{at}.bias"]
        x = x if at == 6 else functional.relu(x)
    return x


@pytest.mark.parametrize(("module", "by_hand"), [(resnet, resnet_by_hand), (vgg, vgg_by_hand)])
def test_the_network_computes_what_its_paper_says(module, by_hand):
    network = built(module).live.eval()
    torch.manual_seed(0)
    state = network.state_dict()
    for name, value in state.items():
        if "running" in name or ".bn" in name:
            value.uniform_(0.5, 1.5) if value.is_floating_point() else value
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(x), by_hand(state, x), rtol=1e-4, atol=1e-4)


@MODULES
def test_the_network_sees_the_digit_and_little_of_the_noise(module):
    model = record(module)
    digits, _ = digit_photos._digits()
    index = digit_photos._members("validation", digits)[0]
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
    np.testing.assert_allclose(vision.class_scores({"logits": logits}, ""), wanted, rtol=1e-6)


def test_the_loss_is_the_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    loss = vision.cross_entropy({"logits": logits}, torch.tensor([0, 1]))
    wanted = (np.log1p(np.exp(-2.0)) + np.log(2.0)) / 2
    assert loss.item() == pytest.approx(wanted)


def test_the_middle_is_cut_out_and_averaged():
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[1:9, 6:14, 0] = 200
    picture[1:5, 6:10, 1] = 100
    cut = vision.centre_input(picture, part=0.8, size=2, mean=0.0, spread=1.0)["input"][0]
    np.testing.assert_allclose(cut[0], np.full((2, 2), 200 / 255), rtol=1e-6)
    np.testing.assert_allclose(cut[1], [[100 / 255, 0], [0, 0]], rtol=1e-6)


def test_values_are_normalised():
    picture = np.full((8, 8, 3), 51, np.uint8)
    cut = vision.centre_input(picture, part=1.0, size=4, mean=0.1, spread=0.5)["input"]
    np.testing.assert_allclose(cut, (0.2 - 0.1) / 0.5, rtol=1e-5)


def encoded(mode, kind="PNG"):
    kept = io.BytesIO()
    Image.new(mode, (4, 3)).save(kept, kind)
    return kept.getvalue()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_pictures_of_any_kind_come_as_three_channels(mode):
    assert vision.decode_picture(encoded(mode), "").shape == (3, 4, 3)


PHOTO = next(digit_photos.samples("test", 0))[0]
BLACK = encoded("RGB", "JPEG")


@pytest.mark.parametrize(
    "payload",
    [b"", b"not a picture", PHOTO[:90_000], PHOTO[:16] + b"?" + PHOTO[17:], BLACK[:-20]],
    ids=["empty", "text", "truncated PNG", "damaged PNG", "truncated JPEG"],
)
def test_what_is_no_picture_is_said(payload):
    with pytest.raises(DataError, match=f"payload of {len(payload)} bytes is no picture"):
        vision.decode_picture(payload, "")
