"""A stranger's operator that is told how long each tier takes, and backends that tell it."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

PLUGIN = """
    import json, os, pathlib, sys, time
    from contextlib import contextmanager

    import attrs

    from edgebench import Backend, Converter, Format, Operator, hookimpl

    HERE = pathlib.Path(__file__).parent

    def look(pipeline, context):
        for tier, profile in context.profiles.items():
            told = profile.stages, profile.nodes, profile.no_nodes, profile.sizes
            seen = [str(context.placement), tier, *told, "a long line " * 12]
            print("seen", json.dumps(seen), flush=True)
            if profile.no_nodes:
                context.doubt(f"on {tier} {profile.no_nodes}")
        return pipeline

    class Session:
        def __init__(self, matrix, stage):
            self.matrix, self.read = matrix, stage.inputs[0].inside
            self.names = [spec.inside for spec in stage.outputs]

        def run(self, inputs):
            time.sleep(0.004)
            return {name: inputs[self.read] @ self.matrix for name in self.names}

        def profile(self, inputs, runs):
            with (HERE / "asked").open("a") as asked:
                asked.write("asked\\n")
            print("about to tell", flush=True)
            return GIVEN

    @contextmanager
    def open_telling(stage, device, threads, options):
        import numpy as np
        yield Session(np.load(stage.file), stage)

    def listed(stage, examples):
        return attrs.evolve(stage.changed(stage.live), format="listed")

    @hookimpl
    def edgebench_formats():
        toy = sys.modules["edgebench_file_toy"]
        yield Format(name="listed", summary="A numpy file.", save=toy.save, load=toy.load,
                     nodes=lambda stage: ["product", "nothing"])

    @hookimpl
    def edgebench_converters():
        yield Converter(name="list", summary="List.", source="toy-matrix", target="listed",
                        convert=listed)

    @hookimpl
    def edgebench_operators():
        yield Operator(name="look", summary="Looks.", apply=look, needs=["profile"],
                       may_keep=True, reads=["toy-matrix"])
        yield Operator(name="engrave", summary="Looks, and leaves what few read.", apply=look,
                       needs=["profile"], reads=["toy-matrix"], writes="engraved")

    @hookimpl
    def edgebench_backends():
        yield Backend(name="telling", summary="Tells.", open=open_telling, formats=["listed"])
        yield Backend(name="reading", summary="Reads.", open=open_telling, formats=["engraved"])
"""
SOUND = '{"product": 0.0005, "nothing": 0.0}'


@pytest.fixture
def words(toy, tmp_path):
    """Write the stranger's file, its sessions giving what is said; return how it is named."""

    def write(given=SOUND):
        file = tmp_path / "stranger.py"
        file.write_text(dedent(PLUGIN).replace("GIVEN", given))
        return ("--plugin", toy, "--plugin", file, "--model", "toy")

    return write


@pytest.fixture
def run(cli, words, tmp_path):
    """Measure with a store that begins empty."""

    def measure(*more, given=SOUND, backends=("telling",)):
        named = [word for backend in backends for word in ("--backend", backend)]
        said = cli(
            "run", *words(given), *named, "--blocks", "1", "--requests", "4", *more, "--json",
            EDGEBENCH_STORE=str(tmp_path / "store"),
        )  # fmt: skip
        assert said.out, said.err
        return said

    return measure


@pytest.fixture
def logs(cli):
    """Return what was printed while a case was prepared."""

    def read(case):
        return cli("logs", case["id"]).out.partition("--- block")[0]

    return read


def seen(log):
    """What the operator saw: placement, tier, stages, nodes, why it has none, open sizes."""
    lines = [line.removeprefix("seen ") for line in log.splitlines() if line.startswith("seen ")]
    return [json.loads(line)[:-1] for line in lines]


def test_each_tier_is_as_slow_as_it_claims(run, logs):
    said = run("--operator", "look+toy-cut", "--placement", "mobile-edge")
    (case,) = said.cases().values()
    assert case["status"] == "ok", case["reason"]
    mobile, edge = seen(logs(case))
    assert [mobile[:2], edge[:2]] == [["mobile-edge", "mobile"], ["mobile-edge", "edge"]]
    slowdown = [1 / tier["claimed"] for tier in case["tiers"]]
    assert slowdown[0] > slowdown[1]
    # A run takes at least what it sleeps, as often as the tier is slower; and not for ever.
    for (_, _, (stage,), (nodes,), why, sizes), factor in zip(
        (mobile, edge), slowdown, strict=True
    ):
        assert 0.004 * factor < stage < 40 * 0.004 * factor
        assert nodes == {"product": pytest.approx(0.0005 * factor)}
        assert why == ""
        assert sizes == {"batch": 1}


def test_a_profile_is_measured_once_for_all_cases_and_later_runs(run, tmp_path):
    asked = tmp_path / "asked"
    said = run("--operator", "look", "--operator", "look+toy-round", "--operator", "look+look")
    assert {case["status"] for case in said.cases().values()} == {"ok"}
    once = asked.read_text()
    # Once for each of the inputs that took their turn.
    assert once.count("asked") == 3
    run("--operator", "look+toy-round", "--operator", "toy-round", "--seed", "0")
    assert asked.read_text() == once
    run("--operator", "toy-round+look")
    assert asked.read_text().count("asked") == 6


def test_a_backend_without_times_by_node_is_named_as_such(run, logs):
    said = run("--operator", "look", backends=["toy-numpy"])
    (case,) = said.cases().values()
    ((_, _, (stage,), (nodes,), why, _),) = seen(logs(case))
    assert stage > 0
    assert nodes == {}
    assert why == "toy-numpy gives no times by node"
    assert f"look: on mobile {why}" in case["doubts"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ('{"product": float("nan")}', "its profile has nan for the node 'product', not seconds"),
        ('{"sum": 0.5}', "its profile names the node 'sum', which is none of the 2 in matrix.npy"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_profile_that_is_none_costs_its_case_alone(run, logs, given, why):
    said = run("--operator", "look", given=given, backends=["telling", "toy-numpy"])
    assert said.status == 1
    wrong, right = said.cases()["look mobile telling"], said.cases()["look mobile toy-numpy"]
    assert (wrong["status"], right["status"]) == ("failed", "ok")
    assert wrong["reason"].startswith("profiling: host mobile: backend telling (")
    assert wrong["reason"].endswith(f"): {why}")
    assert "about to tell" in logs(wrong)


def test_what_is_printed_before_a_profiled_process_dies_is_kept(run, logs):
    (case,) = run("--operator", "look", given="os._exit(3)").cases().values()
    assert case["status"] == "failed"
    said = "profiling: host mobile: about to tell while it ran backend telling ("
    assert case["reason"].startswith(said), case["reason"]
    assert "about to tell" in logs(case)


def test_a_profiled_process_that_hangs_is_ended(run):
    said = run("--operator", "look", "--time-limit", "5", given="time.sleep(600)")
    (case,) = said.cases().values()
    assert case["status"] == "failed"
    assert "profiling: no answer within 5 s" in case["reason"]
    assert "waited for host mobile to profile" in case["reason"]


def test_what_needs_a_profile_is_planned(cli, words):
    asked = ("--operator", "look+toy-cut", "--operator", "engrave", "--placement", "mobile-edge")
    said = cli("plan", *words(), *asked, "--backend", "telling", "--json")
    assert [case["chain"] for case in said.json["cases"]] == ["look+toy-cut"]


def test_what_no_backend_of_its_tiers_reads_cannot_be_profiled(cli, words):
    said = cli("plan", *words(), "--operator", "engrave", "--backend", "reading", "--json")
    (skipped,) = said.json["skipped"]
    assert skipped["reason"] == (
        "engrave needs a profile: no converter from toy-matrix to engraved, which reading reads"
    )
