"""Asking backends whether they are usable on a host, each in a process of its own.

A backend may import its runtime to answer, and a runtime may crash: neither must happen in the
controller. `python -m edgebench.cases.usable QUESTION` answers about one backend, in JSON both.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import attrs

from edgebench.catalogue.blame import name_part
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.lifeline import MARK, die_with, end_marked, identify_owner
from edgebench.parts.places import Backend, Fabric, HostFacts, Tier

LIMIT_S = 60.0
_MARK = "edgebench-answers:"


@attrs.frozen(kw_only=True)
class Question:
    """What the process of one backend is asked."""

    source: PluginSource
    backend: str
    devices: tuple[str, ...]
    """Empty for the backend's first device."""
    hosts: Mapping[str, HostFacts]
    parent: int = attrs.field(factory=os.getpid)
    """The process that asks, without which this one must not live on."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a backend says of itself."""

    devices: tuple[str, ...] = ()
    """Those of this machine, the one it takes by itself first."""
    why_not: Mapping[str, Mapping[str, str]]
    """By device asked for and tier, why it cannot run there; empty if it can."""


Devices = Mapping[str, Sequence[str]]
"""By backend, the devices that are asked for."""
Ask = Callable[[Plugins, Devices, Mapping[str, HostFacts]], Mapping[str, Answer]]
"""From devices by backend and hosts by tier to the answer of each backend."""


def ask_in_processes(
    plugins: Plugins, devices: Devices, hosts: Mapping[str, HostFacts]
) -> Mapping[str, Answer]:
    """Ask each backend in a process of its own, all at once."""
    questions = [
        Question(source=plugins.source, backend=name, devices=tuple(wanted), hosts=hosts)
        for name, wanted in devices.items()
    ]
    mark = f"{identify_owner()}/{secrets.token_hex(8)}"
    try:
        started = [(question, _start(question, mark)) for question in questions]
        return {
            question.backend: _hear(question, process, plugins) for question, process in started
        }
    finally:
        # Whoever is interrupted leaves none of them, nor what they have started.
        end_marked(mark.__eq__)


def _start(question: Question, mark: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgebench.cases.usable", json.dumps(to_document(question))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: mark},
        start_new_session=True,
    )


def _hear(question: Question, process: subprocess.Popen[str], plugins: Plugins) -> Answer:
    who = name_part(plugins, Backend, question.backend)
    try:
        with process:
            out, err = _read(process)
    except subprocess.TimeoutExpired:
        why = f"{who} did not say within {LIMIT_S:g} s whether it is usable"
        return _refuse(question, why)
    for line in out.splitlines():
        if line.startswith(_MARK):
            return from_document(Answer, json.loads(line.removeprefix(_MARK)))
    last = (err.strip().splitlines() or [f"it ended with status {process.returncode}"])[-1]
    if process.returncode < 0:
        last = f"it was killed by {signal.Signals(-process.returncode).name}"
    return _refuse(question, f"asking {who} failed: {last}")


def _read(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what a process prints until its end; it is killed, with its group, if that is late."""
    try:
        return process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


def _refuse(question: Question, why: str) -> Answer:
    """Return the answer of a backend that gave none: it runs nowhere."""
    everywhere = dict.fromkeys(question.hosts, why)
    return Answer(why_not=dict.fromkeys(question.devices, everywhere))


@attrs.frozen
class Usability:
    """Answers about backends on hosts, asked once each."""

    plugins: Plugins
    hosts: Mapping[str, HostFacts]
    """What each tier's host says of itself."""
    _ask: Ask = ask_in_processes
    _answers: dict[tuple[str, str], Mapping[str, str]] = attrs.field(factory=dict, init=False)
    """By backend and device, why it cannot run on each tier."""
    _devices: dict[str, Sequence[str]] = attrs.field(factory=dict, init=False)

    @classmethod
    @contextmanager
    def open(cls, plugins: Plugins, fabric: str, ask: Ask = ask_in_processes) -> Iterator[Self]:
        """Open a fabric's host of every tier, to ask about backends on them."""
        tiers = list(plugins.all(Tier).values())
        with plugins.get(Fabric, fabric).open(tiers, plugins.registry.links) as hosts:
            yield cls(plugins, {tier: host.facts() for tier, host in hosts.items()}, ask)

    def devices(self, backend: str) -> Sequence[str]:
        """Return the devices of a backend that was asked, the one it takes by itself first."""
        return self._devices.get(backend, ())

    def why_not(self, backend: str, device: str, tier: str) -> str | None:
        """Return why a backend cannot run on a tier's host, or None if it can."""
        if (backend, device) not in self._answers:
            self.ask([(backend, device)])
        return self._answers[backend, device][tier] or None

    def ask(self, choices: Iterable[tuple[str, str]]) -> None:
        """Ask about backends and devices on every host, those not asked before, all at once."""
        unknown: dict[str, list[str]] = {}
        for backend, device in dict.fromkeys(choices):
            if (backend, device) not in self._answers:
                unknown.setdefault(backend, []).append(device)
        for backend, answer in self._ask(self.plugins, unknown, self.hosts).items():
            self._devices[backend] = answer.devices
            for device, by_tier in answer.why_not.items():
                self._answers[backend, device] = by_tier


def main(argv: list[str]) -> int:
    """Answer the question that the first argument is."""
    question = from_document(Question, json.loads(argv[0]))
    die_with(question.parent)
    backend = question.source.load().get(Backend, question.backend)
    why_not = {
        device: {tier: _why_not(backend, device, facts) for tier, facts in question.hosts.items()}
        for device in question.devices
    }
    answer = to_document(Answer(devices=tuple(backend.devices()), why_not=why_not))
    print(_MARK + json.dumps(answer))  # noqa: T201 (the answer is this process's whole purpose)
    return 0


def _why_not(backend: Backend, device: str, facts: HostFacts) -> str:
    devices = list(backend.devices())
    if device and device not in devices:
        return f"has no device {device!r} here; it has {', '.join(devices) or 'none'}"
    said = backend.usable(facts, device or (devices[0] if devices else ""))
    if said is True:
        return ""
    return said if isinstance(said, str) else "not usable"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
