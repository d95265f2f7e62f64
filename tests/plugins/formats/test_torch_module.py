"""A module that was saved is the same module when it is loaded, here and in a fresh process."""

from __future__ import annotations

import json

import attrs
import pytest
import torch
from safetensors import safe_open
from torch import nn

from edgebench import CaseFailed, Contents, Edit, Stage, TensorSpec, Weights
from edgebench_plugins.formats import torch_module
from edgebench_plugins.formats.torch_module import load, save
from edgebench_plugins.models import resnet

FRESH = """
import json, sys
from pathlib import Path
import attrs, torch
from edgebench import Weights
from edgebench_plugins.formats.torch_module import load
from edgebench_plugins.models.resnet import MODEL
stage = MODEL.build("small", Weights(seed=99)).stages[0]
stage = attrs.evolve(stage, live=None, directory=Path(sys.argv[1]), files=("weights.safetensors",))
module = load(stage, lambda: MODEL.build("small", Weights(seed=5)).stages[0].live)
torch.manual_seed(0)
with torch.no_grad():
    print(json.dumps(module(torch.randn(2, 3, 32, 32)).tolist()))
"""


def fresh(seed=5):
    return resnet.MODEL.build("small", Weights(kind="random", seed=seed)).stages[0]


def kept(stage, directory):
    """Save a stage, and return it as the core finds it again."""
    return attrs.evolve(stage, live=None, directory=directory, files=tuple(save(stage, directory)))


def toy(module, **facts):
    one = TensorSpec(name="x", dtype="float32", shape=("batch", 4))
    other = TensorSpec(name="y", dtype="float32", shape=("batch", 4))
    return Stage(
        format="torch-module", inputs=[one], outputs=[other], live=module, model="toy", **facts
    )


def used(seed=1):
    """Return a network whose buffers have seen data, in train mode as a trainer leaves some."""
    stage = fresh(seed)
    stage.live(torch.randn(8, 3, 32, 32))
    return stage


def test_the_record_names_the_format():
    (form,) = torch_module.edgebench_formats()
    assert (form.name, form.save, form.load) == ("torch-module", save, load)


def test_weights_and_buffers_come_back_bit_for_bit(tmp_path):
    stage = used()
    loaded = load(kept(stage, tmp_path), lambda: fresh().live)
    wanted = stage.live.state_dict()
    assert dict.fromkeys(wanted, True) == {
        name: torch.equal(value, wanted[name]) for name, value in loaded.state_dict().items()
    }
    assert not loaded.training


def test_a_fresh_process_computes_the_same(tmp_path, python):
    stage = used()
    kept(stage, tmp_path)
    done = python(FRESH, tmp_path)
    torch.manual_seed(0)
    with torch.no_grad():
        here = stage.live.eval()(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), here, rtol=0, atol=1e-6)


def test_the_file_is_one_and_holds_every_name(tmp_path):
    stage = used()
    assert save(stage, tmp_path) == ("weights.safetensors",)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        assert set(file.keys()) == set(stage.live.state_dict())


def test_saving_leaves_the_module_alone(tmp_path):
    stage = used()
    stage.live.to(memory_format=torch.channels_last)
    before = {name: value.clone() for name, value in stage.live.state_dict().items()}
    save(stage, tmp_path)
    assert stage.live.training
    for name, value in stage.live.state_dict().items():
        assert torch.equal(value, before[name])


def test_weights_that_do_not_lie_in_order_are_kept(tmp_path):
    stage = used()
    stage.live.to(memory_format=torch.channels_last)
    loaded = load(kept(stage, tmp_path), lambda: fresh().live)
    assert torch.equal(loaded.conv1.weight, stage.live.conv1.weight)


def widened(module, values):
    """Replay an edit as an operator would: another head, of so many classes."""
    module.fc = nn.Linear(module.fc.in_features, values["classes"])
    return module


def test_an_edited_module_is_rebuilt_by_its_edits(tmp_path):
    stage = used()
    edit = Edit(operator="widen", arguments='{"classes": 17}')
    torch.manual_seed(3)
    stage = attrs.evolve(stage, live=widened(stage.live, edit.values), edits=[edit])
    stage = kept(stage, tmp_path)

    def rebuild():
        module = fresh().live
        for one in stage.edits:
            module = widened(module, one.values)
        return module

    assert load(stage, rebuild)(torch.zeros(1, 3, 32, 32)).shape == (1, 17)


def test_without_its_edits_the_weights_do_not_fit_and_the_parameter_is_named(tmp_path):
    stage = used()
    stage = attrs.evolve(stage, live=widened(stage.live, {"classes": 17}))
    with pytest.raises(CaseFailed, match=r"do not fit resnet:small: .*fc\.weight.*17, 128"):
        load(kept(stage, tmp_path), lambda: fresh().live)


def test_weights_of_another_module_are_refused_with_a_name(tmp_path):
    stage = kept(toy(nn.Linear(4, 4), variant="a"), tmp_path)
    with pytest.raises(CaseFailed, match=r"do not fit toy:a: .*(0\.weight|weight)"):
        load(stage, lambda: nn.Sequential(nn.Linear(4, 4)))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.there = nn.Linear(64, 64, bias=False)
        self.back = nn.Linear(64, 64, bias=False)
        self.back.weight = self.there.weight

    def forward(self, x):
        return self.back(self.there(x))


def test_weights_that_two_modules_share_are_kept_once_and_shared_again(tmp_path):
    stage = kept(toy(Tied(), variant="tied"), tmp_path)
    loaded = load(stage, Tied)
    assert loaded.back.weight is loaded.there.weight
    assert stage.size < 2 * 64 * 64 * 4


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_a_truncated_file_is_said_to_be_one(tmp_path, keep):
    stage = kept(used(), tmp_path)
    stage.file.write_bytes(stage.file.read_bytes()[:keep])
    with pytest.raises(CaseFailed, match=r"weights\.safetensors do not fit resnet:small"):
        load(stage, lambda: fresh().live)


def test_the_layers_of_a_module_are_counted_and_its_operations_are_not_known():
    (form,) = torch_module.edgebench_formats()
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    found = form.describe(Stage(format="torch-module", inputs=[], outputs=[], live=net))
    assert found == Contents(nodes={"Linear": 1, "ReLU": 1}, parameters=9)
