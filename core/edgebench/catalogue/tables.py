"""TOML tables read key by key, with errors that point at file, line, table and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from edgebench.parts.errors import RegistryError, nearest

T = TypeVar("T")

HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
PLACE = re.compile(r" \(at line (\d+), column \d+\)")

NAMES: Mapping[type, str] = {
    bool: "true or false",
    dict: "a table",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
}


@attrs.frozen
class _Mark:
    """Where a header or a key stands."""

    line: int
    path: tuple[str, ...]
    number: int
    """Which table of an array it belongs to, from 0."""


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in PART.findall(dotted))


def _marks(text: str) -> Iterator[_Mark]:
    """Find headers and keys by looking at each line alone: the parser keeps no places."""
    path: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    number = 0
    for line, content in enumerate(text.splitlines(), start=1):
        if header := HEADER.fullmatch(content):
            path = _parts(header[2])
            number = seen.get(path, 0) if header[1] == "[[" else 0
            seen[path] = number + 1
            yield _Mark(line, path, number)
        elif key := KEY.match(content):
            yield _Mark(line, path + _parts(key[1]), number)


@attrs.frozen(eq=False)
class Table:
    """One table of a TOML file.

    Every key that is asked for counts as known; `close` refuses those that nobody asked for. So a
    key without a reader is an error, and there is no second list of keys to keep in step.
    """

    file: Path
    text: str = attrs.field(repr=False)
    """The text of the whole file."""
    path: tuple[str, ...]
    """The names that lead to it; empty for the file itself."""
    values: Mapping[str, Any]
    number: int = 0
    """Which table of an array of tables it is."""
    _asked: set[str] = attrs.field(factory=set, init=False)

    @classmethod
    def parse(cls, file: Path) -> Table:
        """Read *file* and return the table of everything in it.

        Raises:
            RegistryError: It cannot be read, or is not TOML; with the line.
        """
        try:
            text = file.read_text(encoding="utf-8")
            return cls(file, text, (), tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            place = PLACE.search(message)
            line = int(place[1]) if place else text.count("\n") + 1
            said = PLACE.sub("", message).removesuffix(" (at end of document)")
            raise RegistryError(f"{file}, line {line}: not TOML: {said}") from error
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise RegistryError(f"{file}, line {line}: not UTF-8 text") from error
        except OSError as error:
            raise RegistryError(f"{file} cannot be read: {error.strerror}") from error

    @property
    def name(self) -> str:
        """The last of the names that lead to it."""
        return self.path[-1]

    def line(self, key: str = "") -> int:
        """Return the line of *key*, or of the table where the key is not found."""
        marks = list(_marks(self.text))
        path = (*self.path, key) if key else self.path
        while path:
            places = [mark for mark in marks if mark.path[: len(path)] == path]
            # Tables written inline have no header of their own to be counted.
            own = [mark for mark in places if mark.number == self.number] or places
            if own:
                return own[0].line
            path = path[:-1]
        return 1

    def error(self, message: str, key: str = "") -> RegistryError:
        """Return the error that says *message* of *key*, or of the table."""
        table = f" [{'.'.join(self.path)}]" if self.path else ""
        named = f" {key}:" if key else ""
        where = f"{self.file}, line {self.line(key)}:{table}{named}"
        return RegistryError(f"{where} {message}")

    def close(self) -> None:
        """Refuse keys that nobody asked for."""
        for key in self.values:
            if key not in self._asked:
                what = "key" if self.path else "table"
                raise self.error(f"unknown {what}{nearest(key, self._asked)}", key)

    def string(self, key: str, default: str | None = None) -> str:
        """Return a text; one that is required must not be empty."""
        value = self._value(key, str, default)
        if default is None and not value.strip():
            raise self.error("must not be empty", key)
        return value

    def strings(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return a list of texts; one that is required must not be empty."""
        values = self._value(key, list, None if default is None else list(default))
        if default is None and not values:
            raise self.error("must not be empty", key)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.error(f"must be a list of texts, but holds {value!r}", key)
        return tuple(values)

    def choice(self, key: str, known: Collection[str]) -> str:
        """Return a text that must be one of *known*."""
        value = self.string(key)
        if value not in known:
            raise self.error(f"no such {key}: {value!r}{nearest(value, known)}", key)
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number of at least 1."""
        value = self._value(key, int, default)
        if value < 1:
            raise self.error(f"must be at least 1, not {value}", key)
        return value

    def real(self, key: str) -> float:
        """Return a number greater than 0."""
        if type(self.values.get(key)) is int:
            return self.whole(key)
        value = self._value(key, float, None)
        if not 0 < value < float("inf"):
            raise self.error(f"must be a number greater than 0, not {value}", key)
        return value

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return what *read*, a method of this table, makes of *key*; None where it is not."""
        self._asked.add(key)
        return read(key) if key in self.values else None

    def names(self) -> tuple[str, ...]:
        """Return all its keys, which thereby count as known: for a table of names of one's own."""
        self._asked.update(self.values)
        return tuple(self.values)

    def table(self, key: str) -> Table:
        """Return the table under *key*; an empty one where there is none."""
        values = self._value(key, dict, {})
        return Table(self.file, self.text, (*self.path, key), values)

    def tables(self, key: str) -> tuple[Table, ...]:
        """Return the tables of the array under *key*; none where there is none."""
        values = self._value(key, list, [])
        for value in values:
            if not isinstance(value, dict):
                raise self.error(f"must be a list of tables, but holds {value!r}", key)
        path = (*self.path, key)
        return tuple(
            Table(self.file, self.text, path, value, number) for number, value in enumerate(values)
        )

    def _value(self, key: str, wanted: type[T], default: T | None) -> T:
        self._asked.add(key)
        value = self.values.get(key, default)
        if value is None:
            raise self.error(f"needs the key {key!r}")
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            found = NAMES.get(type(value), "a date or time")
            raise self.error(f"must be {NAMES[wanted]}, not {found}: {value!r}", key)
        return value
