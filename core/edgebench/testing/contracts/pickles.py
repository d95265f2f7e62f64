"""Finding pickles in files: alone, in archives, in arrays of objects."""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path

RUNS_CODE = frozenset(["GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE"])
"""Opcodes with which a pickle calls what it names."""
ARRAY = b"\x93NUMPY"
DEEP = 4
"""Archives within archives that are looked into."""


def find_pickles(directory: Path) -> list[str]:
    """Return the files below a directory that are, or hold, a pickle; what an archive holds too."""
    return [
        found
        for file in sorted(directory.rglob("*"))
        if file.is_file()
        for found in _find(file.read_bytes(), str(file.relative_to(directory)), DEEP)
    ]


def _find(content: bytes, name: str, deep: int) -> Iterator[str]:
    if _is_pickle(content):
        yield name
    elif content.startswith(ARRAY):
        # Whatever is in the header, an array of objects goes on as a pickle.
        if b"'O'" in content[:256] or b"|O" in content[:256]:
            yield name
    elif deep and zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from _find(archive.read(member), f"{name}!{member}", deep - 1)


def _is_pickle(content: bytes) -> bool:
    """Say whether bytes begin with a whole pickle.

    One of the old protocols has no mark at its begin: it counts if it calls something, as almost
    any text is a pickle of a text.
    """
    marked = len(content) > 2 and content[0] == 0x80 and content[1] <= 5
    called = False
    try:
        for opcode, _, _ in pickletools.genops(content):
            called |= opcode.name in RUNS_CODE
    except Exception:  # noqa: BLE001 (whatever it raises, it is none)
        return False
    return marked or called
