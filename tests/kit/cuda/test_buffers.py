"""Room for tensors, on a fake of the CUDA runtime whose memory is real."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import CaseFailed
from edgebench_kit.cuda.buffers import open_buffers

from ...plugins.backends.fake_tensorrt import Machine


@pytest.fixture
def machine(monkeypatch):
    return Machine(gpus=("Fake 1", "Fake 2")).install(monkeypatch)


def through(buffers, array, name="x"):
    """Send a tensor to the device and bring it back."""
    buffers.reserve(name, array.shape, array.dtype.name)
    buffers.send(name, array)
    buffers.wait()
    buffers.kept[name].array[...] = 0
    buffers.fetch(name)
    buffers.wait()
    return buffers.take(name)


@pytest.mark.parametrize("dtype", ["f4", "f2", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(2, 3), (), (1,), (0, 4)])
def test_a_tensor_goes_there_and_comes_back(machine, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    with open_buffers("cuda:0") as buffers:
        got = through(buffers, array)
    np.testing.assert_array_equal(got, array)
    assert got.dtype == array.dtype


def test_room_grows_and_is_used_again(machine):
    with open_buffers("cuda:0") as buffers:
        small = buffers.reserve("x", (4,), "float32")
        assert buffers.reserve("x", (2, 1), "float32") == small
        assert buffers.kept["x"].array.shape == (2, 1)
        buffers.reserve("x", (400,), "float32")
        np.testing.assert_array_equal(through(buffers, np.ones(400, "f4")), np.ones(400))
        assert len(machine.memory) == 2
    assert machine.memory == {}


def test_what_was_taken_is_a_copy(machine):
    with open_buffers("cuda:0") as buffers:
        first = through(buffers, np.zeros(3, "f4"))
        through(buffers, np.ones(3, "f4"))
    np.testing.assert_array_equal(first, np.zeros(3))


def test_nothing_is_copied_before_somebody_waits(machine):
    with open_buffers("cuda:0") as buffers:
        buffers.reserve("x", (2,), "float32")
        buffers.send("x", np.ones(2, "f4"))
        assert len(machine.streams[buffers.handle]) == 1
        buffers.wait()
        assert machine.streams[buffers.handle] == []


def test_a_tensor_of_another_type_is_not_made_one(machine):
    with open_buffers("cuda:0") as buffers:
        buffers.reserve("x", (2,), "float32")
        with pytest.raises(TypeError, match="Cannot cast"):
            buffers.send("x", np.zeros(2, "f8"))


def test_the_device_is_that_which_is_asked_for(machine):
    with open_buffers("cuda:1") as buffers:
        machine.device = 0
        buffers.choose_device()
        assert machine.device == 1
    with pytest.raises(CaseFailed, match="^CUDA failed: error 101$"):
        open_buffers("cuda:2").__enter__()


def test_memory_that_is_not_to_be_had_leaves_none_behind(machine):
    machine.room = 100
    with open_buffers("cuda:0") as buffers:
        with pytest.raises(CaseFailed, match="CUDA failed: error 2"):
            buffers.reserve("x", (1000,), "float32")
        np.testing.assert_array_equal(through(buffers, np.ones(3, "f4")), np.ones(3))
    assert (machine.memory, machine.streams) == ({}, {})
