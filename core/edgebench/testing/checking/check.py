"""Checking what parts promise in other processes: one that crashes or hangs costs one promise."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.store.owners import MARK, end_marked, identify_owner
from edgebench.store.scratch import open_scratch
from edgebench.testing.checking.orders import (
    BROKEN,
    HELD,
    UNCHECKED,
    Event,
    Found,
    Order,
    Trial,
    Verdict,
)

LIMIT_S = 60.0
"""How long the check of one promise may take, unless it is said otherwise."""
LONGEST_S = 3600.0
"""How long is waited at once: no limit is too long for a system call."""
MOST_LOST = 3
"""Processes that crash or hang over one part, before the rest of its promises is given up."""


@attrs.frozen(kw_only=True)
class Checked:
    """A part with the verdict on each of its promises."""

    part: Found
    verdicts: tuple[Verdict, ...]

    @property
    def is_sound(self) -> bool:
        """Whether no promise is broken."""
        return all(one.status != BROKEN for one in self.verdicts)

    @property
    def is_held(self) -> bool:
        """Whether no promise is broken, and one at least was seen to be held."""
        return self.is_sound and any(one.status == HELD for one in self.verdicts)


@attrs.frozen(kw_only=True)
class Checking:
    """Checks parts of a source."""

    source: PluginSource
    trial: Trial = attrs.field(factory=Trial)
    limit_s: float = LIMIT_S

    def find(self, target: str) -> Sequence[Found]:
        """Return the parts that a target names: a plugin, a distribution, a file or `kind:name`.

        Raises:
            UnknownName: Nothing is called so, or what it is to be tried with is not there.
            EdgebenchError: Finding out crashed, or took too long.
        """
        order = Order(source=self.source, parent=os.getpid(), target=target, trial=self.trial)
        with _start(order) as events:
            for event in events(self.limit_s):
                if event.mistake:
                    raise UnknownName(event.mistake)
                return event.found
            why = events.why
        raise EdgebenchError(f"asking the plugin {target} what it offers failed: {why}")

    def check(self, part: Found) -> Checked:
        """Check every promise of a part."""
        if part.why_not:
            status = BROKEN if part.faulty else UNCHECKED
            loads = "It loads, implements the hooks rightly, and yields what they take."
            verdict = Verdict(promise=loads, status=status, why=part.why_not)
            return Checked(part=part, verdicts=(verdict,))
        left, verdicts, lost = list(part.promises), list[Verdict](), 0
        while left and lost < MOST_LOST:
            if (over := self._go_on(part, left, verdicts.append)) is not None:
                lost += 1
                verdicts.append(over)
        given_up = f"given up: {MOST_LOST} promises before it have crashed or hung"
        verdicts += [
            Verdict(promise=part.promises[one], status=UNCHECKED, why=given_up) for one in left
        ]
        return Checked(part=part, verdicts=tuple(verdicts))

    def _go_on(
        self, part: Found, left: list[str], note: Callable[[Verdict], None]
    ) -> Verdict | None:
        """Check the promises that are left, until none is or the process is lost over one.

        Return the verdict on the one that it was lost over.
        """
        order = Order(
            source=self.source,
            parent=os.getpid(),
            kind=part.kind,
            name=part.name,
            promises=left,
            trial=self.trial,
        )
        with _start(order) as events:
            for event in events(self.limit_s):
                if event.verdict is not None:
                    left.remove(event.promise)
                    note(event.verdict)
                    if not left:
                        return None
            why = events.why
        return Verdict(promise=part.promises[left.pop(0)], status=BROKEN, why=why)


@attrs.define
class _Events:
    """The events of a process, until it ends or is too late."""

    process: subprocess.Popen[bytes]
    file: int
    log: Path
    why: str = ""
    """Why there are no more."""

    def __call__(self, limit_s: float) -> Iterator[Event]:
        buffer, due = b"", time.monotonic() + limit_s
        while True:
            left = due - time.monotonic()
            ready, _, _ = select.select([self.file], [], [], min(max(0.0, left), LONGEST_S))
            if not ready:
                if left > LONGEST_S:
                    continue
                self.why = f"no answer within {limit_s:g} s"
                return
            if not (read := os.read(self.file, 65536)):
                self.why = self._explain_end()
                return
            *lines, buffer = (buffer + read).split(b"\n")
            due = time.monotonic() + limit_s
            yield from (from_document(Event, json.loads(line)) for line in lines)

    def _explain_end(self) -> str:
        code = self.process.wait()
        if code < 0:
            return f"the process was killed by {signal.Signals(-code).name}"
        said = self.log.read_text(errors="replace").strip().splitlines()
        return said[-1] if said and code else f"the process ended with status {code}"


@contextmanager
def _start(order: Order) -> Iterator[_Events]:
    """Start a process that obeys an order; it ends, with all that it has started, with this."""
    mark = f"{identify_owner()}/{secrets.token_hex(8)}"
    with open_scratch() as scratch:
        (scratch / "order.json").write_text(json.dumps(to_document(order)))
        reading, writing = os.pipe()
        try:
            with (scratch / "log").open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "edgebench.testing.checking.checker",
                     str(scratch / "order.json"), str(writing)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[writing],
                    # What it is ended over, it cannot remove; here it is removed for it.
                    env={**os.environ, MARK: mark, "TMPDIR": str(scratch)},
                    start_new_session=True,
                )  # fmt: skip
            os.close(writing)
            yield _Events(process, reading, scratch / "log")
        finally:
            end_marked(mark.__eq__)
            os.close(reading)
            process.wait()
