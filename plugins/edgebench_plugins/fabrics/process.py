"""The fabric `process`: every tier a few processes of this machine, and pretended where it must be.

Nothing is needed for it. Threads and memory are limited for real where this machine can; slower
processors and links are emulated by waiting, and labelled so.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs

from edgebench import Fabric, Host, HostFacts, Link, Tier, count_processors, hookimpl

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
NOT_ENFORCED = "not enforced"
PACED = "paced in user space (emulated)"
DELAYED = "added in user space (emulated)"


@attrs.frozen(kw_only=True)
class MemoryGroup:
    """A control group that bounds the memory of the processes in it."""

    path: Path
    limit: int

    def add(self, pid: int) -> None:
        """Put a process under the bound."""
        # One that has ended already needs none, and whoever waits for it will be told.
        with suppress(ProcessLookupError):
            (self.path / "cgroup.procs").write_text(str(pid))

    def count_kills(self) -> int:
        """Return how many of its processes the kernel has killed for the bound."""
        # The first is that of version 2 of control groups, the other of version 1.
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                for line in (self.path / name).read_text().splitlines():
                    word, _, number = line.partition(" ")
                    if word == "oom_kill":
                        return int(number)
        return 0


@attrs.frozen
class Spawned:
    """A process of this machine."""

    pid: int
    log: Path
    memory: MemoryGroup | None = None

    def explain_kill(self) -> str:
        """Say what it may have been killed for: its tier's memory, where the kernel counts that."""
        if self.memory is None or not self.memory.count_kills():
            return ""
        return f"its tier's memory limit of {self.memory.limit / 2**20:.6g} MiB was reached"


@attrs.frozen(kw_only=True)
class ProcessHost:
    """A tier as processes of this machine."""

    tier: Tier
    threads: int
    slowdown: float
    cpu: str
    """How its speed is made what it claims."""
    memory: MemoryGroup | None
    paced: bool = True
    started: list[tuple[int, int]] = attrs.field(factory=list, eq=False, repr=False)
    """The processes that it has started: the number of each, and a file descriptor."""

    @property
    def enforced(self) -> Mapping[str, str]:
        """Say how each of its limits is made real."""
        memory = NOT_ENFORCED
        if self.memory is not None:
            memory = f"limited to {self.memory.limit / 2**30:g} GiB by a control group"
        return {"cpu": self.cpu, "memory": memory, "bandwidth": PACED, "delay": DELAYED}

    def facts(self) -> HostFacts:
        """Say what this host is: the tier, on this machine's kind of processor."""
        return HostFacts(
            tier=self.tier.name,
            cpus=self.tier.cpus,
            memory=self.tier.memory,
            accelerator=self.tier.accelerator,
            system=sys.platform,
            architecture=platform.machine(),
        )

    def put(self, directory: Path) -> Path:
        """Leave it where it is: all hosts see the same files."""
        return directory

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Spawned:
        """Start a process as the leader of a session, and so of a group, of its own."""
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
        if self.memory is not None:
            self.memory.add(pid)
        return Spawned(pid, log, self.memory)

    def end(self) -> None:
        """Kill what runs on, with what that has started."""
        for pid, pidfd in self.started:
            # What somebody has waited for is gone, and its number may be another's by now.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                os.killpg(pid, signal.SIGKILL)
            os.close(pidfd)
        self.started.clear()


@contextmanager
def memory_group(tier: Tier) -> Iterator[MemoryGroup | None]:
    """Give a control group that holds a tier's memory limit; None where that cannot be had.

    A limit above this machine's own memory would bind nothing, and is not set.
    """
    parent, file = _memory_parent()
    if parent is None or tier.memory >= _machine_memory():
        yield None
        return
    _remove_leftovers(parent)
    path = parent / f"edgebench-{os.getpid()}-{tier.name}"
    with ExitStack() as stack:
        try:
            path.mkdir()
            stack.callback(_remove, path)
            (path / file).write_text(str(tier.memory))
        except OSError:
            # Read-only here, or no such controller: reported as not enforced.
            yield None
        else:
            yield MemoryGroup(path=path, limit=tier.memory)


def _memory_parent() -> tuple[Path | None, str]:
    """Return this process's memory group, if it may have children, and the file of the bound."""
    for line in OWN_CGROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return _writable(CGROUPS / "memory" / path.lstrip("/")), "memory.limit_in_bytes"
        if not controllers and (group := _writable(CGROUPS / path.lstrip("/"))) is not None:
            offered = (group / "cgroup.subtree_control").read_text().split()
            if "memory" in offered:
                return group, "memory.max"
    return None, ""


def _writable(group: Path) -> Path | None:
    return group if (group / "cgroup.procs").exists() and os.access(group, os.W_OK) else None


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _remove(group: Path) -> None:
    # Another run may be removing it too, or a process of it be on its last way: what is left now
    # is removed by the next run, and must not cost this one what it has measured.
    with suppress(OSError):
        group.rmdir()


def _remove_leftovers(parent: Path) -> None:
    """Remove the groups of runs that were killed before they could do it themselves."""
    for group in parent.glob("edgebench-*-*"):
        if not Path("/proc", group.name.split("-")[1]).exists():
            _remove(group)


def _say_speed(speed: float | None) -> tuple[float, str]:
    """Return the slow-down that makes a tier as fast as it states, and how that is said."""
    if speed is None:
        return 1.0, "speed not stated: as fast as this machine"
    if speed > 1.0:
        return 1.0, f"{NOT_ENFORCED}: {speed:.3g} of this machine's speed is stated, 1 is had"
    if speed == 1.0:
        return 1.0, "emulated: as fast as this machine"
    return 1 / speed, f"emulated: waits {1 / speed - 1:.3g} x each computation"


def _limit_threads(wanted: int) -> tuple[int, str]:
    """Return how many threads of a tier can be had here, and how it is said if they are fewer."""
    here = count_processors()
    # Threads beyond a quota would only be paused by turns.
    threads = min(wanted, max(1, int(here)))
    what = f"{here:g} processor{'s' * (here != 1)}"
    fewer = f", on {threads} of its {wanted} threads: this machine has {what}"
    return threads, fewer if threads < wanted else ""


def _open_host(tier: Tier, memory: MemoryGroup | None) -> ProcessHost:
    slowdown, speed = _say_speed(tier.speed)
    threads, fewer = _limit_threads(tier.threads)
    return ProcessHost(
        tier=tier, threads=threads, slowdown=slowdown, cpu=speed + fewer, memory=memory
    )


@contextmanager
def open_hosts(tiers: Sequence[Tier], links: Sequence[Link]) -> Iterator[Mapping[str, Host]]:
    """Give a host for each tier; nothing of them is left at the end."""
    with ExitStack() as stack:
        hosts = {
            tier.name: _open_host(tier, stack.enter_context(memory_group(tier))) for tier in tiers
        }
        for host in hosts.values():
            stack.callback(host.end)
        yield hosts


@hookimpl
def edgebench_fabrics() -> Iterator[Fabric]:
    """Offer the fabric that needs nothing."""
    yield Fabric(
        name="process",
        summary="Every tier a few processes of this machine.",
        open=open_hosts,
        enforces={
            "cpu": "threads and affinity, and waits as the stated speed demands",
            "memory": "a control group where one is writable",
            "bandwidth": PACED,
            "delay": DELAYED,
        },
    )
