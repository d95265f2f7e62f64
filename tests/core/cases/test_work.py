"""Work is done once a part, a chain or a run, and not once a case."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import attrs
import cattrs
import pytest

from edgebench.cases import chain, operations
from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Product, Suite
from edgebench.conduct.execute import execute
from edgebench.parts import documents
from edgebench.parts.changes import Operator
from edgebench.prepare import source
from edgebench.prepare.source import read_code, read_source
from edgebench.records.database import Database
from edgebench.store.artifacts import Store


@attrs.frozen
class Work:
    """What was done since the test began."""

    sources: list[str] = attrs.field(factory=list)
    """The modules whose code was read."""
    converters: list[cattrs.Converter] = attrs.field(factory=list)
    chains: list[str] = attrs.field(factory=list)
    """The texts that were parsed."""
    backends: list[dict[str, list[str]]] = attrs.field(factory=list)
    """Of each time that backends were asked, their devices by name."""


@pytest.fixture
def toy_plugins(registry, toy):
    """Plugins of which no other test has asked anything."""
    return Plugins.load(registry, [toy])


@pytest.fixture
def work(monkeypatch):
    """Count what is done from now on."""
    done = Work()
    create, parse = cattrs.Converter.__init__, operations.parse_chain

    def count_converter(self, *args, **options):
        done.converters.append(self)
        create(self, *args, **options)

    def count_chain(text, hybrids):
        done.chains.append(text)
        return parse(text, hybrids)

    def count_source(file, name):
        done.sources.append(name)
        return read_source(file, name)

    monkeypatch.setattr(cattrs.Converter, "__init__", count_converter)
    monkeypatch.setattr(operations, "parse_chain", count_chain)
    monkeypatch.setattr(source, "read_source", count_source)
    chain._converter.cache_clear()
    documents._converter.cache_clear()
    return done


@pytest.fixture
def plan(toy_plugins, answering, work):
    """Plan cases of the toy, and count what its backends are asked."""
    ask = answering({}, work.backends)

    def make(operators: Sequence[str], placements=("mobile",), backends=("toy-numpy",), **counts):
        cases = Product(
            models=("toy",),
            operators=tuple(operators),
            placements=placements,
            backends=backends,
        )
        suite = Suite(name="", summary="", products=(cases,), **counts)
        return make_plan(Study(suite=suite), toy_plugins, ask=ask)

    return make


def test_the_work_of_a_plan_of_a_hundred_cases_follows_from_what_they_are_made_of(
    toy_plugins, plan, work
):
    sizes = product(range(1, 8), range(1, 9))
    written = [f"toy-round(digits={digits},samples={samples})" for digits, samples in sizes]
    made = plan(written, ("mobile", "edge"), ("toy-numpy", "toy-chip"))
    assert len(made.cases) + len(made.skipped) == 224
    assert set(made.references) == {case.id for case in made.cases}
    # A text that says a default is another than the case's; `""` is the references'.
    assert sorted(work.chains) == sorted({*written, *(case.chain for case in made.cases), ""})
    assert len(work.converters) == 2, "one for options, one for the documents that ids are of"
    assert work.backends == [{"toy-numpy": [""], "toy-chip": [""]}]
    assert work.sources == []
    # The count is of what is counted: keys do read it, once.
    for _ in range(2):
        assert read_code(toy_plugins.owner(Operator, "toy-round")).digest
    assert len(work.sources) == 1


def test_a_run_parses_no_chain_that_was_parsed_for_its_plan(
    toy_plugins, plan, work, tmp_path, process
):
    made = plan(["toy-round(digits=1)"], blocks=1, requests=3)
    work.chains.clear()
    with Database.open(tmp_path / "results.db", write=True) as database:
        run = execute(made, database, toy_plugins, store=Store(tmp_path / "store"))
        (outcome,) = database.read_run(run).cases
        assert [block.status for block in outcome.blocks] == ["ok"]
    assert work.chains == []
