"""The controller's side of preparing: find what is in the store, or have a worker make it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from io import RawIOBase
from pathlib import Path
from types import MappingProxyType

import attrs

from edgebench.cases.case import Case
from edgebench.catalogue.blame import name_part
from edgebench.parts.changes import Operator
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import CaseFailed, EdgebenchError, Stopped
from edgebench.parts.subjects import Model
from edgebench.prepare.orders import ERRORS, WAITING, Event, Order, Progress
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.steps import Made, Measure, Step, Steps, follow
from edgebench.store.owners import MARK, SAFE, end_marked, identify_owner
from edgebench.store.scratch import open_scratch

LOOK_S = 1.0
"""How often it is looked, while nothing is measured, whether the user wants an end."""
_LOG_TAIL = 64 * 1024
# Threads that spin while they wait for each other take a busy machine's processors from the very
# thread they wait for: a training step was seen to take ten times as long.
_PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}


def _refuse_to_measure(step: Measure, splits: Path) -> Path:
    raise CaseFailed(f"it needs a profile, and nothing measures here: {step.what}")


@attrs.frozen(kw_only=True)
class Prepared:
    """Where a case's pipeline lies, and what its worker printed."""

    path: Path
    log: str = ""
    """Empty where it was found in the store."""


@attrs.frozen(kw_only=True)
class Preparer:
    """Prepares cases, each in a process of its own."""

    recipes: Recipes
    progress: Progress
    limit_s: float = 1800.0
    """A worker that says nothing for as long is killed, with all it started."""
    stopping: Callable[[], bool] = lambda: False
    """Asked now and then whether to end what is being prepared."""
    measure: Callable[[Measure, Path], Path] = _refuse_to_measure
    """From a step that measures, and the kept splits of its case, to where its profile lies."""

    def prepare(self, case: Case) -> Prepared:
        """Return the prepared pipeline of a case.

        Raises:
            CaseSkipped: The case turned out not to be possible.
            CaseFailed: Preparing failed.
            DataError: What a user gave, or what is downloaded, is not what it must be.
            Stopped: The user wants an end.

        The error's `log` holds what was printed meanwhile.
        """
        profiled: dict[str, Path] = {}
        path, log, known = self._find(self.recipes.steps(case), profiled), "", -1
        try:
            # A worker goes as far as it can; the profile that it waits for is measured when the
            # steps are gone through again, now that what comes before it is in the store.
            while path is None and len(profiled) > known:
                known = len(profiled)
                path, printed = self._make("pipeline", case, profiled)
                log += printed
                path = path or self._find(self.recipes.steps(case), profiled)
        except EdgebenchError as error:
            error.log = log + error.log
            raise
        if path is None:
            raise CaseFailed("preparing waits for a profile that is measured already", log)
        return Prepared(path=path, log=log)

    def inputs(self, case: Case) -> Path:
        """Return the directory of the kept splits that a case's samples are taken from."""
        found = (
            self.recipes.store.find(self.recipes.keys.inputs(case)) or self._make("inputs", case)[0]
        )
        if found is None:
            raise CaseFailed("its inputs wait for a profile, which none of them needs")
        return found

    def trace(self, case: Case) -> tuple[Made, ...]:
        """Return the steps that made the pipeline of a case, without those of second models."""
        return self.recipes.trace(case, partial(self._look_up, {}))

    def _find(self, steps: Steps, profiled: dict[str, Path] | None = None) -> Path | None:
        """Return where the last of some steps lies; None if one of them is not in the store.

        Profiles are measured on the way, and added to those that are *profiled*.
        """
        return follow(steps, partial(self._look_up, {} if profiled is None else profiled))

    def _look_up(self, profiled: dict[str, Path], step: Step) -> Path | None:
        if not isinstance(step, Measure):
            return self.recipes.store.find(step.key)
        # Where a profile is kept depends on the machine too: only who measures knows.
        if step.key not in profiled:
            profiled[step.key] = self.measure(step, self.inputs(step.case))
        return profiled[step.key]

    def check(self, case: Case) -> None:
        """Make what a user's own files and pinned ones are to become, before a run begins.

        Raises:
            DataError: A file or a directory that was given is not what it must be, or one that is
                pinned cannot be downloaded.
            CaseFailed: Something else went wrong, which is its cases' alone.
        """
        if case.weights.brought and not self._find(self.recipes.base(case)):
            self._make("base", case)
        if case.data is not None or self.recipes.plugins.get(Model, case.model).inputs is not None:
            self.inputs(case)

    def _make(
        self, what: str, case: Case, profiled: Mapping[str, Path] = MappingProxyType({})
    ) -> tuple[Path | None, str]:
        """Have a worker make something; return where it lies, and what was printed.

        None where the worker has ended because a profile is to be measured first.
        """
        with open_scratch() as scratch:
            file, log = scratch / "order.json", scratch / "log"
            order = Order(
                source=self.recipes.plugins.source,
                store=self.recipes.store.root,
                what=what,
                case=case,
                parent=os.getpid(),
                profiled=profiled,
            )
            file.write_text(json.dumps(to_document(order)))
            outcome = self._run_worker(file, log, case)
            printed = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace")
        if outcome.path is None and outcome.status != WAITING:
            raise ERRORS[outcome.status](outcome.reason, log=printed)
        return outcome.path, printed

    def _run_worker(self, order: Path, log: Path, case: Case) -> Event:
        """Run a worker to its end, and return how it ended."""
        reading, writing = os.pipe()
        mark = f"{identify_owner()}/{secrets.token_hex(8)}"
        # What parts and their libraries leave in their temporary directory goes with the order.
        own = {**_PATIENT, **SAFE, MARK: mark, "TMPDIR": str(order.parent)}
        with log.open("wb") as printed:
            worker = subprocess.Popen(
                # Unbuffered: what parts have printed is to be there however the worker ends.
                [
                    sys.executable,
                    "-u",
                    "-P",
                    "-m",
                    "edgebench.prepare.worker",
                    str(order),
                    str(writing),
                ],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, **own},
                pass_fds=[writing],
                start_new_session=True,
            )
        os.close(writing)
        doing: list[str] = []
        try:
            with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 (a descriptor)
                if event := self._hear(worker, pipe, doing):
                    return event
            how = _describe_end(worker.wait())
            return Event(status="failed", reason=how + self._name_work(case, doing))
        except TimeoutError:
            why = f"preparing said nothing for {self.limit_s:g} s and was ended (--prepare-limit)"
            return Event(status="failed", reason=why + self._name_work(case, doing))
        finally:
            _end(worker, mark)

    def _hear(
        self, worker: subprocess.Popen[bytes], pipe: RawIOBase, doing: list[str]
    ) -> Event | None:
        """Pass a worker's progress on until it says how it went, and return that.

        What it is *doing* is noted; None is returned where it ended without a word.
        """
        for line in _read_lines(worker, pipe, self.limit_s, self.stopping):
            event = from_document(Event, json.loads(line))
            if event.progress is None:
                return event
            doing.append(event.progress[-1])
            self.progress(*event.progress)
        return None

    def _name_work(self, case: Case, doing: Sequence[str]) -> str:
        """Name the operator that was at work in the end, or what was done where it was none."""
        for operation in self.recipes.chains.of(case.chain):
            # What is said at its begin; the same process may also build, convert, and keep data.
            if doing[-1:] == [f"{case.model}:{case.variant} {operation.written}"]:
                part = name_part(self.recipes.plugins, Operator, operation.operator.name)
                return f" while it ran {part}"
        return f" at {doing[-1]}" if doing else ""


def _describe_end(status: int) -> str:
    """Say how a worker ended that did not say so itself."""
    if status < 0:
        return f"the preparing process was killed by {signal.Signals(-status).name}"
    return f"the preparing process ended with status {status} and said nothing"


def _read_lines(
    worker: subprocess.Popen[bytes],
    pipe: RawIOBase,
    limit_s: float,
    stopping: Callable[[], bool],
) -> Iterator[bytes]:
    """Yield the lines that come through a pipe until its worker has ended.

    What the worker started may hold the pipe open when it is gone, so its end is waited for too.

    Raises:
        TimeoutError: Nothing came for so many seconds.
        Stopped: It was asked for.
    """
    rest, until = b"", time.monotonic() + limit_s
    ended = os.pidfd_open(worker.pid)
    with selectors.DefaultSelector() as selector, open(ended, "rb"):  # noqa: PTH123 (to close it)
        selector.register(pipe, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            ready = selector.select(max(0.0, min(LOOK_S, until - time.monotonic())))
            if stopping():
                raise Stopped
            if not ready and time.monotonic() >= until:
                raise TimeoutError
            if not ready:
                continue
            until = time.monotonic() + limit_s
            said = any(key.fileobj is pipe for key, _ in ready)
            chunk = pipe.read(65536) if said else b""
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines


def _end(worker: subprocess.Popen[bytes], mark: str) -> None:
    """Kill a worker and everything that it started, and wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    end_marked(mark.__eq__)
    worker.wait()
