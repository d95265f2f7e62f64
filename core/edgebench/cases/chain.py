"""Chains and what they are made of, as they are written: names, options in brackets, joined by `+`.

The same text is used on the command line, in suites and in results:
`distil(rounds=2)+shrink+split(at="a/b")`.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from edgebench.cases.case import BackendChoice, write_options
from edgebench.parts.errors import ChainError, OptionError, nearest

if TYPE_CHECKING:
    from cattrs import Converter

C = TypeVar("C", bound=attrs.AttrsInstance)

_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*")
_DEVICE = re.compile(r"\s*([A-Za-z0-9][\w.-]*(?::[\w.-]+)*)\s*")
_KEY = re.compile(r"\s*([A-Za-z_][\w-]*)\s*=\s*")
_VALUE = re.compile(r'"([^"]*)"\s*|([^,()"]*)')
_LIMIT = re.compile(r"'(\w+)' must be (>=|<=|>|<|in) (.*?)(?:: | \(got )([^()]*)\)?")
"""What attrs' validators say of a value beyond a limit."""
_LIMITS = {">=": "a number from ", "<=": "at most ", ">": "more than ", "<": "less than ", "in": ""}
_KINDS = {"float": "a number", "int": "a whole number", "bool": "true or false", "Path": "a path"}


@attrs.frozen
class Named:
    """A name with its options as they were written."""

    name: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return how it is written, options sorted by key."""
        return self.name + write_options(self.options)


@attrs.define
class _Reader:
    """A text and how far it has been read."""

    text: str
    what: str
    at: int = 0

    def take(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self.error(expected)
        self.at = found.end()
        return found

    def skip(self, literal: str) -> bool:
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    @property
    def done(self) -> bool:
        return not self.text[self.at :].strip()

    def error(self, expected: str) -> ChainError:
        rest = self.text[self.at :].strip()
        found = f"found {rest[0]!r}" if rest else "the text ends"
        place = f"at character {self.at + 1} of the {self.what} {self.text!r}"
        return ChainError(f"{place} {expected} is expected, but {found}")

    def end(self) -> None:
        if not self.done:
            raise self.error("the end")

    def named(self) -> Named:
        name = self.take(_NAME, "a name").group(1)
        return Named(name, self.options())

    def options(self) -> tuple[tuple[str, str], ...]:
        if not self.skip("("):
            return ()
        pairs: dict[str, str] = {}
        while True:
            key = self.take(_KEY, "an option written key=value").group(1).replace("-", "_")
            if key in pairs:
                raise ChainError(
                    f"the option {key!r} is given twice in the {self.what} {self.text!r}"
                )
            value = self.take(_VALUE, "a value")
            pairs[key] = value.group(1) if value.group(1) is not None else value.group(2).strip()
            if self.skip(")"):
                return tuple(sorted(pairs.items()))
            if not self.skip(","):
                raise self.error("',' or ')'")


def parse_chain(text: str, hybrids: Mapping[str, str]) -> tuple[Named, ...]:
    """Parse a chain, each hybrid in it replaced by the chain that it names.

    An empty text is the chain of no operators: the pipeline as it was built.

    Raises:
        ChainError: The text is malformed, or options are given to a hybrid.
    """
    reader = _Reader(text, "chain")
    found: list[Named] = []
    if reader.done:
        return ()
    while True:
        named = reader.named()
        if named.name in hybrids:
            if named.options:
                raise ChainError(
                    f"the hybrid {named.name!r} takes no options; "
                    f"write its chain: {hybrids[named.name]}"
                )
            found += parse_chain(hybrids[named.name], {})
        else:
            found.append(named)
        if reader.done:
            return tuple(found)
        if not reader.skip("+"):
            raise reader.error("'+'")


def parse_backend(text: str) -> BackendChoice:
    """Parse a backend, its device and its options: `name:device(key=value)`, `chip:gpu:0`.

    Raises:
        ChainError: The text is malformed.
    """
    reader = _Reader(text, "backend")
    name = reader.take(_NAME, "a name").group(1)
    device = reader.take(_DEVICE, "a device").group(1) if reader.skip(":") else ""
    choice = BackendChoice(name, device, reader.options())
    reader.end()
    return choice


def parse_named(text: str, what: str) -> Named:
    """Parse one name with its options, such as a scenario or a fabric."""
    reader = _Reader(text, what)
    named = reader.named()
    reader.end()
    return named


def parse_options(text: str, what: str) -> tuple[tuple[str, str], ...]:
    """Parse options alone, brackets included: `(key=value,key="value")`.

    Raises:
        ChainError: The text is malformed.
    """
    reader = _Reader(text, f"options of {what}")
    pairs = reader.options()
    reader.end()
    return pairs


def structure(options: type[C], pairs: tuple[tuple[str, str], ...], where: str) -> C:
    """Make an instance of an options class from keys and values as written.

    Raises:
        OptionError: A key that the class does not have, or a value that does not fit its type.
    """
    fields = {field.name: field for field in attrs.fields(options) if field.init}
    types = typing.get_type_hints(options)
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key not in fields:
            offer = nearest(key, fields) if fields else "; it takes none"
            raise OptionError(f"{where} has no option {key!r}{offer}")
        try:
            values[key] = _converter().structure(value, types[key])
        except Exception as error:
            wanted = _write_type(types[key])
            raise OptionError(f"{where}: {key} must be {wanted}, not {value!r}") from error
    try:
        return options(**values)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{where}: {_say(error)}") from error


@functools.cache
def _converter() -> Converter:
    # Imported here because what lists parts reads no options.
    from cattrs import Converter

    converter = Converter(prefer_attrib_converters=True)
    converter.register_structure_hook(bool, lambda value, _: _truth(value))
    converter.register_structure_hook(Path, lambda value, _: Path(value))
    return converter


def _write_type(kind: Any) -> str:
    inner = [_write_type(one) for one in typing.get_args(kind) if one is not type(None)]
    return " or ".join(inner) or _KINDS.get(name := str(getattr(kind, "__name__", kind)), name)


def _say(error: Exception) -> str:
    """Return the first line of an error, in a user's words where it is one of attrs' own."""
    line = str(error.args[0] if error.args else type(error).__name__).splitlines()[0]
    if found := _LIMIT.fullmatch(line):
        key, sign, limit, given = found.groups()
        limits = limit.strip("()[]{}").replace(", ", " or ")
        line = f"{key} must be {_LIMITS[sign]}{limits}, not {given}"
    return line


def _truth(value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words[str(value).lower()]


def list_options(options: Any) -> dict[str, Any]:
    """Return the values of an options instance as plain JSON values, defaults included."""
    return {
        key: value if isinstance(value, bool | int | float | None) else str(value)
        for key, value in attrs.asdict(options, filter=lambda field, _: field.init).items()
    }


def write_differing(options: Any) -> tuple[tuple[str, str], ...]:
    """Return those values of an options instance that are not their defaults, as written."""
    defaults = list_options(type(options)())
    differing = {k: v for k, v in list_options(options).items() if v != defaults[k]}
    return tuple(sorted((key, _written(value)) for key, value in differing.items()))


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
