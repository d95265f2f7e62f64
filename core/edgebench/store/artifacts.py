"""The artifact store: what is made once is found again by the digest of all that determines it.

An entry is a directory named by its key, with a `manifest.json` that holds the SHA-256 of each of
its files. It is written under a temporary name and renamed when complete, so a kill leaves no half
entry; one whose files do not match its manifest is removed and made again; and a lock for each key
lets two processes that want the same thing make it once.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.digest import digest
from edgebench.parts.errors import StoreError
from edgebench.parts.pipeline import Edit, Exit, Pipeline, Stage, State, TensorSpec
from edgebench.store.digests import file_digest
from edgebench.store.locks import hold_lock, remove_unheld
from edgebench.store.roots import cache_root
from edgebench.store.scratch import make_owned, remove_leftovers

MANIFEST = "manifest.json"
PIPELINE = "pipeline.json"
ASIDE = "making.json"
"""How an entry was made: no part of what it holds."""
RESOURCES = "resources"
COMPILED = "compiled"
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
TMP = "tmp"
LOCKS = "locks"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@attrs.frozen(kw_only=True)
class Entry:
    """One thing in the store."""

    key: str
    path: Path
    what: str
    """In a few words, what it is."""
    size: int
    """Bytes of its files together."""
    used: float
    """When it was last asked for, in seconds since the epoch."""


@attrs.frozen
class Store:
    """A directory of entries by key, shared by all processes of a user.

    Raises:
        StoreError: From every method, where the directory cannot be read or written.
    """

    root: Path = attrs.field(factory=lambda: cache_root("EDGEBENCH_STORE", "store"), converter=Path)
    """`$EDGEBENCH_STORE`, else `edgebench/store` in the user's cache directory."""
    _checked: set[str] = attrs.field(factory=set, init=False, eq=False, repr=False)
    """Keys whose files this process has checked: hashing a large entry takes seconds."""

    def locate(self, key: str) -> Path:
        """Return where the entry *key* lies, or would lie if it were there."""
        return self.root / key[:2] / key

    def find(self, key: str) -> Path | None:
        """Return where the entry *key* lies, its files checked; None if it is not there.

        An entry that does not match its manifest is removed.
        """
        path = self.locate(key)
        if not path.is_dir():
            return None
        with self._explain("use"):
            if self._is_sound(key):
                return path
        with self.lock(key):
            # Whoever held the lock before may have made it again.
            return self._keep_sound(key)

    def make(self, key: str, what: str, fill: Callable[[Path], None]) -> Path:
        """Return the entry *key*, made by *fill* in an empty directory if it is not there.

        *fill* may raise: nothing is left behind then.
        """
        if path := self.find(key):
            # Without its lock, which takes a store that can be written.
            return path
        with self.lock(key):
            return self._keep_sound(key) or self._fill(key, what, fill)

    @property
    def compiled(self) -> Store:
        """What is compiled on hosts: a store of its own below, all that such a host needs of it."""
        return Store(self.root / COMPILED)

    def entries(self) -> Iterator[Entry]:
        """Yield every entry, in order of key, then what is compiled, without checking files."""
        places = ("??", f"{COMPILED}/??")
        for manifest in (m for at in places for m in sorted(self.root.glob(f"{at}/*/{MANIFEST}"))):
            document = _read_manifest(manifest) or {"what": "damaged", "files": {}}
            yield Entry(
                key=manifest.parent.name,
                path=manifest.parent,
                what=document["what"],
                size=sum(file["bytes"] for file in document["files"].values()),
                used=manifest.stat().st_mtime,
            )

    def collect(self, older_than_s: float) -> list[Entry]:
        """Remove entries not asked for since so many seconds, and what kills left behind."""
        cutoff = time.time() - older_than_s
        gone = [entry for entry in self.entries() if entry.used < cutoff]
        for entry in gone:
            # What is compiled is locked where whoever compiles it locks it.
            with Store(entry.path.parents[1]).lock(entry.key):
                shutil.rmtree(entry.path)
        self.clear_up()
        return gone

    def clear_up(self) -> None:
        """Remove what is half made and whose maker was killed, and locks that nobody holds."""
        with self._explain("write to"):
            for root in (self.root, self.compiled.root):
                # What is being written now must not be taken away from under its writer.
                remove_leftovers(root / TMP, all_ours=True)
                remove_unheld(root / LOCKS)

    def measure_half_made(self) -> int:
        """Return the bytes of what is being made, or was when its maker was killed."""
        places = (self.root / TMP, self.compiled.root / TMP)
        return sum(_size(path) for place in places for path in place.rglob("*"))

    def _keep_sound(self, key: str) -> Path | None:
        """Return where an entry lies; None where it is not there, or was damaged and is removed."""
        path = self.locate(key)
        if path.is_dir() and self._is_sound(key):
            return path
        shutil.rmtree(path, ignore_errors=True)
        return None

    def _is_sound(self, key: str) -> bool:
        path = self.locate(key)
        if key not in self._checked:
            if not _matches_manifest(path):
                return False
            self._checked.add(key)
        try:
            os.utime(path / MANIFEST)
        except OSError as error:
            # A store that may only be read serves what is in it, and forgets when it was asked.
            if error.errno not in READ_ONLY:
                raise
        return True

    def _fill(self, key: str, what: str, fill: Callable[[Path], None]) -> Path:
        with self._explain("write to"):
            (self.root / TMP).mkdir(parents=True, exist_ok=True)
            workplace = make_owned(self.root / TMP)
        try:
            # Other errors of the system than a lack of room are those of whoever fills.
            with self._explain("write to", NO_ROOM):
                fill(workplace)
            with self._explain("write to"):
                manifest = {"what": what, "files": _describe_files(workplace)}
                (workplace / MANIFEST).write_text(json.dumps(manifest, indent=1))
                self.locate(key).parent.mkdir(exist_ok=True)
                workplace.rename(self.locate(key))
        finally:
            shutil.rmtree(workplace, ignore_errors=True)
        self._checked.add(key)
        return self.locate(key)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the lock of an entry, so that no other process makes or removes it."""
        locks = self.root / LOCKS
        with ExitStack() as held:
            with self._explain("write to"):
                locks.mkdir(parents=True, exist_ok=True)
                held.enter_context(hold_lock(locks / key))
            yield

    @contextmanager
    def _explain(self, doing: str, only: Container[int | None] | None = None) -> Iterator[None]:
        """Say of errors of the system that it is the store that they befell."""
        try:
            yield
        except OSError as error:
            if only is not None and error.errno not in only:
                raise
            raise StoreError(
                f"cannot {doing} the artifact store {self.root}: {error.strerror or error}; "
                "make room or set EDGEBENCH_STORE to a directory that can be written"
            ) from error


def _size(path: Path) -> int:
    """Return the bytes of a file; none of what is no file, or is gone meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _describe_files(directory: Path) -> dict[str, dict[str, Any]]:
    """Describe every file below a directory by its relative path."""
    return {
        str(path.relative_to(directory)): {
            "sha256": file_digest(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def digest_content(entry: Path, *, doubts: bool = True) -> str:
    """Return the digest of what the files of an entry hold, whatever its key and how it was made.

    The manifest is believed: finding the entry has checked it. What was doubted of a pipeline makes
    it no other one to run, and is left aside without *doubts*.
    """
    files = json.loads((entry / MANIFEST).read_text())["files"]
    held = {name: file["sha256"] for name, file in files.items() if name != ASIDE}
    if not doubts:
        held[PIPELINE] = json.loads((entry / PIPELINE).read_text()) | {"doubts": []}
    return digest(held)


def _matches_manifest(directory: Path) -> bool:
    manifest = _read_manifest(directory / MANIFEST)
    try:
        return manifest is not None and bool(manifest["files"] == _describe_files(directory))
    except OSError:
        # A file that cannot be read is as good as lost.
        return False


def _read_manifest(path: Path) -> dict[str, Any] | None:
    """Read a manifest; None if it is not what was written: missing, truncated or foreign."""
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return document if {"what", "files"} <= document.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


# --- pipelines as directories --------------------------------------------------------------------


def write_pipeline(pipeline: Pipeline, directory: Path) -> None:
    """Write `pipeline.json` and the resources; each stage's files lie in `stage-K` already."""
    # Live objects are no documents, and where an entry lies is known to whoever finds it.
    document = attrs.asdict(
        pipeline,
        filter=lambda field, _: field.name not in ("live", "directory", "resources"),
    )
    for name, held in pipeline.resources.items():
        (directory / RESOURCES).mkdir(exist_ok=True)
        (directory / RESOURCES / name).write_bytes(held)
    (directory / PIPELINE).write_text(json.dumps(document, indent=1))


def read_pipeline(directory: Path) -> Pipeline:
    """Read what `write_pipeline` wrote; the stages have their directories and no live objects."""
    # By hand, as orders are read: every host reads one while its cold start is timed, and would
    # import cattrs for it.
    document = json.loads((directory / PIPELINE).read_text())
    stages = [
        _read_stage(values, directory / f"stage-{number}")
        for number, values in enumerate(document.pop("stages"))
    ]
    resources = {path.name: path.read_bytes() for path in sorted(directory.glob(f"{RESOURCES}/*"))}
    return Pipeline(stages=stages, resources=resources, **document)


def _read_stage(values: dict[str, Any], directory: Path) -> Stage:
    leaves = values.pop("exit")
    return Stage(
        inputs=[TensorSpec(**spec) for spec in values.pop("inputs")],
        outputs=[TensorSpec(**spec) for spec in values.pop("outputs")],
        edits=[Edit(**edit) for edit in values.pop("edits")],
        exit=Exit(**leaves) if leaves else None,
        states=[
            State(read=TensorSpec(**one["read"]), written=one["written"])
            for one in values.pop("states", ())
        ],
        directory=directory,
        **values,
    )
