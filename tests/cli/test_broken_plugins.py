"""Twelve broken distributions at once: none stops `list`, and in a run each costs its own cases."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

OFFER = """\
from edgebench import Operator, hookimpl

@hookimpl
def edgebench_operators():
    yield Operator(name="{name}", summary="An operator.", apply=print)
"""
BACKEND = """\
from contextlib import contextmanager
from edgebench import Backend, hookimpl
from edgebench.testing.toy import open_session

class Broken:
    def __init__(self, session):
        self.session = session

    def run(self, inputs):
        {run}

@contextmanager
def open_broken(stage, device, threads, options):
    {open}
    with open_session(stage, device, threads, options) as session:
        yield Broken(session)

@hookimpl
def edgebench_backends():
    yield Backend(name="{name}", summary="Broken.", open=open_broken, formats=["toy-matrix"])
"""
MUTATES = """\
from edgebench import Operator, hookimpl

def apply(pipeline, context):
    for stage in pipeline.stages:
        stage.live *= 0
    return pipeline

@hookimpl
def edgebench_operators():
    yield Operator(name="mutates", summary="Changes its input.", apply=apply, reads=["toy-matrix"])
"""
SOUND = "return self.session.run(inputs)"
KNOWN = {
    "raises": ("raise RuntimeError('no luck')", "does not load: RuntimeError: no luck"),
    "hangs": ("import time; time.sleep(600)", "does not load: it was ended after 15 s"),
    "aborts": ("import os; os.abort()", "does not load: its process was killed by SIGABRT"),
    "exits": ("import sys; sys.exit(3)", "does not load: SystemExit: 3"),
    "misspelt": (
        OFFER.format(name="misspelt").replace("edgebench_operators", "edgebench_operator"),
        "implements an unknown hook 'edgebench_operator'; did you mean 'edgebench_operators'?",
    ),
    "clashes": (OFFER.format(name="toy-round"), "offers a name that is taken: two plugins offer"),
    "newer": (
        OFFER.format(name="newer") + "EDGEBENCH_API = (99, 0)\n",
        "needs version 99.0 of the plugin interface; this is 2.1",
    ),
    "nonsense": (
        OFFER.format(name="nonsense").replace("yield Operator(", "yield dict("),
        "from edgebench_operators, which takes Operator",
    ),
}
"""What is known of each before any of its parts is used."""
WORKING = {
    "opens": (
        BACKEND.format(name="opens", open="import time; time.sleep(600)", run=SOUND),
        "backend opens (edgebench-opens 1.0)",
    ),
    "stops": (
        BACKEND.format(name="stops", open="pass", run="import os; os.abort()"),
        "backend stops (edgebench-stops 1.0)",
    ),
    "misnames": (
        BACKEND.format(
            name="misnames", open="pass",
            run="return {'other': array for array in self.session.run(inputs).values()}",
        ),
        "backend misnames (edgebench-misnames 1.0)",
    ),
    "mutates": (MUTATES, "operator mutates (edgebench-mutates 1.0)"),
}  # fmt: skip
"""What shows only when it works, and how the row of its case names it."""


@pytest.fixture
def broken(tmp_path):
    """Install all twelve, and return what has other processes find them."""
    site = tmp_path / "site"
    site.mkdir()
    for name, (source, _) in {**KNOWN, **WORKING}.items():
        (site / f"{name}_broken.py").write_text(dedent(source))
        info = site / f"edgebench_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: edgebench-{name}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[edgebench]\n{name} = {name}_broken\n")
    paths = [str(site), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "EDGEBENCH_CACHE": str(tmp_path / "cache"),
    }


def test_list_names_what_it_can_know_and_shows_the_rest(cli, toy, broken):
    done = cli("list", "operators", "backends", "--plugin", toy, **broken)
    assert done.status == 0
    said = " ".join(done.err.split())
    for name, (_, cause) in KNOWN.items():
        assert f"{name} (edgebench-{name} 1.0) " in said
        assert cause in said, name
    for name in WORKING:
        assert name in done.out
    assert cli("list", "operators", "--plugin", toy, **broken).out
    faulty = cli("plugins", "list", "--json", "--plugin", toy, **broken)
    standing = {one["name"]: one["status"] for one in faulty.json["plugins"]}
    # Of two that offer one name, the one found later is at fault: the file.
    wanted = {*KNOWN, "toy"} - {"clashes"}
    assert {name for name, status in standing.items() if status == "faulty"} == wanted


def test_a_run_of_others_is_unharmed_and_each_broken_part_costs_its_own_case(cli, toy, broken):
    done = cli(
        "run", "--plugin", toy, "--model", "toy", "--operator", "identity", "--operator", "mutates",
        "--backend", "toy-numpy", "--backend", "opens", "--backend", "stops", "--backend",
        "misnames", "--blocks", "1", "--requests", "5", "--time-limit", "8", "--json", **broken,
    )  # fmt: skip
    cases = done.cases()
    sound = cases["identity mobile toy-numpy"]
    assert (sound["status"], sound["reason"]) == ("ok", "")
    assert sound["accuracy"]["accuracy"] > 0.9
    assert done.status == 1
    for name, (_, who) in WORKING.items():
        chain, backend = ("mutates", "toy-numpy") if name == "mutates" else ("identity", name)
        case = cases[f"{chain} mobile {backend}"]
        assert case["status"] in ("failed", "timeout"), (name, case["status"])
        assert who in case["reason"], (name, case["reason"])


def test_a_run_that_has_nothing_to_do_with_them_is_as_without_them(cli, toy, broken, tmp_path):
    words = ("run", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy", "--blocks", "1",
             "--requests", "5", "--json")  # fmt: skip
    with_them, alone = cli(*words, **broken), cli(*words)
    for done in (with_them, alone):
        assert done.status == 0, done.err
    (one,), (other,) = with_them.json["cases"], alone.json["cases"]
    assert one["accuracy"] == other["accuracy"]
    assert Path(tmp_path, "cache", "offers").is_dir()
