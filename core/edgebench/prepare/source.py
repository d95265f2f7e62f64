"""What a plugin's code is, for keys: what it and all that it shares say, and what it stands on."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import MappingProxyType, ModuleType

import attrs

from edgebench.catalogue.plugin import Plugin
from edgebench.parts.digest import digest

CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
"""Conditions under which nothing runs."""
CORE = __name__.partition(".")[0]
FIGURES = f"{CORE}.metrics"
"""The part of the core that scores are made of; what else the core makes has a number in keys."""


@attrs.frozen
class Source:
    """The code behind a module: its own, and that of plugins which it imports, directly or not."""

    modules: Mapping[str, str] = MappingProxyType({})
    """By dotted name, the SHA-256 of what each module says, without comments and layout."""
    outside: frozenset[str] = frozenset()
    """The top-level modules that these import beside each other, anywhere."""

    @property
    def digest(self) -> str:
        """SHA-256 of what all its modules say together; empty where there is none."""
        if len(self.modules) > 1:
            return digest(sorted(self.modules.items()))
        # A file alone goes by what it says: its name is where somebody happened to keep it.
        return "".join(self.modules.values())

    @property
    def imports(self) -> tuple[str, ...]:
        """What it stands on, sorted: the modules outside, the standard library's left out."""
        return tuple(sorted(self.outside - sys.stdlib_module_names))


@attrs.frozen
class _Module:
    """One file: what it says, and what it imports."""

    digest: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """The level of each import, the module it names, and the names it takes from that."""


@cache
def read_code(plugin: Plugin) -> Source:
    """Return the code behind a plugin, which is read once; empty where it has no file."""
    name = getattr(plugin.module, "__module__", "")
    module = plugin.module if isinstance(plugin.module, ModuleType) else sys.modules.get(name)
    file = getattr(module, "__file__", None)
    return read_source(Path(file), module.__name__) if file and module else Source()


def read_source(file: Path, name: str) -> Source:
    """Follow the imports of a module into all code that may change without its version.

    That is what lies in its own source tree (in its own package, where it is installed among
    others); every package whose name begins as the core's and an underscore, which is how packages
    of plugins' code are called, whoever brings them; and the figures of merit of the core. All
    other packages are told by their versions.
    """
    root = _find_root(file, name)
    modules: dict[str, str] = {}
    outside: set[str] = set()
    waiting = [(file, name), *_find_modules(name, root)]
    while waiting:
        path, module = waiting.pop()
        if module in modules:
            continue
        read = _read(path.read_bytes())
        modules[module] = read.digest
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for imported in _resolve(read, package):
            homes = _find_homes(imported, name, root)
            waiting += [found for home in homes for found in _find_modules(imported, home)]
            if not homes:
                outside.add(imported.partition(".")[0])
    return Source(modules, frozenset(outside))


def _find_root(file: Path, name: str) -> Path:
    """Return the directory in which a module's top-level package lies, or its only file."""
    depth = name.count(".") + (file.name == "__init__.py")
    return file.parents[depth]


def _find_homes(imported: str, name: str, root: Path) -> list[Path]:
    """Return the directories in which to look for an imported module; none for a stranger's."""
    top = imported.partition(".")[0]
    if top == CORE:
        inside = f"{imported}.".startswith(f"{FIGURES}.")
        return [Path(__file__).parents[2]] if inside else []
    if top == name.partition(".")[0]:
        # A package without a file of its own may lie in several directories.
        return [root, *_find_parents(top)]
    if not _holds_distributions(root) and any(_find_modules(top, root)):
        return [root]
    return _find_parents(top) if top.startswith(f"{CORE}_") else []


def _find_parents(top: str) -> list[Path]:
    """Return the directories in which the parts of a top-level package lie."""
    try:
        spec = find_spec(top)
    except ValueError:  # it was loaded from a file that no path leads to
        spec = None
    return [Path(place).parent for place in (spec and spec.submodule_search_locations) or ()]


@lru_cache(maxsize=64)
def _holds_distributions(root: Path) -> bool:
    """Say whether packages are installed in a directory, each with its version beside it."""
    return any(root.glob("*.dist-info"))


def _find_modules(imported: str, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that importing a name runs: of its packages, and its own if it is a module.

    The face of the core is left out: it imports what no plugin can change.
    """
    parts = imported.split(".")
    for end in range(1, len(parts) + 1):
        base, module = root.joinpath(*parts[:end]), ".".join(parts[:end])
        for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if module != CORE and path.is_file():
                yield path, module
                break


def _resolve(module: _Module, package: str) -> Iterator[str]:
    """Yield the full name of everything that is imported, names in modules among them."""
    for level, base, names in module.imports:
        if level > package.count(".") + bool(package):
            continue
        full = resolve_name("." * level + base, package) if level else base
        yield full
        yield from (f"{full}.{name}" for name in names)


@lru_cache(maxsize=1024)
def _read(source: bytes) -> _Module:
    """Read a source once, however many plugins share it.

    A tree that is written out again says what the source says: comments, blank lines, quotes,
    brackets and the width of lines are gone. Another Python may write a tree otherwise: what was
    kept is then made again, and never taken for something that it is not. A source that cannot be
    parsed, or that is nested too deeply to be written out, goes by its bytes.
    """
    imports: tuple[tuple[int, str, tuple[str, ...]], ...] = ()
    try:
        tree = ast.parse(source)
        imports = tuple(_list_imports(tree))
        if b"__doc__" not in source:
            _drop_texts(tree)
        # Some compilers read types from comments.
        said = b"".join([ast.unparse(tree).encode(), *re.findall(rb"#\s*type:.*", source)])
    except (SyntaxError, ValueError, RecursionError):
        return _Module(hashlib.sha256(source).hexdigest(), imports)
    return _Module(hashlib.sha256(said).hexdigest(), imports)


def _drop_texts(tree: ast.Module) -> None:
    """Take out texts that stand alone as statements: docstrings, and texts under fields."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "handlers", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):  # the body of a lambda or of a conditional is no block
                block[:] = [one for one in block if not _is_text(one)]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _list_imports(tree: ast.Module) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield what a tree imports anywhere, but for what only type checkers see."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in CHECKERS:
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)
