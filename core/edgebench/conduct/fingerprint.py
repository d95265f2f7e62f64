"""What a run stands on: what a resumed run must share, and the versions that a run keeps."""

from __future__ import annotations

from typing import Any

import attrs

from edgebench.cases.chain import parse_chain
from edgebench.cases.plan import Plan
from edgebench.parts.changes import Operator
from edgebench.parts.digest import digest
from edgebench.parts.places import Backend, Fabric, Tier
from edgebench.parts.subjects import Dataset, Model
from edgebench.prepare.keys import installed_version
from edgebench.prepare.recipe import Recipes
from edgebench.records.environment import describe

CORE = ("attrs", "cattrs", "edgebench", "numpy", "pluggy", "rich", "zmq")
"""Modules that the core itself stands on."""


def fingerprint(plan: Plan, recipes: Recipes) -> str:
    """Return the digest of a plan, of the code and the tiers it rests on, and of this machine.

    Blocks of another fingerprint are of something else: they are never put beside these.
    """
    here = describe()
    brought = [one for one in plan.cases if one.weights.path or one.weights.kind == "hub"]
    tiers = {tier for case in plan.cases for tier in case.route}
    return digest(
        {
            "plan": plan.digest,
            "by": [recipes.keys.maker(kind, name) for kind, name in _parts(plan, recipes)],
            "weights": sorted({recipes.keys.base(one) for one in brought}),
            "inputs": sorted({recipes.keys.inputs(case) for case in plan.cases}),
            "tiers": [attrs.asdict(recipes.plugins.get(Tier, name)) for name in sorted(tiers)],
            "machine": [here.processor, here.cpus, here.architecture],
        }
    )


def _parts(plan: Plan, recipes: Recipes) -> list[tuple[Any, str]]:
    """Return the kind and name of every part that a plan's cases name."""
    found: set[tuple[str, str]] = set()
    kinds = {"model": Model, "dataset": Dataset, "fabric": Fabric}
    kinds |= {"backend": Backend, "operator": Operator}
    for case in plan.cases:
        found |= {("model", case.model), ("fabric", case.fabric)}
        found |= {("dataset", case.dataset)} if case.dataset else set()
        found |= {("backend", choice.name) for choice in case.backends}
        chain = parse_chain(case.chain, recipes.registry.hybrids)
        found |= {("operator", part.name) for part in chain}
    return [(kinds[kind], name) for kind, name in sorted(found)]


def environment(recipes: Recipes) -> dict[str, Any]:
    """Describe this machine and the versions of all that plugins and the core stand on.

    A module that is known and not installed has the version null.
    """
    needed = {*CORE, *(name for row in recipes.registry.plugins.values() for name in row.requires)}
    versions = {name: installed_version(name) or None for name in sorted(needed)}
    return attrs.asdict(attrs.evolve(describe(), versions=versions))
