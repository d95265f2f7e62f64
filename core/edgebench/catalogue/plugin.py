"""One plugin: where it comes from, what it yields once it is imported, and what is said of it.

It is imported when it is first asked, alone in a plugin manager, and asked once a kind: whatever it
does cannot reach the others, and what was told of it stays true. No module but this and `checks`
touches pluggy, but for the markers in `hookspecs`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from importlib.util import find_spec
from itertools import chain
from typing import Any, TypeVar

import attrs
import pluggy

from edgebench.catalogue.checks import (
    CATALOGUE_HOOKS,
    hears_events,
    implemented_hooks,
    sort_out,
    wrong_events,
    wrong_hooks,
    wrong_version,
)
from edgebench.catalogue.offers import Offer
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS, PluginRow
from edgebench.parts.hookspecs import Hooks
from edgebench.parts.part import Part

C = TypeVar("C", bound=Part)


@attrs.frozen
class Fault:
    """What is wrong with a plugin."""

    plugin: Plugin
    cause: str
    """A clause that goes on after the plugin's name."""
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """The exception behind it, with its traceback."""
    part: str = ""
    """The name of the part that alone is lost by it; empty where more may be."""
    trace: str = attrs.field(default="", eq=False, repr=False)
    """The traceback where another process met the exception."""

    def __str__(self) -> str:
        """Return it in one line."""
        return f"the plugin {self.plugin.label} {self.cause}"


@attrs.frozen
class Answer:
    """What a plugin yields of one kind: the sound parts by name, and what is wrong beside them.

    A part is None where only its name is known, as another process imported its plugin.
    """

    parts: Mapping[str, Any] = attrs.field(factory=dict)
    faults: tuple[Fault, ...] = ()


Watch = Callable[["Plugin", str], AbstractContextManager[object]]
"""Given who is asked and for what, watches how long it takes: strangers may take their time."""


@attrs.frozen(eq=False)
class Plugin:
    """A plugin that was found, and that is imported when it is first asked."""

    name: str
    """What `--without` calls it: a row's or an entry point's name, or a file's stem."""
    origin: str
    """The dotted module, or the file, that it is loaded from."""
    bring: Callable[[], object] = attrs.field(repr=False)
    """Import it; may raise anything."""
    distribution: str = ""
    """The installed distribution that brings it; empty for a file."""
    row: PluginRow | None = None
    offer: Offer | None = None
    """What it was seen to offer, for which it need not be imported."""
    watch: Watch = attrs.field(default=lambda *_: nullcontext(), repr=False)
    """Lasts as long as it is asked."""
    _answers: dict[type[Part], Answer] = attrs.field(factory=dict, init=False, repr=False)

    # --- what is known without importing it ------------------------------------------------------

    @property
    def version(self) -> str:
        """The version of its distribution; empty where it has none."""
        if self.offer:
            return self.offer.version
        return read_version(self.distribution) if self.distribution else ""

    @cached_property
    def lacks(self) -> tuple[str, ...]:
        """The packages that its row requires and that are not here, found without importing."""
        if not self.row:
            return ()
        lacks = [name for name in self.row.requires if not find_spec(name)]
        return (self.row.distribution,) if self.row.distribution else tuple(lacks)

    @property
    def importable(self) -> bool:
        """Whether its own module is worth a try: what it lacks is then needed by its parts only."""
        if self.row and self.row.distribution:
            return False
        return not self.lacks or find_spec(self.origin.partition(".")[0]) is not None

    def missing(self, name: str) -> str | None:
        """Return what its part *name* lacks and how to get it; None if nothing."""
        if not self.lacks or not self.row:
            return None
        if self.row.distribution:
            how = f"edgebench plugins install {self.row.name}"
            return f"{name} needs the distribution {self.row.distribution!r}: {how}"
        packages = " and ".join(repr(package) for package in self.lacks)
        install = self.row.install or "not installed here"
        return f"{name} needs the package{'s' * (len(self.lacks) > 1)} {packages}: {install}"

    @property
    def given(self) -> bool:
        """Whether the user gave it, as a file: neither a row nor a distribution brings it."""
        return not self.row and not self.distribution

    @property
    def where(self) -> str:
        """The distribution that brings it, or its origin, for people."""
        return f"{self.distribution} {self.version}".strip() or self.origin

    @property
    def label(self) -> str:
        """Its name and where it comes from, for people."""
        return f"{self.name} ({self.where})"

    @property
    def handle(self) -> str:
        """A name by which `--without` blocks it and, if possible, nothing else."""
        return self.name if self.row else self.distribution or self.name

    @property
    def listens(self) -> bool:
        """Whether it is told of events: where its row says so, or it was seen to have such hooks.

        A stranger that nobody has seen is.
        """
        if self.offer:
            return hears_events(self.offer.hooks) or bool(self.offer.broken)
        return not self.row or (self.row.events and not self.lacks)

    @property
    def promised(self) -> Mapping[str, Collection[str]]:
        """The names that its row offers, or that it was seen to offer, by kind."""
        if self.offer:
            return self.offer.parts
        return self.row.offers if self.row else {}

    @property
    def unseen(self) -> bool:
        """Whether what it offers shows only when it is asked."""
        return not self.row and not self.offer

    # --- what is known once it is imported -------------------------------------------------------

    @cached_property
    def module(self) -> object:
        """A module, or an object with hooks; whoever asks first may meet any exception."""
        return self.bring()

    @cached_property
    def broken(self) -> Fault | None:
        """What is wrong with it as a whole; None if it can be asked."""
        if self.offer and self.offer.broken:
            return Fault(self, self.offer.broken, trace=self.offer.trace)
        try:
            with self.watch(self, "to load"):
                self.module  # noqa: B018 (it is imported here)
            wrong = (
                wrong_version(self.module)
                or wrong_hooks(self.module, self._manager)
                or wrong_events(self.row, self.hooks)
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
            return self._fault("does not load", error)
        return self._fault(wrong) if wrong else None

    @cached_property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that it implements; known once it is registered, or by what was seen of it."""
        if self.offer:
            return self.offer.hooks
        return implemented_hooks(self.module, self._manager)

    @property
    def takes_registry(self) -> bool:
        """Whether what it offers may follow from the registry, which one of its hooks takes."""
        callers = self._manager.get_hookcallers(self.module) or ()
        return any("registry" in impl.argnames for one in callers for impl in one.get_hookimpls())

    def answer(self, kind: type[Part], registry: Registry) -> Answer:
        """Return the parts of a kind that it yields, and what is wrong with others."""
        if not (self.unseen or WORDS[kind] in self.promised) or not self.importable:
            return Answer()
        if kind not in self._answers:
            broken = self.broken
            self._answers[kind] = Answer(faults=(broken,)) if broken else self._ask(kind, registry)
        return self._answers[kind]

    def outline(self, kind: type[Part], registry: Registry) -> Answer:
        """Return as much as `answer` of what was seen already; no part of it, as none is imported.

        What was never seen is asked.
        """
        if not self.offer:
            return self.answer(kind, registry)
        faults = [one for one in self._seen_faults if one[0] in ("", WORDS[kind])]
        names = self.offer.parts.get(WORDS[kind], ())
        return Answer(dict.fromkeys(names), tuple(fault for _, fault in faults))

    def parts(self, kind: type[C], registry: Registry) -> Mapping[str, C]:
        """Return the sound parts of a kind that it yields."""
        return self.answer(kind, registry).parts

    @property
    def faults(self) -> list[Fault]:
        """What is wrong with it, as far as it was asked; whoever listens is asked to load."""
        found = [self.broken] if self.listens and self.broken else []
        found += [fault for _, fault in self._seen_faults]
        found += [fault for answer in self._answers.values() for fault in answer.faults]
        return list(dict.fromkeys(found))

    def call(self, hook: str, arguments: Mapping[str, object]) -> list[Any] | Fault:
        """Call a hook; return what it returned, if it has it."""
        try:
            with self.watch(self, f"for {hook}"):
                return list(getattr(self._manager.hook, hook)(**arguments))
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
            return self._fault(f"fails in {hook}", error)

    @cached_property
    def _seen_faults(self) -> list[tuple[str, Fault]]:
        """What was seen to be wrong, each with the kind that it concerns, or nothing for all."""
        if not self.offer:
            return []
        found = [(kind, Fault(self, why, part=name)) for kind, name, why in self.offer.faults]
        return [("", self.broken), *found] if self.offer.broken and self.broken else found

    @cached_property
    def _manager(self) -> pluggy.PluginManager:
        manager = pluggy.PluginManager("edgebench")
        manager.add_hookspecs(Hooks)
        return manager

    def _ask(self, kind: type[Part], registry: Registry) -> Answer:
        hook, yielded, faults = CATALOGUE_HOOKS[kind], list[object](), list[Fault]()
        try:
            # A hook may be a generator: what it yielded before it raises is sound.
            with self.watch(self, f"for {hook}"):
                answers = getattr(self._manager.hook, hook)(registry=registry)
                for part in chain.from_iterable(answers):
                    yielded.append(part)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
            faults.append(self._fault(f"fails in {hook}", error))
        parts, wrong = sort_out(yielded, kind, self.promised.get(WORDS[kind], ()), bool(faults))
        faults += [Fault(self, cause, part=name) for name, cause in wrong]
        return Answer(parts, tuple(faults))

    def _fault(self, cause: str, error: BaseException | None = None) -> Fault:
        """Return a fault of it; the *error* behind the fault ends the sentence."""
        if error is not None:
            said = " ".join(str(error).split())
            cause = f"{cause}: {type(error).__name__}" + (f": {said}" if said else "")
        return Fault(self, cause, error)


@functools.cache
def read_version(distribution: str) -> str:
    """Return the version of a distribution: its metadata is parsed once, not once a plugin."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree that was never installed
        return ""
