"""TOML tables made into records, with errors that point at file, line, table and key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import attrs

from edgebench.parts.errors import OptionError, RegistryError, nearest
from edgebench.parts.units import parse_delay, parse_rate

T = TypeVar("T")
Row = TypeVar("Row")

HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
PLACE = re.compile(r" \(at line (\d+), column \d+\)")

MOST = 2**63 - 1
"""The largest whole number that the results database keeps."""
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
    """One table of a TOML file."""

    file: Path
    text: str = attrs.field(repr=False)
    """The text of the whole file."""
    path: tuple[str, ...]
    """The names that lead to it; empty for the file itself."""
    values: Mapping[str, Any]
    number: int = 0
    """Which table of an array of tables it is."""

    @classmethod
    def parse(cls, file: Path) -> Table:
        """Read *file* and return the table of everything in it.

        Raises:
            RegistryError: It cannot be read, or is not TOML; with the line.
        """
        try:
            # Editors of some systems put a mark before a text, which is none of it.
            text = file.read_text(encoding="utf-8-sig")
            return cls(file, text, (), tomllib.loads(text))
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise RegistryError(f"{file}, line {line}: not UTF-8 text") from error
        except tomllib.TOMLDecodeError as error:
            message = str(error)
            place = PLACE.search(message)
            line = int(place[1]) if place else text.count("\n") + 1
            said = PLACE.sub("", message).removesuffix(" (at end of document)")
            raise RegistryError(f"{file}, line {line}: not TOML: {said}") from error
        except OSError as error:
            raise RegistryError(f"{file} cannot be read: {error.strerror}") from error
        except ValueError as error:  # a number of thousands of digits
            raise RegistryError(f"{file} cannot be read: {error}") from error

    def line(self, key: str = "") -> int:
        """Return the line of *key*, or of the table where the key is not found."""
        # Found anew for each error: one is all that a file gets to raise.
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

    def close(self, known: Collection[str]) -> None:
        """Refuse keys that are not among those *known*."""
        for key in self.values:
            if key not in known:
                what = "key" if self.path else "table"
                raise self.error(f"unknown {what}{nearest(key, known)}", key)

    def read(self, key: str, reader: Callable[[Any], T]) -> T:
        """Return what a reader makes of the value of a key.

        Raises:
            RegistryError: There is no such key, or the reader refuses its value.
        """
        if key not in self.values:
            raise self.error(f"needs the key {key!r}")
        try:
            return reader(self.values[key])
        except (ValueError, OptionError) as error:
            raise self.error(str(error), key) from error

    def table(self, key: str) -> Table:
        """Return the table under *key*; an empty one where there is none."""
        values = self.read(key, _exactly(dict)) if key in self.values else {}
        return Table(self.file, self.text, (*self.path, key), values, self.number)

    def tables(self, key: str) -> tuple[Table, ...]:
        """Return the tables of the array under *key*; none where there is none."""
        values = self.read(key, _tables) if key in self.values else []
        return tuple(
            Table(self.file, self.text, (*self.path, key), value, number)
            for number, value in enumerate(values)
        )

    def row(self, kind: Callable[..., Row], also: Collection[str] = (), **given: Any) -> Row:
        """Make a record of the table: each field is the value of the key of its name.

        The field's type says how the value is read, and its validator is asked. A field whose
        metadata has a `key` is called so in the file. Fields that are *given* are not looked for;
        the keys in *also* are read elsewhere.

        Raises:
            RegistryError: A key is unknown, missing or wrong, or the record refuses the whole.
        """
        record: Any = kind
        fields = {
            field.metadata.get("key", field.name): field
            for field in attrs.fields(attrs.resolve_types(record))
            if field.name not in given
        }
        # First, as a key that is misspelt is one that is missing too: its name says more.
        self.close([*fields, *also])
        for key, field in fields.items():
            if key in self.values or _required(key, field):
                given[field.name] = self._field(key, field)
        try:
            return kind(**given)
        except ValueError as error:
            raise self.error(str(error)) from error

    def _field(self, key: str, field: attrs.Attribute[Any]) -> Any:
        types = get_args(field.type)
        if types and attrs.has(types[0]):
            return tuple(each.row(types[0]) for each in self.tables(key))

        def read(value: Any) -> Any:
            made = (_WRITTEN.get(key) or _READERS[field.type])(value)
            if _required(key, field) and (made == () or not str(made).strip()):
                raise ValueError("must not be empty")
            if field.validator is not None:
                field.validator(None, field, made)
            return made

        return self.read(key, read)


def _required(key: str, field: attrs.Attribute[Any]) -> bool:
    # A link of the command line has no source; what stands in a file always has one.
    return field.default is attrs.NOTHING or key == "source"


# --- readers: from a value of a file to that of a record, or a `ValueError` ----------------------


def _exactly(kind: type[T]) -> Callable[[Any], T]:
    def read(value: Any) -> T:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            found = NAMES.get(type(value), "a date or time")
            raise ValueError(f"must be {NAMES[kind]}, not {found}: {value!r}")
        return value

    return read


def _tables(value: Any) -> list[Mapping[str, Any]]:
    for one in _exactly(list)(value):
        if not isinstance(one, dict):
            raise ValueError(f"must be a list of tables, but holds {one!r}")
    return list(value)


def some_text(value: Any) -> str:
    """Return a text that is not empty."""
    if not text(value).strip():
        raise ValueError("must not be empty")
    return text(value)


def texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts, none of which is empty, or holds what no path can."""
    for one in _exactly(list)(value):
        if one == "":
            raise ValueError("must not be empty, nor hold a text that is")
        if not isinstance(one, str) or not one or "\0" in one:
            raise ValueError(f"must be a list of texts, but holds {one!r}")
    return tuple(value)


def _whole(value: Any, least: int = 1) -> int:
    number = _exactly(int)(value)
    if number < least:
        raise ValueError(f"must be at least {least}, not {number}")
    if number > MOST:
        raise ValueError(f"must be at most {MOST}, not {number}")
    return number


def _real(value: Any, most: float = math.inf) -> float:
    number = value if type(value) is int else _exactly(float)(value)
    if not 0 < number < most:
        below = f" and less than {most}" if most < math.inf else ""
        raise ValueError(f"must be a number greater than 0{below}, not {number}")
    return number


def _price(value: Any) -> float:
    # What belongs to the user costs nothing.
    return 0.0 if value == 0 and value is not False else _real(value)


def _pair(value: Any) -> tuple[str, ...]:
    if len(set(texts(value))) != 2 or len(value) != 2:
        raise ValueError(f"must name two tiers, not {value}")
    return tuple(value)


def _variables(value: Any) -> dict[str, str]:
    for name, one in _exactly(dict)(value).items():
        if not name or "=" in name or "\0" in name + text(one):
            raise ValueError(f"must be a table of environment variables, but holds {name!r}")
    return dict(value)


text = _exactly(str)
_READERS: Mapping[Any, Callable[[Any], Any]] = {
    bool: _exactly(bool),
    str: text,
    int: _whole,
    int | None: _whole,
    float: _real,
    float | None: _real,
    tuple[str, ...]: texts,
    tuple[str, str]: _pair,
    Mapping[str, str]: _variables,
}
"""By the type of a field."""
_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    "memory_gib": lambda value: _real(value, 2**33),
    "rate": lambda value: parse_rate(text(value)),
    "delay": lambda value: parse_delay(text(value)),
    "price_per_gb": _price,
    "price_per_hour": _price,
    "seed": lambda value: _whole(value, 0),
}
"""By the key, where numbers are written with their unit, may be nothing, or have other bounds."""
