"""What a project reads outside of its folder: paths that lead there, and links among its data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebench.toml.tables import Table

READ = ("--model", "--data", "--calibration", "--weights")
"""The options whose texts may be paths that are read."""


def list_outside(root: Table, words: Sequence[str]) -> list[str]:
    """Return the paths that a file names, as they are written, and that lie elsewhere.

    Of a directory in its folder those of its links that lead out are looked for too: the first
    stands for all.

    Args:
        root: The file; of a suite that is its own, the models are looked at.
        words: What it says to run, as options.
    """
    folder = root.file.resolve().parent
    pairs = [word.partition("=") for word in words]
    texts = [text.removeprefix("file:") for option, _, text in pairs if option in READ]
    for name, suite in root.table("suites").values.items():
        cases = suite.get("cases", ()) if isinstance(suite, Mapping) and name in words else ()
        texts += [str(one) for row in cases for one in row.get("models", ())]
    # A path may stand alone, behind a name (`NAME=DIR`), or in brackets.
    named = [one for text in texts for one in (text, *re.split(r"""[(),="']+""", text)) if one]
    return [said for one in dict.fromkeys(named) for said in _list_ways_out(folder, one)]


def _list_ways_out(folder: Path, text: str) -> Iterator[str]:
    try:
        path = folder / text
        told = Path(text).is_absolute() or ".." in Path(text).parts
        if (told or path.exists()) and not path.resolve().is_relative_to(folder):
            yield text
        elif path.is_dir():
            first, *more = [*_find_links(folder, path)] or [""]
            if first:
                yield first + f" and {len(more)} more links of {text}" * bool(more)
    except (OSError, ValueError):  # no path at all, or one that nothing is read of
        return


def _find_links(folder: Path, directory: Path) -> Iterator[str]:
    """Yield the links in a directory of the folder that lead out of it."""
    seen = {directory.resolve()}
    found = [directory]
    for inner in found:  # which grows
        for entry in sorted(os.scandir(inner), key=lambda one: one.name):
            if not (entry.is_symlink() or entry.is_dir()):
                continue
            target = Path(entry.path).resolve()
            if not target.is_relative_to(folder):
                yield str(Path(entry.path).relative_to(folder))
            elif target.is_dir() and target not in seen:
                seen.add(target)
                found.append(Path(entry.path))
