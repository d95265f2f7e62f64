"""The layers of the core: each imports only from those above it, and the kernel stays readable."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import edgebench

CORE = Path(edgebench.__file__).parent

LAYERS = (
    "parts",
    "catalogue",
    "cases",
    "metrics",
    "store",
    "sessions",
    "prepare",
    "records",
    "measure.transport",
    "measure.station",
    "measure.stand",
    "analysis",
    "conduct",
    "testing",
    "cli",
)
"""From the ground up: a layer may import itself and what stands before it here."""
KERNEL = ("parts", "catalogue", "cases")
MOST_LINES = 3000
"""Lines of code of the kernel, without comments, docstrings and blank lines."""
FACE = {"edgebench", "edgebench.__main__"}
"""What authors import, and what `python -m` runs: they stand above all layers."""


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module of the core by its dotted name."""
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        parts = path.relative_to(CORE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = parsed(path)
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def importing(tree: ast.Module) -> list[ast.AST]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Yield the modules of the core that a module imports anywhere, for its types too."""
    for node in importing(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        # What is imported from a module may be a module below it, or a name in it.
        yield from {n if n in known else n.rpartition(".")[0] for n in names} & known


def layer(module: str) -> int:
    """Return the place of a module's layer; -1 for one that lies in none."""
    inside = module.removeprefix("edgebench.") + "."
    return next((n for n, name in enumerate(LAYERS) if inside.startswith(f"{name}.")), -1)


def offences(trees: dict[str, ast.Module]) -> list[str]:
    """Return every import from a layer that stands later than the importer's own."""
    found = []
    for module, tree in trees.items():
        if module in FACE or module == "edgebench.measure":
            continue
        for other in imported(tree, set(trees)):
            # The hooks are written in the names that authors import, for type checkers alone.
            if other in FACE and module == "edgebench.parts.hookspecs":
                continue
            if other in FACE or layer(other) > layer(module):
                found.append(f"{module} imports {other}")
    return sorted(found)


def test_every_module_lies_in_a_layer():
    outside = [m for m in modules() if m not in FACE and layer(m) < 0]
    assert outside == ["edgebench.measure"]


def test_a_layer_imports_only_from_those_above_it():
    assert offences(modules()) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgebench.parts.units", "from edgebench.cases.case import Case"),
        ("edgebench.cases.plan", "import edgebench.prepare.make"),
        ("edgebench.records.outcome", "def f():\n    from edgebench.analysis import doubts"),
        ("edgebench.measure.transport.port", "from edgebench.measure.station import orders"),
        ("edgebench.store.splits", "from edgebench import Case"),
    ],
)
def test_an_import_from_below_is_found(module, line):
    trees = modules()
    trees[module] = ast.parse(f"{ast.unparse(trees[module])}\n{line}")
    (offence,) = offences(trees)
    assert offence.startswith(f"{module} imports edgebench")


def test_no_circle_of_imports():
    """Modules that import each other can only be understood together."""
    trees = modules()
    left = {m: set(imported(tree, set(trees))) - {m, "edgebench"} for m, tree in trees.items()}
    while free := {module for module, others in left.items() if not others & left.keys()}:
        left = {module: others for module, others in left.items() if module not in free}
    assert left == {}


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
