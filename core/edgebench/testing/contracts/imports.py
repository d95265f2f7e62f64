"""What importing a plugin brings along, found in a process of its own.

What is heavy is told by what it is made of, not by a list of names nor by a clock: compiled code,
or very many modules, of another distribution than the plugin's own and what edgebench stands on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from edgebench.catalogue.plugins import PluginSource
from edgebench.catalogue.rows import KINDS, WORDS
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.part import Part
from edgebench.testing.contracts.afresh import answer_order, ask_afresh

OURS = frozenset(
    ["attr", "attrs", "cattr", "cattrs", "numpy", "pluggy", "rich", "scipy", "zmq", "edgebench"]
)
"""The packages that edgebench itself stands on."""
MANY = 100
"""Modules of one package beyond which it counts as a framework without compiled code."""


def list_heavy_imports(source: PluginSource, kind: type[Part], name: str) -> list[str]:
    """Return what is heavy of what importing the plugin of a part imports.

    Raises:
        EdgebenchError: The process that was to find it out has failed.
    """
    try:
        return list(ask_afresh(__name__, [to_document(source), WORDS[kind], name]))
    except EdgebenchError as error:
        raise EdgebenchError(
            f"its plugin could not be imported in a process of its own: {error}"
        ) from error


def _list_heavy(order: Sequence[Any]) -> list[str]:
    """Import the plugin that an order names, and return what is heavy of what that brought."""
    document, word, name = order
    source = from_document(PluginSource, document)
    plugins = source.load()
    before = set(sys.modules)
    owner = plugins.owner(KINDS[word], name)
    own = {getattr(owner.module, "__name__", "").partition(".")[0]}
    return _find_heavy(set(sys.modules) - before, OURS | own | _distribution_packages(owner))


def _find_heavy(names: set[str], light: frozenset[str] | set[str]) -> list[str]:
    """Return the packages among new modules that are heavy, sorted."""
    counts: dict[str, int] = {}
    compiled: set[str] = set()
    for name in names:
        package = name.partition(".")[0]
        if package in light or package in sys.stdlib_module_names:
            continue
        file = str(getattr(sys.modules.get(name), "__file__", "") or "")
        if not file or "site-packages" not in file:
            # Frozen, builtin, or lying beside the plugin.
            continue
        counts[package] = counts.get(package, 0) + 1
        if file.endswith((".so", ".pyd")):
            compiled.add(package)
    return sorted(compiled | {package for package, count in counts.items() if count > MANY})


def _distribution_packages(owner: object) -> set[str]:
    """Return the packages of the distribution that a plugin comes with."""
    from edgebench.survey.metadata import map_packages

    own = getattr(owner, "distribution", "")
    return {name for name, brought in map_packages().items() if own in brought}


if __name__ == "__main__":
    answer_order(sys.argv[1:], _list_heavy)
