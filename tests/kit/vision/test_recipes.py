"""A recipe is a record of what is done to a picture, and is refused where it makes no sense."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgebench import DataError
from edgebench_kit.vision.inputs import crop_photo
from edgebench_kit.vision.recipes import Recipe

SIDE = st.integers(1, 40)
SIZE = st.tuples(SIDE, SIDE)
RECIPES = st.builds(
    Recipe,
    resize=st.none() | st.integers(20, 40) | SIZE,
    interpolation=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]),
    crop=st.none() | SIZE,
    crop_rounds=st.sampled_from(["down", "nearest"]),
    channels=st.sampled_from(["rgb", "bgr", "grey"]),
    scale=st.sampled_from([1 / 255, 1.0, 0.5]),
    offset=st.sampled_from([0.0, -1.0]),
    mean=st.sampled_from([(0.5,) * 3, (0.0,) * 3]),
    std=st.sampled_from([(0.5,) * 3, (1.0,) * 3]),
    layout=st.sampled_from([None, "nchw", "nhwc"]),
)


def draw(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(RECIPES, st.integers(20, 60), st.integers(20, 60))
def test_any_recipe_survives_json_and_gives_the_shape_that_it_says(recipe, height, width):
    assert Recipe.read(json.loads(json.dumps(recipe.to_document()))) == recipe
    found = recipe.apply(draw(height, width))
    assert found.dtype == np.float32
    assert len(found.shape) == 4
    for there, said in zip(found.shape, recipe.shape(), strict=True):
        assert said in (None, there)


@given(st.integers(1, 90), st.integers(1, 90), SIZE)
def test_what_is_padded_to_a_size_lies_in_it_undistorted(height, width, size):
    recipe = Recipe(within=size, pad=size, pad_value=7, scale=1, layout="nhwc")
    found = recipe.arrange(np.zeros((height, width, 3), np.uint8))[0]
    assert found.shape == (*size, 3)
    inside = (found[..., 0] == 0).nonzero()
    tall, wide = (int(one.max() - one.min()) + 1 for one in inside)
    assert tall == size[0] or wide == size[1]
    assert abs(tall - height * min(size[0] / height, size[1] / width)) <= 1


@given(st.integers(57, 400), st.integers(57, 400))
def test_imagenet_is_as_torchvision_has_it(height, width):
    picture = draw(height, width)
    wanted = crop_photo(picture, shorter=256, size=224)["input"]
    assert np.abs(Recipe.imagenet().apply(picture) - wanted).max() < 1e-5


def test_imagenet_fits_other_sizes_in_proportion():
    assert Recipe.imagenet((112, 112)).resize == 128
    assert Recipe.imagenet((64, 224)).resize == 256
    assert Recipe.imagenet((64, 224)).apply(draw(300, 500)).shape == (1, 3, 64, 224)


def test_the_arithmetic_is_that_of_its_words():
    picture = np.array([[[10, 20, 30]]], np.uint8)
    recipe = Recipe(channels="bgr", scale=0.5, offset=1, mean=[1, 2, 3], std=[2, 4, 8])
    assert recipe.apply(picture).ravel().tolist() == [7.5, 2.25, 0.375]
    assert recipe.arrange(picture).ravel().tolist() == [30, 20, 10]


@pytest.mark.parametrize("scale", [2, -1, 256])
def test_a_whole_number_scales_as_any_other_number_does(scale):
    recipe = Recipe.read({"scale": scale})
    assert recipe.apply(np.full((1, 1, 3), 200, np.uint8)).ravel().tolist() == [200 * scale] * 3
    assert recipe.to_document() == Recipe(scale=float(scale)).to_document()


def test_grey_has_one_channel():
    picture = draw(30, 20)
    recipe = Recipe(channels="grey", mean=0.5, std=[0.25])
    wanted = (np.asarray(Image.fromarray(picture).convert("L")) / 255 - 0.5) / 0.25
    assert recipe.shape() == (1, 1, None, None)
    assert np.abs(recipe.apply(picture)[0, 0] - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"sise": 3}, "'sise' is no key of a recipe"),
        ({"resize": 0}, "resize is of whole pixels, 1 to 16384, not 0"),
        ({"resize": True}, "resize is of whole pixels"),
        ({"resize": "224"}, "resize is of whole pixels"),
        ({"resize": [224]}, r"resize is one number or \[height, width\]"),
        ({"resize": [224, 2.5]}, "resize is of whole pixels"),
        ({"resize": {"shorter": 3}}, "resize is of whole pixels"),
        ({"crop": "small"}, "crop is one number or"),
        ({"resize": 3, "within": 4}, "leave one out"),
        ({"interpolation": "best"}, "interpolation is one of nearest"),
        ({"channels": "cmyk"}, "channels is one of rgb, bgr, grey"),
        ({"layout": "chw"}, "layout is one of nchw, nhwc"),
        ({"mean": [1, 2]}, "mean is one number or one for each channel"),
        ({"mean": ["a", 1, 2]}, "mean is of numbers"),
        ({"mean": float("nan")}, "mean is of numbers"),
        ({"std": [1, 0, 1]}, "std is divided by, and one of its numbers is 0"),
        # What would leave the numbers that a network can read.
        ({"std": [1, -1e-50, 1]}, "std is divided by, and one of its numbers is -1e-50"),
        ({"scale": 10**400}, "scale is of numbers"),
        ({"mean": 10**400}, "mean is of numbers"),
        ({"std": [1, 2, 3], "channels": "grey"}, "std is one number where channels is grey"),
        ({"scale": "1/255"}, "scale is of numbers"),
        ({"pad_value": 256}, "pad_value is a whole number"),
        ({"pad_at": "left"}, "pad_at is one of centre, corner"),
        ({"crop_rounds": []}, "crop_rounds is one of"),
        ([], "no table"),
        # Those of transformers.
        ({"do_resize": True}, "no 'image_processor_type'"),
        ({"image_processor_type": "DetrImageProcessor"}, "a DetrImageProcessor are not understood"),
        ({"image_processor_type": "ViTImageProcessor", "auto_map": {"a": "b"}}, "auto_map"),
        ({"image_processor_type": "ViTImageProcessor", "do_blur": True}, "'do_blur' of a ViT"),
        ({"image_processor_type": "ViTImageProcessor", "do_pad": True}, "'do_pad' of a ViT"),
        ({"image_processor_type": "ViTImageProcessor", "do_resize": 1}, "'do_resize' is true or"),
        ({"image_processor_type": "ViTImageProcessor", "resample": 9}, "'resample' is a number"),
        ({"image_processor_type": "ViTImageProcessor", "resample": "2"}, "'resample' is a number"),
        ({"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 4}}, "'size' is"),
        ({"image_processor_type": "ViTImageProcessor", "size": {"height": 4}}, "'size' is"),
        (
            {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": "4"}},
            "'size' is",
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": "4"}},
            "size",
        ),
        ({"image_processor_type": "PoolFormerImageProcessor", "size": ["4", 4]}, "'size' is of"),
        (
            {"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": "44"}},
            "'size' is of whole pixels",
        ),
        ({"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": [4]}}, "size"),
        ({"image_processor_type": "EfficientNetImageProcessor", "image_std": ["a"]}, "std is of"),
        ({"image_processor_type": "EfficientNetImageProcessor", "image_std": [None] * 3}, "std"),
        (
            {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": 1e-320},
            "'crop_pct' is a share",
        ),
        ({"image_processor_type": "CLIPImageProcessor", "crop_size": {"shortest_edge": 4}}, "crop"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": 4, "do_center_crop": True},
            "'do_center_crop' of a ConvNext",
        ),
        ({"image_processor_type": "ConvNextImageProcessor", "size": [4, 4]}, "shortest_edge"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": 4, "crop_pct": 0},
            "'crop_pct' is a share",
        ),
        ({"image_processor_type": "MobileViTImageProcessor", "do_normalize": True}, "leaves it"),
        ({"image_processor_type": "SegformerImageProcessor", "do_reduce_labels": True}, "masks"),
        ({"image_processor_type": "ViTImageProcessor", "image_mean": "half"}, "mean"),
        ({"image_processor_type": 3}, "pictures of a 3"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(document, said):
    with pytest.raises(DataError, match=said):
        Recipe.read(document)


def test_a_picture_larger_than_its_padding_is_refused():
    with pytest.raises(DataError, match="30x20 pixels is larger than the 20x20"):
        Recipe(pad=20).apply(draw(30, 20))


def test_a_file_that_is_no_recipe_is_named(tmp_path):
    path = tmp_path / "recipe.json"
    with pytest.raises(DataError, match=r"recipe\.json cannot be read as JSON: No such file"):
        Recipe.read_file(path)
    path.write_text("{")
    with pytest.raises(DataError, match=r"recipe\.json cannot be read as JSON"):
        Recipe.read_file(path)
    path.write_text('{"size": 3}')
    with pytest.raises(DataError, match=r"recipe\.json: 'size' is no key"):
        Recipe.read_file(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = ["resize", "within", "crop", "pad", "mean", "std", "channels", "scale", "layout", "size"]
THEIRS = ["image_processor_type", "size", "resample", "image_mean", "do_resize", "crop_size"]


@given(
    st.dictionaries(st.sampled_from(KEYS), JSON)
    | st.dictionaries(st.sampled_from([*THEIRS, "do_center_crop", "rescale_factor"]), JSON).map(
        lambda one: {"image_processor_type": "CLIPImageProcessor", **one}
    )
)
def test_whatever_a_document_holds_is_read_or_refused_in_one_line(document):
    try:
        Recipe.read(document)
    except DataError as error:
        assert "\n" not in str(error)
