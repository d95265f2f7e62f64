"""Fakes keep the promises of their kind, and a fake context gives what it was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench import ChainError, Operator, hookimpl
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import KINDS
from edgebench.testing import FakeContext, fake, toy


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_sound_part_of_every_kind(kind):
    part = fake(KINDS[kind], name="another")
    assert isinstance(part, KINDS[kind])
    assert part.name == "another"


OFFER = """
    from edgebench.testing import fake

    @hookimpl
    def edgebench_{kind}s():
        yield fake({record}, name="bad")
"""


@pytest.mark.parametrize("kind", ["tier", "fabric", "reporter", "importer", "dataset", "backend"])
def test_a_fake_keeps_the_promises_of_its_kind(verdicts, tmp_path, kind):
    (tmp_path / "seconds.txt").write_text("seconds\n0.5\n0.25\n")
    data = tmp_path / "seconds.txt" if kind == "importer" else None
    offer = OFFER.format(kind=kind, record=KINDS[kind].__name__)
    found = verdicts(kind, offer, data=data)
    assert {name: one.why for name, one in found.items() if one.status == "not held"} == {}
    assert sum(one.status == "held" for one in found.values()) >= 3


def test_an_operator_runs_on_a_fake_context():
    import numpy as np

    rows = [({"input": np.full((1, 8), 2.0, np.float32)}, 0)] * 3
    context = FakeContext(options=toy.RoundOptions(digits=0), splits={"calibration": rows})
    (operator,) = [one for one in toy.edgebench_operators() if one.name == "toy-round"]
    made = operator.apply(toy.build("small", fake_weights()), context)
    assert set(np.unique(made.stages[0].live % 2)) == {0.0}


def fake_weights():
    from edgebench import Weights

    return Weights(kind="random")


def test_what_a_test_does_not_give_is_an_error():
    context = FakeContext()
    with pytest.raises(ChainError, match="gives no split 'calibration'"):
        context.inputs("calibration")
    with pytest.raises(ChainError, match="does not say what it scores"):
        context.score(None, "validation")


def test_what_an_operator_says_is_kept():
    context = FakeContext()
    context.doubt("it is rough")
    context.chose("by", 2)
    assert (context.doubts, context.chosen) == (["it is rough"], {"by": 2})


# --- the fixtures --------------------------------------------------------------------------------


class Stranger:
    @hookimpl
    def edgebench_operators(self):
        yield fake(Operator, name="strange")


def test_the_fixture_sees_what_ships_and_what_is_given(edgebench_seen):
    seen = edgebench_seen(toy)
    assert {"identity", "toy-round"} <= set(seen.all(Operator))
    assert "toy-round" not in edgebench_seen().all(Operator)


def test_the_fixture_takes_a_file(edgebench_seen, plugin):
    path = plugin(OFFER.format(kind="operator", record="Operator"))
    assert "bad" in edgebench_seen(path).all(Operator)


def test_the_fixture_sees_nothing_else_that_is_installed(edgebench_seen):
    seen = edgebench_seen(toy)
    assert seen.source.offers is None
    assert {one.distribution for one in seen.known} == {"edgebench", ""}


def test_the_fixture_sees_only_what_is_given(edgebench_only):
    assert set(edgebench_only(Stranger()).all(Operator)) == {"strange"}


def test_the_store_of_a_test_is_its_own(edgebench_store, tmp_path):
    from edgebench.store.artifacts import Store

    assert Store().root == edgebench_store
    assert Path(edgebench_store).is_relative_to(tmp_path)


def test_the_bench_prepares_as_a_run_does(edgebench_bench, edgebench_store):
    from edgebench.testing.contracts.subjects import prepare_format

    _, path = prepare_format(edgebench_bench(toy), "toy-sealed")
    assert (path / "pipeline.json").is_file()


def test_plugins_are_modules_or_files(edgebench_seen):
    with pytest.raises(TypeError, match="modules or paths of files, not 3"):
        edgebench_seen(3)


def test_modules_that_are_plugins_are_found_again_by_another_process(edgebench_seen):
    source = edgebench_seen(toy).source
    assert source.modules == ("edgebench.testing.toy",)
    again = type(source).from_json(source.to_json()).load()
    assert isinstance(again, Plugins)
    assert "toy-round" in again.all(Operator)
