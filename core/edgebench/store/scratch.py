"""Directories for what is thrown away: each carries its owner, and goes when that one is gone."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgebench.parts.errors import EdgebenchError
from edgebench.store.owners import end_marked, identify_owner, is_gone

PREFIX = "edgebench-"
"""How the names of scratch directories begin."""
OWNER = r"(?P<owner>[0-9a-f]{8}-\d+-\d+)-"
SOCKET_ROOM = 107 - len("/control") - 8
"""Characters that a directory's path may have for sockets to be bound in it: what the kernel's
`sockaddr_un` takes, less their names and the random end of the directory's."""
LONG_S = 24 * 3600.0
"""Age at which what somebody elsewhere made, who may not be asked, is taken for left behind."""


def make_owned(where: Path, prefix: str = "") -> Path:
    """Make an empty directory, only for this user, that carries this process's name."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{identify_owner()}-", dir=where))


@contextmanager
def open_scratch(where: Path | None = None) -> Iterator[Path]:
    """Give a directory for what is thrown away when the context ends, or by a later run."""
    made = make_owned(where or Path(tempfile.gettempdir()), PREFIX)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def find_short_place() -> Path:
    """Return a directory with a path so short that sockets can be bound in a scratch within it.

    Raises:
        EdgebenchError: There is none that can be written.
    """
    own = Path(tempfile.gettempdir())
    places = (own, Path("/tmp"), Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"))  # noqa: S108
    for place in places:
        longest = len(os.fsencode(place / f"{PREFIX}{identify_owner()}-"))
        if longest <= SOCKET_ROOM and os.access(place, os.W_OK | os.X_OK):
            return place
    raise EdgebenchError(
        f"TMPDIR, {own}, is too long a path for sockets, and none of "
        f"{', '.join(map(str, places[1:]))} can be written: set TMPDIR to a shorter path"
    )


def remove_leftovers(where: Path, prefix: str = "", *, all_ours: bool = False) -> None:
    """Remove the directories of processes that were killed before they did it themselves.

    Those whose names begin with the prefix and go on with an owner; and what carries none, once it
    is old, where all in the directory is known to be ours.
    """
    pattern = re.compile(re.escape(prefix) + OWNER)
    for left in where.glob(f"{prefix}*"):
        named = pattern.match(left.name)
        owner = named["owner"] if named else ""
        if (owner and is_gone(owner)) or ((owner or all_ours) and _is_forgotten(left, owner)):
            # Another run may be removing it too.
            shutil.rmtree(left, ignore_errors=True)


def _is_forgotten(left: Path, owner: str) -> bool:
    """Say whether what nobody here made has not been written to for long."""
    if owner.partition("-")[0] == identify_owner().partition("-")[0]:
        return False
    try:
        return left.stat().st_mtime < time.time() - LONG_S
    except FileNotFoundError:
        return False


def clear_up() -> None:
    """End the processes and remove the directories that runs on this machine left when killed."""
    end_marked(lambda mark: is_gone(mark.partition("/")[0]))
    for place in {Path(tempfile.gettempdir()), find_short_place()}:
        remove_leftovers(place, PREFIX)
