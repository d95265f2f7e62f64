"""This machine's own figure is measured once, kept, and found again."""

import json
import subprocess
from importlib.machinery import ModuleSpec

import pytest

from edgebench.measure.stand import device_speed
from edgebench.measure.stand.device_speed import (
    MachineSpeed,
    find_gflops,
    identify_processor,
    keep,
    measure_machine,
)
from edgebench.parts.errors import EdgebenchError

ARM = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd
CPU implementer\t: 0x41
CPU part\t: 0xd0b

processor\t: 1
BogoMIPS\t: 108.00
Features\t: fp asimd
CPU implementer\t: 0x41
CPU part\t: 0xd05
"""


def speed(gflops: float, low: float = 1.0, high: float = 1.01) -> MachineSpeed:
    return MachineSpeed(
        gflops=gflops, low=low * gflops, high=high * gflops, rounds=9, numpy="2", blas="x 1"
    )


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Let each measurement find the next of these figures, in an empty cache."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path))

    def find(*figures):
        left = iter(figures)
        monkeypatch.setattr(device_speed, "measure_machine", lambda: next(left))

    return find


def test_a_figure_is_measured_once_and_said(measured):
    measured(speed(96.0))
    said = []
    assert find_gflops(said.append) == 96.0
    assert "2 s" in said[0]
    assert "96 GFLOPS a thread; kept" in said[1]
    assert find_gflops(said.append) == 96.0
    assert len(said) == 2


def test_a_figure_that_scatters_is_kept_and_doubted(measured):
    measured(speed(96.0, low=0.8))
    said = []
    find_gflops(said.append)
    assert "measure again when it is idle, with measure-device" in said[1]


def test_a_command_that_only_tells_measures_nothing(measured):
    measured()
    assert find_gflops(pytest.fail, measure=False) is None
    keep(speed(50.0))
    assert find_gflops(pytest.fail, measure=False) == 50.0


def test_a_figure_that_is_about_the_same_changes_nothing(measured):
    measured()
    assert keep(speed(100.0)) is None
    assert keep(speed(104.0)) is None
    assert find_gflops(pytest.fail) == 100.0
    assert keep(speed(110.0)) == 100.0
    assert find_gflops(pytest.fail) == 110.0


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"gflops": "x"}',
        '{"gflops": -1}',
        "null",
        '{"gflops": true}',
        '{"gflops": Infinity}',
        '{"gflops": 1e-320}',
    ],
)
def test_what_is_kept_and_harmed_is_measured_again(measured, tmp_path, content):
    measured(speed(1.0), speed(2.0))
    find_gflops(lambda _: None)
    (file,) = tmp_path.rglob("speed-*.json")
    file.write_text(content)
    assert find_gflops(lambda _: None) == 2.0


def test_another_blas_is_another_machine(monkeypatch, tmp_path):
    """A numpy of one version is built with several, as the same wheel never is."""
    builds = []
    for blas in ("openblas", "accelerate"):
        (tmp_path / blas).mkdir()
        (tmp_path / blas / "__config__.py").write_text(f"CONFIG = {{'blas': {{'name': '{blas}'}}}}")
        spec = ModuleSpec("numpy", None, origin=str(tmp_path / blas / "__init__.py"))
        monkeypatch.setattr(device_speed, "find_spec", lambda _, spec=spec: spec)
        builds.append(identify_processor())
    monkeypatch.undo()
    assert len({*builds, identify_processor()}) == 3


def test_another_processor_is_another_machine(tmp_path):
    (tmp_path / "proc").mkdir()
    file = tmp_path / "proc/cpuinfo"
    file.write_text(ARM)
    one = identify_processor(tmp_path)
    file.write_text(ARM.replace("108.00", "52.00"))
    assert identify_processor(tmp_path) == one
    file.write_text(ARM.replace("0xd0b", "0xd41"))
    assert identify_processor(tmp_path) != one
    file.unlink()
    assert len(identify_processor(tmp_path)) == 16


def test_the_median_is_told_with_where_nine_of_ten_rounds_lie(monkeypatch):
    rounds = [90.0, *[100.0] * 17, 101.234, 120.0, 150.0]

    def run(argv, *, env, **_):
        assert argv[-1] == "1.5"
        assert {env[name] for name in device_speed.THREADS} == {"1"}
        said = json.dumps({"rounds": rounds, "numpy": "2.1", "blas": "b 3"})
        return subprocess.CompletedProcess(argv, 0, said, "")

    monkeypatch.setattr(device_speed.subprocess, "run", run)
    found = measure_machine(1.5)
    assert (found.gflops, found.low, found.high, found.rounds) == (100.0, 100.0, 120.0, 21)
    assert found.spread == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (subprocess.TimeoutExpired("x", 1), "was not measured within 61 s"),
        (
            subprocess.CalledProcessError(1, "x", "", "Trace\nImportError: no numpy\n"),
            "could not be measured: ImportError: no numpy",
        ),
        (subprocess.CalledProcessError(-9, "x", "", ""), "could not be measured: status -9"),
    ],
)
def test_what_keeps_it_from_being_measured_is_said(monkeypatch, error, why):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(device_speed.subprocess, "run", fail)
    with pytest.raises(EdgebenchError, match=why):
        measure_machine(1.0)


def test_a_real_machine_is_measured(process):
    found = measure_machine(0.2)
    assert found.rounds >= 9
    assert 0.05 < found.low <= found.gflops * 1.01
    assert found.gflops <= found.high * 1.01
