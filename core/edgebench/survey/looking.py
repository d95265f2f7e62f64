"""The process that looks at plugins: `python -m edgebench.survey.looking`.

It reads a question on its standard input and forks for each entry point, so that all share what it
has imported and none sees what another did. What each of them tells it writes down as one JSON line
to its standard output; one that ends early or takes too long is told of as well.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TextIO

import attrs

from edgebench.catalogue.checks import CATALOGUE_HOOKS
from edgebench.catalogue.offers import Offer
from edgebench.catalogue.plugin import Fault, Plugin
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import WORDS
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import as_tuple
from edgebench.store.lifeline import die_with
from edgebench.survey.describing import describe_part
from edgebench.survey.installed import Installed
from edgebench.survey.metadata import POINTS, identify, read_points

POLL_S = 0.02
"""How often it is asked whether a process has ended that tells no more."""


@attrs.frozen(kw_only=True)
class Question:
    """What is to be looked at."""

    places: Mapping[str, str]
    """Where the metadata of each distribution lies, by its key."""
    path: tuple[str, ...] = attrs.field(converter=as_tuple)
    """Where whoever asks looks for modules."""
    registry: tuple[str, ...] = attrs.field(converter=as_tuple)
    """Its files."""
    limit_s: float
    """What a plugin has to load and to answer all hooks."""
    at_once: int
    parent: int


@attrs.define
class _Looking:
    """A process that looks at one entry point."""

    point: EntryPoint
    installed: Installed
    pid: int
    pipe: int
    deadline: float
    said: bytes = b""
    closed: bool = False
    """Whether it has closed what it tells through, though it may live on."""

    @property
    def lines(self) -> list[str]:
        """What it has told, but for a line that is not whole."""
        return self.said.decode(errors="replace").split("\n")[:-1]

    @property
    def answer(self) -> dict[str, Any] | None:
        """What it says that the plugin offers; None where it did not come to that."""
        if not self.said.endswith(b"}\n"):
            return None
        answer: dict[str, Any] = json.loads(self.lines[-1])
        return answer


def main() -> int:
    """Look at all that is asked for."""
    question = Question(**json.loads(sys.stdin.readline()))
    die_with(question.parent)
    sys.path[:] = question.path
    out = sys.stdout
    registry = Registry.of([Path(file) for file in question.registry])
    registry.silence_libraries()
    wanted = [Installed(key=key, place=place) for key, place in question.places.items()]
    points = [(one, point) for one in wanted for point in _list_points(one, out)]
    _look_at_all(points, registry, question, out)
    return 0


def _list_points(installed: Installed, out: TextIO) -> list[EntryPoint]:
    """Return the entry points of a distribution; tell of what keeps them from being read."""
    try:
        found = read_points(installed)
    except EdgebenchError as error:
        name, _ = identify(installed)
        cause = f"does not load: {error}"
        told = _say(name, POINTS, installed, broken=cause, trace=traceback.format_exc())
        _write(out, installed.key, {"points": 1})
        _write(out, installed.key, {"offer": told})
        return []
    _write(out, installed.key, {"points": len(found)})
    return found


def _say(name: str, value: str, installed: Installed, **more: Any) -> dict[str, Any]:
    """Return what is told of an entry point, as JSON."""
    distribution, version = identify(installed)
    offer = Offer(name=name, value=value, distribution=distribution, version=version, **more)
    return attrs.asdict(offer)


def _look_at_all(
    points: Iterable[tuple[Installed, EntryPoint]],
    registry: Registry,
    question: Question,
    out: TextIO,
) -> None:
    """Keep as many processes looking as may at once, until all have told or were ended."""
    waiting, looking = iter(points), dict[int, _Looking]()
    with selectors.DefaultSelector() as selector:
        while True:
            while len(looking) < question.at_once and (following := next(waiting, None)):
                one = _fork(*following, registry, question)
                looking[one.pipe] = one
                selector.register(one.pipe, selectors.EVENT_READ)
            if not looking:
                return
            left = min(one.deadline for one in looking.values()) - time.monotonic()
            if any(one.closed for one in looking.values()):
                left = min(left, POLL_S)
            ready = {key.fd for key, _ in selector.select(max(0.0, left))}
            for one in list(looking.values()):
                if one.pipe in ready:
                    _hear(one, selector)
                if one.answer is not None or _is_over(one):
                    if not one.closed:
                        selector.unregister(one.pipe)
                    del looking[one.pipe]
                    _write(out, one.installed.key, _end(one, question))


def _hear(one: _Looking, selector: selectors.BaseSelector) -> None:
    """Read what a process has told."""
    more = os.read(one.pipe, 1 << 20)
    one.said += more
    if not more:
        one.closed = True
        selector.unregister(one.pipe)


def _is_over(one: _Looking) -> bool:
    """Say whether a process has ended, or has had its time; what it started may hold the pipe."""
    return time.monotonic() >= one.deadline or (one.closed and _find_end(one.pid) is not None)


def _find_end(pid: int) -> os.waitid_result | None:
    """Return how a process ended, which stays a zombie whose group can be ended; None if not."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def _fork(
    installed: Installed, point: EntryPoint, registry: Registry, question: Question
) -> _Looking:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reading)
        _print_nowhere()
        with os.fdopen(writing, "w") as pipe:
            _look_at_point(point, installed, registry, pipe)
        # Nothing of what a plugin has left to be done at the end is done.
        os._exit(0)
    os.close(writing)
    return _Looking(point, installed, pid, reading, time.monotonic() + question.limit_s)


def _print_nowhere() -> None:
    """Have this process read nothing and print nowhere: what plugins print is no answer."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)


def _look_at_point(
    point: EntryPoint, installed: Installed, registry: Registry, pipe: TextIO
) -> None:
    try:
        plugin = Plugin(
            name=point.name,
            origin=point.value,
            bring=point.load,
            distribution=identify(installed)[0],
            watch=lambda _, what: _Telling(pipe, what),
        )
        said = json.dumps(_look(plugin, registry, installed))
    except BaseException:  # noqa: BLE001 (whatever it is, the parent says that there is no answer)
        said = traceback.format_exc()
    pipe.write(f"{said}\n")


@attrs.frozen
class _Telling:
    """Tells what a plugin is asked, before it is."""

    pipe: TextIO
    what: str

    def __enter__(self) -> None:
        self.pipe.write(f"{self.what}\n")
        self.pipe.flush()

    def __exit__(self, *_: object) -> None:
        pass


def _look(plugin: Plugin, registry: Registry, installed: Installed) -> dict[str, Any]:
    """Ask a plugin for all that it offers; say too whether that follows from the registry."""
    if broken := plugin.broken:
        trace = _trace([broken])
        said = _say(plugin.name, plugin.origin, installed, broken=broken.cause, trace=trace)
        return {"offer": said}
    hooks = {kind: hook for kind, hook in CATALOGUE_HOOKS.items() if hook in plugin.hooks}
    answers = {WORDS[kind]: plugin.answer(kind, registry) for kind in hooks}
    faults = [(word, fault) for word, answer in answers.items() for fault in answer.faults]
    parts = {
        word: {name: describe_part(part) for name, part in answer.parts.items()}
        for word, answer in answers.items()
    }
    said = _say(
        plugin.name,
        plugin.origin,
        installed,
        hooks=plugin.hooks,
        parts=parts,
        faults=[(word, fault.part, fault.cause) for word, fault in faults],
        trace=_trace(fault for _, fault in faults),
    )
    return {"offer": said, "by_registry": plugin.takes_registry}


def _trace(faults: Iterable[Fault]) -> str:
    errors = (fault.error for fault in faults if fault.error is not None)
    return "\n".join("".join(traceback.format_exception(error)) for error in errors)


def _end(one: _Looking, question: Question) -> dict[str, Any]:
    """End a process with all that it started, and return what it told, or what became of it."""
    ended = _find_end(one.pid)
    with suppress(ProcessLookupError):
        os.killpg(one.pid, signal.SIGKILL)
    os.waitpid(one.pid, 0)
    os.close(one.pipe)
    if one.answer is not None:
        return one.answer
    doing = next((line for line in reversed(one.lines) if line.startswith(("to ", "for "))), "")
    said = "load" if doing in ("", "to load") else f"answer {doing.removeprefix('for ')}"
    broken = f"does not {said}: {_say_end(ended, question)}"
    told = _say(
        one.point.name, one.point.value, one.installed, broken=broken, trace="\n".join(one.lines)
    )
    return {"offer": told}


def _say_end(ended: os.waitid_result | None, question: Question) -> str:
    if ended is None:
        return f"it was ended after {question.limit_s:g} s"
    if ended.si_code == os.CLD_EXITED:
        return f"its process ended with status {ended.si_status}"
    return f"its process was killed by {signal.Signals(ended.si_status).name}"


def _write(out: TextIO, key: str, told: Mapping[str, Any]) -> None:
    out.write(json.dumps({"key": key, **told}) + "\n")
    out.flush()


if __name__ == "__main__":
    sys.exit(main())
