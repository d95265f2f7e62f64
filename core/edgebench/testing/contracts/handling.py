"""What handling a request imports, found in a process of its own."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebench.cases.case import Case
from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.subjects import Model
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.afresh import answer_order, ask_afresh
from edgebench.testing.contracts.bench import Bench

LIGHT = 400
"""Modules of one package up to which it is a library for pictures or words, no framework."""


def list_heavy_handling(bench: Bench, case: Case, payload: bytes) -> list[str]:
    """Return the packages that have very many modules, of what handling a request imports.

    Raises:
        EdgebenchError: The process that was to find it out has failed.
    """
    order = [
        to_document(bench.source),
        to_document(case),
        str(bench.maker.base(case)),
        base64.b64encode(payload).decode(),
    ]
    try:
        return list(ask_afresh(__name__, order))
    except EdgebenchError as error:
        raise EdgebenchError(
            f"a request could not be handled in a process of its own: {error}"
        ) from error


def _list_heavy(order: Sequence[Any]) -> list[str]:
    """Handle the request of an order, and return what is heavy of what that imported."""
    source, document, base, payload = order
    case = from_document(Case, document)
    plugins = from_document(PluginSource, source).load()

    model = plugins.get(Model, case.model)
    bound = model.bound(case.variant, read_pipeline(Path(base)).resources)
    bound.preprocess(bound.decode(base64.b64decode(payload), case.variant), case.variant)
    counts: dict[str, int] = {}
    for name in sys.modules:
        package = name.partition(".")[0]
        if package not in sys.stdlib_module_names and package != "scipy":
            counts[package] = counts.get(package, 0) + 1
    return sorted(one for one, n in counts.items() if n > LIGHT)


if __name__ == "__main__":
    answer_order(sys.argv[1:], _list_heavy)
