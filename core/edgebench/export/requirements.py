"""What must be installed where an export is to run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from edgebench.survey.metadata import map_packages


def list_requirements(
    sources: Iterable[str], measured: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Return the text of a requirements file, and what it does not hold as it was measured.

    What the programs import is read from their sources. Exact versions, as they are here, where the
    example was run; a local part (`+cpu`), which no index has, is left to a remark. In doubt is
    another version than that of the measurement, and a module of which no package is known.
    """
    names = {"numpy", *(name for source in sources for name in _list_imports(source))}
    known, lines, doubts = map_packages(), [], []
    for name in sorted(names - sys.stdlib_module_names):
        if name not in known:
            doubts.append(f"{name}, which a program imports, comes with no package known here")
        for distribution in dict.fromkeys(known.get(name, ())):
            here = version(distribution)
            public, _, local = here.partition("+")
            lines.append(f"{distribution}=={public}" + (f"  # here: {here}" if local else ""))
            before = measured.get(name)
            if before and before.partition("+")[0] != public:
                doubts.append(f"{name} is {here} here, and was {before} when it was measured")
    return "\n".join(lines) + "\n", tuple(doubts)


def _list_imports(source: str) -> set[str]:
    """Return the top-level modules that a source imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
