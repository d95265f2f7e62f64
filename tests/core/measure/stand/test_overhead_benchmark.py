"""The benchmark of the harness's cost: that it works, and that its statistics are right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[4] / "benchmarks" / "overhead.py"


@pytest.fixture(scope="module")
def program():
    namespace = {"__name__": "overhead", "__file__": str(PROGRAM)}
    exec(compile(PROGRAM.read_text(), str(PROGRAM), "exec"), namespace)  # noqa: S102
    return namespace


def test_equal_measurements_have_a_ratio_of_one(program):
    assert program["interval"]([1.0] * 20, [1.0] * 20) == (1.0, 1.0, 1.0)


def test_the_interval_holds_the_ratio_and_widens_with_the_noise(program):
    quiet = [1.0 + 0.001 * (n % 5) for n in range(20)]
    noisy = [1.0 + 0.05 * (n % 5) for n in range(20)]
    ratio, low, high = program["interval"]([2 * value for value in quiet], quiet)
    assert ratio == pytest.approx(2.0)
    assert low <= ratio <= high
    _, noisy_low, noisy_high = program["interval"](noisy, noisy[::-1])
    assert noisy_high - noisy_low > high - low


def test_a_difference_of_five_percent_is_not_met(program):
    _, low, high = program["interval"]([1.05] * 20, [1.0] * 20)
    assert not (program["RATIO"][0] <= low and high <= program["RATIO"][1])


@pytest.mark.process
def test_one_pair_gives_every_figure_and_a_verdict():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    argv = [sys.executable, str(PROGRAM), "--pairs", "1", "--requests", "5", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == 1
    assert len(found["bare_s"]) == len(found["harness_s"]) == 1
    assert found["ratio"] == found["harness_s"][0] / found["bare_s"][0]
    assert set(found["met"]) == {"ratio", "in_process", "request"}
    assert done.returncode == (0 if all(found["met"].values()) else 1)
