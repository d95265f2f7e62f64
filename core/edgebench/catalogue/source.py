"""What a plugin's code is, for keys: its source, what it shares with others, what it stands on."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path

import attrs


@attrs.frozen
class Source:
    """The code behind a module."""

    digest: str
    """SHA-256 of its file, or of it and all that it imports from its own package together."""
    imports: tuple[str, ...]
    """The top-level modules that these import anywhere, sorted, the standard library's left out."""


def read_source(file: Path, name: str) -> Source:
    """Read a module's file, and the files beside it that it imports, directly or not.

    What several plugins share lies in modules of their package: a change there changes them all.
    A plugin that is a single file shares what lies in its directory.
    """
    read: dict[Path, bytes] = {}
    outside: set[str] = set()
    waiting = [(file, name)]
    while waiting:
        path, module = waiting.pop()
        if path in read:
            continue
        read[path] = path.read_bytes()
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        for imported in _imported(read[path], package):
            inside = _inside(imported, name, file)
            if inside is None:
                outside.add(imported.partition(".")[0])
            else:
                waiting.append((inside, imported))
    outside -= sys.stdlib_module_names | {name.partition(".")[0]}
    return Source(_joined(list(read.values())), tuple(sorted(outside)))


def _joined(sources: list[bytes]) -> str:
    digests = sorted(hashlib.sha256(source).hexdigest() for source in sources)
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _imported(source: bytes, package: str) -> Iterator[str]:
    """Yield the full name of everything that a source imports, names in modules among them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            if node.level and not package:
                continue
            base = resolve_name(relative, package) if node.level else relative
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _inside(imported: str, name: str, file: Path) -> Path | None:
    """Return the file of an imported module of the plugin's own; None for all others."""
    package = name.partition(".")[0] if "." in name else ""
    if not package:
        beside = file.with_name(f"{imported.split('.', maxsplit=1)[0]}.py")
        return beside if beside.is_file() and beside != file else None
    if not imported.startswith(f"{package}."):
        return None
    # What is imported from a module may be a module below it, or a name in it.
    try:
        spec = find_spec(imported)
    except ModuleNotFoundError:
        return None
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None
