"""The fabric `process`: every tier a few processes of this machine, and pretended where it must be.

Nothing is needed for it. Threads and memory are limited for real where this machine can; slower
processors and links are emulated by waiting, and labelled so.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs

from edgebench import Fabric, Host, HostFacts, Link, Registry, Tier, hookimpl

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
        if self.memory is not None:
            self.memory.add(pid)
        return Spawned(pid, log, self.memory)


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


def _speed(tier: Tier, largest: int) -> tuple[int, float, str]:
    """Return a tier's threads and slow-down on this machine, and how that is said."""
    here = len(os.sched_getaffinity(0))
    if here >= largest:
        return tier.cpus, 1.0, f"{tier.cpus} threads on as many of {here} processors"
    slowdown = largest / tier.cpus
    how = f"{tier.cpus} of {largest} CPUs on a machine of {here}"
    if slowdown == 1.0:
        return 1, 1.0, f"emulated: 1 thread at full speed ({how})"
    return 1, slowdown, f"emulated: waits {slowdown - 1:g} x each computation ({how})"


def opener(registry: Registry) -> Fabric:
    """Make the fabric for the tiers that a registry knows."""

    @contextmanager
    def connect(tiers: Sequence[Tier], links: Sequence[Link]) -> Iterator[Mapping[str, Host]]:
        """Give a host for each tier; nothing of them is left at the end."""
        known = [row.cpus for row in registry.tiers.values()] + [tier.cpus for tier in tiers]
        with ExitStack() as stack:
            hosts: dict[str, Host] = {}
            for tier in tiers:
                threads, slowdown, cpu = _speed(tier, max(known))
                hosts[tier.name] = ProcessHost(
                    tier=tier,
                    threads=threads,
                    slowdown=slowdown,
                    cpu=cpu,
                    memory=stack.enter_context(memory_group(tier)),
                )
            yield hosts

    return Fabric(
        name="process",
        summary="Every tier a few processes of this machine.",
        open=connect,
        enforces={
            "cpu": "threads and affinity, or a declared slow-down",
            "memory": "a control group where one is writable",
            "bandwidth": PACED,
            "delay": DELAYED,
        },
    )


@hookimpl
def edgebench_fabrics(registry: Registry) -> Iterator[Fabric]:
    """Offer the fabric that needs nothing."""
    yield opener(registry)
