"""Digests of files and directories: of what they hold, or of how they are listed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.digest import digest
from edgebench.parts.errors import ChainError, DataError

OWN = ("edgebench.db", "edgebench.toml")
"""How the names begin of the results, with SQLite's files beside them, and of a project."""


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hashed once a process as long as size and time stay."""
    found = path.stat()
    return _remembered(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _remembered(path: Path, size: int, changed_ns: int) -> str:
    return file_digest(path)


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files of a directory with their names.

    Raises:
        ChainError: It is not there.
        DataError: It, or a file of it, cannot be read.
    """
    try:
        if not path.exists():
            raise ChainError(f"no file or directory is called {str(path)!r}")
        if path.is_file():
            return remembered_digest(path)
        return digest(
            [[str(one.relative_to(path)), remembered_digest(one)] for one in _files(path)]
        )
    except OSError as error:
        raise DataError(
            f"{error.filename or path} cannot be read: {error.strerror or error}"
        ) from error


def describe_options(options: Any) -> dict[str, Any]:
    """Return the values of an options instance, a file or a directory by what it holds.

    Raises:
        ChainError: One is not there.
        DataError: It cannot be read.
    """
    values = attrs.asdict(options, recurse=False)
    return {name: _describe_value(value) for name, value in values.items()}


def _describe_value(value: Any) -> Any:
    if isinstance(value, Path):
        return content_digest(value)
    if isinstance(value, tuple | list):
        return [_describe_value(one) for one in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def digest_paths(options: Any) -> dict[str, str]:
    """Return by option the digests of the files and directories that an options instance names.

    What is not there is left out: whoever needs it says so.
    """
    values = attrs.asdict(options, recurse=False)
    paths = {name: value for name, value in values.items() if isinstance(value, Path)}
    return {name: content_digest(path) for name, path in paths.items() if path.exists()}


def listing_digest(path: Path) -> str:
    """Return a digest of the names, sizes and times of change of all files of a directory.

    A dataset may hold gigabytes, which are not read for this. Of the times of change the file
    system's own counts too, which nobody sets: archives and copies bring the other with them. What
    edgebench itself writes beside data is left out: it changes while a run goes on.
    """
    if path.is_file():
        return content_digest(path)
    files = (file for file in _files(path) if not file.name.startswith(OWN))
    return digest([[str(file.relative_to(path)), *_size_and_times(file)] for file in files])


def _size_and_times(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        # A link to nothing: whoever reads the directory says so.
        return -1, -1, -1
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _files(directory: Path) -> Iterator[Path]:
    """Yield every file below a directory in order, those behind links to directories too."""
    seen: set[tuple[int, int]] = set()
    for where, below, names in os.walk(directory, followlinks=True):
        here = Path(where).stat()
        if (here.st_dev, here.st_ino) in seen:
            below.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        below.sort()
        yield from (Path(where, name) for name in sorted(names))
