"""The rules of the house that sources can be held to: each walks all files and lists offenders."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from edgebench import Registry
from edgebench.catalogue.registry import shipped_registry

from .quick import frameworks

ROOT = shipped_registry().parent
ROWS = Registry.read().plugins

FRAMEWORKS = frameworks() | {"numpy", "scipy"}
"""What a plugin may import only inside the function that uses it."""
CORE_NEEDS = {"numpy", "scipy"}
"""Of these, what the core stands on."""
OURS = ("edgebench_plugins", "edgebench_kit")

LONGEST_FILE, LONGEST_FUNCTION = 300, 50
"""Lines: of a file of the core, and of a function without its docstring."""
NAMED_FOR_NOTHING = ("utils", "util", "helpers", "misc")

CORE, PLUGINS = "core", "plugins"


class Source:
    """A file of ours, with the syntax tree of what it says."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text, self.tree = path, text, ast.parse(text)

    def offends(self, line: int, what: str) -> str:
        """Say where an offence stands."""
        return f"{self.path}:{line} {what}"

    def imports(self, tree: ast.AST | None = None) -> Iterator[tuple[int, str]]:
        """Yield line and module of every import, in functions and for types too."""
        for node in ast.walk(tree or self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.lineno, "." * node.level + (node.module or "")


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """Return every file of ours below a folder."""
    # The tests of templates are a stranger's, and import what they test.
    found = [p for p in sorted((ROOT / folder).rglob("*.py")) if p.parent.name != "tests"]
    return tuple(Source(p.relative_to(ROOT), p.read_text(encoding="utf-8")) for p in found)


# --- the core knows no plugin --------------------------------------------------------------------

# Two names of plugins are also what the core calls its own, and words that it cannot do without:
# every host runs *processes*, and an artifact has an *identity*.
# A chain that changes nothing and a fabric that is this machine are written so in a case that says
# nothing else. Everything else that a row offers, is called, or requires must not occur: in no
# name, no text, no comment. Reporters and tiers are left out, as `json` is a module and `edge` is
# in our own name.
GENERIC = {"identity", "process"}


def forbidden() -> set[str]:
    names = {"tensorrt"}
    for row in ROWS.values():
        for kind, offered in row.offers.items():
            if kind not in ("reporter", "tier"):
                names |= {row.name, *offered, *row.requires}
    return names - GENERIC


NAMED = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(sorted(map(re.escape, forbidden())))})(?![a-z0-9])", re.IGNORECASE
)


def plugins_named(source: Source) -> Iterator[str]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        # A method that a text has (`str.partition`) names no plugin.
        if not (before == "." and hasattr(str, token.string)):
            for name in NAMED.findall(token.string):
                yield source.offends(token.start[0], f"names {name}")
        before = token.string


def plugins_imported(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if name.partition(".")[0] in FRAMEWORKS - CORE_NEEDS:
            yield source.offends(line, f"imports {name}")
    for ours in OURS:
        if ours in source.text:
            yield source.offends(0, f"names {ours}")


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def early_imports(source: Source) -> Iterator[str]:
    """Find frameworks that are imported with their plugin, not inside what uses them."""
    inside = {
        id(node)
        for outer in ast.walk(source.tree)
        if isinstance(outer, ast.FunctionDef) or is_for_types(outer)
        for node in ast.walk(outer)
    }
    for node in ast.walk(source.tree):
        if id(node) not in inside and isinstance(node, ast.Import | ast.ImportFrom):
            for line, name in source.imports(node):
                if name.partition(".")[0] in FRAMEWORKS:
                    yield source.offends(line, f"imports {name} early")


# --- what holds for all --------------------------------------------------------------------------


def pickles(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        if name in {"pickle", "shelve", "marshal", "dill", "joblib"}:
            yield source.offends(line, f"imports {name}")
    for line, text in enumerate(source.text.splitlines(), start=1):
        for words in ("allow_pickle=True", "weights_only=False"):
            if words in text:
                yield source.offends(line, words)


def names_for_nothing(source: Source) -> Iterator[str]:
    if source.path.stem in NAMED_FOR_NOTHING:
        yield source.offends(0, "is named for nothing")


def own_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from `def`, without its docstring."""
    first, lines = function.body[0], (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def long_functions(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = own_length(node)
            if lines > LONGEST_FUNCTION:
                yield source.offends(node.lineno, f"{node.name} has {lines} lines")


def long_files(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > LONGEST_FILE:
        yield source.offends(lines, "is too long")


def unexplained_asserts(source: Source) -> Iterator[str]:
    """Find what would be an AssertionError to a user; one that tells a type checker says so."""
    lines = source.text.splitlines()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert) and "# noqa: S101" not in lines[node.lineno - 1]:
            yield source.offends(node.lineno, "asserts")


def open_interpreters(source: Source) -> Iterator[str]:
    """Find Pythons that are started without -P: they import what lies in the working directory.

    What begins with a text is told to people, and not started.
    """
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
            continue
        words = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        starts = not isinstance(node.elts[0], ast.Constant | ast.Starred)
        if starts and {"-m", "-c"} & set(words) and "-P" not in words:
            yield source.offends(node.lineno, "starts a Python without -P")


HELD = [
    (plugins_named, CORE),
    (plugins_imported, CORE),
    (early_imports, PLUGINS),
    *((rule, folder) for rule in (pickles, long_functions, names_for_nothing)
      for folder in (CORE, PLUGINS)),
    (long_files, CORE),
    (unexplained_asserts, CORE),
    *((open_interpreters, folder) for folder in (CORE, PLUGINS)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "folder"), HELD)
def test_a_rule_has_no_offenders(rule, folder):
    files = sources(folder)
    assert len(files) > 20
    assert [offence for source in files for offence in rule(source)] == []


LONG = "def f():\n    '''Do.'''\n" + "    f()\n" * 50


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        (plugins_named, "import torch\n", ["1 names torch"]),
        (
            plugins_named,
            "x = 'runs ONNX'\n# for vgg\nuse_openvino = 1\n",
            ["1 names ONNX", "2 names vgg", "3 names openvino"],
        ),
        (plugins_named, "a.partition('x')\ntorchlight = 1\n", []),
        (plugins_named, "partition(a)\n", ["1 names partition"]),
        (
            plugins_imported,
            "def f():\n    import torch.nn, sympy\n",
            ["2 imports torch.nn", "2 imports sympy"],
        ),
        (plugins_imported, "# edgebench_kit\n", ["0 names edgebench_kit"]),
        (
            early_imports,
            "import numpy\ntry:\n    from torch import nn\nfinally:\n    nn = 0\n",
            ["1 imports numpy early", "3 imports torch early"],
        ),
        (early_imports, "def f():\n    import torch\nif TYPE_CHECKING:\n    import onnx\n", []),
        (
            pickles,
            "import pickle\nload(file, allow_pickle=True)\n",
            ["1 imports pickle", "2 allow_pickle=True"],
        ),
        (pickles, "load(file, weights_only=False)\n", ["1 weights_only=False"]),
        (long_functions, LONG, ["1 f has 51 lines"]),
        (long_functions, LONG.replace("    f()\n", "", 1), []),
        (long_files, "f()\n" * 301, ["301 is too long"]),
        (long_files, "f()\n" * 300, []),
        (unexplained_asserts, "assert x\nassert x  # noqa: S101 (for types)\n", ["1 asserts"]),
        (
            open_interpreters,
            "[sys.executable, '-m', 'a']\n(python, '-u', '-c', 'f()')\n",
            ["1 starts a Python without -P", "2 starts a Python without -P"],
        ),
        (open_interpreters, "[python, '-P', '-m', 'a']\n('python', '-m', 'pip')\n", []),
        (names_for_nothing, "", ["0 is named for nothing"]),
    ],
)  # fmt: skip
def test_an_offence_is_found(rule, text, found):
    assert list(rule(Source(Path("utils.py"), text))) == [f"utils.py:{one}" for one in found]
