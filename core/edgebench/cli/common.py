"""What all commands share: their common options, and how they print."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from edgebench.cli.printing import explain_output, make_console, print_error, print_out
from edgebench.parts.errors import PluginFault
from edgebench.parts.pipeline import as_tuple

if TYPE_CHECKING:
    from rich.console import Console

    from edgebench.catalogue.plugin import Fault, Plugin
    from edgebench.catalogue.plugins import Plugins
    from edgebench.catalogue.registry import Registry
    from edgebench.parts.places import Reporter
    from edgebench.store.artifacts import Store

MISTAKE = 2
INTERRUPTED = 130
"""Exit statuses, beside 0 and 1."""
PATIENCE_S = 2.0
"""How long a plugin may take to load or to answer a hook until it is named."""
DATABASE = "EDGEBENCH_DB"
"""The environment variable that names the results database where no option does."""
SCHEMA = 1
"""The version of the JSON documents that commands print, where a command has none of its own."""


@attrs.frozen(kw_only=True)
class Common:
    """The options that every command takes, and what follows from them."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    registries: tuple[Path, ...] = attrs.field(default=(), converter=as_tuple)
    files: tuple[Path, ...] = attrs.field(default=(), converter=as_tuple)
    without: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)
    words: tuple[str, ...] = ()
    """The command line, as a run keeps it."""
    measures: bool = False
    """Whether this machine's speed is measured where a tier asks for it and none is kept."""
    out: IO[str] = attrs.field(factory=lambda: sys.stdout, eq=False, repr=False)
    """Where results are printed: whatever plugins print goes elsewhere."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the common options, each under the name of its field."""
        group = parser.add_argument_group("options of every command")
        group.add_argument("--json", action="store_true", help="print one JSON document")
        for option, field, metavar, text in (
            ("--registry", "registries", "FILE", "read this registry file as well; repeats"),
            ("--plugin", "files", "FILE", "load this Python file as a plugin; repeats"),
            ("--without", "without", "NAME", "leave a plugin out; repeats"),
        ):
            kind = Path if metavar == "FILE" else str
            group.add_argument(option, dest=field, action="append", default=[], metavar=metavar,
                               type=kind, help=text)  # fmt: skip
        group.add_argument("--quiet", action="store_true", help="print results only")
        group.add_argument("--verbose", action="store_true", help="print more, tracebacks too")

    @cached_property
    def registry(self) -> Registry:
        """The shipped registry with the user's own over it, and speeds over this machine's."""
        from edgebench.catalogue.registry import Registry

        registry = Registry.read(self.registries)
        if not any(tier.gflops for tier in registry.tiers.values()):
            return registry
        # Imported here because no tier that ships asks for it.
        from edgebench.measure.stand.device_speed import find_gflops

        return registry.against(find_gflops(self.note, measure=self.measures))

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins that the options leave."""
        from edgebench.catalogue.plugins import Plugins

        return Plugins.load(self.registry, self.files, self.without, self.offers, self._watch)

    @cached_property
    def offers(self) -> Path | None:
        """The file that says what installed plugins offer; None where none is installed."""
        from edgebench.cli.survey import find_offers_aloud

        return find_offers_aloud(self.registry, self.note)

    @cached_property
    def store(self) -> Store:
        """The artifact store."""
        from edgebench.store.artifacts import Store

        return Store()

    @cached_property
    def console(self) -> Console:
        """Where things are laid out for people; no colour where there is no terminal."""
        width = None if self.out.isatty() or "COLUMNS" in os.environ else 100
        return make_console(self.out, width)

    def find_reporter(self, named: str | None = None) -> Reporter:
        """Return the reporter that lays results out: with `--json` never another.

        Raises:
            UnknownName: There is no such reporter.
        """
        from edgebench.parts.places import Reporter

        defaults = self.registry.defaults
        name = defaults.json_reporter if self.json else named or defaults.reporter
        return self.plugins.get(Reporter, name)

    def emit(self, document: Mapping[str, Any]) -> None:
        """Print one JSON document, and nothing else, on standard output."""
        self.print(write_document(document))

    def print(self, text: str) -> None:
        """Print a text as it is, in lines however long: another program may read it."""
        print_out(text if text.endswith("\n") else text + "\n", self.out)

    def show(self, renderable: Any) -> None:
        """Print something laid out for people; a plain text is never taken for markup."""
        from rich.text import Text

        with explain_output(self.out):
            self.console.print(Text(renderable) if isinstance(renderable, str) else renderable)

    def lay_out(self, renderables: Iterable[Any]) -> str:
        """Return what `show` would print of things laid out for people, with its colours."""
        with self.console.capture() as captured:
            for one in renderables:
                self.console.print(one)
        return captured.get()

    def print_laid_out(self, text: str) -> None:
        """Print what `lay_out` gave."""
        with explain_output(self.out):
            self.out.write(text)

    def note(self, text: str) -> None:
        """Say something beside the result, on standard error, unless it is to be quiet."""
        if not self.quiet:
            print_error(text + "\n")

    def refuse_faults(self) -> None:
        """Refuse to go on with a plugin file that was given and is broken.

        Raises:
            PluginFault: Something is wrong with it, as far as it was asked.
        """
        for fault in self.plugins.faults:
            # A part that alone is wrong costs no other.
            if fault.plugin.given and not fault.part:
                raise PluginFault(str(fault)) from fault.error

    @contextmanager
    def _watch(self, plugin: Plugin, what: str) -> Iterator[None]:
        """Say which plugin is waited for, and how long it took, where that is long."""
        begin = time.monotonic()
        waiting = f"edgebench: waiting for the plugin {plugin.name} {what}"
        timer = threading.Timer(PATIENCE_S, self.note, [waiting])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            if (took := time.monotonic() - begin) > PATIENCE_S:
                self.note(f"edgebench: waited {took:.0f} s for the plugin {plugin.label} {what}")

    def note_fault(self, fault: Fault) -> None:
        """Name a plugin that does not work; where more is to be said, with its traceback."""
        self.note(f"edgebench: {fault}")
        if self.verbose and (trace := fault.trace or _trace(fault.error)):
            self.note(trace.rstrip())


def write_document(document: Mapping[str, Any]) -> str:
    """Write a JSON document, with the version of its schema."""
    return json.dumps({"schema": SCHEMA, **document}, indent=2, allow_nan=False) + "\n"


def _trace(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))


def add_database(parser: argparse._ActionsContainer) -> None:
    """Declare the option that names the results database."""
    parser.add_argument("--db", type=_database, default=os.environ.get(DATABASE) or "edgebench.db",
                        metavar="FILE",
                        help=f"the results database (${DATABASE}, or edgebench.db)")  # fmt: skip


def _database(text: str) -> Path:
    if not Path(text).name:
        raise argparse.ArgumentTypeError(f"must name a file, not {text!r}")
    return Path(text)
