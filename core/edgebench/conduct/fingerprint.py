"""What a run stands on: what a resumed run must share, and the versions that a run keeps."""

from __future__ import annotations

from typing import Any

import attrs

from edgebench.cases.plan import Plan
from edgebench.catalogue.rows import WORDS
from edgebench.parts.digest import digest
from edgebench.parts.places import Tier
from edgebench.prepare.makers import installed_version
from edgebench.prepare.named_files import find_files
from edgebench.prepare.recipe import Recipes
from edgebench.records.environment import describe

CORE = ("attrs", "cattrs", "edgebench", "numpy", "pluggy", "rich", "scipy", "zmq")
"""Modules that the core itself stands on."""


def fingerprint(plan: Plan, recipes: Recipes) -> str:
    """Return the digest of a plan, of the code and the tiers it rests on, and of this machine.

    Blocks of another fingerprint are of something else: they are never put beside these.
    """
    here = describe()
    brought = [one for one in plan.cases if one.weights.brought]
    parts = {part for case in plan.cases for part in recipes.chains.list_parts(case)}
    tiers = {tier for case in plan.cases for tier in case.route}
    choices = {choice for case in plan.cases for choice in case.backends}
    files = {str(choice): find_files(choice, recipes.plugins) for choice in choices}
    return digest(
        {
            "plan": plan.digest,
            "by": [
                recipes.keys.maker(kind, name)
                for kind, name in sorted(parts, key=lambda part: (WORDS[part[0]], part[1]))
            ],
            "weights": sorted({recipes.keys.base(one) for one in brought}),
            "inputs": sorted({recipes.keys.inputs(case) for case in plan.cases}),
            "tiers": [attrs.asdict(recipes.plugins.get(Tier, name)) for name in sorted(tiers)],
            "files": {written: found for written, found in files.items() if found},
            "machine": [here.processor, here.cpus, here.architecture],
        }
    )


def describe_environment(recipes: Recipes) -> dict[str, Any]:
    """Describe this machine and the versions of all that plugins and the core stand on.

    A module that is known and not installed has the version null.
    """
    rows = recipes.plugins.registry.plugins.values()
    needed = {*CORE, *(name for row in rows for name in row.requires)}
    versions = {name: installed_version(name) or None for name in sorted(needed)}
    return attrs.asdict(attrs.evolve(describe(), versions=versions))
