"""The fabric `new-name`: tiers on processors of their own."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import edgebench as eb

EDGEBENCH_API = (2, 0)

PINNED = "pinned to processors of its own, as long as there are enough"
PACED = "paced in user space (emulated)"


@attrs.frozen
class Spawned:
    """A process of a host; for a board on a shelf, that which stands here for one over there."""

    pid: int
    log: Path


@attrs.frozen(kw_only=True)
class PinnedHost:
    """A tier as processes on some of this machine's processors."""

    tier: eb.Tier
    processors: frozenset[int]
    slowdown: float = 1.0
    """How many times slower than this machine it pretends to be: nothing is pretended here."""
    paced: bool = True
    """Whether edgebench is to pace its links; False where the network does it."""
    started: list[tuple[int, int]] = attrs.field(factory=list, eq=False, repr=False)
    """The processes that it has started: the number of each, and a file descriptor."""

    @property
    def threads(self) -> int:
        """Say how many threads its stages may use."""
        return min(self.tier.threads, len(self.processors))

    @property
    def enforced(self) -> Mapping[str, str]:
        """Say how each limit is made real: reports repeat it."""
        which = ", ".join(map(str, sorted(self.processors)))
        cpu = f"pinned to processor {which}; the speed of the tier is not enforced"
        return {"cpu": cpu, "memory": "not enforced", "bandwidth": PACED, "delay": PACED}

    def facts(self) -> eb.HostFacts:
        """Say what this host is; backends are asked whether they are usable there."""
        return eb.HostFacts(
            tier=self.tier.name,
            cpus=len(self.processors),
            memory=self.tier.memory,
            accelerator=self.tier.accelerator,
            system=sys.platform,
            architecture=platform.machine(),
        )

    def put(self, directory: Path) -> Path:
        """Bring an artifact to the host, and return where it lies there: here it lies already."""
        return directory

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Spawned:
        """Start a process in a group of its own, with what it prints in the log."""
        write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            {**os.environ, **env},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self.started.append((pid, os.pidfd_open(pid)))
        os.sched_setaffinity(pid, self.processors)
        return Spawned(pid, log)

    def end(self) -> None:
        """Kill what runs on, with what that has started."""
        for pid, pidfd in self.started:
            # What somebody has waited for is gone, and its number may be another's by now.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                os.killpg(pid, signal.SIGKILL)
            os.close(pidfd)


@contextmanager
def open_hosts(
    tiers: Sequence[eb.Tier], links: Sequence[eb.Link]
) -> Iterator[Mapping[str, PinnedHost]]:
    """Give a host for each tier of a route. What is after `yield` leaves nothing behind."""
    free = sorted(os.sched_getaffinity(0))
    hosts = {}
    for number, tier in enumerate(tiers):
        # Tiers share processors in turn where there are fewer of them than tiers.
        own = [free[(number * tier.threads + one) % len(free)] for one in range(tier.threads)]
        hosts[tier.name] = PinnedHost(tier=tier, processors=frozenset(own))
    try:
        yield hosts
    finally:
        for host in hosts.values():
            host.end()


def usable() -> eb.Usable:
    """Say whether it works on this machine, or in one clause why not; asked before a run."""
    return hasattr(os, "sched_setaffinity") or "needs a system that pins processes to processors"


@eb.hookimpl
def edgebench_fabrics() -> Iterator[eb.Fabric]:
    """Offer it: `edgebench run --fabric new-name`."""
    yield eb.Fabric(
        name="new-name",
        summary="Every tier a few processes of this machine, each tier on processors of its own.",
        open=open_hosts,
        usable=usable,
        enforces={"cpu": PINNED, "bandwidth": PACED, "delay": PACED},
    )
