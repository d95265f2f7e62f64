"""Which backends are usable on which hosts, asked once each.

A backend may import its runtime to answer, and a runtime may crash: so how one is asked is left to
whoever plans (`sessions/asking.py` asks each in a process of its own).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import attrs

from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import Fabric, HostFacts, Tier


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


@attrs.frozen
class Usability:
    """Answers about backends on hosts, asked once each."""

    plugins: Plugins
    hosts: Mapping[str, HostFacts]
    """What each tier's host says of itself."""
    _ask: Ask
    _answers: dict[tuple[str, str], Mapping[str, str]] = attrs.field(factory=dict, init=False)
    """By backend and device, why it cannot run on each tier."""
    _devices: dict[str, Sequence[str]] = attrs.field(factory=dict, init=False)

    @classmethod
    @contextmanager
    def open(cls, plugins: Plugins, fabric: str, ask: Ask) -> Iterator[Self]:
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
