"""A program opens in a fresh process without its model's code, and without a pickle."""

from __future__ import annotations

import json
import pickle
import zipfile

import attrs
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_kit.torch import programs
from edgebench_plugins.formats import torch_program
from edgebench_plugins.formats.torch_program import load, save

FRESH = """
import json, pickle, sys
from pathlib import Path
import torch
from edgebench import Stage, TensorSpec
from edgebench_plugins.formats.torch_program import load
spec = TensorSpec(name="x", dtype="float32", shape=("batch", 4))
stage = Stage(format="torch-program", inputs=[spec], outputs=[spec],
              directory=Path(sys.argv[1]), files=["program.pt2"])
run = load(stage, None).module()
print(json.dumps([run(torch.ones(batch, 4)).tolist() for batch in (1, 8)]))
"""


def never():
    pytest.fail("a program needs no model to be rebuilt")


@pytest.fixture
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4)).eval()


@pytest.fixture
def stage(module):
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (torch.ones(3, 4),), dynamic_shapes=({0: batch},))
    spec = TensorSpec(name="x", dtype="float32", shape=("batch", 4))
    return Stage(format="torch-program", inputs=[spec], outputs=[spec], live=program)


@pytest.fixture
def kept(stage, tmp_path):
    return attrs.evolve(stage, live=None, directory=tmp_path, files=save(stage, tmp_path))


def test_the_record_names_the_format():
    (form,) = torch_program.edgebench_formats()
    assert (form.name, form.save, form.load) == ("torch-program", save, load)


def test_the_program_computes_what_the_module_did(kept, module):
    run = load(kept, never).module()
    for batch in (1, 2, 8):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(run(x), module(x), rtol=0, atol=1e-6)


def test_a_fresh_process_computes_the_same(kept, module, python):
    done = python(FRESH, kept.directory)
    for batch, got in zip((1, 8), json.loads(done.stdout), strict=True):
        wanted = module(torch.ones(batch, 4))
        torch.testing.assert_close(torch.tensor(got), wanted, rtol=0, atol=1e-6)


def test_saving_keeps_the_live_program_whole(stage, tmp_path):
    assert save(stage, tmp_path) == ("program.pt2",)
    assert stage.live.example_inputs is not None


def test_nothing_is_unpickled(kept, monkeypatch):
    def refuse(*_, **__):
        pytest.fail("a pickle was opened")

    for module in (pickle, torch):
        monkeypatch.setattr(module, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    assert load(kept, never).module()(torch.ones(1, 4)).shape == (1, 4)


def test_a_program_with_pickled_example_inputs_is_refused(stage, kept):
    torch.export.save(stage.live, kept.file)
    with pytest.raises(CaseFailed, match=r"holds a pickle, .*sample_inputs/model\.pt"):
        load(kept, never)


def rewritten(path, changes):
    """Write a program file again with some of its members changed, or more of them."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).split("/")[0]
    for name, change in changes.items():
        members[f"{root}/{name}"] = change(members.get(f"{root}/{name}", b""))
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)


def as_pickles(body):
    config = json.loads(body)
    for one in config["config"].values():
        one["use_pickle"] = True
    return json.dumps(config).encode()


def custom(_):
    payload = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": False}
    return json.dumps({"config": {"c": payload}}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"data/weights/model_weights_config.json": as_pickles},
        {"data/constants/model_constants_config.json": custom},
        {"data/weights/model.pt": lambda _: b"an older torch's pickle"},
    ],
    ids=["tensor subclasses", "custom objects", "older weights"],
)
def test_whatever_torch_would_unpickle_is_refused(kept, changes):
    rewritten(kept.file, changes)
    with pytest.raises(CaseFailed, match="holds a pickle"):
        load(kept, never)


@pytest.mark.parametrize("name", ["serialized_state_dict.json", "serialized_constants.pt"])
def test_what_older_torches_wrote_is_refused(kept, name):
    with zipfile.ZipFile(kept.file, "w") as archive:
        archive.writestr("version", "8.8")
        archive.writestr(name, b"a pickle")
    with pytest.raises(CaseFailed, match=f"holds a pickle, {name}"):
        load(kept, never)


def test_rewriting_alone_is_not_what_is_refused(kept):
    rewritten(kept.file, {})
    with zipfile.ZipFile(kept.file) as archive:
        entries = archive.infolist()
        assert not any(programs._is_pickled(archive, entry) for entry in entries)


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_a_truncated_file_is_said_to_be_one(kept, keep):
    kept.file.write_bytes(kept.file.read_bytes()[:keep])
    with pytest.raises(CaseFailed, match=r"program\.pt2 is no program"):
        load(kept, never)
