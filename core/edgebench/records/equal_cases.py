"""What A/A runs found on this machine, kept in the user's cache where quick runs find it.

A file for each case that was measured so, in a directory for each machine: what is of another
machine, as in a cache that several share, is never found.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.parts.digest import digest
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import StoreError
from edgebench.records.environment import describe
from edgebench.records.quick import EqualSpread, Quick
from edgebench.store.roots import cache_root, write_at_once

if TYPE_CHECKING:
    from edgebench.records.environment import Environment
    from edgebench.records.quick import Setting

SCHEMA = 3
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


def find_quick(settings: Mapping[str, Setting]) -> Quick:
    """Return what a quick run of some cases rests on: figures, and which cases they are of."""
    found = find_spread(settings)
    like = tuple(case for case, one in settings.items() if found and found.is_like(one))
    return Quick(spread=found, like=like)


def find_spread(settings: Mapping[str, Setting]) -> EqualSpread | None:
    """Return what A/A runs on this machine found that is nearest to some cases.

    That of one of these cases goes first, then that of one of their models under the same
    conditions, of several the shortest, as short cases differ by more; else the latest of one of
    their models, else of any. One of a case whose weights, or whose tier's speed, are others by now
    is none of it. None where there was no such run. A file that is not one is passed over;
    `list_unreadable` says which are.

    Args:
        settings: By the ids of the cases, what they measure.
    """
    subjects = {one.subject for one in settings.values()}

    def rank(one: EqualSpread) -> tuple[int, float, str]:
        like = {case for case, setting in settings.items() if one.is_like(setting)}
        near = 2 if one.case_id in like else int(bool(like))
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
