"""A program executes a plan as the command line does; what one case found serves the next."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from textwrap import dedent

import attrs
import pytest

from edgebench import Link
from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Product, Suite
from edgebench.conduct.execute import execute
from edgebench.conduct.watcher import Watcher
from edgebench.records.database import Database
from edgebench.sessions.asking import ask_in_processes
from edgebench.store.artifacts import Store

from .worlds import COMPILING

PROGRAM = """
    import json, sys
    from pathlib import Path
    from edgebench.analysis.results import RunResults
    from edgebench.cases.plan import make_plan
    from edgebench.cases.study import Study
    from edgebench.catalogue.plugins import Plugins
    from edgebench.catalogue.registry import Registry
    from edgebench.catalogue.rows import Product, Suite
    from edgebench.conduct.execute import execute
    from edgebench.records.database import Database
    from edgebench.sessions.asking import ask_in_processes

    plugins = Plugins.load(Registry.read(), [Path(sys.argv[1])])
    cases = Product(models=["toy"], operators=["identity"], placements=["mobile"],
                    backends=["toy-numpy"])
    suite = Suite(name="", summary="", blocks=2, requests=3, products=[cases])
    plan = make_plan(Study(suite=suite), plugins, ask_in_processes)
    with Database.open("edgebench.db", write=True) as database:
        run = execute(plan, database, plugins, tag="by a program")
        print(json.dumps(RunResults.of(database.read_run(run)).to_json()))
"""


def test_a_program_of_ten_lines_measures_a_plan(toy, tmp_path, process):
    program = tmp_path / "program.py"
    program.write_text(dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, program, toy], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["tag"], document["arguments"]) == ("by a program", [])
    assert document["finished"]
    (case,) = document["cases"]
    assert (case["status"], case["blocks"], case["samples"]) == ("ok", 2, 6)
    assert case["accuracy"]["accuracy"] > 0.5


# --- what is done once a run ---------------------------------------------------------------------

STRANGER = """
    import sys
    from pathlib import Path

    from edgebench import Model, Variant, hookimpl

    def shortens(array, variant):
        with Path(__file__).with_name("notes").open("a") as notes:
            notes.write("looked at\\n")
        return False

    @hookimpl
    def edgebench_models():
        toy = sys.modules["edgebench_file_toy"]
        yield Model(name="long", summary="Shortens.", build=toy.build, dataset="toy-points",
                    variants=[Variant(name="small")], format="toy-matrix", shortens=shortens)
"""

HEARING = """
    from pathlib import Path
    from edgebench import hookimpl

    @hookimpl
    def edgebench_case_finished(case, result):
        with Path(__file__).with_name("heard").open("a") as heard:
            heard.write(f"{case.chain} {case.placement} {result.status} {result.samples}\\n")
"""

FAST, SLOW = (Link(between=("mobile", "edge"), rate=rate, delay=0.0) for rate in (1e9, 1e8))


class Noting(Database):
    """A database that notes of which cases all samples were read."""

    def read_outcome(self, run, case_id, *, timed=True):
        self.read = [*getattr(self, "read", []), case_id] if timed else getattr(self, "read", [])
        return super().read_outcome(run, case_id, timed=timed)


@attrs.frozen(kw_only=True)
class NotingStore(Store):
    """A store that notes what was asked to be made."""

    asked: list = attrs.field(factory=list)
    keys: list = attrs.field(factory=list)

    def make(self, key, what, fill):
        self.asked.append(what)
        self.keys.append(key)
        return super().make(key, what, fill)


class StopAtOnce(Watcher):
    def stopping(self):
        return True


@pytest.fixture
def measure(registry, toy, tmp_path, process):
    """Execute a plan of one block a case, and return the database as it was left."""

    def measure(*hearing, watcher=None, resume=False, batch=1, **product):
        files = [toy]
        for number, text in enumerate([STRANGER, COMPILING, *([HEARING] if hearing else [])]):
            files.append(tmp_path / f"stranger_{number}.py")
            files[-1].write_text(dedent(text))
        plugins = Plugins.load(registry, files)
        words = {"operators": ["identity"], "placements": ["edge"], "backends": ["toy-numpy"]}
        cases = Product(**{"models": ["long"], **words, **product})
        suite = Suite(name="", summary="", blocks=1, requests=2, products=[cases])
        plan = make_plan(
            Study(suite=suite, sweep=(FAST, SLOW), batch=batch), plugins, ask_in_processes
        )
        store = NotingStore(root=tmp_path / "store")
        with Noting.open(tmp_path / "edgebench.db", write=True) as database:
            run = execute(plan, database, plugins, store=store, watcher=watcher, resume=resume)
            kept = [database.read_outcome(run, case.id, timed=False) for case in plan.cases]
        assert watcher or [one.status for one in kept] == ["ok"] * len(kept)
        return database, store

    return measure


def notes(tmp_path):
    return Counter((tmp_path / "notes").read_text().splitlines())


def test_cases_that_differ_in_links_alone_share_one_compiling(measure, tmp_path):
    measure(backends=["compiling"])
    assert notes(tmp_path)["compiled"] == 1


def test_another_tier_has_its_stages_compiled_too(measure, tmp_path):
    measure(backends=["compiling"], placements=["edge", "cloud"])
    assert notes(tmp_path)["compiled"] == 2


def test_the_inputs_of_a_model_are_looked_at_once(measure, tmp_path):
    measure(operators=["identity", "toy-round"])
    samples_of_the_test_split = 60
    assert notes(tmp_path)["looked at"] == samples_of_the_test_split


def test_the_score_to_compare_with_is_read_once(measure):
    _, store = measure(operators=["toy-round"])
    # Both ask for their own, the first for that of its model untransformed too. A few samples of
    # that on another backend are not asked for: the one that is here is a stranger's, and nobody
    # asked for it.
    own, plain = (
        "score of long:small toy-round with toy-numpy",
        "score of long:small untransformed with toy-numpy",
    )
    assert store.asked == [own, plain, own]


def test_a_strangers_backend_is_held_against_where_it_is_asked_for(measure):
    _, store = measure(operators=["toy-round"], backends=["toy-numpy", "compiling"])
    assert store.asked[:3] == [
        "score of long:small toy-round with toy-numpy",
        "score of long:small untransformed with toy-numpy",
        "score of long:small untransformed with compiling",
    ]


def test_what_was_scored_one_by_one_says_nothing_of_batches(measure):
    """The batch is part of a score's key: a backend may be right for one sample and no other."""
    _, store = measure()
    before = set(store.keys)
    _, store = measure(batch=4)
    # Its own; what it is held against is asked one by one always.
    assert store.keys[0] not in before


def test_samples_are_read_for_those_that_listen_alone(measure):
    database, _ = measure()
    assert database.read == []
    database, _ = measure("to what is told")
    assert len(database.read) == 2


def test_a_resumed_run_tells_of_no_skipped_case_again(measure, tmp_path):
    chains = ["identity", "toy-cut"]
    measure("to what is told", watcher=StopAtOnce(), operators=chains)
    first = (tmp_path / "heard").read_text().splitlines()
    assert first == ["toy-cut edge skipped 0"] * 2
    measure("to what is told", resume=True, operators=chains)
    then = (tmp_path / "heard").read_text().splitlines()[len(first) :]
    assert then == ["identity edge ok 2"] * 2
