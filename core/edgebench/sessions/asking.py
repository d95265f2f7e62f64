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

import attrs

from edgebench.cases.usable import Answer, Devices
from edgebench.catalogue.blame import name_part
from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.part import Usable
from edgebench.parts.places import Backend, HostFacts
from edgebench.sessions.opening import list_devices
from edgebench.store.lifeline import die_with
from edgebench.store.owners import MARK, end_marked, identify_owner

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
        [
            sys.executable,
            "-P",
            "-m",
            "edgebench.sessions.asking",
            json.dumps(to_document(question)),
        ],
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


def main(argv: list[str]) -> int:
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
    print(_MARK + json.dumps(answer))  # noqa: T201 (the answer is this process's whole purpose)
    return 0


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
    sys.exit(main(sys.argv[1:]))
