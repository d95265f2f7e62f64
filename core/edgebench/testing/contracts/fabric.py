"""What a fabric promises."""

from __future__ import annotations

import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from textwrap import dedent

from edgebench.parts.errors import one_line
from edgebench.parts.places import Fabric, Host, HostFacts, Link, Tier
from edgebench.store.owners import end_marked, find_marked
from edgebench.testing.contracts.contract import Contract, NotChecked, hold
from edgebench.testing.contracts.subjects import choose_route

MARK = "EDGEBENCH_CONTRACT"
"""The variable by which processes of this contract are found, whoever started them."""
LIMIT_S = 30.0
GRACE_S = 5.0
"""How long what was ended may take to be gone."""
WORDS = ("cpu", "memory", "bandwidth", "delay")
READS = """
    import os, pathlib, sys
    print("read", pathlib.Path(sys.argv[1], "held.txt").read_text(), os.environ["SAID"])
"""
SLEEPS = """
    import subprocess, sys, time
    subprocess.Popen([sys.executable, "-P", "-c", "import time; time.sleep(600)"])
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
                end = _wait(host, [sys.executable, "-P", "-c", dedent(READS), str(place)], log)
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
                running = host.spawn([sys.executable, "-P", "-c", dedent(SLEEPS)], env, log)
                hold(running.log == log, f"its log is {running.log}, not {log}")
                _await(lambda: log.exists() and "asleep" in log.read_text(), f"{name} to start")  # noqa: B023
                hold(
                    os.getpgid(running.pid) == running.pid,
                    f"a process on {name} leads no group of its own",
                )
                os.killpg(running.pid, signal.SIGKILL)
                _reap(running.pid)
                ended = partial(_is_gone, token)
                _await(ended, f"what was killed on {name} to end")

    def test_nothing_is_left_when_it_closes(self) -> None:
        """When it is closed no process runs on, nor after an error, and it opens again."""
        for wrong in (None, InterruptedError("an error while it is open")):
            token, spawned = secrets.token_hex(8), list[int]()
            try:
                came = self._use(token, spawned, wrong)
                said = one_line(came) if came else "nothing"
                hold(came is wrong, f"of an error while it is open {said} comes out when it closes")
                gone = _comes(partial(_is_gone, token), GRACE_S)
                left = len(find_marked(token.__eq__, MARK))
                hold(gone, f"{left} processes run on {GRACE_S:g} s after it is closed")
            finally:
                end_marked(token.__eq__, MARK)
                for pid in spawned:
                    with suppress(ChildProcessError):
                        os.waitpid(pid, 0)

    # --- what they stand on ----------------------------------------------------------------------

    def _route(self) -> tuple[list[Tier], tuple[Link, ...]]:
        names, links = choose_route(self.bench, 2)
        return [self.bench.plugins.get(Tier, name) for name in names], links

    def _leave_asleep(self, host: Host, token: str) -> int:
        """Spawn a process that sleeps, and return its number once it does."""
        log = self.bench.make_place("left") / "log"
        argv = [
            sys.executable,
            "-P",
            "-c",
            "import time; print('asleep', flush=True); time.sleep(600)",
        ]
        pid = host.spawn(argv, {MARK: token}, log).pid
        _await(lambda: log.exists() and "asleep" in log.read_text(), "a process to start")
        return pid

    def _use(self, token: str, spawned: list[int], wrong: Exception | None) -> BaseException | None:
        """Open it, leave a process asleep on each host, close it: because of *wrong*, if given.

        Return what comes out of it; *token* marks whatever is started meanwhile.
        """
        try:
            # What it starts for itself inherits this process's own variables.
            with _marking(token), self._open() as hosts:
                hold(hosts, "it has no hosts")
                spawned += [self._leave_asleep(host, token) for host in hosts.values()]
                if wrong:
                    raise wrong  # noqa: TRY301 (through what is open)
        except (AssertionError, NotChecked):
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a fabric raises)
            return error
        return None

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


def _await(happened: Callable[[], bool], what: str) -> None:
    hold(_comes(happened, LIMIT_S), f"waited {LIMIT_S:g} s for {what}")


def _is_gone(token: str) -> bool:
    """Say whether no process that was marked is left."""
    return not find_marked(token.__eq__, MARK)


def _comes(happened: Callable[[], bool], limit_s: float) -> bool:
    """Say whether something happens in time."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def _marking(token: str) -> Iterator[None]:
    """Mark whatever this process starts meanwhile."""
    os.environ[MARK] = token
    try:
        yield
    finally:
        del os.environ[MARK]
