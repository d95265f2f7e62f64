"""The backend `torch` on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed
from edgebench_plugins.backends import torch as plugin
from edgebench_plugins.backends.torch import TorchOptions

from ..plugins.backends.test_torch import kept, rows

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("cuda")]
(BACKEND,) = plugin.edgebench_backends()
WIDE = 512


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(WIDE, WIDE), nn.BatchNorm1d(WIDE), nn.ReLU()).eval()


@pytest.fixture
def stage(net, tmp_path):
    return kept(tmp_path, net, (rows("x", WIDE),), (rows("y", WIDE),))


@pytest.fixture
def batch():
    return np.random.default_rng(0).standard_normal((9, WIDE)).astype("f4")


@pytest.fixture
def wanted(net, batch):
    with torch.no_grad():
        return net.double()(torch.from_numpy(batch).double()).numpy()


def test_it_is_a_device_that_says_which(cuda, facts):
    assert BACKEND.devices()[:2] == ("cpu", cuda)
    assert BACKEND.usable(facts, cuda) is True
    assert BACKEND.versions()[cuda] == torch.cuda.get_device_name(0)


@pytest.mark.parametrize("compiled", [False, True])
def test_it_computes_in_floats_at_any_batch(cuda, stage, batch, wanted, compiled):
    with BACKEND.open(stage, cuda, 1, TorchOptions(compile=compiled)) as session:
        for size in (1, 2, 9):
            got = session.run({"x": batch[:size]})["y"]
            np.testing.assert_allclose(got, wanted[:size], atol=1e-5)
        assert list(session.doubts()) == []


def test_tf32_is_used_only_where_it_is_asked_for(cuda, stage, batch, wanted):
    errors = []
    for asked in (False, True):
        with BACKEND.open(stage, cuda, 1, TorchOptions(tf32=asked)) as session:
            errors.append(np.abs(session.run({"x": batch})["y"] - wanted).max())
    assert errors[0] < 1e-5
    if torch.cuda.get_device_capability(0) >= (8, 0):
        assert errors[1] > 5 * errors[0]


def test_outputs_are_here_and_outlive_the_next_call(cuda, stage, batch):
    with BACKEND.open(stage, cuda, 1, TorchOptions()) as session:
        first = session.run({"x": batch[:1]})["y"]
        before = first.copy()
        session.run({"x": batch[1:2]})
    np.testing.assert_array_equal(first, before)


def test_two_sessions_at_once(cuda, stage, batch, wanted):
    with (
        BACKEND.open(stage, cuda, 1, TorchOptions()) as one,
        BACKEND.open(stage, "cpu", 1, TorchOptions()) as other,
    ):
        for session in (one, other, one):
            np.testing.assert_allclose(session.run({"x": batch})["y"], wanted, atol=1e-5)


def test_a_program_of_its_own_computes_the_same(cuda, stage, batch, wanted):
    written = {}
    exec(BACKEND.program(stage, cuda, 1, TorchOptions(), stage.directory), written)  # noqa: S102
    run = written["open_stage"](stage.directory)
    np.testing.assert_allclose(run({"x": batch})["y"], wanted, atol=1e-5)


def test_a_gpu_that_is_not_there_is_refused(stage):
    with (
        pytest.raises(CaseFailed, match="torch has no device 'cuda:99' here"),
        BACKEND.open(stage, "cuda:99", 1, TorchOptions()),
    ):
        pass
