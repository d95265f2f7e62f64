"""The files of a checkpoint's weights are found, and their shapes read without them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgebench import DataError
from edgebench_kit.checkpoints.stored_weights import (
    count_values,
    find_weights,
    has_header,
    read_shapes,
)

ARRAYS = {"a.weight": np.zeros((3, 4), np.float32), "a.bias": np.zeros(3, np.float16)}


def write_shards(directory, **files):
    index = {}
    for name, arrays in files.items():
        save_file(arrays, directory / f"{name}.safetensors")
        index |= dict.fromkeys(arrays, f"{name}.safetensors")
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def test_one_file_is_found_before_an_index(tmp_path):
    write_shards(tmp_path, one=ARRAYS)
    assert [path.name for path in find_weights(tmp_path)] == ["one.safetensors"]
    save_file(ARRAYS, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert [path.name for path in find_weights(tmp_path)] == ["model.safetensors"]


def test_shapes_are_read_from_all_files(tmp_path):
    write_shards(tmp_path, one={"a": np.zeros((2, 5), "f4")}, two={"b": np.zeros(7, "f4")})
    files = find_weights(tmp_path)
    assert has_header(files)
    shapes = read_shapes(files)
    assert shapes == {"a": (2, 5), "b": (7,)}
    assert count_values(shapes) == 17


def test_none_are_refused(tmp_path):
    (tmp_path / "tf_model.h5").write_bytes(b"")
    with pytest.raises(DataError, match="has no weights: neither model.safetensors nor pytorch_mo"):
        find_weights(tmp_path)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({}, "maps no tensors to files"),
        ({"weight_map": {}}, "maps no tensors to files"),
        ({"weight_map": ["a"]}, "maps no tensors to files"),
        ({"weight_map": {"a": 3}}, "maps no tensors to files"),
        ({"weight_map": {"a": "gone.safetensors"}}, "'gone.safetensors', which is no file beside"),
        ({"weight_map": {"a": "../a.safetensors"}}, "'../a.safetensors', which is no file beside"),
        ({"weight_map": {"a": "/etc/passwd"}}, "'/etc/passwd', which is no file beside"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(tmp_path, index, words):
    save_file(ARRAYS, tmp_path / "a.safetensors")
    inside = tmp_path / "checkpoint"
    inside.mkdir()
    (inside / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DataError) as error:
        find_weights(inside)
    assert words in str(error.value)


@pytest.mark.parametrize("kept", [0, 4, 8, 60, -1])
def test_a_damaged_file_is_refused(tmp_path, kept):
    path = tmp_path / "model.safetensors"
    save_file(ARRAYS, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match="is truncated or no weight file; fetch it again"):
        read_shapes((path,))
