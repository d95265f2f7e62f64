"""Weight files are read without running anything, and what is wrong with one is said in a line."""

from __future__ import annotations

import argparse
import re
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from edgebench import DataError
from edgebench_kit.torch.weight_files import load_weights


def network():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))


@pytest.fixture
def state():
    torch.manual_seed(1)
    return {
        name: torch.rand_like(v, dtype=torch.float32) for name, v in network().state_dict().items()
    }


def load(path, **options):
    module = network()
    load_weights(module, path, title="toy:x", **options)
    return module.state_dict()


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        load(path, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    return said


def same(got, wanted):
    # A counter is a whole number: what a file has for it is converted.
    return all(torch.equal(got[name], value.to(got[name].dtype)) for name, value in wanted.items())


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_what_torch_saved_is_loaded(tmp_path, state, suffix, zipped):
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    assert same(load(path), state)


def test_safetensors_are_loaded(tmp_path, state):
    save_file(state, tmp_path / "weights.safetensors")
    assert same(load(tmp_path / "weights.safetensors"), state)


@pytest.mark.parametrize("key", ["state_dict", "model"])
@pytest.mark.parametrize(
    "beside", [{}, {"epoch": 3, "optimizer": {"lr": 0.1}}], ids=["alone", "beside"]
)
def test_what_a_training_script_wrapped_is_unwrapped(tmp_path, state, key, beside):
    torch.save({key: state} | beside, tmp_path / "checkpoint.pth")
    assert same(load(tmp_path / "checkpoint.pth"), state)


def test_a_module_called_model_is_no_wrapper(tmp_path):
    module = nn.ModuleDict({"model": nn.Linear(2, 2)})
    wanted = {"model.weight": torch.ones(2, 2), "model.bias": torch.ones(2)}
    torch.save(wanted, tmp_path / "weights.pth")
    load_weights(module, tmp_path / "weights.pth", title="toy:y")
    assert same(module.state_dict(), wanted)


def test_what_is_ignored_keeps_its_value_and_need_not_be_there(tmp_path, state):
    torch.save({**state, "0.weight": torch.zeros(7), "pooler.x": torch.zeros(1)}, tmp_path / "w.pt")
    module = network()
    before = module[0].weight.detach().clone()
    load_weights(module, tmp_path / "w.pt", title="toy:x", ignore=("0.w", "pooler."))
    assert torch.equal(module[0].weight, before)
    assert torch.equal(module[0].bias, state["0.bias"])
    del state["0.weight"]
    torch.save(state, tmp_path / "w.pt")
    load(tmp_path / "w.pt", ignore=("0.weight",))
    assert "0.weight (3, 4) is missing" in refusal(tmp_path / "w.pt")


def test_counters_of_batches_need_not_be_there(tmp_path, state):
    del state["1.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    assert load(tmp_path / "w.pth")["1.num_batches_tracked"] == 0


def test_faults_are_counted_and_the_first_is_named(tmp_path, state):
    state["0.bias"] = torch.zeros(5)
    state["head.weight"] = torch.zeros(2)
    del state["1.weight"]
    torch.save(state, tmp_path / "w.pth")
    assert refusal(tmp_path / "w.pth") == (
        f"the weights in {tmp_path / 'w.pth'} are not of toy:x: 0.bias has shape (5,), not (3,) "
        "(2 more do not fit); give a file of the same network, or another variant"
    )


def test_nothing_is_loaded_from_a_file_that_does_not_fit(tmp_path, state):
    state["head.weight"] = torch.zeros(2)
    torch.save(state, tmp_path / "w.pth")
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(DataError, match="head.weight is unknown"):
        load_weights(module, tmp_path / "w.pth", title="toy:x")
    assert same(module.state_dict(), before)


class Harmful:
    """What a stranger's file may ask for when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_file_that_asks_for_code_is_refused_and_runs_none(tmp_path):
    torch.save({"0.weight": Harmful(tmp_path / "ran")}, tmp_path / "w.pth")
    said = refusal(tmp_path / "w.pth")
    assert "holds more than tensors" in said
    assert "open" in said
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("kept", "named"),
    [
        (network(), "Sequential"),
        ({"model": {}, "args": argparse.Namespace()}, "argparse.Namespace"),
    ],
    ids=["a module", "a script's arguments"],
)
def test_a_file_with_other_objects_says_which_and_what_to_save(tmp_path, kept, named):
    torch.save(kept, tmp_path / "w.pth")
    said = refusal(tmp_path / "w.pth")
    assert named in said
    assert "save the module's state_dict() alone" in said


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ([torch.zeros(1)], "holds no parameters by name, but a list"),
        (torch.zeros(3), "holds no parameters by name, but a Tensor"),
        ({"epoch": 3}, "'epoch' is no tensor (int)"),
        ({}, "0.weight (3, 4) is missing"),
    ],
    ids=["a list", "a tensor", "numbers", "nothing"],
)
def test_a_file_of_something_else_says_what_it_holds(tmp_path, kept, said):
    torch.save(kept, tmp_path / "w.pth")
    assert said in refusal(tmp_path / "w.pth")


def kinds(state, directory):
    torch.save(state, directory / "new.pth")
    torch.save(state, directory / "old.pth", _use_new_zipfile_serialization=False)
    (directory / "w.safetensors").write_bytes(save(state))
    return sorted(directory.iterdir())


def test_a_truncated_file_is_said_to_be_so_wherever_it_ends(tmp_path, state):
    for path in kinds(state, tmp_path):
        whole = path.read_bytes()
        for part in (0, 1, 3, 9, len(whole) // 3, len(whole) // 2, len(whole) - 3):
            path.write_bytes(whole[:part])
            said = refusal(path)
            assert "truncated" in said or "more than tensors" in said
            assert f"{part} bytes" in said or "more than tensors" in said


def test_damage_of_any_kind_ends_in_one_line_or_in_other_values(tmp_path, state):
    chance = np.random.default_rng(0)
    for path in kinds(state, tmp_path):
        whole = path.read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            for _ in range(3):
                broken[chance.integers(len(broken))] = int(chance.integers(256))
            path.write_bytes(broken)
            try:
                load(path)
            except DataError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content",
    [b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1", bytes(64)],
    ids=["a web page", "a pointer", "zeros"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_no_weight_file_is_said(tmp_path, content, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    said = refusal(path)
    assert f"{len(content)} bytes, is truncated or no weight file; fetch it again" in said
    assert "weights_only" not in said


def test_a_file_that_is_not_there_a_directory_and_a_strange_name_are_said(tmp_path):
    assert "which is not there" in refusal(tmp_path / "none.pth")
    assert "which is a directory" in refusal(tmp_path)
    (tmp_path / "w.h5").write_bytes(b"x")
    assert "must end in one of .pth, .pt, .bin, .safetensors" in refusal(tmp_path / "w.h5")
    with pytest.raises(DataError, match="none is given: file:PATH"):
        load(None)


def test_a_file_that_unpacks_to_more_than_it_is_is_refused(tmp_path):
    plain, packed = tmp_path / "plain.pth", tmp_path / "weights.bin"
    torch.save({"0.weight": torch.zeros(300, 400)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w") as copy:
        for one in source.infolist():
            copy.writestr(one.filename, source.read(one), compress_type=zipfile.ZIP_DEFLATED)
    said = refusal(packed)
    assert re.search(
        r"weights.bin, [0-9,]+ bytes, unpacks to 48[0-9],[0-9]{3}, and torch.save", said
    )
