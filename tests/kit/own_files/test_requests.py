"""How requests become inputs is found beside a file, fitted to what it takes, and kept."""

from __future__ import annotations

import io
import json

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgebench import DataError, Model, TensorSpec, to_npz
from edgebench.store.digests import describe_options
from edgebench_kit.onnx.file_options import FileOptions
from edgebench_kit.own_files import requests
from edgebench_kit.own_files.class_labels import read_labels
from edgebench_kit.own_files.datasets import name_classes
from edgebench_kit.own_files.picture_requests import PictureRequest
from edgebench_kit.own_files.sources import Source, find_source, list_beside, to_preprocess
from edgebench_kit.vision.recipes import Recipe

VIT = '{"image_processor_type": "ViTImageProcessor", "size": {"height": 20, "width": 30}}'
SIZES = st.integers(1, 40)


def spec(*shape, dtype="float32", name="photo"):
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def encode(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def bind(prepared):
    def build(variant, weights):
        raise AssertionError

    model = Model(name="m", summary="M.", build=build, bind=requests.bind_requests)
    return model.bound("small", prepared.resources)


def test_what_lies_beside_is_found_unless_something_is_said(tmp_path):
    file = tmp_path / "m.onnx"
    assert not find_source(file, "")
    assert list_beside(file) == []
    (tmp_path / "preprocessor_config.json").write_text(VIT)
    found = find_source(file, "")
    assert (found.found, found.pictures) == (True, tmp_path / "preprocessor_config.json")
    assert not find_source(file, "none")
    assert find_source(file, "imagenet").imagenet
    assert list_beside(file) == [tmp_path / "preprocessor_config.json"]
    said = find_source(file, to_preprocess(str(tmp_path)))
    assert said == attrs.evolve(found, found=False)


@pytest.mark.parametrize(
    ("recipe", "dtype", "said"),
    [
        ({}, "float32", "RGB, pixels of 0 to 1, as"),
        ({"scale": 2 / 255, "offset": -1}, "float16", "RGB, pixels of -1 to 1, as"),
        ({"scale": 1, "std": [58, 57, 57.5]}, "float32", "0 to 255, normalised by mean 0 and std "),
        ({"mean": 0.5, "std": 0.25, "channels": "grey"}, "float32", "by mean 0.5 and std 0.25, as"),
        ({"mean": [0.485, 0.456, 0.406]}, "float32", "by mean 0.485/0.456/0.406 and std 1, as"),
        ({}, "uint8", "RGB, pixels as they are, 0 to 255, as"),
        ({"resize": [48, 40]}, "uint8", "a picture file, resized to 48x40, RGB"),
        ({"within": 48, "pad": 48}, "uint8", "file, resized to fit within 48x48, padded to 48x48, RGB"),
    ],
)  # fmt: skip
def test_what_becomes_of_pixels_is_said_in_numbers(recipe, dtype, said):
    request = PictureRequest(
        input="photo", dtype=dtype, shape=(None, 3, 2, 2), recipe=Recipe.read(recipe)
    )
    assert said in request.describe()


def test_a_path_is_whole_and_a_word_is_a_word(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert to_preprocess("imagenet") == "imagenet"
    assert to_preprocess("./imagenet") == tmp_path / "imagenet"


BESIDE_A_FILE = ["config.json", "tokenizer_config.json", "special_tokens_map.json"]


def test_a_file_of_a_recipe_is_keyed_with_all_that_is_read_beside_it(tmp_path):
    file = tmp_path / "r.json"
    (tmp_path / "weights.bin").touch()

    def key():
        options = FileOptions(preprocess=file)
        assert attrs.evolve(options) == options
        return str(describe_options(options))

    seen = set()
    file.write_text("{}")
    for text in ("{}", " {}"):
        seen.add(key())
        for name in BESIDE_A_FILE:
            (tmp_path / name).write_text(text)
            seen.add(key())
    (tmp_path / "config.json").rename(tmp_path / "processor_config.json")
    seen.add(key())
    file.write_text(" {}")
    seen.add(key())
    assert len(seen) == 9
    (tmp_path / "weights.bin").write_text("others")
    assert key() in seen


def test_a_file_that_is_a_link_is_read_with_what_lies_beside_the_link(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/1").write_text('{"model": {}, "added_tokens": []}')
    (tmp_path / "tokenizer.json").symlink_to(tmp_path / "blobs/1")
    found = find_source(tmp_path / "net/m.onnx", to_preprocess(tmp_path / "tokenizer.json"))
    assert found.texts == tmp_path / "tokenizer.json"


@given(SIZES, SIZES, st.sampled_from(["float32", "uint8", "float16"]), st.booleans(), st.booleans())
def test_any_picture_becomes_what_the_input_takes(height, width, dtype, last, opened):
    size = (20, 30) if not opened else ("H", "W")
    source, shape = Source(imagenet=True), (*size, 3) if last else (3, *size)
    given_spec = spec(1, *shape, dtype=dtype)
    sizes = requests.propose_sizes(source, [given_spec])
    assert set(sizes.values()) == ({224} if opened else set())
    whole = tuple(sizes.get(f"photo.{axis}", one) for axis, one in enumerate((1, *shape)))
    prepared = requests.prepare_requests(source, [spec(*whole, dtype=dtype)], {}, "m.onnx")
    model = bind(prepared)
    payload = encode(np.full((height, width, 3), 200, np.uint8))
    (tensor,) = model.preprocess(model.decode(payload, ""), "").values()
    assert (tensor.dtype, tensor.shape) == (dtype, whole)
    if dtype == "uint8":
        assert (tensor == 200).all()


def test_tensors_are_read_as_the_model_reads_them():
    prepared = requests.prepare_requests(Source(imagenet=True), [spec(1, 3, 8, 8)], {}, "m")
    model = bind(prepared)
    array = np.ones((3, 8, 8), "f4")
    made = model.preprocess(model.decode(to_npz({"photo": array}), ""), "")
    assert made["photo"].shape == (1, 3, 8, 8)
    with pytest.raises(DataError, match="a payload of 5 bytes is no JPEG or PNG file"):
        model.decode(b"hello", "")
    cut = encode(np.zeros((30, 30, 3), np.uint8))[:60]
    with pytest.raises(DataError, match="cannot be read"):
        model.decode(cut, "")


def test_what_is_found_and_does_not_fit_is_left_out_with_its_reason(tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "Detr"}')
    source = find_source(tmp_path / "m.onnx", "")
    assert requests.propose_sizes(source, [spec("N", 3, "H", "W")]) == {}
    prepared = requests.prepare_requests(source, [spec(1, 3, 8, 8)], {}, "m.onnx")
    assert prepared.request is None
    assert "pictures of a Detr are not understood" in prepared.lacking
    assert prepared.resources == {}
    with pytest.raises(DataError, match="pictures of a Detr are not understood"):
        requests.prepare_requests(
            attrs.evolve(source, found=False), [spec(1, 3, 8, 8)], {}, "m.onnx"
        )


def test_several_inputs_are_no_picture():
    two = [spec(1, 3, 8, 8), spec(1, 4, name="boxes")]
    with pytest.raises(DataError, match="the inputs of m are 'photo'"):
        requests.prepare_requests(Source(imagenet=True), two, {}, "m")


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"kind": "sounds"}', b'{"kind": "pictures"}'])
def test_a_pipeline_that_is_damaged_is_named(kept):
    with pytest.raises(DataError, match=r"m:small has no request\.json that can be read"):
        requests.bind_requests(bind(requests.Prepared()), "small", {requests.RESOURCE: kept})


def test_names_of_classes_are_those_noted_nearest(tmp_path):
    file = tmp_path / "models" / "m.onnx"
    (tmp_path / "models").mkdir()
    assert name_classes(file, Source(), 2, None) == ["LABEL_0", "LABEL_1"]
    assert name_classes(file, Source(), None, None) == []
    config = file.with_name("config.json")
    config.write_text(json.dumps({"id2label": {"1": "dog", "0": "cat"}}))
    assert read_labels(file.parent) == ("cat", "dog")
    assert name_classes(file, Source(), 2, None) == ["cat", "dog"]
    assert name_classes(file, Source(), None, None) == ["cat", "dog"]
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "a", "1": "b"}}))
    nearer = Source(pictures=tmp_path / "preprocessor_config.json")
    assert name_classes(file, nearer, 2, None) == ["a", "b"]
    names = tmp_path / "names.txt"
    names.write_text("A\nb\n")
    assert name_classes(file, nearer, 2, names) == ["a", "b"]
    assert name_classes(file, nearer, 3, names) == ["LABEL_0", "LABEL_1", "LABEL_2"]
    with pytest.raises(DataError, match=r"config\.json names 2 classes, and .* has 3; classes="):
        name_classes(file, Source(), 3, None)


@pytest.mark.parametrize(
    "noted",
    [
        *('{"id2label": ["a"]}', '{"id2label": {"a": 1}}', "{", '{"a": 1'),
        '{"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}',
        '{"id2label": {"0": "a", "1": "b"}, "problem_type": "multi_label_classification"}',
    ],
)
def test_names_that_cannot_be_read_are_refused(tmp_path, noted):
    (tmp_path / "config.json").write_text(noted)
    with pytest.raises(DataError, match=r"config\.json"):
        read_labels(tmp_path)


def test_given_names_in_another_order_than_noted_are_refused(tmp_path):
    config, names = tmp_path / "config.json", tmp_path / "names.txt"
    config.write_text(json.dumps({"id2label": {"0": "cat", "1": "dog"}}))
    names.write_text("Dog\ncat\n")
    wrong = r"names\.txt has 'Dog' as class 0, and .*config\.json has it as class 1"
    with pytest.raises(DataError, match=wrong):
        name_classes(tmp_path / "m.onnx", Source(), 2, names)
    # Names that are of other classes, or of none, are no reason to refuse better ones.
    for noted in ('{"id2label": {"0": "a", "1": "b"}}', '{"id2label": ["a"]}', "{"):
        config.write_text(noted)
        assert len(name_classes(tmp_path / "m.onnx", Source(), 2, names)) == 2


def test_a_recipe_that_is_a_part_of_a_file_is_found_and_goes_first(tmp_path):
    file, whole = tmp_path / "m.onnx", tmp_path / "processor_config.json"
    plain = tmp_path / "preprocessor_config.json"
    plain.write_text('{"image_processor_type": "ViTImageProcessor", "size": 40}')
    whole.write_text(f'{{"image_processor": {VIT}, "processor_class": "ViTProcessor"}}')
    found = find_source(file, "")
    assert (found.pictures, found.told) == (whole, "as processor_config.json beside it says")
    assert found.read_recipe().size == (20, 30)
    assert list_beside(file) == [whole, plain]
    assert find_source(file, whole).read_recipe().size == (20, 30)
    shape = spec(1, 20, 30, 3, dtype="uint8")
    assert requests.prepare_requests(found, [shape], {}, file).request is not None
    whole.write_text(f'{{"image_processor": {VIT.replace("ViT", "Detr")}}}')
    with pytest.raises(DataError, match=r"processor_config\.json: image_processor: .*Detr"):
        find_source(file, "").read_recipe()
    # What has no such part says nothing of pictures.
    whole.write_text('{"processor_class": "ViTProcessor"}')
    assert find_source(file, "").pictures == plain
    whole.write_text("{")
    damaged = requests.prepare_requests(find_source(file, ""), [shape], {}, file)
    assert "processor_config.json cannot be read as JSON" in damaged.lacking
