"""What a fabric promises."""

from __future__ import annotations

import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import dedent

from edgebench.parts.errors import one_line
from edgebench.parts.places import Fabric, Host, HostFacts, Link, Tier
from edgebench.testing.contracts.contract import Contract, NotChecked, hold
from edgebench.testing.contracts.subjects import choose_route

MARK = "EDGEBENCH_CONTRACT"
"""The variable by which processes of this contract are found, whoever started them."""
LIMIT_S = 30.0
WORDS = ("cpu", "memory", "bandwidth", "delay")
READS = """
    import os, pathlib, sys
    print("read", pathlib.Path(sys.argv[1], "held.txt").read_text(), os.environ["SAID"])
"""
SLEEPS = """
    import subprocess, sys, time
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("asleep", flush=True)
    time.sleep(600)
"""


class FabricContract(Contract):
    """What a fabric promises: the tiers that its links join, opened, used and closed."""

    kind = Fabric

    # --- promises --------------------------------------------------------------------------------

    def test_it_says_whether_it_is_usable(self) -> None:
        """It says that it works on this machine, or in one sentence why not."""
        said = self.part.usable()
        clear = said is True or (isinstance(said, str) and said.strip() and "\n" not in said)
        hold(clear, f"usable gives {said!r}: it must be True, or one clause that says why not")

    def test_it_opens_a_host_for_each_tier(self) -> None:
        """It opens a host for each tier, which says what it is and how its limits are enforced."""
        tiers, _ = self._route()
        with self._open() as hosts:
            hold(
                list(hosts) == [tier.name for tier in tiers],
                f"it opens {list(hosts)}, not {[tier.name for tier in tiers]}",
            )
            for tier in tiers:
                _check_host(hosts[tier.name], tier)

    def test_it_enforces_what_it_says(self) -> None:
        """What it says for people of how it enforces limits names those that there are."""
        strange = sorted(set(self.part.enforces) - set(WORDS))
        hold(not strange, f"it enforces {', '.join(strange)}; there are {', '.join(WORDS)}")

    def test_it_puts_and_spawns(self) -> None:
        """What is put on a host is read there by a process that is spawned, its log kept."""
        given = self.bench.make_place("given")
        (given / "held.txt").write_text("what-was-put")
        with self._open() as hosts:
            for name, host in hosts.items():
                place = host.put(given)
                log = self.bench.make_place("logs") / f"{name}.log"
                end = _wait(host, [sys.executable, "-c", dedent(READS), str(place)], log)
                printed = log.read_text(errors="replace")
                hold(end == 0, f"a process on {name} ended with {end}: {printed.strip()[-200:]}")
                hold(
                    "read what-was-put this" in printed,
                    f"a process on {name} read {printed.strip()!r}",
                )
        hold((given / "held.txt").is_file(), "what was put is gone where it came from")

    def test_its_processes_can_be_killed(self) -> None:
        """A process leads a group of its own: killed, it takes along what it has started."""
        with self._open() as hosts:
            for name, host in hosts.items():
                log = self.bench.make_place("logs") / f"{name}.log"
                token = secrets.token_hex(8)
                env = {MARK: token}
                running = host.spawn([sys.executable, "-c", dedent(SLEEPS)], env, log)
                hold(running.log == log, f"its log is {running.log}, not {log}")
                _await(lambda: log.exists() and "asleep" in log.read_text(), f"{name} to start")  # noqa: B023
                hold(
                    os.getpgid(running.pid) == running.pid,
                    f"a process on {name} leads no group of its own",
                )
                os.killpg(running.pid, signal.SIGKILL)
                _reap(running.pid)
                _await(lambda: not _find_marked(token), f"what was killed on {name} to end")  # noqa: B023

    def test_nothing_is_left_when_it_closes(self) -> None:
        """When it is closed no process runs on, nor after an error, and it opens again."""
        token = secrets.token_hex(8)
        log = self.bench.make_place("logs") / "left.log"
        ours = InterruptedError("an error while it is open")
        with suppress(InterruptedError), self._open() as hosts:
            for host in hosts.values():
                argv = [sys.executable, "-c", "print('done')"]
                _reap(host.spawn(argv, {MARK: token}, log).pid)
            raise ours
        left = _find_marked(token)
        hold(not left, f"the processes {left} run on once it is closed")
        with self._open() as hosts:
            hold(hosts, "opened again it has no hosts")

    # --- what they stand on ----------------------------------------------------------------------

    def _route(self) -> tuple[list[Tier], tuple[Link, ...]]:
        names, links = choose_route(self.bench, 2)
        return [self.bench.plugins.get(Tier, name) for name in names], links

    @contextmanager
    def _open(self) -> Iterator[Mapping[str, Host]]:
        said = self.part.usable()
        if said is not True:
            raise NotChecked(f"it is not usable here: {said}")
        tiers, links = self._route()
        with self.part.open(tiers, links) as hosts:
            yield hosts


def _check_host(host: Host, tier: Tier) -> None:
    hold(host.tier == tier, f"the host of {tier.name} says that it is {host.tier}")
    hold(isinstance(host.threads, int) and host.threads >= 1, f"it has {host.threads} threads")
    hold(host.slowdown >= 1, f"the host of {tier.name} is {host.slowdown} times slower")
    hold(isinstance(host.paced, bool), f"paced is {host.paced!r}")
    facts = host.facts()
    hold(isinstance(facts, HostFacts), f"facts gives {type(facts).__name__}")
    hold(facts.tier == tier.name, f"the facts of {tier.name} are those of {facts.tier}")
    missing = [word for word in WORDS if word not in host.enforced]
    hold(not missing, f"the host of {tier.name} does not say how {', '.join(missing)} is enforced")


def _wait(host: Host, argv: list[str], log: Path) -> int:
    """Spawn a process, wait for its end, and return its status."""
    try:
        running = host.spawn(argv, {"SAID": "this"}, log)
    except Exception as error:
        raise AssertionError(f"spawn raises {one_line(error)}") from error
    return _reap(running.pid)


def _reap(pid: int) -> int:
    pidfd = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([pidfd], [], [], LIMIT_S)
        hold(ready, f"a process did not end within {LIMIT_S:g} s")
    finally:
        os.close(pidfd)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:
        return 0  # a fabric may start processes that are not this one's children


def _await(happened: object, what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not happened():  # type: ignore[operator]
        hold(time.monotonic() < end, f"waited {LIMIT_S:g} s for {what}")
        time.sleep(0.02)


def _find_marked(token: str) -> list[int]:
    """Return the processes here that have the mark, ended ones left aside."""
    found, mark = [], f"{MARK}={token}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found
