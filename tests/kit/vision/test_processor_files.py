"""What transformers notes of pictures is read, and done as its own processors on Pillow do it."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image
from transformers import image_processing_backends

from edgebench import DataError
from edgebench_kit.vision.processor_files import PROCESSORS
from edgebench_kit.vision.recipes import Recipe

MODULES = {
    "BeitImageProcessor": "beit",
    "BitImageProcessor": "bit",
    "BlipImageProcessor": "blip",
    "CLIPImageProcessor": "clip",
    "ChineseCLIPImageProcessor": "chinese_clip",
    "ConvNextImageProcessor": "convnext",
    "DeiTImageProcessor": "deit",
    "EfficientNetImageProcessor": "efficientnet",
    "LevitImageProcessor": "levit",
    "MobileNetV1ImageProcessor": "mobilenet_v1",
    "MobileNetV2ImageProcessor": "mobilenet_v2",
    "MobileViTImageProcessor": "mobilevit",
    "PoolFormerImageProcessor": "poolformer",
    "PvtImageProcessor": "pvt",
    "SegformerImageProcessor": "segformer",
    "SiglipImageProcessor": "siglip",
    "ViTImageProcessor": "vit",
}
PUBLISHED = [
    # google/vit-base-patch16-224, facebook/deit-base, microsoft/resnet-50, facebook/convnext-tiny,
    # and others as they lie on the hub, in the forms of several years.
    {
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ViTFeatureExtractor",
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "size": 224,
    },
    {
        "crop_size": 224,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "DeiTFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 256,
    },
    {
        "crop_pct": 0.875,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 224,
    },
    {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    {"image_processor_type": "ConvNextImageProcessorFast", "size": {"shortest_edge": 160}},
    {"image_processor_type": "ConvNextImageProcessor", "size": 240, "crop_pct": 0.95},
    {
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "image_processor_type": "BitImageProcessor",
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 256},
    },
    {
        "image_processor_type": "EfficientNetImageProcessor",
        "crop_size": {"height": 289, "width": 289},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.47853944, 0.4732864, 0.47434163],
        "include_top": True,
        "resample": 0,
        "rescale_factor": 0.00392156862745098,
        "rescale_offset": False,
        "size": {"height": 224, "width": 224},
    },
    {"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": True},
    {"image_processor_type": "EfficientNetImageProcessor", "include_top": False},
    {"image_processor_type": "EfficientNetImageProcessor", "do_normalize": False},
    {
        "image_processor_type": "MobileViTImageProcessor",
        "crop_size": {"height": 256, "width": 256},
        "size": {"shortest_edge": 288},
    },
    {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": 0.95},
    {"image_processor_type": "PoolFormerImageProcessor", "size": {"height": 200, "width": 200}},
    {"image_processor_type": "PoolFormerImageProcessor", "size": {"height": 300, "width": 240}},
    {"image_processor_type": "ViTImageProcessor", "do_normalize": None, "do_center_crop": None},
    {
        "image_processor_type": "BitImageProcessor",
        "do_resize": None,
        "do_rescale": None,
        "size": None,
    },
    {"image_processor_type": "LevitImageProcessor", "size": {"height": 240, "width": 250}},
    {"image_processor_type": "MobileNetV2ImageProcessor", "do_rescale": False},
    {"image_processor_type": "ViTImageProcessor", "do_normalize": False, "size": [96, 128]},
    {"image_processor_type": "ViTImageProcessor", "image_mean": 0.4, "image_std": 0.3},
    {"image_processor_type": "CLIPImageProcessor", "do_resize": False},
    {"image_processor_type": "CLIPImageProcessor", "size": 100, "crop_size": 301},
    {"image_processor_type": "ViTImageProcessor", "rescale_factor": 1 / 127.5, "image_mean": 1.0},
]


@pytest.fixture(scope="module")
def pictures():
    drawn = np.random.default_rng(3)
    odd = [(1, 1), (3, 517), (223, 225), (224, 224), (225, 223), (401, 37), (640, 427)]
    made = [drawn.integers(0, 256, (*size, 3), np.uint8) for size in odd]
    return [load_sample_image("china.jpg"), load_sample_image("flower.jpg")[:, :333], *made]


def open_theirs(document):
    name = document.get("image_processor_type") or document["feature_extractor_type"]
    name = name.replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast")
    module = f"transformers.models.{MODULES[name]}.image_processing_pil_{MODULES[name]}"
    kind = getattr(importlib.import_module(module), f"{name}Pil")
    assert issubclass(kind, image_processing_backends.PilBackend)
    return kind.from_dict(document)


def compare(document, pictures):
    theirs, ours = open_theirs(document), Recipe.read(document)
    for picture in pictures:
        if 0 in scaled(ours, picture):
            # A side that would vanish: theirs ends as well, with Pillow's words.
            with pytest.raises(DataError, match="cannot be resized"):
                ours.apply(picture)
            continue
        wanted = theirs(Image.fromarray(picture), return_tensors="np")["pixel_values"]
        found = ours.apply(picture)
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        if ours.size is not None:
            assert found.shape == ours.shape()
        assert np.abs(found - wanted).max() < 1e-5
    return ours


def scaled(recipe, picture):
    from edgebench_kit.vision.geometry import choose_size

    return (1,) if recipe.resize is None else choose_size(picture, recipe.resize)


def test_every_type_that_is_known_is_compared():
    assert set(MODULES) == set(PROCESSORS)


@pytest.mark.parametrize("name", sorted(PROCESSORS))
def test_a_type_whose_file_says_nothing_does_what_is_usual(name, pictures):
    compare({"image_processor_type": name}, pictures)


@pytest.mark.parametrize("name", sorted(PROCESSORS))
def test_what_a_processor_writes_is_read(name, pictures, tmp_path):
    open_theirs({"image_processor_type": name}).save_pretrained(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    recipe = compare(json.loads(path.read_text()), pictures[:2])
    assert Recipe.read_file(path) == recipe


@pytest.mark.parametrize("document", PUBLISHED)
def test_a_published_file_does_what_its_processor_does(document, pictures):
    recipe = compare(document, pictures)
    assert Recipe.read(json.loads(json.dumps(recipe.to_document()))) == recipe
