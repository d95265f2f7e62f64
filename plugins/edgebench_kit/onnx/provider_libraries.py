"""Libraries of execution providers that are installed as packages, found without importing any."""

from __future__ import annotations

import mmap
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench import CaseFailed

ENTRY = b"CreateEpFactories"
"""What each library exports, by which ONNX Runtime knows it."""
RUNTIME = "onnxruntime"
"""The package that they extend: those that hold it are no providers of their own."""
SUFFIXES = (".so", ".dll", ".dylib")
SAID = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
"""What the runtime puts before each message, its own and those that it passes on."""
NO_WORD = re.compile(r"(lib|onnxruntime_providers_|onnxruntime_ep_|onnxruntime_)")
NO_ENDING = re.compile(r"_(plugin|ep|plugin_ep|ep_plugin)$")


@attrs.frozen(kw_only=True)
class ProviderLibrary:
    """A library that offers execution providers."""

    path: Path
    distribution: str = ""
    """What installed it; empty for one that was named by its path."""
    version: str = ""
    package: str = ""
    """The module to import, in whose folder it lies."""

    @property
    def name(self) -> str:
        """What it is registered as: its file's name without what all such names hold."""
        stem = self.path.name.partition(".")[0]
        while found := NO_WORD.match(stem):
            stem = stem[found.end() :]
        return NO_ENDING.sub("", stem) or self.path.stem

    def __str__(self) -> str:
        """Return what people know it by."""
        return f"{self.distribution} {self.version}" if self.distribution else str(self.path)


def list_distributions() -> Sequence[tuple[Path, str, str]]:
    """Return the installed distributions that may hold one: their records, names and versions.

    What extends the runtime is named after it. Their folders are looked at by name alone.
    """
    found: dict[str, tuple[Path, str, str]] = {}
    for place in map(Path, sys.path):
        for folder in place.glob(f"*{RUNTIME}*.dist-info") if place.is_dir() else ():
            name, _, version = folder.stem.partition("-")
            plain = re.sub(r"[-_.]+", "-", name).lower()
            if plain != RUNTIME:
                # That which comes first on the path is the one that would be imported.
                found.setdefault(plain, (folder / "RECORD", plain, version))
    return tuple(found.values())


def find_libraries() -> Sequence[ProviderLibrary]:
    """Return the installed libraries, in the order of their distributions' names."""
    found = (one for listed in sorted(list_distributions()) for one in _read_record(*listed))
    return tuple(found)


def _read_record(record: Path, distribution: str, version: str) -> Iterator[ProviderLibrary]:
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    files = [line.rsplit(",", 2)[0].strip('"') for line in lines]
    if f"{RUNTIME}/__init__.py" in files:
        return
    for file in files:
        path = record.parent.parent / file
        if path.suffix in SUFFIXES and "/" in file and _is_provider(path):
            yield ProviderLibrary(
                path=path,
                distribution=distribution,
                version=version,
                package=file.partition("/")[0],
            )


def _is_provider(path: Path) -> bool:
    """Say whether a file names what every library of providers exports."""
    if not re.search(r"onnxruntime|provider|(^|_)ep(_|\.)", path.name):
        return False  # what such a library needs beside it may be large
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return content.find(ENTRY) >= 0
    except (OSError, ValueError):
        return False


def register(library: ProviderLibrary) -> Sequence[Any]:
    """Have the runtime load a library, once a process, and return the devices that it offers.

    Raises:
        CaseFailed: It cannot be loaded, or another of the same name was loaded before.
    """
    import onnxruntime

    known = False
    try:
        onnxruntime.register_execution_provider_library(library.name, str(library.path))
    except Exception as error:
        known = "already registered" in str(error)
        if not known:
            why = say(error).rpartition(f"{library.path}: ")[2]
            raise CaseFailed(f"{library} cannot be loaded: {why}") from error
    devices = onnxruntime.get_ep_devices()
    path = os.path.realpath(library.path)
    found = [
        one for one in devices if os.path.realpath(one.ep_metadata.get("library_path", "")) == path
    ]
    if known and not found:
        raise CaseFailed(
            f"{library} cannot be loaded: a library of the name {library.name!r} is in use already"
        )
    return found


def say(error: Exception) -> str:
    """Return the line that says why, of an error that passed through the runtime."""
    last = SAID.split(str(error))[-1]
    lines = [line.strip() for line in last.splitlines()]
    told = [line for line in lines if line and not line.startswith("Exception from")]
    return told[0] if told else type(error).__name__
