"""The sources of a package as syntax trees, and circles in what its modules import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file: the same one each time, so nobody may change it."""
    return ast.parse(path.read_text("utf-8"))


def modules(package: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of every module of a package by its dotted name.

    What lies in a folder that is no package, as templates do, is none of its modules.
    """
    found = {}
    top = package.parents[package.parent.name == "edgebench"]
    for path in sorted(package.rglob("*.py")):
        between = path.relative_to(package).parents
        if not all((package / folder / "__init__.py").exists() for folder in between):
            continue
        parts = path.relative_to(top).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = parse(path)
    return found


def find_circle(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what each module imports, without those that neither lie in a circle nor lead to one."""
    left = imports
    while free := {module for module, others in left.items() if not others & left.keys()}:
        left = {module: others for module, others in left.items() if module not in free}
    return left
