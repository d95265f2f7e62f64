"""What A/A runs found on this machine, kept in the user's cache where quick runs find it.

A file for each case that was measured so, in a directory for each machine: what is of another
machine, as in a cache that several share, is never found.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.parts.digest import digest
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import StoreError
from edgebench.records.environment import describe
from edgebench.records.quick import EqualSpread
from edgebench.store.roots import cache_root

if TYPE_CHECKING:
    from edgebench.records.environment import Environment

SCHEMA = 1
"""The version of these files."""


def identify_machine(here: Environment | None = None, root: Path = Path("/")) -> str:
    """Return the digest of what tells this machine from others, and from itself limited otherwise.

    Its processor, processors, memory and quota, and the id that its system was given when it was
    installed; where there is none, its name. *root* is where the system's files are.
    """
    here = here or describe()
    limits = [here.cpus, here.cpus_usable, here.cpu_limit, here.memory_bytes]
    limits += [here.memory_limit_bytes]
    return digest([here.processor, here.architecture, *limits, _read_id(root)])


def _read_id(root: Path) -> str:
    path = root / "etc/machine-id"
    said = path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""
    return said or platform.node()


def keep_spread(found: EqualSpread, case_id: str) -> Path:
    """Keep what an A/A run of a case found, in place of what an earlier one did.

    Raises:
        StoreError: It cannot be written.
    """
    path = _locate() / f"{case_id}.json"
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps({"schema": SCHEMA, **to_document(found)}), encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise StoreError(
            f"what equal cases differ by cannot be kept in {path.parent}: {error.strerror}; "
            "set EDGEBENCH_CACHE to a directory that can be written"
        ) from error
    return path


def find_spread(subjects: Collection[str]) -> EqualSpread | None:
    """Return what the latest A/A run on this machine found, of these subjects where any was.

    *subjects* are models as they are written. None where there was no such run.

    Raises:
        StoreError: A file of them cannot be read.
    """
    directory = _locate()
    known = [_read(path) for path in sorted(directory.glob("*.json"))] if directory.is_dir() else []
    own = [one for one in known if one.subject in subjects]
    return max(own or known, key=lambda one: one.measured, default=None)


def _locate() -> Path:
    return cache_root("EDGEBENCH_CACHE", "assets") / "equal-cases" / identify_machine()


def _read(path: Path) -> EqualSpread:
    try:
        return from_document(EqualSpread, json.loads(path.read_text(encoding="utf-8")))
    except Exception as error:
        raise StoreError(
            f"{path} does not hold what equal cases differ by: {error}; remove it, and "
            "`edgebench run --aa` makes it again"
        ) from error
