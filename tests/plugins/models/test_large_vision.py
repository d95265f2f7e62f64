"""Torchvision's classifiers at full size: published counts, sensible untrained, photos as theirs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgebench import Weights
from edgebench_kit.vision.inputs import normalise_pixels
from edgebench_plugins.models import efficientnet, mobilenet, resnet, resnext, shufflenet, vgg

PUBLISHED = {
    (efficientnet, "b0"): 5_288_548,
    (efficientnet, "b2"): 9_109_994,
    (mobilenet, "v2"): 3_504_872,
    (mobilenet, "v3-small"): 2_542_856,
    (resnet, "152"): 60_192_808,
    (resnet, "50"): 25_557_032,
    (resnet, "wide50"): 68_883_240,
    (resnet, "wide101"): 126_886_696,
    (resnext, "50"): 25_028_904,
    (resnext, "101"): 83_455_272,
    (shufflenet, "v2-x1"): 2_278_604,
    (vgg, "16"): 138_357_544,
}
LARGE = pytest.mark.parametrize(
    ("module", "variant"),
    list(PUBLISHED),
    ids=lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2],
)


def record(module):
    (model,) = module.edgebench_models()
    return model


@LARGE
def test_it_has_the_published_count_and_when_untrained_gives_sensible_outputs(module, variant):
    (stage,) = record(module).build(variant, Weights(kind="random", seed=1)).stages
    assert stage.parameters == record(module).variant(variant).parameters
    assert stage.parameters == PUBLISHED[module, variant]
    side = 288 if variant == "b2" else 224
    assert stage.inputs[0].shape == ("batch", 3, side, side)
    assert stage.outputs[0].shape == ("batch", 1000)
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = stage.live.eval()(x)
    # Half precision holds such outputs, and they depend on the input.
    assert 0.01 < logits.std() < 10
    assert (logits - logits.mean(0)).std() > 1e-3 * logits.std()
    assert all(value.abs().max() > 0 for value in stage.live.parameters() if value.ndim > 1)
    assert all(value.isfinite().all() for value in stage.live.state_dict().values())
    facts = record(module).variant(variant)
    assert all(stage.live.get_submodule(point.path) for point in facts.exits)
    assert [stage.live.get_submodule(path).out_features for path in facts.keep] == [1000]


@pytest.mark.parametrize(
    ("module", "variant", "exits"),
    [
        (resnet, "wide101", ["layer1", "layer2", "layer3", "layer4.0"]),
        (resnet, "152", ["layer1", "layer2", "layer3", "layer4.0"]),
        (mobilenet, "v3-small", [*(f"features.{n}" for n in (1, 3, 6, 8, 9))]),
        (mobilenet, "v2", [*(f"features.{n}" for n in (1, 3, 6, 10, 13, 14, 16))]),
        (
            efficientnet,
            "b0",
            [*(f"features.{n}" for n in ("1.0", "2.1", "3.1", "4.2", "5.2", "6.0", "6.3"))],
        ),
        (shufflenet, "v2-x1", ["stage2", "stage3", "stage4.0"]),
        (vgg, "16", ["features.4", "features.9", "features.16", "features.23", "features.25"]),
    ],
    ids=[
        "resnet",
        "resnet-152",
        "mobilenet-v3",
        "mobilenet-v2",
        "efficientnet",
        "shufflenet",
        "vgg",
    ],
)
def test_a_network_may_be_left_after_a_layer_a_pooling_or_in_the_last_of_them(
    module, variant, exits
):
    assert [point.path for point in record(module).variant(variant).exits] == exits


@pytest.mark.parametrize(
    ("module", "variant"),
    [(efficientnet, "b0"), (mobilenet, "v3-small"), (shufflenet, "v2-x1")],
    ids=["efficientnet", "mobilenet", "shufflenet"],
)
def test_gates_and_smooth_activations_leave_an_untrained_network_its_signal(module, variant):
    """On a photo as on noise: what one cancels, the other adds up."""
    network = record(module).build(variant, Weights(kind="random")).stages[0].live.eval()
    photos = [
        record(module).preprocess(photo(240, 320)[::way], variant)["input"] for way in (1, -1)
    ]
    noise = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for x in (torch.from_numpy(np.concatenate(photos)), noise):
        with torch.no_grad():
            logits = network(x)
        assert 0.01 < logits.std() < 10
        assert (logits[0] - logits[1]).std() > 1e-2 * logits.std()


def test_a_seed_decides_the_weights_of_a_large_network_and_nothing_else():
    before = torch.random.get_rng_state()
    one, same, other = (
        record(resnext).build("50", Weights(kind="random", seed=seed)).stages[0].live.state_dict()
        for seed in (3, 3, 4)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(one["fc.weight"], other["fc.weight"])


def test_the_convolutions_of_a_group_keep_the_signals_scale():
    weight = (
        record(resnext).build("50", Weights(kind="random")).stages[0].live.layer1[0].conv2.weight
    )
    assert weight.shape == (128, 4, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (4 * 9)) ** 0.5, rel=0.05)


@LARGE
def test_it_is_for_photos_of_imagenet_and_the_digits_stand_in(module, variant):
    facts = record(module).variant(variant)
    assert record(module).dataset_of(variant) == "imagenet"
    assert facts.stand_in == "digit-photos"
    assert facts.weights == ("random", "file", "hub")
    assert facts.asset == f"{record(module).name}-{variant}"


@pytest.mark.parametrize(
    ("module", "students"),
    [
        (efficientnet, {"b2": "b0", "b0": ""}),
        (mobilenet, {"v2": "v3-small", "v3-small": ""}),
        (resnet, {"wide101": "wide50", "wide50": "50", "152": "50", "50": ""}),
        (resnext, {"101": "50", "50": ""}),
        (shufflenet, {"v2-x1": ""}),
        (vgg, {"16": ""}),
    ],
    ids=["efficientnet", "mobilenet", "resnet", "resnext", "shufflenet", "vgg"],
)
def test_a_student_is_the_next_smaller_network(module, students):
    assert {name: record(module).variant(name).student for name in students} == students


# --- photos ----------------------------------------------------------------------------------------


def photo(height, width):
    """Something with edges and slopes, and a channel unlike the next."""
    down, across = np.mgrid[:height, :width]
    waves = np.stack([np.sin(down / 7), np.cos(across / 5), np.sin((down + across) / 11)], -1)
    picture = (127 * waves + 128).astype(np.uint8)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (250, 20, 90)
    return picture


# Height and width, the size scaled to, and the first row and column kept: by torchvision's rules,
# which cut fractions of the longer side and round half a pixel to the even one.
PRESETS = [
    ("50", 240, 320, (232, 309), (4, 42)),
    ("50", 401, 300, (310, 232), (43, 4)),
    ("wide101", 60, 50, (278, 232), (27, 4)),
    ("50", 232, 232, (232, 232), (4, 4)),
]


@pytest.mark.parametrize(("variant", "height", "width", "scaled", "corner"), PRESETS)
def test_a_photo_is_scaled_cut_and_normalised_as_torchvision_does(
    variant, height, width, scaled, corner
):
    picture = photo(height, width)
    got = record(resnet).preprocess(picture, variant)["input"]
    compare(picture, got, scaled, corner)


def test_vgg_sees_a_smaller_part_of_the_photo():
    picture = photo(240, 320)
    compare(picture, record(vgg).preprocess(picture, "16")["input"], (256, 341), (16, 58))


@pytest.mark.parametrize(
    ("module", "variant", "scaled", "corner", "mode"),
    [
        (efficientnet, "b0", (256, 341), (16, 58), "bicubic"),
        (efficientnet, "b2", (288, 384), (0, 48), "bicubic"),
        (mobilenet, "v2", (232, 309), (4, 42), "bilinear"),
        (mobilenet, "v3-small", (256, 341), (16, 58), "bilinear"),
        (resnet, "152", (232, 309), (4, 42), "bilinear"),
        (shufflenet, "v2-x1", (256, 341), (16, 58), "bilinear"),
    ],
    ids=["b0", "b2", "v2", "v3-small", "152", "v2-x1"],
)
def test_each_network_sees_a_photo_as_its_weights_were_scored(
    module, variant, scaled, corner, mode
):
    picture = photo(240, 320)
    got = record(module).preprocess(picture, variant)["input"]
    compare(picture, got, scaled, corner, mode, side=288 if variant == "b2" else 224)


def compare(picture, got, scaled, corner, mode="bilinear", side=224):
    shape = (1, 3, side, side)
    assert (got.dtype, got.shape, got.flags.c_contiguous) == (np.float32, shape, True)
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    # Pillow resizes across first, then down, and rounds to whole values of a byte after each.
    for size in ((picture.shape[0], scaled[1]), scaled):
        whole = functional.interpolate(whole, size, mode=mode, antialias=True).clamp(0, 255).round()
    top, left = corner
    cut = whole[:, :, top : top + side, left : left + side] / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    spread = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    levels = (torch.from_numpy(got) - (cut - mean) / spread).mul(spread * 255).abs()
    assert levels.max() < 2.5
    assert levels.mean() < 0.5


def test_a_photo_is_handled_without_a_framework(python):
    script = """
import io, sys
import numpy as np
from PIL import Image
from edgebench_plugins.models.resnext import edgebench_models
(model,) = edgebench_models()
kept = io.BytesIO()
Image.new("RGB", (320, 240)).save(kept, "JPEG")
tensors = model.preprocess(model.decode(kept.getvalue(), "50"), "50")
scores = model.postprocess({"logits": np.zeros((1, 1000), np.float32)}, "50")
print(tensors["input"].shape, scores.shape, "torch" in sys.modules)
"""
    done = python(script)
    assert done.stdout == "(1, 3, 224, 224) (1000,) False\n"


def test_channels_are_normalised_by_their_own_means():
    picture = np.full((2, 3, 3), 255, np.uint8)
    got = normalise_pixels(picture)
    np.testing.assert_allclose(got[0, :, 0, 0], [2.2489083, 2.4285715, 2.64], rtol=1e-6)
