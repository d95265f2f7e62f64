"""Tables as people have them: CSV, TSV and lines of JSON, read row by row.

What separates the columns, and whether quotes are quotes, is found from what the file holds.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.text_files import decode_text, read_file

TABBED = (".tsv", ".tab")
DELIMITED = (".csv", *TABBED)
JSON = (".jsonl", ".ndjson", ".json")
ENDINGS = DELIMITED + JSON
HEAD = 1 << 16
"""Bytes from which the columns are found, before a table is read."""
LONGEST = 1 << 20
"""Characters of a field; a quote that is not closed takes all that follows into one."""
SHOWN = 20
"""Rows of the beginning that say what a table is."""
SEPARATORS = ",;\t|"
QUOTED = re.compile(r'"(\\.|""|[^"\\])*"', re.DOTALL)
NAMED = "sep="
"""What a first line begins with that says what separates the columns, as Excel writes it."""


@attrs.frozen
class Row:
    """What stands in a table at a line, a cell for each column."""

    name: str
    cells: Sequence[Any]


@attrs.frozen
class _Parsed:
    """Records of a table with the lines they begin at, and why there are no more, if not all."""

    records: list[tuple[int, list[str]]]
    fault: str = ""
    line: int = 0

    @property
    def cut_off(self) -> bool:
        """Whether the text ended within quotes."""
        return "end of data" in self.fault

    @property
    def odd(self) -> int:
        """How many records have not as many cells as the first."""
        return sum(len(cells) != len(self.records[0][1]) for _, cells in self.records)

    @property
    def has_quoted(self) -> bool:
        """Whether a cell stands in quotes, those within it written twice or behind a backslash."""
        return any(QUOTED.fullmatch(cell) for _, cells in self.records for cell in cells)


@attrs.frozen(kw_only=True, slots=False, eq=False)
class Table:
    """A file of rows, whose beginning is read for its columns and the rest when it is asked for."""

    path: Path
    encoding: str = ""

    @cached_property
    def first(self) -> tuple[str, ...]:
        """The cells of the first row, which are the columns if it is a header; or keys of JSON.

        Raises:
            DataError: It is empty, or cannot be read.
        """
        return self._head[0]

    def peek(self, *, header: bool = True) -> Sequence[Row]:
        """Return the first rows, below the header or from it on.

        Raises:
            DataError: It is empty, or cannot be read.
        """
        return self._head[1][header and not self.has_keys :]

    @cached_property
    def _head(self) -> tuple[tuple[str, ...], list[Row]]:
        """The columns, and the first rows; of a table that is not JSON the header is one."""
        whole = self.path.suffix.lower() == ".json"
        for most in (-1,) if whole else (HEAD, -1):
            columns, rows = self._read_head(self._read_text(most))
            if columns:
                return columns, rows[:SHOWN]
        why = _explain_json(self._read_text(-1)) if self.has_keys else ""
        raise DataError(f"{self.path} holds no row{why}")

    def read_rows(self, *, header: bool = True) -> Iterator[Row | Unreadable]:
        """Yield the rows below the header, or all; what is no row of the columns is unreadable.

        Raises:
            DataError: It cannot be read as a table; says in which line.
        """
        text = self._read_text(-1)
        if self.has_keys:
            yield from self._read_objects(text)
        else:
            yield from self._read_records(text, header=header)

    @property
    def has_keys(self) -> bool:
        """Whether it is JSON, whose columns are keys, so that no line is a header."""
        return self.path.suffix.lower() in JSON

    def _read_text(self, most: int) -> str:
        found = read_file(self.path, most)
        cut = 0 <= most <= len(found)
        text = decode_text(self.path, found, self.encoding, whole=not cut)
        # The last line may be half of one.
        return text[: text.rfind("\n") + 1] if cut else text

    def _read_head(self, text: str) -> tuple[tuple[str, ...], list[Row]]:
        if self.has_keys:
            objects = [value for _, value in _walk_json(text) if isinstance(value, dict)]
            keys = tuple(dict.fromkeys(key for one in objects for key in one))
            return keys, [Row("", [one.get(key) for key in keys]) for one in objects]
        separator, rest = self._separate(text)
        records = _parse(separator, rest).records or _parse(separator, rest, quoted=False).records
        columns = tuple(cell.strip() for cell in records[0][1]) if records else ()
        return columns, [Row("", cells) for _, cells in records if len(cells) == len(columns)]

    def _separate(self, text: str) -> tuple[str, str]:
        """Return what separates columns, and the text without a line that says so."""
        if text[: len(NAMED)].lower() == NAMED and text[len(NAMED) + 1 :].lstrip("\r")[:1] == "\n":
            # An empty line stays, that lines are counted right.
            return text[len(NAMED)], text[len(NAMED) + 1 :]
        if self.path.suffix.lower() in TABBED:
            return "\t", text
        return max(SEPARATORS, key=lambda one: _judge(one, text[:HEAD])), text

    def _read_records(self, text: str, *, header: bool) -> Iterator[Row | Unreadable]:
        separator, rest = self._separate(text)
        records = self._choose(separator, rest)
        if not records:
            raise DataError(f"{self.path} holds no row")
        width = len(records[0][1])
        for line, cells in records[header:]:
            name = f"line {line} of {self.path.name}"
            if len(cells) != width:
                yield Unreadable(name=name, reason=_say_width(len(cells), width, separator))
            else:
                yield Row(name, cells)

    def _choose(self, separator: str, text: str) -> list[tuple[int, list[str]]]:
        """Return the records, quotes taken for quotes unless they are plain characters."""
        quoted = _parse(separator, text)
        tabs = separator == "\t"
        if not quoted.fault and (not tabs or '"' not in text):
            return quoted.records
        plain = _parse(separator, text, quoted=False)
        # Between tabs quotes often are plain characters, and each line is a row.
        alike = len(plain.records) == len(quoted.records)
        if not quoted.fault and quoted.odd <= plain.odd and (plain.odd or alike):
            return quoted.records
        # Else a quote amiss in one row would leave in all others those that stand around cells.
        if plain.fault or (not tabs and (plain.odd or plain.has_quoted)):
            worse = quoted if quoted.fault else plain
            raise DataError(f"{self.path}: the row from line {worse.line} on: {worse.fault}")
        return plain.records

    def _read_objects(self, text: str) -> Iterator[Row | Unreadable]:
        for place, value in _walk_json(text):
            name = f"{place} of {self.path.name}"
            if isinstance(value, dict):
                yield Row(name, [value.get(key) for key in self.first])
            else:
                yield Unreadable(name=name, reason="it is no object of JSON, {...}")


def _parse(separator: str, text: str, *, quoted: bool = True) -> _Parsed:
    """Read a text into records that are not empty, as far as it goes."""
    lines = io.StringIO(text, newline="")
    if quoted:
        reader = csv.reader(lines, delimiter=separator, strict=True)
    else:
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    records: list[tuple[int, list[str]]] = []
    with _allow_long_fields():
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return _Parsed(records)
            except csv.Error as error:
                return _Parsed(records, _say(str(error)), line)
            if any(map(str.strip, cells)):
                records.append((line, cells))


def _say_width(cells: int, width: int, separator: str) -> str:
    remedy = f"; put quotes around a cell that holds {separator!r}" if cells > width else ""
    return f"it has {cells} columns, not {width}{remedy}"


def _say(fault: str) -> str:
    """Say what the reader of the standard library says, with the remedy."""
    if "limit" in fault:
        return f"a cell has more than {LONGEST} characters; is a quote not closed?"
    if "end of data" in fault:
        return 'a quote is not closed before the end of data; write quotes in a text twice ("")'
    return f'{fault}; quotes are put around a whole cell, and those in it are written twice ("")'


@contextmanager
def _allow_long_fields() -> Iterator[None]:
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _judge(separator: str, text: str) -> tuple[float, int]:
    """Say how well a text is separated so: the share of rows as wide as the first, or 0."""
    parsed = _parse(separator, text)
    if parsed.fault and not parsed.cut_off:
        parsed = _parse(separator, text, quoted=False)
    width = len(parsed.records[0][1]) if parsed.records else 0
    if width < 2:
        return 0.0, -SEPARATORS.index(separator)
    return 1 - parsed.odd / len(parsed.records), -SEPARATORS.index(separator)


def _walk_json(text: str) -> Iterator[tuple[str, Any]]:
    """Yield place and value of each object: of a line, or of one list. None where it is no JSON."""
    if text.lstrip()[:1] == "[" and isinstance(whole := _load_json(text), list):
        yield from ((f"item {number}", value) for number, value in enumerate(whole, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"line {number}", _load_json(line)


def _explain_json(text: str) -> str:
    """Say what is wrong with JSON of which nothing is a row; empty if there is nothing."""
    lines = (one for one in enumerate(text.split("\n"), 1) if one[1].strip())
    if (first := next(lines, None)) is None:
        return ""
    number, line = first
    rows = "each line must be an object with keys, {...}, or the file a list of such"
    whole = text.lstrip()[:1] == "["
    try:
        json.loads(text if whole else line)
    except json.JSONDecodeError as error:
        return f": line {error.lineno if whole else number} is no JSON ({error.msg}); {rows}"
    except (ValueError, RecursionError) as error:
        return f": line {number} cannot be read as JSON ({error}); {rows}"
    return f": line {number} is none; {rows}"


def _load_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # What is no JSON is told by whoever counts the rows.
        return None
