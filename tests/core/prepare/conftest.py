"""What the tests of preparing share: cases of the toy, a maker, and strangers' files beside it."""

from __future__ import annotations

from textwrap import dedent

import attrs
import pytest

from edgebench.cases.case import BackendChoice, Case
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import Link, Placement
from edgebench.parts.subjects import Weights
from edgebench.prepare.make import Maker
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store

LINKS = [Link(between=("mobile", "edge"), rate=1e6), Link(between=("edge", "cloud"), rate=1e6)]


def toy_case(chain="", placement="mobile", backend="toy-numpy", **changes):
    """A case of the toy, its seed that of its weights too, as planning makes it."""
    tiers = placement.split("-")
    route = ("mobile", "edge", "cloud")[: 1 + ("mobile", "edge", "cloud").index(tiers[-1])]
    case = Case(
        model="toy",
        variant="small",
        weights=Weights(kind="trained", seed=changes.get("seed", 0)),
        dataset="toy-points",
        chain=chain,
        placement=Placement(tiers),
        backends=[BackendChoice(backend)] * len(tiers),
        links=LINKS[: len(route) - 1],
        route=route,
    )
    return attrs.evolve(case, **changes)


@pytest.fixture
def world(toy, registry, tmp_path):
    """Give recipes over the toy and strangers' files, all over one store."""

    def make(*plugins, without=()):
        files = [toy]
        for number, text in enumerate(plugins):
            files.append(tmp_path / f"stranger_{number}.py")
            files[-1].write_text(dedent(text))
        loaded = Plugins.load(registry, files, without)
        return Recipes(loaded, Store(tmp_path / "store"))

    return make


@pytest.fixture
def make(recipes):
    """Prepare a case here, and say which entries that brought, in the order they were begun."""

    def run(case, recipes=recipes):
        before = {entry.key for entry in recipes.store.entries()}
        begun = []
        path = Maker(recipes, lambda done, total, what: begun.append((done, what))).prepare(case)
        new = [e.what for e in recipes.store.entries() if e.key not in before]
        return path, sorted(new)

    return run
