"""What machine this is. What cannot be read here is null, never guessed."""

from __future__ import annotations

import os
import platform
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


INTEGER_INSTRUCTIONS = ("amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "asimddp", "i8mm")
"""As Linux calls them: of the processors of x86, then of Arm's."""


@attrs.frozen(kw_only=True)
class Environment:
    """What a run was made on; what could not be read is None."""

    processor: str | None
    architecture: str
    integer_instructions: tuple[str, ...] | None
    """Those of the processor that multiply and add 8-bit integers in one step, by the kernel's
    names."""
    cpus: int | None
    """Processors of the machine."""
    cpus_usable: int | None
    """Processors that this process may run on."""
    cpu_limit: float | None
    """Processors' worth of time that the control group grants; None for no bound known."""
    memory_bytes: int | None
    memory_limit_bytes: int | None
    """What the control group grants; None for no bound known."""
    governor: str | None
    frequency_hz: tuple[float, float] | None
    """Lowest and highest frequency of the processors now."""
    container: str | None
    """What kind of container this is, where it says so."""
    kernel: str
    python: str
    clock: str
    """What durations are read from."""
    clock_source: str | None
    """What the kernel reads that from."""
    clock_resolution_s: float
    commit: str | None
    """Commit of the checkout that the program runs from."""
    versions: Mapping[str, str | None] = attrs.field(factory=dict)
    """By module, of what a run stands on; None for one that is not installed."""


def describe(*, checkout: Path = Path(__file__).parent, root: Path = Path("/")) -> Environment:
    """Describe this machine, in a few milliseconds and without starting a process.

    *checkout* is a directory in a working copy; *root* is where the kernel's files are.
    """
    clock = time.get_clock_info("monotonic")
    clocks = root / "sys/devices/system/clocksource/clocksource0"
    return Environment(
        processor=find_processor(root),
        architecture=platform.machine(),
        integer_instructions=_find_integer_instructions(root),
        cpus=os.cpu_count(),
        cpus_usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        cpu_limit=_cpu_limit(root),
        memory_bytes=_memory(root),
        memory_limit_bytes=_memory_limit(root),
        governor=_governor(root),
        frequency_hz=_frequency(root),
        container=_container(root),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        clock=clock.implementation,
        clock_source=_read(clocks / "current_clocksource"),
        clock_resolution_s=clock.resolution,
        commit=_commit(checkout),
    )


def _read(path: Path) -> str | None:
    """Return what a file of the kernel says, or None where it is not there or not for us."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _number(said: str | None) -> int | None:
    return int(said) if said is not None and said.isdigit() else None


def find_processor(root: Path = Path("/")) -> str | None:
    """Return what the machine calls its processor; *root* is where the kernel's files are."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(root / "proc/cpuinfo") or "", re.MULTILINE)
    return found[1] if found else _read(root / "proc/device-tree/model")


def _find_integer_instructions(root: Path) -> tuple[str, ...] | None:
    said = _read(root / "proc/cpuinfo") or ""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", said, re.MULTILINE)
    return tuple(one for one in INTEGER_INSTRUCTIONS if one in found[1].split()) if found else None


def _memory(root: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB$", _read(root / "proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def count_processors(root: Path = Path("/")) -> float:
    """Return how many processors' worth of time this process has: a quota may leave 0.5 or 2.5.

    The fewer of those that it may run on and of those that its control groups grant; *root* is
    where the kernel's files are.
    """
    here = float(len(os.sched_getaffinity(0)))
    limit = _cpu_limit(root)
    return here if limit is None else min(here, limit)


@attrs.frozen
class Cores:
    """How many cores of a machine are as fast as its fastest, and what was counted, in words."""

    count: int
    what: str


def count_cores(root: Path = Path("/"), usable: Collection[int] | None = None) -> Cores:
    """Count the cores on which this process may run and that are as fast as the fastest of them.

    The threads of a core count once. Which cores are fast is read from their capacities (big and
    little ones of Arm), or from the kernel's list of those of Intel that are no efficient ones.
    *root* is where the kernel's files are, *usable* are the numbers of the processors.
    """
    found = sorted(os.sched_getaffinity(0) if usable is None else usable)
    home = root / "sys/devices/system/cpu"
    cores = {cpu: _read(home / f"cpu{cpu}/topology/thread_siblings_list") for cpu in found}
    if None in cores.values():
        return Cores(len(found), "its processors, as the kernel does not tell its cores")
    large = _read_numbers(_read(root / "sys/devices/cpu_core/cpus") or "")
    speeds = {cpu: _number(_read(home / f"cpu{cpu}/cpu_capacity")) or 0 for cpu in found}
    ranks = {cpu: (cpu in large, speeds[cpu]) for cpu in found}
    fast = {cores[cpu] for cpu in found if ranks[cpu] == max(ranks.values())}
    every = len(set(cores.values()))
    if len(fast) < every:
        return Cores(len(fast), f"the fastest of its {every} cores")
    return Cores(every, "its cores")


def _read_numbers(said: str) -> set[int]:
    """Return the numbers of a list as the kernel writes it: `0-3,8`."""
    parts = [one.partition("-") for one in said.split(",") if one]
    return {n for low, _, high in parts for n in range(int(low), int(high or low) + 1)}


def _cpu_limit(root: Path) -> float | None:
    """Return the least quota of this process's control group and of those around it.

    Both versions of the interface are read. In a container the outermost group is its own, and the
    path that the kernel gives may lead nowhere in it.
    """
    quotas = [_read_quota(group) for group in _cpu_groups(root)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _cpu_groups(root: Path) -> Iterator[Path]:
    groups = root / "sys/fs/cgroup"
    inside = {"": "", "cpu": ""}
    for line in (_read(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        for name in inside.keys() & set(controllers.split(",")):
            inside[name] = path.strip("/")
    for name, path in inside.items():
        group = groups / name / path
        yield from (group, *group.parents[: len(Path(path).parts)])


def _read_quota(group: Path) -> float | None:
    if unified := _read(group / "cpu.max"):
        quota, _, period = unified.partition(" ")
    else:
        quota = _read(group / "cpu.cfs_quota_us") or ""
        period = _read(group / "cpu.cfs_period_us") or ""
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory_limit(root: Path) -> int | None:
    groups = root / "sys/fs/cgroup"
    names = ("memory.max", "memory/memory.limit_in_bytes")
    bound = next((n for n in (_number(_read(groups / name)) for name in names) if n), None)
    # The older interface says «no bound» with a number near 2**63.
    return bound if bound is not None and bound < 2**60 else None


def _governor(root: Path) -> str | None:
    paths = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return ", ".join(sorted({said for said in map(_read, paths) if said})) or None


def _frequency(root: Path) -> tuple[float, float] | None:
    """Return the lowest and the highest frequency of the processors now, in Hz."""
    paths = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
    found = [n * 1e3 for n in (_number(_read(path)) for path in paths) if n]
    if not found:
        said = _read(root / "proc/cpuinfo") or ""
        speeds = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", said, re.MULTILINE)
        found = [float(one) * 1e6 for one in speeds]
    return (min(found), max(found)) if found else None


def _container(root: Path) -> str | None:
    if (root / ".dockerenv").exists():
        return "docker"
    if (root / "run/.containerenv").exists():
        return "podman"
    return _read(root / "run/systemd/container")


def _commit(inside: Path) -> str | None:
    """Read the commit of the working copy around a directory from git's own files."""
    top = next((one for one in (inside, *inside.parents) if (one / ".git").exists()), None)
    if top is None:
        return None
    git = top / ".git"
    if git.is_file():  # a working tree beside its repository
        git = (top / (_read(git) or "").removeprefix("gitdir: ")).resolve()
    head = _read(git / "HEAD") or ""
    if not head.startswith("ref: "):
        return head or None
    name = head.removeprefix("ref: ")
    shared = (git / (_read(git / "commondir") or ".")).resolve()
    return _read(git / name) or _read(shared / name) or _packed(shared, name)


def _packed(git: Path, name: str) -> str | None:
    lines = (_read(git / "packed-refs") or "").splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
