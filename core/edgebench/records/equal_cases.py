"""What A/A runs found on this machine, kept in the user's cache where quick runs find it.

A file for each case that was measured so, in a directory for each machine: what is of another
machine, as in a cache that several share, is never found.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.parts.digest import digest
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import StoreError
from edgebench.records.environment import describe
from edgebench.records.quick import EqualSpread
from edgebench.store.roots import cache_root, write_at_once

if TYPE_CHECKING:
    from edgebench.cases.case import Case
    from edgebench.records.environment import Environment

SCHEMA = 2
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(path, json.dumps({"schema": SCHEMA, **to_document(found)}))
    except OSError as error:
        raise StoreError(
            f"what equal cases differ by cannot be kept in {path.parent}: {error.strerror}; "
            "set EDGEBENCH_CACHE to a directory that can be written"
        ) from error
    return path


def find_spread(cases: Collection[Case]) -> EqualSpread | None:
    """Return what A/A runs on this machine found that is nearest to some cases.

    That of one of these cases goes first, then that of one of their models under the same
    conditions, of several the shortest, as short cases differ by more; else the latest of one of
    their models, else of any. None where there was no such run. A file that is not one is passed
    over; `list_unreadable` says which are.
    """
    ids, subjects = {case.id for case in cases}, {case.subject for case in cases}

    def rank(one: EqualSpread) -> tuple[int, float, str]:
        near = 2 * (one.case_id in ids) or int(any(map(one.is_like, cases)))
        own = one.subject in subjects
        return near, -one.median_s if near else float(own), one.measured

    return max((one for one in _read_all() if not isinstance(one, str)), key=rank, default=None)


def list_unreadable() -> list[str]:
    """Return which files of this machine hold no such figures, and why, in a sentence each."""
    return [one for one in _read_all() if isinstance(one, str)]


def _locate() -> Path:
    return cache_root("EDGEBENCH_CACHE", "assets") / "equal-cases" / identify_machine()


def _read_all() -> Iterator[EqualSpread | str]:
    """Yield what each file holds; of one that cannot be read, why."""
    directory = _locate()
    for path in sorted(directory.glob("*.json")) if directory.is_dir() else []:
        try:
            yield _read(path)
        except StoreError as error:
            yield str(error)


def _read(path: Path) -> EqualSpread:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        _refuse_version(document["schema"])
        return from_document(EqualSpread, document)
    except Exception as error:
        why = " ".join(str(error).split())
        raise StoreError(
            f"{path} does not hold what equal cases differ by, so it is passed over: {why}; "
            "remove it, and `edgebench run --aa` makes it again"
        ) from error


def _refuse_version(schema: object) -> None:
    if schema != SCHEMA:
        raise ValueError(f"it is of version {schema}, not {SCHEMA}")
