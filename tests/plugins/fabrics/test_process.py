import os
import select
import signal
import sys
from pathlib import Path

import attrs
import pytest

from edgebench import Fabric, Link, Tier
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench_plugins.fabrics import process

GIB = 2**30
LINKS = [Link(between=("mobile", "edge"), rate=1e6)]


def tier(name="mobile", cpus=4, memory=GIB, **facts):
    return Tier(name=name, summary="A tier.", cpus=cpus, memory=memory, **facts)


TIERS = [tier(speed=0.25), tier("edge", 8, speed=0.5), tier("cloud", 16, 2**60, speed=1.0)]


@pytest.fixture
def fabric(registry):
    return Plugins.load(registry).get(Fabric, "process")


@pytest.fixture
def processors(monkeypatch):
    """Pretend that this machine has so many processors, or so many's worth of time."""

    def pretend(count):
        monkeypatch.setattr(process, "count_processors", lambda: float(count))

    return pretend


def end_of(pid):
    """Wait for a child, and return how it ended."""
    pidfd = os.pidfd_open(pid)
    ready, _, _ = select.select([pidfd], [], [], 30)
    os.close(pidfd)
    assert ready, "it did not end"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(host, text, log, env=None):
    running = host.spawn([sys.executable, "-c", text], env or {}, log)
    assert running.log == log
    return end_of(running.pid)


def test_the_fabric_is_found_by_the_row_that_names_it(fabric):
    assert fabric.usable() is True
    assert set(fabric.enforces) == {"cpu", "memory", "bandwidth", "delay"}


@pytest.mark.parametrize("here", [1, 2, 16, 64])
def test_a_tier_is_slower_by_its_speed_on_every_machine(fabric, processors, here):
    processors(here)
    with fabric.open(TIERS, LINKS) as hosts:
        slower = {name: host.slowdown for name, host in hosts.items()}
        assert slower == {"mobile": 4.0, "edge": 2.0, "cloud": 1.0}
        assert {host.threads for host in hosts.values()} == {1}
        assert hosts["mobile"].enforced["cpu"] == "emulated: waits 3 x each computation"
        assert hosts["cloud"].enforced["cpu"] == "emulated: as fast as this machine"
        assert all(host.paced for host in hosts.values())


def test_tiers_beside_it_do_not_change_a_tier(fabric):
    giant = tier("giant", 64, speed=1.0)
    with fabric.open(TIERS[:1], []) as hosts:
        alone = hosts["mobile"]
    with fabric.open([giant, *TIERS], []) as hosts:
        assert hosts["mobile"].slowdown == alone.slowdown == 4.0
        assert hosts["mobile"].cpu == alone.cpu


def test_rows_that_are_not_used_do_not_change_a_tier(registry, tmp_path):
    (tmp_path / "big.toml").write_text(
        '[tiers.big]\nsummary = "Big."\ncpus = 64\nmemory_gib = 256\nsource = "its data sheet"\n'
    )
    plugins = Plugins.load(Registry.read([tmp_path / "big.toml"]))
    mobile = plugins.get(Tier, "mobile")
    with plugins.get(Fabric, "process").open([mobile], []) as hosts:
        assert hosts["mobile"].slowdown == 4.0


def test_a_phone_is_as_slow_as_it_was_found_to_be(fabric):
    with fabric.open([tier("phone", 8, speed=1 / 3.1)], []) as hosts:
        assert hosts["phone"].slowdown == pytest.approx(3.1)
        assert hosts["phone"].enforced["cpu"] == "emulated: waits 2.1 x each computation"


def test_a_speed_that_is_not_stated_is_said(fabric):
    with fabric.open([tier("watch", 1)], []) as hosts:
        assert hosts["watch"].slowdown == 1.0
        assert hosts["watch"].enforced["cpu"] == "speed not stated: as fast as this machine"


def test_a_speed_above_this_machines_is_not_enforced(fabric):
    with fabric.open([tier("server", 64, speed=2.5)], []) as hosts:
        assert hosts["server"].slowdown == 1.0
        assert hosts["server"].enforced["cpu"] == (
            "not enforced: 2.5 of this machine's speed is stated, 1 is had"
        )


@pytest.mark.parametrize(
    ("here", "threads", "said"),
    [
        (64, 8, ""),
        (8, 8, ""),
        (2, 2, ", on 2 of its 8 threads: this machine has 2 processors"),
        (2.5, 2, ", on 2 of its 8 threads: this machine has 2.5 processors"),
        (0.5, 1, ", on 1 of its 8 threads: this machine has 0.5 processors"),
    ],
)
def test_a_tier_gets_no_more_threads_than_there_are_processors(
    fabric, processors, here, threads, said
):
    processors(here)
    with fabric.open([tier("server", 64, speed=1.0, threads=8)], []) as hosts:
        assert hosts["server"].threads == threads
        assert hosts["server"].enforced["cpu"] == f"emulated: as fast as this machine{said}"


def test_a_host_says_what_its_tier_is(fabric):
    with fabric.open(TIERS, LINKS) as hosts:
        facts = hosts["edge"].facts()
        assert (facts.tier, facts.cpus, facts.memory) == ("edge", 8, GIB)
        assert facts.system == sys.platform
        assert hosts["edge"].put(Path("somewhere")) == Path("somewhere")


@pytest.mark.process
def test_a_process_leads_a_session_and_a_group_of_its_own(fabric, tmp_path):
    text = "import os; print(os.getpid(), os.getsid(0), os.getpgid(0))"
    with fabric.open(TIERS, LINKS) as hosts:
        assert run(hosts["mobile"], text, tmp_path / "log") == 0
    pid, session, group = (tmp_path / "log").read_text().split()
    assert pid == session == group


@pytest.mark.process
def test_what_it_prints_goes_to_the_log_and_nothing_is_read(fabric, tmp_path):
    text = (
        "import os, sys; print(repr(sys.stdin.read())); print(os.environ['HELLO'], file=sys.stderr)"
    )
    with fabric.open(TIERS, LINKS) as hosts:
        run(hosts["mobile"], text, tmp_path / "log", {"HELLO": "world"})
    assert set((tmp_path / "log").read_text().split()) == {"''", "world"}
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


@pytest.mark.process
def test_no_file_of_ours_is_open_in_it(fabric, tmp_path):
    text = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4])"
    with (tmp_path / "secret").open("w"), fabric.open(TIERS, LINKS) as hosts:
        run(hosts["mobile"], text, tmp_path / "log")
    # The fourth is that of the listing itself.
    assert (tmp_path / "log").read_text().strip() == "[0, 1, 2, 3]"


@pytest.mark.process
def test_an_order_to_interrupt_us_does_not_reach_it(fabric, tmp_path):
    text = "import os, signal; print(signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)"
    with fabric.open(TIERS, LINKS) as hosts:
        run(hosts["mobile"], text, tmp_path / "log")
    assert (tmp_path / "log").read_text() == "True\n"


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def limited(fabric):
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        if hosts["mobile"].memory is None:
            pytest.skip("no control group can be made here")
        yield hosts["mobile"]


@pytest.mark.process
def test_memory_is_limited_where_a_control_group_can_be_made(limited, tmp_path):
    assert limited.enforced["memory"] == "limited to 0.0625 GiB by a control group"
    greedy = "print('begun', flush=True); x = bytearray(256 * 2**20); print('got it')"
    assert run(limited, greedy, tmp_path / "log") == -signal.SIGKILL
    assert (tmp_path / "log").read_text() == "begun\n"


@pytest.mark.process
def test_what_was_killed_for_its_memory_says_so(limited, tmp_path):
    modest = limited.spawn([sys.executable, "-c", "pass"], {}, tmp_path / "log")
    end_of(modest.pid)
    assert modest.explain_kill() == ""
    greedy = limited.spawn([sys.executable, "-c", "bytearray(256 * 2**20)"], {}, tmp_path / "log")
    assert end_of(greedy.pid) == -signal.SIGKILL
    assert greedy.explain_kill() == "its tier's memory limit of 64 MiB was reached"


@pytest.mark.parametrize(
    ("name", "text", "kills"),
    [
        ("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 0\n", 2),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", 0),
        ("memory.stat", "", 0),
    ],
)
def test_kills_are_counted_in_both_versions_of_groups(tmp_path, name, text, kills):
    (tmp_path / name).write_text(text)
    assert process.MemoryGroup(path=tmp_path, limit=1).count_kills() == kills


@pytest.mark.process
def test_a_modest_process_is_not_hindered(limited, tmp_path):
    assert run(limited, "x = bytearray(8 * 2**20)", tmp_path / "log") == 0


def test_the_group_is_gone_afterwards_and_so_are_those_of_dead_runs(fabric):
    parent, _ = process._memory_parent()
    if parent is None:
        pytest.skip("no control group can be made here")
    # No process has a number beyond the greatest.
    dead = parent / "edgebench-99999999-mobile"
    dead.mkdir()
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        assert hosts["mobile"].memory.path.is_dir()
        assert not dead.exists()
        assert str(os.getpid()) in hosts["mobile"].memory.path.name
    assert list(parent.glob(f"edgebench-{os.getpid()}-*")) == []


def test_two_runs_at_once_do_not_take_each_others_groups(fabric, monkeypatch):
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        if hosts["mobile"].memory is None:
            pytest.skip("no control group can be made here")
        monkeypatch.setattr(os, "getpid", os.getppid)
        with fabric.open([tier(memory=64 * 2**20)], []) as others:
            assert others["mobile"].memory.path != hosts["mobile"].memory.path
            assert hosts["mobile"].memory.path.is_dir()


def test_a_limit_above_the_machines_own_memory_is_not_enforced(fabric):
    with fabric.open([tier(memory=2**60)], []) as hosts:
        assert hosts["mobile"].memory is None
        assert hosts["mobile"].enforced["memory"] == "not enforced"


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Pretend that the machine's control groups are these files."""

    def pretend(own, *files):
        (tmp_path / "own").write_text(own)
        monkeypatch.setattr(process, "OWN_CGROUPS", tmp_path / "own")
        monkeypatch.setattr(process, "CGROUPS", tmp_path)
        for name, text in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    return pretend


def test_the_first_version_of_groups_is_found(groups, tmp_path):
    groups("5:cpu:/a\n4:memory:/b\n0::/\n", ("memory/b/cgroup.procs", ""))
    assert process._memory_parent() == (tmp_path / "memory/b", "memory.limit_in_bytes")


def test_the_second_version_of_groups_is_found_where_memory_is_offered(groups, tmp_path):
    group = ("user/x/cgroup.procs", ""), ("user/x/cgroup.subtree_control", "cpu memory\n")
    groups("0::/user/x\n", *group)
    assert process._memory_parent() == (tmp_path / "user/x", "memory.max")


@pytest.mark.parametrize(
    "own", ["0::/user/x\n", "4:memory:/b\n", "3:cpu:/\n", ""], ids=["v2", "v1", "none", "empty"]
)
def test_without_a_group_memory_is_not_enforced(groups, fabric, own):
    groups(own, ("user/x/cgroup.procs", ""), ("user/x/cgroup.subtree_control", "cpu\n"))
    assert process._memory_parent()[0] is None
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        assert hosts["mobile"].enforced["memory"] == "not enforced"


def test_a_group_that_may_not_be_written_is_none(groups, fabric, tmp_path):
    # A file has the group's name here, so that it cannot be made, whoever asks.
    name = f"memory/b/edgebench-{os.getpid()}-mobile"
    groups("4:memory:/b\n", ("memory/b/cgroup.procs", ""), (name, ""))
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        assert hosts["mobile"].memory is None
    assert (tmp_path / name).exists()


def test_a_group_without_the_bound_is_removed_again(groups, fabric, tmp_path, monkeypatch):
    groups("4:memory:/b\n", ("memory/b/cgroup.procs", ""))

    def read_only(self, text):
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", read_only)
    with fabric.open([tier(memory=64 * 2**20)], []) as hosts:
        assert hosts["mobile"].memory is None
    assert [path.name for path in (tmp_path / "memory/b").iterdir()] == ["cgroup.procs"]


def test_a_process_that_has_ended_is_not_put_under_a_bound(tmp_path, monkeypatch):
    def gone(self, text):
        raise ProcessLookupError

    monkeypatch.setattr(Path, "write_text", gone)
    process.MemoryGroup(path=tmp_path, limit=1).add(1)


def test_a_host_cannot_be_changed(fabric):
    with fabric.open(TIERS, LINKS) as hosts, pytest.raises(attrs.exceptions.FrozenInstanceError):
        hosts["mobile"].slowdown = 1.0
