"""What the options give of a user's own: data, directories that are models, what a file names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgebench.cli.common import Common
from edgebench.cli.project import FILE, read_here
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.parts.part import NAME
from edgebench.parts.subjects import Model


def read_data(
    args: argparse.Namespace, common: Common
) -> tuple[dict[str, Path], Path | None, tuple[tuple[str, str], ...]]:
    """Return the directories of named datasets, the data without a name, and what is said of it.

    Raises:
        EdgebenchError: It is not there, or given twice.
    """
    from edgebench.cases.expand import is_there, split_options

    known = [line.name for line in common.plugins.listed(Dataset)] if args.data else []
    named: dict[str, Path] = {}
    own: list[tuple[Path, tuple[tuple[str, str], ...]]] = []
    if args.input_data:
        own.append((find_path(args.input_data, "--input-data"), ()))
    for text in args.data:
        name, equals, directory = text.partition("=")
        if equals and directory and name in known:
            if name in named:
                raise EdgebenchError(f"--data {name} is given twice; leave one out")
            named[name] = Path(directory).resolve()
            continue
        path, said = split_options(text)
        if equals and NAME.fullmatch(name) and not is_there(path):
            raise UnknownName.among("dataset", name, known)
        if text in known and not is_there(text):
            raise EdgebenchError(f"--data: the directory of {text} is written {text}=DIR")
        own.append((find_path(Path(path), "--data"), said))
    if len(own) > 1:
        raise EdgebenchError(f"--data {own[1][0]}: {own[0][0]} is given too; leave one out")
    return named, *(own[0] if own else (None, ()))


def find_path(path: Path, option: str) -> Path:
    """Return the whole path of what an option gives.

    Raises:
        UnknownName: It is not there.
    """
    from edgebench.cases.expand import is_there

    if not is_there(path):
        raise UnknownName(f"{option}: there is no file or directory {str(path)!r}")
    return path.resolve()


def note_directories(models: Sequence[str], common: Common) -> None:
    """Say of a model that is known that a directory of its name is not meant."""
    known = {line.name for line in common.plugins.listed(Model)}
    for text in models:
        if (name := text.partition(":")[0]) in known and Path(name).is_dir():
            common.note(f"edgebench: {name} is the model called so; the directory is ./{name}")


@contextmanager
def point_to_file() -> Iterator[None]:
    """Say of a name that is unknown that the folder's file, which was not read, has it."""
    try:
        yield
    except UnknownName as error:
        name = next(iter(re.findall("'([^']+)'", str(error))), "")
        if not _is_in_file(name):
            raise
        raise UnknownName(
            f"{error}; {FILE} here has {name}, and is not read where options say what to run: "
            f"--registry {FILE} gives it"
        ) from error


def _is_in_file(name: str) -> bool:
    try:
        file = read_here()
    except EdgebenchError:
        # What is wrong with a file that nobody asked for would hide what is wrong here.
        return False
    tables = [file.root.values.get(key) for key in ("tiers", "hybrids", "suites")] if file else []
    return any(isinstance(table, Mapping) and name in table for table in tables)
