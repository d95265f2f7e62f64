"""Programs lowered for phones: what they compute, on how many threads, and who runs what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, NoOptions, Stage, TensorSpec
from edgebench_plugins.backends import executorch as plugin

pytestmark = pytest.mark.skipif(not find_spec("executorch"), reason="executorch is not installed")

(BACKEND,) = plugin.edgebench_backends()


class TwoByTwo(nn.Module):
    """Two inputs and two outputs, given by name in another order than they are asked for."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 144, 5)

    def forward(self, picture, bias):
        flat = torch.relu(self.conv(picture)).flatten(1)
        return {"more": self.fc(flat) + bias, "sum": picture.sum((1, 2, 3)), "less": bias - 1}


def spec(name, *shape, port=""):
    return TensorSpec(name=name, dtype="float32", shape=("batch", *shape), port=port)


@pytest.fixture(scope="module")
def net():
    return TwoByTwo().eval()


@pytest.fixture(scope="module")
def given():
    random = np.random.default_rng(0)
    return {
        "picture": random.standard_normal((6, 3, 12, 12)).astype("f4"),
        "bias": random.standard_normal((6, 5)).astype("f4"),
    }


@pytest.fixture(scope="module")
def stage(net, given, tmp_path_factory):
    from edgebench_plugins.converters import executorch

    dims = {0: torch.export.Dim("batch", min=1)}
    examples = tuple(torch.from_numpy(given[name]) for name in ("picture", "bias"))
    program = torch.export.export(net, examples, dynamic_shapes=(dims, dims))
    (converter,) = executorch.edgebench_converters()
    made = converter.convert(
        Stage(
            format="torch-program",
            live=program,
            inputs=[spec("picture", 3, 12, 12), spec("bias", 5)],
            outputs=[spec("less", 5), spec("scores", 5, port="more"), spec("sum")],
        ),
        given,
    )
    directory = tmp_path_factory.mktemp("lowered")
    (directory / "program.pte").write_bytes(made.live)
    return attrs.evolve(made, directory=directory, files=["program.pte"])


@pytest.fixture
def session(stage):
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as opened:
        yield opened


def take(given, count):
    return {name: array[:count] for name, array in given.items()}


@pytest.mark.parametrize("count", [1, 2, 6])
def test_it_computes_what_the_module_does_by_name(net, session, given, count):
    got = session.run(take(given, count))
    with torch.no_grad():
        wanted = net(*[torch.from_numpy(array[:count]) for array in given.values()])
    assert list(got) == ["less", "more", "sum"]
    for name, array in got.items():
        assert (array.dtype, array.shape) == (np.float32, tuple(wanted[name].shape))
        np.testing.assert_allclose(array, wanted[name].numpy(), atol=1e-4)


def test_what_it_gave_outlives_the_next_request_and_none_is_kept(session, given):
    first = session.run(take(given, 1))["more"]
    before = first.copy()
    other = session.run({name: array + 1 for name, array in take(given, 1).items()})["more"]
    np.testing.assert_array_equal(first, before)
    assert np.abs(other - before).max() > 0.1


def test_what_came_off_the_wire_is_taken_without_a_word(session, given):
    given = {name: np.frombuffer(a[:1].tobytes(), "f4").reshape(a[:1].shape) for name, a in given.items()}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.run(given)["more"].shape == (1, 5)


def test_more_samples_than_it_has_memory_for_are_refused_in_words(session, given):
    many = {name: np.concatenate([array] * 11) for name, array in given.items()}
    with pytest.raises(CaseFailed, match=r"memory for an input of \(64, 3, 12, 12\) at most"):
        session.run(many)
    assert session.run(take(given, 1))["more"].shape == (1, 5)


def test_two_sessions_run_at_once(stage, given):
    with (
        BACKEND.open(stage, "cpu", 1, NoOptions()) as one,
        BACKEND.open(stage, "cpu", 1, NoOptions()) as other,
    ):
        for count in (1, 5, 2):
            assert_same(one.run(take(given, count)), other.run(take(given, count)))
        assert one.doubts() == other.doubts() == ()


def assert_same(one, other):
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_other_threads_than_asked_for_are_a_doubt(stage):
    with (
        BACKEND.open(stage, "cpu", 1, NoOptions()),
        BACKEND.open(stage, "cpu", 2, NoOptions()) as second,
    ):
        (doubt,) = second.doubts()
        assert doubt.startswith("ExecuTorch ran it on 1 threads, not on 2: its pool is one")


def test_xnnpack_runs_the_products_and_what_it_leaves_is_named(session):
    parts = session.assignment()
    assert next(iter(parts)) == "XnnpackBackend"
    assert parts["XnnpackBackend"]
    assert "aten::sum.IntList_out" in parts["portable kernels"]
    assert not any("linear" in one or "conv" in one for one in parts["portable kernels"])


BUSY = """\
import json, os, sys
import numpy as np
from pathlib import Path
from edgebench import NoOptions, Stage, TensorSpec
from edgebench_plugins.backends import executorch as plugin

def times():
    found = {}
    for task in os.listdir("/proc/self/task"):
        fields = Path(f"/proc/self/task/{task}/stat").read_text().rsplit(")", 1)[1].split()
        found[task] = int(fields[11]) + int(fields[12])
    return found

(backend,) = plugin.edgebench_backends()
spec = lambda name, *shape: TensorSpec(name=name, dtype="float32", shape=("batch", *shape))
stage = Stage(
    format="executorch", directory=Path(sys.argv[1]), files=["program.pte"],
    inputs=[spec("picture", 3, 12, 12), spec("bias", 5)],
    outputs=[spec("less", 5), spec("more", 5), spec("sum")],
)
given = {"picture": np.ones((64, 3, 12, 12), "f4"), "bias": np.ones((64, 5), "f4")}
with backend.open(stage, "cpu", int(sys.argv[2]), NoOptions()) as session:
    session.run(given)
    before = times()
    while sum(times().values()) - sum(before.values()) < 100:
        for _ in range(50):
            session.run(given)
    # A tenth of the work at least: what else the process has waits.
    print(json.dumps(sum(now - before.get(task, 0) > 10 for task, now in times().items())))
"""


@pytest.mark.process
@pytest.mark.parametrize("threads", [1, 2])
def test_as_many_threads_as_asked_for_use_processor_time(stage, threads):
    done = subprocess.run(
        [sys.executable, "-c", BUSY, str(stage.directory), str(threads)],
        capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert json.loads(done.stdout) == threads


@pytest.mark.process
def test_a_program_of_a_few_lines_opens_it_without_edgebench(stage, given, session, tmp_path):
    code = BACKEND.program(stage, "cpu", 1, NoOptions(), stage.directory)
    np.savez(tmp_path / "given.npz", **take(given, 3))
    (tmp_path / "opens.py").write_text(code)
    (tmp_path / "use.py").write_text(
        "import sys, pathlib, numpy\n"
        "from opens import open_stage\n"
        "run = open_stage(pathlib.Path(sys.argv[1]))\n"
        "numpy.savez('got.npz', **run(dict(numpy.load('given.npz'))))\n"
        "assert not any(name.startswith('edgebench') for name in sys.modules)\n"
    )
    words = [sys.executable, "use.py", str(stage.directory)]
    subprocess.run(words, cwd=tmp_path, capture_output=True, check=True)
    assert_same(session.run(take(given, 3)), dict(np.load(tmp_path / "got.npz")))


def test_a_damaged_file_is_refused(stage, tmp_path):
    (tmp_path / "program.pte").write_bytes(stage.file.read_bytes()[:200])
    broken = attrs.evolve(stage, directory=tmp_path)
    with (
        pytest.raises(CaseFailed, match=r"ExecuTorch cannot open .*program\.pte"),
        BACKEND.open(broken, "cpu", 1, NoOptions()),
    ):
        pass


def test_an_unknown_device_is_refused(stage, facts):
    with (
        pytest.raises(CaseFailed, match="no device 'npu' here; it has cpu"),
        BACKEND.open(stage, "npu", 1, NoOptions()),
    ):
        pass
    assert BACKEND.usable(facts, "npu") == "no device 'npu' here; it has cpu"


def test_it_is_usable_where_xnnpack_is_in_the_build_alone(facts, monkeypatch):
    assert BACKEND.usable(facts, "cpu") is True
    monkeypatch.setattr(plugin, "is_registered", lambda _: False)
    assert BACKEND.usable(facts, "cpu") == "this build of executorch has no XNNPACK"
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert BACKEND.usable(facts, "cpu") == "executorch is not installed"
    assert BACKEND.devices() == ()


def test_it_tells_what_it_stands_on():
    from importlib.metadata import version

    assert BACKEND.versions() == {"executorch": version("executorch"), "torch": version("torch")}
