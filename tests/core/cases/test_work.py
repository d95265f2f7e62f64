"""Planning asks who offers the parts of its cases, and never reads their code."""

from itertools import product

import pytest

from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue import plugin
from edgebench.catalogue.rows import Product, Suite
from edgebench.catalogue.source import read_source
from edgebench.parts.changes import Operator


@pytest.fixture
def reads(monkeypatch):
    """Return the list of the modules whose code is read from now on."""
    read_modules: list[str] = []

    def read(file, name):
        read_modules.append(name)
        return read_source(file, name)

    monkeypatch.setattr(plugin, "read_source", read)
    return read_modules


@pytest.mark.process
def test_a_plan_of_a_hundred_cases_reads_no_source(toy_plugins, reads):
    chains = [
        f"toy-round(digits={digits},samples={n})" for digits, n in product(range(1, 8), range(1, 9))
    ]
    cases = Product(
        models=("toy",),
        operators=tuple(chains),
        placements=("mobile", "edge"),
        backends=("toy-numpy",),
    )
    plan = make_plan(Study(suite=Suite(name="", summary="", products=(cases,))), toy_plugins)
    assert len(plan.cases) == 112
    assert set(plan.references) == {case.id for case in plan.cases}
    assert reads == []
    # The count is of what is counted: keys do read it, once.
    for _ in range(2):
        assert toy_plugins.owner(Operator, "toy-round").code.digest
    assert len(reads) == 1
