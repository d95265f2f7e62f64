"""Asking backends whether they are usable on a host, each in a process of its own.

A backend may import its runtime to answer, and a runtime may crash: neither must happen in the
controller. `python -m edgebench.cases.usable` reads the questions about one backend on standard
input and writes the answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from edgebench.catalogue.plugins import Plugins, PluginSource
from edgebench.parts.places import Backend, HostFacts

LIMIT_S = 60.0
_MARK = "edgebench-answers:"


@attrs.frozen
class Usability:
    """Answers about backends on hosts, asked once each."""

    plugins: Plugins
    hosts: Mapping[str, HostFacts]
    """What each tier's host says of itself."""
    _answers: dict[tuple[str, str, str], str] = attrs.field(factory=dict, init=False)
    _devices: dict[str, list[str]] = attrs.field(factory=dict, init=False)

    def devices(self, backend: str) -> Sequence[str]:
        """Return the devices of a backend that was asked, the one it takes by itself first."""
        return self._devices.get(backend, ())

    def why_not(self, backend: str, device: str, tier: str) -> str | None:
        """Return why a backend cannot run on a tier's host, or None if it can."""
        if (backend, device, tier) not in self._answers:
            self.ask([(backend, device)])
        return self._answers[backend, device, tier] or None

    def ask(self, choices: Iterable[tuple[str, str]]) -> None:
        """Ask about backends and devices on every host, one process a backend, all at once."""
        by_backend: dict[str, list[str]] = {}
        for backend, device in dict.fromkeys(choices):
            if (backend, device, next(iter(self.hosts), "")) not in self._answers:
                by_backend.setdefault(backend, []).append(device)
        asked = {backend: self._start(backend, devices) for backend, devices in by_backend.items()}
        for backend, process in asked.items():
            said = self._answer(process)
            self._devices[backend] = [] if isinstance(said, str) else said["devices"]
            for device in by_backend[backend]:
                for tier in self.hosts:
                    self._answers[backend, device, tier] = (
                        said if isinstance(said, str) else said["why not"][device][tier]
                    )

    def _start(self, backend: str, devices: Sequence[str]) -> subprocess.Popen[str]:
        question = {
            "source": self.plugins.source.to_json(),
            "backend": backend,
            "devices": devices,
            "hosts": {tier: attrs.asdict(facts) for tier, facts in self.hosts.items()},
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "edgebench.cases.usable"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if process.stdin is None:
            raise AssertionError("a pipe was asked for")
        process.stdin.write(json.dumps(question))
        process.stdin.close()
        process.stdin = None
        return process

    def _answer(self, process: subprocess.Popen[str]) -> Any:
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"it did not say within {LIMIT_S:g} s whether it is usable"
        for line in out.splitlines():
            if line.startswith(_MARK):
                return json.loads(line.removeprefix(_MARK))
        last = (err.strip().splitlines() or [f"status {process.returncode}"])[-1]
        return f"asking it failed: {last}"


def main() -> int:
    """Answer the questions on standard input: `why not` by device and tier, empty if usable."""
    question = json.load(sys.stdin)
    backend = PluginSource.from_json(question["source"]).load().get(Backend, question["backend"])
    hosts = {tier: HostFacts(**facts) for tier, facts in question["hosts"].items()}
    answers = {
        device: {tier: _why_not(backend, device, facts) for tier, facts in hosts.items()}
        for device in question["devices"]
    }
    document = {"devices": list(backend.devices()), "why not": answers}
    print(_MARK + json.dumps(document))  # noqa: T201 (the answer is this process's whole purpose)
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
    sys.exit(main())
