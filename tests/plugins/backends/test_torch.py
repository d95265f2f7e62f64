from __future__ import annotations

import subprocess
import sys
import warnings
from importlib import import_module

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench_kit.torch import inductor
from edgebench_plugins.backends import torch as plugin
from edgebench_plugins.backends.torch import TorchOptions

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
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session:
        got = session.run({"x": batch[:size]})
    with torch.no_grad():
        wanted = net(torch.from_numpy(batch[:size])).numpy()
    assert list(got) == ["scores"]
    np.testing.assert_allclose(got["scores"], wanted, atol=1e-6)


def test_it_takes_what_came_off_the_wire(stage, batch):
    array = np.frombuffer(batch.tobytes(), "f4").reshape(batch.shape)
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert session.run({"x": array})["scores"].shape == (5, 3)


def test_outputs_outlive_the_next_call(stage, batch):
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session:
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
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session:
        got = session.run(given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_the_threads_are_set_while_it_is_open(stage):
    before = torch.get_num_threads()
    with BACKEND.open(stage, "cpu", before + 1, TorchOptions()):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_nothing_is_kept_for_gradients(stage, batch):
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session:
        session.run({"x": batch})["scores"] += 1  # torch forbids it of what needs a gradient


def test_a_file_with_a_pickle_is_not_opened(net, stage, tmp_path):
    program = torch.export.export(net.eval(), (torch.ones(2, 4),))
    torch.export.save(program, tmp_path / "pickled.pt2")  # its example inputs are pickled
    stage = attrs.evolve(stage, files=["pickled.pt2"])
    with (
        pytest.raises(CaseFailed, match=r"holds a pickle, .*, and pickles are not opened"),
        BACKEND.open(stage, "cpu", 1, TorchOptions()),
    ):
        pass


def test_a_damaged_file_is_refused(stage):
    stage.file.write_bytes(stage.file.read_bytes()[:200])
    with (
        pytest.raises(CaseFailed, match="or is damaged"),
        BACKEND.open(stage, "cpu", 1, TorchOptions()),
    ):
        pass


def test_an_unknown_device_is_refused(stage, facts):
    with (
        pytest.raises(CaseFailed, match="no device 'npu' here; it has cpu"),
        BACKEND.open(stage, "npu", 1, TorchOptions()),
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


class Rounded(nn.Module):
    """Rounds as int8 does, by the operators in which quantizers write it."""

    def forward(self, x):
        steps = (0.5, 3, -128, 127, torch.int8)
        operators = torch.ops.quantized_decomposed
        whole = operators.quantize_per_tensor(x, *steps)
        return operators.dequantize_per_tensor(whole, *steps)


@pytest.fixture
def rounded(tmp_path):
    import_module("torch.ao.quantization.fx._decomposed")  # without it there are no such operators
    return kept(tmp_path, Rounded(), (rows("x"),), (rows("y"),))


def test_integers_that_are_simulated_are_a_doubt(rounded):
    with BACKEND.open(rounded, "cpu", 1, TorchOptions()) as session:
        got = session.run({"x": np.full((2, 4), 1.3, "f4")})["y"]
        (doubt,) = session.doubts()
    np.testing.assert_array_equal(got, np.full((2, 4), 1.5, "f4"))
    assert "in floats" in doubt
    assert "neither its time nor its memory is that of kernels for int8" in doubt


def test_a_program_of_integers_opens_where_nothing_else_was_imported(rounded):
    written = rounded.directory / "written.py"
    written.write_text(BACKEND.program(rounded, "cpu", 1, TorchOptions(), rounded.directory))
    ask = (
        "import pathlib, numpy, written; run = written.open_stage(pathlib.Path()); "
        "print(run({'x': numpy.full((1, 4), 1.3, 'f4')})['y'].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=rounded.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[[1.5, 1.5, 1.5, 1.5]]"), done.stderr


COMPILED = TorchOptions(compile=True)


@pytest.fixture
def compiled(stage, process):
    with BACKEND.open(stage, "cpu", 1, COMPILED) as session:
        yield session


def test_a_compiled_program_computes_the_same_at_any_batch(net, compiled, batch):
    for size in (1, 5, 2):
        with torch.no_grad():
            wanted = net(torch.from_numpy(batch[:size])).numpy()
        np.testing.assert_allclose(compiled.run({"x": batch[:size]})["scores"], wanted, atol=1e-5)
    assert list(compiled.doubts()) == []


def test_it_is_compiled_before_the_first_request(stage, monkeypatch, process):
    calls = []
    compile_now = inductor._compile_now
    monkeypatch.setattr(
        inductor, "_compile_now", lambda f, inputs: calls.append(inputs) or compile_now(f, inputs)
    )
    with BACKEND.open(stage, "cpu", 1, COMPILED) as session:
        assert [tuple(one.shape) for (one,) in calls] == [(1, 4), (2, 4)]
        session.run({"x": np.ones((3, 4), "f4")})
    assert len(calls) == 2


@pytest.fixture
def wide(tmp_path, process):
    """A convolution, whose kernels torch chooses by the batch: one below 16 samples, one above."""
    directory = tmp_path / "wide"
    directory.mkdir()
    inputs = (TensorSpec(name="x", dtype="float32", shape=("batch", 3, 8, 8)),)
    outputs = (TensorSpec(name="y", dtype="float32", shape=("batch", 8, 6, 6)),)
    return kept(directory, nn.Conv2d(3, 8, 3), inputs, outputs)


def test_requests_that_waited_for_the_compiler_are_a_doubt(wide):
    with BACKEND.open(wide, "cpu", 1, COMPILED) as session:
        for size in (1, 4):
            session.run({"x": np.ones((size, 3, 8, 8), "f4")})
        assert list(session.doubts()) == []
        assert session.run({"x": np.ones((64, 3, 8, 8), "f4")})["y"].shape == (64, 8, 6, 6)
        (doubt,) = session.doubts()
    assert doubt == (
        "1 of its requests waited for torch.compile, as their inputs were of sizes that it had not "
        "compiled for: (64, 3, 8, 8)"
    )


def test_what_the_warm_up_compiles_is_no_doubt(wide):
    with BACKEND.open(wide, "cpu", 1, COMPILED) as session:
        for _ in range(2):
            session.run({"x": np.ones((64, 3, 8, 8), "f4")})
        assert list(session.doubts()) == []


def test_an_eager_program_has_no_doubts(stage, batch):
    with BACKEND.open(stage, "cpu", 1, TorchOptions()) as session:
        session.run({"x": batch})
        assert list(session.doubts()) == []


class Summed(nn.Module):
    def forward(self, ids, mask):
        return (ids * mask).sum(1).float()


def test_every_open_size_is_compiled_open(tmp_path, process):
    specs = [
        TensorSpec(name=name, dtype="int64", shape=("batch", "length")) for name in ("ids", "mask")
    ]
    dims = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    given = (torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64))
    program = torch.export.export(Summed(), given, dynamic_shapes=(dims, dims))
    program.example_inputs = None
    torch.export.save(program, tmp_path / "program.pt2")
    sums = TensorSpec(name="sums", dtype="float32", shape=("batch",))
    stage = Stage(
        format="torch-program", inputs=specs, outputs=[sums], directory=tmp_path,
        files=["program.pt2"],
    )  # fmt: skip
    with BACKEND.open(stage, "cpu", 1, COMPILED) as session:
        for shape in ((1, 7), (3, 5), (5, 300)):
            ones = np.ones(shape, "i8")
            got = session.run({"ids": ones * 2, "mask": ones})["sums"]
            np.testing.assert_array_equal(got, np.full(shape[0], 2 * shape[1], "f4"))
        assert list(session.doubts()) == []


def test_nothing_that_was_compiled_is_left(stage, tmp_path, monkeypatch, process):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = inductor.os.environ.get(inductor.CACHE)
    with BACKEND.open(stage, "cpu", 1, COMPILED):
        (cache,) = tmp_path.glob("edgebench-*")
        assert inductor.os.environ[inductor.CACHE] == str(cache)
    assert not list(tmp_path.glob("edgebench-*"))
    assert inductor.os.environ.get(inductor.CACHE) == before


@pytest.mark.parametrize(
    ("device", "hidden", "lacking"),
    [
        ("cpu", "which", "a C++ compiler (g++, or the one that CXX names)"),
        ("cuda:0", "find_spec", "triton"),
    ],
)
def test_what_compiling_needs_is_said(monkeypatch, device, hidden, lacking):
    monkeypatch.setattr(inductor.shutil if hidden == "which" else inductor, hidden, lambda _: None)
    assert inductor.explain_lack(device) == f"torch.compile needs {lacking}, which is not here"


def test_without_a_compiler_it_opens_as_it_is_written_alone(stage, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with (
        pytest.raises(CaseFailed, match="needs a C\\+\\+ compiler"),
        BACKEND.open(stage, "cpu", 1, COMPILED),
    ):
        pass
    with BACKEND.open(stage, "cpu", 1, TorchOptions()):
        pass


def test_an_option_that_would_do_nothing_is_refused(stage, tmp_path):
    asked = TorchOptions(tf32=True)
    with (
        pytest.raises(CaseFailed, match="is for GPUs, and does nothing on cpu: leave it out"),
        BACKEND.open(stage, "cpu", 1, asked),
    ):
        pass
    with pytest.raises(CaseFailed, match="does nothing on cpu"):
        BACKEND.program(stage, "cpu", 1, asked, tmp_path)


def test_products_are_rounded_only_where_that_is_asked_for():
    """These are settings of GPUs; they can be set and read without one."""
    backends = torch.backends
    before = (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32)
    for asked in (False, True):
        with plugin._settings(1, TorchOptions(tf32=asked)):
            assert (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32) == (asked, asked)
    assert (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32) == before
    assert BACKEND.precision(TorchOptions()) == "f32"
    assert BACKEND.precision(TorchOptions(tf32=True)) == "tf32"


def test_gpus_are_devices_after_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda gpu: f"chip of {gpu}")
    assert BACKEND.devices() == ("cpu", "cuda:0", "cuda:1")
    assert BACKEND.versions() == {
        "torch": str(torch.__version__),
        "cuda:0": "chip of cuda:0",
        "cuda:1": "chip of cuda:1",
    }


@pytest.mark.parametrize("options", [TorchOptions(), COMPILED])
def test_a_program_of_its_own_computes_the_same(stage, batch, options, process):
    source = BACKEND.program(stage, "cpu", 1, options, stage.directory)
    assert ("torch.compile" in source) == options.compile
    written = {}
    exec(source, written)  # noqa: S102 (it is what an export would run)
    threads = torch.get_num_threads()
    run = written["open_stage"](stage.directory)
    torch.set_num_threads(threads)
    with BACKEND.open(stage, "cpu", 1, options) as session:
        wanted = session.run({"x": batch})["scores"]
    np.testing.assert_allclose(run({"x": batch})["scores"], wanted, atol=1e-6)


def test_a_program_for_a_gpu_moves_there_and_back(stage):
    source = BACKEND.program(stage, "cuda:1", 1, TorchOptions(), stage.directory)
    compile(source, "program", "exec")
    assert "move_to_device_pass(program, 'cuda:1')" in source
    assert "torch.backends.cudnn.allow_tf32 = False" in source
    assert ".to('cuda:1')" in source
    assert ".cpu().numpy()" in source


@pytest.mark.parametrize("options", [TorchOptions(), COMPILED])
def test_what_goes_to_a_device_and_back_is_the_same(
    net, stage, batch, monkeypatch, options, process
):
    """The processor by another name takes the way of a GPU: moved there, copied there and back."""
    monkeypatch.setattr(plugin, "devices", lambda: ("cpu", "cpu:0"))
    with torch.no_grad():
        wanted = net(torch.from_numpy(batch)).numpy()
    with BACKEND.open(stage, "cpu:0", 1, options) as session:
        np.testing.assert_allclose(session.run({"x": batch})["scores"], wanted, atol=1e-5)
    source, written = BACKEND.program(stage, "cpu:0", 1, options, stage.directory), {}
    threads, backends = torch.get_num_threads(), torch.backends
    before = (backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32)
    exec(source, written)  # noqa: S102 (it is what an export would run)
    run = written["open_stage"](stage.directory)
    torch.set_num_threads(threads)
    backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32 = before
    np.testing.assert_allclose(run({"x": batch})["scores"], wanted, atol=1e-5)
