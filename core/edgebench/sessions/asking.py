"""Asking backends whether they are usable on a host, each in a process of its own.

A backend may import its runtime to answer, and a runtime may crash: neither must happen in the
controller. `python -m edgebench.sessions.asking QUESTION` answers about one backend, in JSON both.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import attrs

from edgebench.cases.usable import Answer, Devices
from edgebench.catalogue.blame import name_part
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.part import Usable
from edgebench.parts.places import Backend, HostFacts
from edgebench.sessions.opening import list_devices
from edgebench.store.lifeline import die_with
from edgebench.store.owners import MARK, SAFE, end_marked, identify_owner
from edgebench.store.scratch import open_scratch

LIMIT_S = 60.0
_MARK = "edgebench-answers:"
OUT, ERR = "out", "err"


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


def ask_in_processes(
    plugins: Plugins, devices: Devices, hosts: Mapping[str, HostFacts]
) -> Mapping[str, Answer]:
    """Ask each backend in a process of its own, all at once."""
    questions = [
        Question(source=plugins.source, backend=name, devices=tuple(wanted), hosts=hosts)
        for name, wanted in devices.items()
    ]
    mark = f"{identify_owner()}/{secrets.token_hex(8)}"
    with open_scratch() as scratch:
        try:
            asked = [_Asked.start(one, mark, scratch / one.backend) for one in questions]
            return {one.question.backend: one.hear(plugins) for one in asked}
        finally:
            # Whoever is interrupted leaves none of them, nor what they have started.
            end_marked(mark.__eq__)


@attrs.frozen(kw_only=True)
class _Asked:
    """A process that was asked about one backend."""

    question: Question
    process: subprocess.Popen[bytes]
    place: Path
    """Where what it prints is kept: pipes stay open as long as something that it has started."""

    @classmethod
    def start(cls, question: Question, mark: str, place: Path) -> Self:
        """Start it, and have what it prints kept in a new directory."""
        module, asked = "edgebench.sessions.asking", json.dumps(to_document(question))
        place.mkdir()
        with (place / OUT).open("wb") as out, (place / ERR).open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, asked],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **SAFE, MARK: mark},
                start_new_session=True,
            )
        return cls(question=question, process=process, place=place)

    def hear(self, plugins: Plugins) -> Answer:
        """Return what it answers, or that it gave no answer, and what became of it."""
        who = name_part(plugins, Backend, self.question.backend)
        try:
            status = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            why = f"{who} did not say within {LIMIT_S:g} s whether it is usable"
            return _refuse(self.question, why)
        for line in _read(self.place / OUT):
            if line.startswith(_MARK):
                return from_document(Answer, json.loads(line.removeprefix(_MARK)))
        last = (_read(self.place / ERR) or [f"it ended with status {status}"])[-1]
        if status < 0:
            last = f"it was killed by {signal.Signals(-status).name}"
        return _refuse(self.question, f"asking {who} failed: {last}")


def _read(file: Path) -> list[str]:
    return file.read_text(errors="replace").strip().splitlines()


def _refuse(question: Question, why: str) -> Answer:
    """Return the answer of a backend that gave none: it runs nowhere."""
    everywhere = dict.fromkeys(question.hosts, why)
    return Answer(why_not=dict.fromkeys(question.devices, everywhere))


def main(argv: list[str]) -> None:
    """Answer the question that the first argument is."""
    question = from_document(Question, json.loads(argv[0]))
    die_with(question.parent)
    backend = question.source.load().get(Backend, question.backend)
    devices = list_devices(backend)
    why_not = {
        device: {
            tier: _why_not(backend, device, devices, facts)
            for tier, facts in question.hosts.items()
        }
        for device in question.devices
    }
    answer = to_document(Answer(devices=devices, why_not=why_not))
    # Behind what the plugin has left in an unfinished line.
    print(f"\n{_MARK}{json.dumps(answer)}", flush=True)  # noqa: T201 (this is what it is for)
    # What a plugin would do at the end may take for ever, and is not asked for.
    os._exit(0)


def _why_not(backend: Backend, device: str, devices: Sequence[str], facts: HostFacts) -> str:
    if device and device not in devices:
        return _say_missing(backend, device, facts, devices)
    said = backend.usable(facts, device or (devices[0] if devices else ""))
    if isinstance(said, str):
        return said or "not usable, and does not say why"
    return "" if said else "not usable"


def _say_missing(backend: Backend, device: str, facts: HostFacts, devices: Sequence[str]) -> str:
    """Say why a device is not there: what the backend says of it, which knows best, if it can."""
    said: Usable = True
    with suppress(Exception):  # it need not expect a device that it does not list
        said = backend.usable(facts, device)
    if isinstance(said, str):
        return said
    return f"has no device {device!r} here; it has {', '.join(devices) or 'none'}"


if __name__ == "__main__":
    main(sys.argv[1:])
