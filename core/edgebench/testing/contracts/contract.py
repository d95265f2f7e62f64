"""What every contract has: its promises, what it is tried with, and how it ends.

A contract is a class that pytest collects where a test module derives from it. Each promise is a
method `test_...` without arguments, whose docstring is what a table of promises prints.
"""

from __future__ import annotations

import unittest
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

import attrs

from edgebench.cases.chain import parse_options, structure
from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.errors import EdgebenchError, OptionError, UnknownName, one_line
from edgebench.parts.part import NoOptions, Part
from edgebench.testing.contracts.bench import Bench, find_source
from edgebench.testing.contracts.imports import list_heavy_imports
from edgebench.testing.field_texts import read_field_texts

NONSENSE = "a value, of no kind"


class NotChecked(unittest.SkipTest):
    """A promise that cannot be checked here, with the reason; pytest shows it as a skip."""


class Doubt(UserWarning):
    """What speaks against a promise and does not prove that it is broken."""


def hold(kept: object, sentence: str) -> None:
    """See that a promise is kept.

    Raises:
        AssertionError: It is not; the sentence says what was expected and what came.
    """
    if not kept:
        raise AssertionError(sentence)


def doubt(sentence: str) -> None:
    """Warn of what speaks against the promise that is being checked."""
    warnings.warn(sentence, Doubt, stacklevel=2)


class Contract:
    """What a part of any kind promises. Derive from the contract of its kind, not from this one."""

    kind: ClassVar[type[Part]]
    """The record of the parts that it is for."""
    plugins: ClassVar[Sequence[object]] = ()
    """Modules, or paths of files, that are plugins: seen beside what ships, and nothing else."""
    name: ClassVar[str] = ""
    """What the part is called."""
    options: ClassVar[Sequence[str]] = ()
    """Options as they are written (`"by=2,way=slow"`), to try beside the defaults."""
    model: ClassVar[str] = ""
    """The model and variant that it is tried on; the smallest that fits if empty."""
    source: ClassVar[PluginSource | None] = None
    """Where plugins are loaded from, for whoever sees more than `plugins`."""
    bench: ClassVar[Bench]
    """Where the part is tried."""
    tried: ClassVar[dict[str, Any]]
    """What one promise has made and the next may use."""
    _closing: ClassVar[ExitStack]

    @classmethod
    def setup_class(cls) -> None:
        """Set up the bench on which the promises are checked."""
        cls.tried, cls._closing = {}, ExitStack()
        source = cls.source or find_source(cls.plugins)
        cls.bench = cls._closing.enter_context(Bench.open(source))

    @classmethod
    def teardown_class(cls) -> None:
        """Take away what the bench has made."""
        cls._closing.close()

    @property
    def part(self) -> Any:
        """The part that is checked.

        Raises:
            NotChecked: There is none of that name, which the first promise tells of.
        """
        try:
            return self.bench.plugins.get(self.kind, self.name)
        except EdgebenchError as error:
            raise NotChecked(f"it is not found: {error}") from error

    @property
    def written(self) -> Sequence[str]:
        """The options that it is tried with, the defaults first."""
        return "", *self.options

    # --- promises of every part ------------------------------------------------------------------

    def test_it_is_found(self) -> None:
        """Its plugin loads, and offers it under its name."""
        try:
            self.bench.plugins.get(self.kind, self.name)
        except UnknownName as error:
            wrong = [str(fault) for fault in self.bench.plugins.faults]
            raise AssertionError("; ".join([str(error), *wrong])) from error
        except EdgebenchError as error:
            raise AssertionError(str(error)) from error

    def test_its_plugin_imports_no_framework(self) -> None:
        """Importing its plugin, and listing what it offers, imports no framework."""
        _ = self.part
        heavy = list_heavy_imports(self.bench.source, self.kind, self.name)
        hold(
            not heavy,
            f"importing its plugin imports {', '.join(heavy)}; import that inside the function "
            "that uses it",
        )

    def test_its_options_are_explained(self) -> None:
        """Each of its options has a text that says what it is."""
        options = self._options_class()
        texts = read_field_texts(options)
        bare = [field.name for field in attrs.fields(options) if not texts.get(field.name)]
        hold(not bare, f"no text stands under its options {', '.join(bare)}")

    def test_its_options_refuse_nonsense(self) -> None:
        """An option that it does not have, or a value of the wrong type, is refused."""
        options = self._options_class()
        refuses(options, "no-such-option", "1", self.name)
        for field in attrs.fields(options):
            # What is a text may take any.
            refuses(options, field.name, NONSENSE, self.name, may_take=_takes_any_text(field))

    def _options_class(self) -> Any:
        options = getattr(self.part, "options", NoOptions)
        if not attrs.fields(options):
            raise NotChecked("it takes no options")
        return options

    def read_options(self, text: str) -> Any:
        """Return its options from how they are written.

        Raises:
            AssertionError: It does not take them.
        """
        options = getattr(self.part, "options", NoOptions)
        try:
            return structure(options, split_options(text, self.name), self.name)
        except EdgebenchError as error:
            raise AssertionError(f"it does not take its options ({text}): {error}") from error


def split_options(text: str, name: str) -> tuple[tuple[str, str], ...]:
    """Return options from how they are written, without brackets."""
    return parse_options(f"({text})", name) if text else ()


def refuses(options: Any, key: str, value: str, name: str, *, may_take: bool = False) -> None:
    """See that an options class refuses a value in one line that a user understands.

    Raises:
        AssertionError: It takes the value, unless it may, or raises something else.
    """
    try:
        made = structure(options, ((key, value),), name)
    except OptionError:
        return
    except Exception as error:
        raise AssertionError(
            f"{key}={value!r} is refused with {one_line(error)}; a validator raises a ValueError "
            "with a sentence"
        ) from error
    hold(may_take, f"it takes {key}={value!r}, as {made!r}")


def _takes_any_text(field: attrs.Attribute[Any]) -> bool:
    written = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    return any(word in str(written) for word in ("str", "Path", "Any"))


def list_promises(contract: type[Contract]) -> dict[str, str]:
    """Return the promises of a contract, those of every part first: each with its sentence."""
    found: dict[str, str] = {}
    for base in reversed(contract.__mro__):
        for name, value in vars(base).items():
            if name.startswith("test_") and callable(value):
                first = (value.__doc__ or name).strip().splitlines()[0]
                found.setdefault(name, first)
                found[name] = first
    return found
