"""`measure-device`: a tier to paste, and tiers that are as slow as their figure over this machine's."""

from __future__ import annotations

import json
import tomllib

import attrs
import pytest

from edgebench import Registry
from edgebench.cli import measure_device
from edgebench.measure.stand import device_speed
from edgebench.measure.stand.device_speed import MachineSpeed
from edgebench.records.environment import Cores, count_cores, describe

FOUND = MachineSpeed(
    gflops=96.0, low=95.0, high=97.0, rounds=99, numpy="2.4.6", blas="openblas 0.3.31"
)


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Let this machine do 96 GFLOPS, in an empty cache."""
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(device_speed, "measure_machine", lambda _=2.0: FOUND)
    monkeypatch.setattr("platform.node", lambda: "Lab-Board.7")


def test_a_tier_is_printed_that_a_registry_takes(here, measured, tmp_path):
    said = here("measure-device")
    assert (said.status, said.err) == (0, "")
    (tmp_path / "pasted.toml").write_text(said.out)
    row = Registry.read([tmp_path / "pasted.toml"]).tiers["lab_board_7"]
    assert (row.gflops, row.speed) == (96, None)
    assert row.threads == min(row.cpus, count_cores().count)
    assert row.memory > 2**20
    for word in ("measure-device, 20", "numpy 2.4.6", "openblas 0.3.31", "99 rounds 95 to 97"):
        assert word in row.source


@pytest.mark.parametrize(
    ("cores", "threads", "said"),
    [
        (Cores(3, "the fastest of its 5 cores"), 3, "; threads: the fastest of its 5 cores"),
        (Cores(9, "its cores"), 6, "; threads: as many as it is granted"),
    ],
)
def test_threads_are_cores_as_the_figure_is_that_of_one(
    here, measured, monkeypatch, tmp_path, cores, threads, said
):
    monkeypatch.setattr(measure_device, "count_cores", lambda: cores)
    monkeypatch.setattr(measure_device, "count_processors", lambda: 6.5)
    (tmp_path / "pasted.toml").write_text(here("measure-device").out)
    row = Registry.read([tmp_path / "pasted.toml"]).tiers["lab_board_7"]
    assert (row.cpus, row.threads) == (6, threads)
    assert row.source.endswith(said)


def test_what_a_machine_calls_itself_is_written_as_toml(here, measured, monkeypatch, tmp_path):
    """By hand: characters that neither a text nor a comment of TOML may hold as they are."""
    found = attrs.evolve(describe(), processor='A\x7f "chip"\x00')
    monkeypatch.setattr(measure_device, "describe", lambda: found)
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"name": "x\n[tiers.stray]\x1b", "gflops": 48.0}))
    (tmp_path / "pasted.toml").write_text(here("measure-device", "--against", other).out)
    read = tomllib.loads((tmp_path / "pasted.toml").read_text())
    assert read["tiers"].keys() == {"lab_board_7"}
    assert read["tiers"]["lab_board_7"]["summary"] == 'A\x7f "chip"\x00, as it was measured.'


def test_it_says_how_fast_this_is_over_another(here, measured, conforms, tmp_path):
    document = conforms(here("measure-device", "--json").json, "measure-device")
    assert (document["name"], document["gflops"]) == ("lab_board_7", 96)
    assert document["against"] is None
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**document, "gflops": 192.0, "name": "elsewhere"}))
    for said, name, speed in (
        (other, "elsewhere", 0.5),
        ("48", "a machine", 2.0),
        ("pi5", "pi5", 2.77),
    ):
        against = here("measure-device", "--against", said, "--json").json["against"]
        assert (against["name"], against["speed"]) == (name, speed)
    assert (
        "# 2 times as fast as a machine, 48 GFLOPS\n" in here("measure-device", "--against", 48).out
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("pi6", "is no number, no file (No such file or directory) and no device; did you mean"),
        ("0", "a figure is 0.001 to 1e+06 GFLOPS"),
        ("nan", "a figure is 0.001 to 1e+06 GFLOPS"),
        ("1e-320", "a figure is 0.001 to 1e+06 GFLOPS"),
        ("own.toml", "holds no figure: give what `edgebench measure-device --json` printed there"),
        ("list.json", "holds no figure"),
        ("true.json", "holds no figure"),
        ("long.json", "a figure is 0.001 to 1e+06 GFLOPS"),
    ],
)
def test_what_is_no_figure_is_refused_before_anything_is_measured(
    here, mistaken, monkeypatch, tmp_path, said, why
):
    monkeypatch.setattr(device_speed, "measure_machine", pytest.fail)
    (tmp_path / "own.toml").write_text("[tiers.a]")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "true.json").write_text('{"gflops": true}')
    (tmp_path / "long.json").write_text(f'{{"gflops": {"9" * 400}}}')
    mistaken(here("measure-device", "--against", said), said, why)


def test_it_does_not_measure_for_longer_than_anybody_waits(here, mistaken, monkeypatch):
    monkeypatch.setattr(device_speed, "measure_machine", pytest.fail)
    mistaken(here("measure-device", "--seconds", "1e300"), "must be at most 3600 s, not '1e300'")


def test_a_figure_that_scatters_or_is_another_is_said(here, measured, monkeypatch):
    here("measure-device")
    wide = MachineSpeed(gflops=48.0, low=40.0, high=50.0, rounds=9, numpy="2", blas="")
    monkeypatch.setattr(device_speed, "measure_machine", lambda _: wide)
    said = here("measure-device")
    assert "between 40 and 50: measure again" in said.err
    assert "96 GFLOPS were kept for this machine; 48 take their place" in said.err
    assert "an unknown BLAS" in said.out
    assert "kept for this machine" not in here("measure-device").err


OWN = """
[tiers.quarter]
device = "pi5"
gflops = 24
threads = 1

[tiers.beyond]
device = "laptop"
gflops = 960
threads = 1
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    return ("--registry", tmp_path / "own.toml")


def test_what_only_tells_does_not_measure(here, measured, monkeypatch, own):
    monkeypatch.setattr(device_speed, "measure_machine", pytest.fail)
    assert "quarter" in here("list", "tiers", *own).out
    tier = here("show", "tier", "quarter", *own, "--json").json
    assert (tier["speed"], tier["gflops"]) == (None, 24)
    assert here("show", "tier", "mobile", *own, "--json").json["gflops"] is None


def test_without_such_a_tier_nothing_is_measured(process, here, toy, monkeypatch):
    monkeypatch.setattr(device_speed, "measure_machine", pytest.fail)
    words = ("plan", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    assert here(*words).status == 0


def test_a_plan_measures_once_and_a_run_claims_the_same(
    process, here, measured, toy, own, tmp_path
):
    words = ("--plugin", toy, "--model", "toy", "--backend", "toy-numpy", *own)
    first = here("plan", *words, "--placement", "quarter", "--input-at", "quarter")
    assert first.err.count("measuring this machine's speed once") == 1
    assert "measuring" not in here("plan", *words, "--placement", "quarter").err
    assert here("show", "tier", "quarter", *own, "--json").json["speed"] == 0.25
    for name, claimed, how in (
        ("quarter", 0.25, "emulated: waits 3 x each computation"),
        ("beyond", 10.0, "not enforced: 10 of this machine's speed is stated, 1 is had"),
    ):
        few = ("--blocks", "1", "--requests", "3", "--db", tmp_path / f"{name}.db")
        said = here("run", *words, "--placement", name, "--input-at", name, *few, "--json")
        assert said.status == 0, said.err
        (case,) = said.json["cases"]
        (tier,) = case["tiers"]
        assert (tier["claimed"], tier["enforced"]["cpu"]) == (claimed, how)


@pytest.mark.process
def test_it_needs_numpy_and_none_of_the_frameworks(python):
    program = """
        import sys
        from edgebench.cli import main

        main(["measure-device", "--seconds", "0.1", "--quiet"])
        wanted = {"scipy", "zmq", "torch", "onnx", "onnxruntime", "sklearn", "PIL", "numpy"}
        print(sorted(wanted & {name.partition(".")[0] for name in sys.modules}))
        """
    done = python(program)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "gflops = " in done.stdout
