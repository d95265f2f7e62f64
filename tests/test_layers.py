"""The layers of the core: each imports only from those above it, and the kernel stays readable."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import edgebench

from .trees import find_circle, modules

CORE = Path(edgebench.__file__).parent

LAYERS = (
    "parts",
    "toml",
    "catalogue",
    "cases",
    "metrics",
    "store",
    "survey",
    "sessions",
    "prepare",
    "records",
    "measure.transport",
    "measure.station",
    "measure.stand",
    "analysis",
    "conduct",
    "export",
    "testing",
    "cli",
)
"""From the ground up: a layer may import itself and what stands before it here."""
KERNEL = ("parts", "catalogue", "cases")
MOST_LINES = 3000
"""Lines of code of the kernel, without comments, docstrings and blank lines."""
FACE = {"edgebench", "edgebench.__main__"}
"""What authors import, and what `python -m` runs: they stand above all layers."""


@cache
def importing(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def relative(tree: ast.Module) -> list[str]:
    """Return the relative imports of a module, as they are written."""
    return [ast.unparse(node) for node in importing(tree) if getattr(node, "level", 0)]


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Yield the modules of the core that a module imports anywhere, for its types too.

    Relative imports are not followed: none may be there.
    """
    for node in importing(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        # What is imported from a module may be a module below it, or a name in it.
        yield from {n if n in known else n.rpartition(".")[0] for n in names} & known


def layer(module: str) -> int:
    """Return the place of a module's layer; -1 for one that lies in none.

    A package around several layers runs before each of them: it lies in the first.
    """
    inside = module.removeprefix("edgebench.") + "."
    names = [f"{name}." for name in LAYERS]
    found = (
        n for n, name in enumerate(names) if inside.startswith(name) or name.startswith(inside)
    )
    return next(found, -1)


def offences(trees: dict[str, ast.Module]) -> list[str]:
    """Return every import that is relative, or from a layer later than the importer's own."""
    found = [f"{module} imports {line}" for module in trees for line in relative(trees[module])]
    for module, tree in trees.items():
        if module in FACE:
            continue
        for other in imported(tree, set(trees)):
            # The hooks are written in the names that authors import, for type checkers alone.
            if other in FACE and module == "edgebench.parts.hookspecs":
                continue
            # The toy is a plugin, written as a stranger's is.
            if other in FACE and module == "edgebench.testing.toy":
                continue
            if other in FACE or layer(other) > layer(module):
                found.append(f"{module} imports {other}")
    return sorted(found)


def with_line(module: str, line: str) -> dict[str, ast.Module]:
    """Return the trees of all modules, one of them with a line more."""
    trees = modules(CORE)
    trees[module] = ast.parse(f"{ast.unparse(trees[module])}\n{line}")
    return trees


def test_every_module_lies_in_a_layer():
    assert [m for m in modules(CORE) if m not in FACE and layer(m) < 0] == []


def test_a_layer_imports_only_from_those_above_it():
    assert offences(modules(CORE)) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgebench.parts.units", "from edgebench.cases.case import Case"),
        ("edgebench.cases.plan", "import edgebench.prepare.make"),
        ("edgebench.records.outcome", "def f():\n    from edgebench.analysis import doubts"),
        ("edgebench.measure.transport.port", "from edgebench.measure.station import orders"),
        ("edgebench.store.splits", "from edgebench import Case"),
        ("edgebench.measure", "from edgebench.measure.station import driver"),
    ],
)
def test_an_import_from_below_is_found(module, line):
    (offence,) = offences(with_line(module, line))
    assert offence.startswith(f"{module} imports edgebench")


@pytest.mark.parametrize("line", ["from ..measure.station import driver", "from . import errors"])
def test_a_relative_import_is_found_wherever_it_leads(line):
    """What it leads to depends on where it stands, so that a reader would have to work it out."""
    assert offences(with_line("edgebench.parts.units", line)) == [
        f"edgebench.parts.units imports {line}"
    ]


def test_no_circle_of_imports():
    """Modules that import each other can only be understood together."""
    trees = modules(CORE)
    imports = {m: set(imported(tree, set(trees))) - {m, "edgebench"} for m, tree in trees.items()}
    assert find_circle(imports) == {}


def code_lines(source: str) -> int:
    """Return the lines of code: no comments, no texts that stand alone, no blank lines."""
    texts: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in texts
        for number, line in lines
    )


def test_the_kernel_can_be_read_in_an_afternoon():
    files = [path for name in KERNEL for path in (CORE / name).rglob("*.py")]
    assert len(files) > 15
    assert sum(code_lines(path.read_text("utf-8")) for path in files) <= MOST_LINES


def test_no_layer_takes_the_name_of_a_function_to_come():
    assert not {"run", "results"} & {path.stem for path in CORE.iterdir()}
