from __future__ import annotations

import warnings

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, NoOptions, Stage, TensorSpec
from edgebench_plugins.backends import torch as plugin

(BACKEND,) = plugin.edgebench_backends()


def rows(name, size=4, port=""):
    return TensorSpec(name=name, dtype="float32", shape=("batch", size), port=port)


def kept(directory, module, inputs, outputs):
    dims = {0: torch.export.Dim("batch")}
    given = tuple(torch.ones(2, *spec.shape[1:]) for spec in inputs)
    program = torch.export.export(module.eval(), given, dynamic_shapes=(dims,) * len(inputs))
    program.example_inputs = None
    torch.export.save(program, directory / "program.pt2")
    return Stage(
        format="torch-program",
        inputs=inputs,
        outputs=outputs,
        directory=directory,
        files=["program.pt2"],
    )


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


@pytest.fixture
def stage(net, tmp_path):
    return kept(tmp_path, net, (rows("input", port="x"),), (rows("scores", 3),))


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((5, 4)).astype("f4")


@pytest.mark.parametrize("size", [1, 2, 5])
def test_it_computes_what_the_module_does(net, stage, batch, size):
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as session:
        got = session.run({"x": batch[:size]})
    with torch.no_grad():
        wanted = net(torch.from_numpy(batch[:size])).numpy()
    assert list(got) == ["scores"]
    np.testing.assert_allclose(got["scores"], wanted, atol=1e-6)


def test_it_takes_what_came_off_the_wire(stage, batch):
    array = np.frombuffer(batch.tobytes(), "f4").reshape(batch.shape)
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as session, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.run({"x": array})["scores"].shape == (5, 3)


def test_outputs_outlive_the_next_call(stage, batch):
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as session:
        first = session.run({"x": batch[:1]})["scores"]
        before = first.copy()
        session.run({"x": batch[1:2]})
    np.testing.assert_array_equal(first, before)


class TwoByTwo(nn.Module):
    def __init__(self, by_name):
        super().__init__()
        self.by_name = by_name

    def forward(self, x, y):
        return {"more": x + y, "less": x - y} if self.by_name else (x - y, x + y)


@pytest.mark.parametrize("by_name", [True, False])
def test_tensors_go_by_name(tmp_path, by_name):
    stage = kept(tmp_path, TwoByTwo(by_name), (rows("x"), rows("y")), (rows("less"), rows("more")))
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as session:
        got = session.run(given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_the_threads_are_set_while_it_is_open(stage):
    before = torch.get_num_threads()
    with BACKEND.open(stage, "cpu", before + 1, NoOptions()):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_nothing_is_kept_for_gradients(stage, batch):
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as session:
        session.run({"x": batch})["scores"] += 1  # torch forbids it of what needs a gradient


def test_a_file_with_a_pickle_is_not_opened(net, stage, tmp_path):
    program = torch.export.export(net.eval(), (torch.ones(2, 4),))
    torch.export.save(program, tmp_path / "pickled.pt2")  # its example inputs are pickled
    stage = attrs.evolve(stage, files=["pickled.pt2"])
    with (
        pytest.raises(CaseFailed, match=r"holds a pickle, .*, and pickles are not opened"),
        BACKEND.open(stage, "cpu", 1, NoOptions()),
    ):
        pass


def test_a_damaged_file_is_refused(stage):
    stage.file.write_bytes(stage.file.read_bytes()[:200])
    with (
        pytest.raises(CaseFailed, match="or is damaged"),
        BACKEND.open(stage, "cpu", 1, NoOptions()),
    ):
        pass


def test_an_unknown_device_is_refused(stage, facts):
    with (
        pytest.raises(CaseFailed, match="no device 'npu' here; it has cpu"),
        BACKEND.open(stage, "npu", 1, NoOptions()),
    ):
        pass
    assert BACKEND.usable(facts, "npu") == "no device 'npu' here; it has cpu"
    assert BACKEND.usable(facts, "cpu") is True


def test_it_is_not_usable_where_it_is_not_installed(facts, monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert BACKEND.usable(facts, "cpu") == "torch is not installed"
    assert BACKEND.devices() == ()


def test_it_tells_its_version():
    assert BACKEND.versions() == {"torch": str(torch.__version__)}
