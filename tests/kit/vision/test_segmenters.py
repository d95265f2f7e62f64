"""Requests, masks and the loss of the models that say for each pixel what it shows."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edgebench_kit.vision import segmenters


def loss(logits, answers):
    return segmenters.pixel_cross_entropy({"logits": logits}, torch.as_tensor(answers))


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_mask_survives_its_encoding(mask):
    with Image.open(io.BytesIO(segmenters.encode_mask(mask))) as kept:
        assert (kept.format, kept.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(kept), mask)


def test_a_mask_weighs_little():
    mask = np.zeros((120, 160), np.uint8)
    mask[20:90, 30:60] = 3
    assert len(segmenters.encode_mask(mask)) < 1000


def test_each_pixel_has_the_class_that_scored_best():
    logits = np.zeros((1, 3, 2, 4), np.float32)
    logits[0, 2, 0, 1] = logits[0, 1, 1, 3] = 5
    logits[0, :, 1, 0] = [-3, -2, -1]
    mask = segmenters.choose_classes({"logits": logits}, "small")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, [[0, 2, 0, 0], [2, 0, 0, 1]])


def test_the_loss_is_the_mean_over_pixels():
    logits = torch.tensor([[[[2.0, 0.0]], [[0.0, 0.0]]]])
    wanted = (math.log1p(math.exp(-2.0)) + math.log(2.0)) / 2
    assert loss(logits, np.array([[[0, 1]]], np.uint8)).item() == pytest.approx(wanted)


def test_pixels_without_an_answer_do_not_count():
    logits = torch.tensor([[[[2.0, 9.0]], [[0.0, -9.0]]]])
    answers = np.array([[[0, segmenters.IGNORED]]], np.uint8)
    assert loss(logits, answers).item() == pytest.approx(math.log1p(math.exp(-2.0)))


@pytest.mark.parametrize("times", [2, 3, 4])
def test_of_finer_answers_the_one_in_the_middle_counts(times):
    picked = torch.arange(6).reshape(1, 2, 3)
    fine = np.full((1, 2 * times, 3 * times), 9, np.uint8)
    middle = times // 2
    fine[:, middle::times, middle::times] = picked
    logits = torch.randn(1, 10, 2, 3, generator=torch.Generator().manual_seed(0))
    assert loss(logits, fine).item() == pytest.approx(loss(logits, picked.to(torch.uint8)).item())


def test_the_loss_has_a_gradient_that_deterministic_algorithms_allow():
    logits = torch.zeros(2, 11, 6, 8, requires_grad=True)
    torch.use_deterministic_algorithms(True)
    try:
        loss(logits, np.full((2, 12, 16), 4, np.uint8)).backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert (logits.grad[:, 4] < 0).all()
    assert (logits.grad[:, 5] > 0).all()


def test_a_scene_is_averaged_down_and_normalised():
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[0, 0], picture[1, 1] = 100, 60
    tensor = segmenters.shrink_scene(picture)["input"]
    assert (tensor.shape, tensor.dtype) == ((1, 3, 120, 160), np.float32)
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor[0, :, 0, 0], (40 / 255 - 0.3) / 0.2, rtol=1e-5)
    np.testing.assert_allclose(tensor[0, :, 1:], -0.3 / 0.2, rtol=1e-5)


def test_a_photo_is_normalised_as_torchvision_does():
    photo = np.random.default_rng(0).integers(0, 256, (31, 47, 3), np.uint8)
    tensor = segmenters.keep_size(photo)["input"]
    means, spreads = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = ((photo / 255 - means) / spreads).transpose(2, 0, 1)[None]
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor, wanted, atol=1e-5)


def test_a_whole_photo_is_seen_as_a_square():
    photo = np.zeros((32, 64, 3), np.uint8)
    photo[:, 32:] = 255
    tensor = segmenters.scale_to_square(photo, 16)["input"]
    assert tensor.shape == (1, 3, 16, 16)
    assert (tensor[..., :7] == tensor.min(axis=(2, 3), keepdims=True)).all()
    assert (tensor[..., 9:] == tensor.max(axis=(2, 3), keepdims=True)).all()
