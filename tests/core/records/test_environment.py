from __future__ import annotations

import json
import os
import shutil
import subprocess

import attrs
import pytest

from edgebench.records.environment import Cores, count_cores, count_processors, describe


def write(root, **files):
    """Write files of the kernel, given by path with `__` for `/`."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_this_machine_is_described_as_json():
    here = attrs.asdict(describe())
    written = json.dumps(here, allow_nan=False)
    assert json.dumps(json.loads(written)) == written
    assert here["cpus"] == os.cpu_count()
    assert here["kernel"].startswith(os.uname().sysname)
    assert 0 < here["clock_resolution_s"] < 1e-3


def test_what_cannot_be_read_is_none(tmp_path):
    nothing = describe(root=tmp_path, checkout=tmp_path)
    names = ("processor", "memory_bytes", "cpu_limit", "memory_limit_bytes", "governor")
    names += ("frequency_hz", "container", "clock_source", "commit", "integer_instructions")
    assert {name: getattr(nothing, name) for name in names} == dict.fromkeys(names)


def test_facts_are_read_from_the_kernel(tmp_path):
    write(
        tmp_path,
        proc__cpuinfo="processor : 0\nmodel name\t: A Chip @ 2 GHz\ncpu MHz\t\t: 1000.5\n"
        "model name\t: A Chip @ 2 GHz\ncpu MHz\t\t: 2000\n",
        proc__meminfo="MemTotal:       16000 kB\nMemFree: 5 kB\n",
    )
    found = describe(root=tmp_path)
    assert found.processor == "A Chip @ 2 GHz"
    assert found.memory_bytes == 16000 * 1024
    assert found.frequency_hz == (1000.5e6, 2000e6)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("flags\t\t: fpu avx2 avx512_vnni avx512_vnnix\n", ("avx512_vnni",)),
        ("Features\t: fp asimd asimddp i8mm\n", ("asimddp", "i8mm")),
        ("flags\t: fpu avx2\n", ()),
    ],
)
def test_instructions_for_integers_are_those_that_the_processor_names(tmp_path, said, found):
    write(tmp_path, proc__cpuinfo=f"processor : 0\n{said}")
    assert describe(root=tmp_path).integer_instructions == found


def test_the_governor_and_the_frequency_of_each_processor(tmp_path):
    for number, (governor, kilohertz) in enumerate(
        [("performance", 2_000_000), ("powersave", 800_000)]
    ):
        cpu = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        cpu.mkdir(parents=True)
        (cpu / "scaling_governor").write_text(f"{governor}\n")
        (cpu / "scaling_cur_freq").write_text(f"{kilohertz}\n")
    found = describe(root=tmp_path)
    assert found.governor == "performance, powersave"
    assert found.frequency_hz == (800e6, 2e9)


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({"cpuDOTmax": "150000 100000\n", "memoryDOTmax": "1048576\n"}, 1.5, 1048576),
        ({"cpuDOTmax": "max 100000\n", "memoryDOTmax": "max\n"}, None, None),
        (
            {
                "cpu__cpuDOTcfs_quota_us": "50000\n",
                "cpu__cpuDOTcfs_period_us": "100000\n",
                "memory__memoryDOTlimit_in_bytes": "2097152\n",
            },
            0.5,
            2097152,
        ),
        (
            {
                "cpu__cpuDOTcfs_quota_us": "-1\n",
                "cpu__cpuDOTcfs_period_us": "100000\n",
                "memory__memoryDOTlimit_in_bytes": "9223372036854771712\n",
            },
            None,
            None,
        ),
    ],
    ids=["v2", "v2 unbounded", "v1", "v1 unbounded"],
)
def test_the_limits_of_the_control_group(tmp_path, files, cpus, memory):
    write(tmp_path, **{f"sys__fs__cgroup__{name}": text for name, text in files.items()})
    found = describe(root=tmp_path)
    assert (found.cpu_limit, found.memory_limit_bytes) == (cpus, memory)


V1 = "2:cpuacct:/job\n1:cpu:/job/inner\n"
V2 = "0::/job/inner\n"


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        (V2, {"job__inner__cpuDOTmax": "200000 100000\n"}, 2.0),
        (V2, {"job__inner__cpuDOTmax": "max 100000\n", "job__cpuDOTmax": "50000 100000\n"}, 0.5),
        (V2, {"elsewhere__cpuDOTmax": "50000 100000\n"}, None),
        (
            V1,
            {
                "cpu__job__inner__cpuDOTcfs_quota_us": "150000\n",
                "cpu__job__inner__cpuDOTcfs_period_us": "100000\n",
                "cpu__job__cpuDOTcfs_quota_us": "-1\n",
                "cpu__job__cpuDOTcfs_period_us": "100000\n",
            },
            1.5,
        ),
        # The path of the host, which leads nowhere inside a container.
        (V2, {"cpuDOTmax": "250000 100000\n"}, 2.5),
        ("1:cpu,cpuacct:/docker/4f\n", {
            "cpu__cpuDOTcfs_quota_us": "200000\n",
            "cpu__cpuDOTcfs_period_us": "100000\n",
        }, 2.0),
    ],
    ids=["own", "around", "another's", "v1", "container", "container v1"],
)  # fmt: skip
def test_the_least_quota_of_the_groups_around_a_process_counts(tmp_path, own, files, limit):
    write(tmp_path, **{f"sys__fs__cgroup__{name}": text for name, text in files.items()})
    write(tmp_path, proc__self__cgroup=own)
    assert describe(root=tmp_path).cpu_limit == limit


def test_the_processors_are_those_of_the_machine_or_of_the_quota(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert count_processors(tmp_path) == 64
    write(tmp_path, sys__fs__cgroup__cpuDOTmax="200000 100000\n")
    assert count_processors(tmp_path) == 2
    write(tmp_path, sys__fs__cgroup__cpuDOTmax="50000 100000\n")
    assert count_processors(tmp_path) == 0.5
    write(tmp_path, sys__fs__cgroup__cpuDOTmax="9900000 100000\n")
    assert count_processors(tmp_path) == 64


def test_a_container_that_says_what_it_is(tmp_path):
    write(tmp_path, run__systemd__container="nspawn\n")
    assert describe(root=tmp_path).container == "nspawn"


def git(where, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        [shutil.which("git") or "git", *identity, *arguments],
        cwd=where,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main", "work")
    work = tmp_path / "work"
    git(work, "commit", "-q", "--allow-empty", "-m", "first")
    (work / "deep/inside").mkdir(parents=True)
    return work


@pytest.mark.process
def test_the_commit_is_what_git_says(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    assert describe(checkout=checkout / "deep/inside").commit == commit
    git(checkout, "pack-refs", "--all")
    assert describe(checkout=checkout).commit == commit
    git(checkout, "checkout", "-q", "--detach")
    assert describe(checkout=checkout).commit == commit


@pytest.mark.process
def test_the_commit_of_a_working_tree_beside_its_repository(checkout, tmp_path):
    git(checkout, "worktree", "add", "-q", "-b", "side", "../side")
    git(tmp_path / "side", "commit", "-q", "--allow-empty", "-m", "second")
    commit = git(tmp_path / "side", "rev-parse", "HEAD")
    assert describe(checkout=tmp_path / "side").commit == commit
    assert commit != git(checkout, "rev-parse", "HEAD")


def test_outside_a_checkout_there_is_no_commit(tmp_path):
    assert describe(checkout=tmp_path).commit is None


CPU = "sys__devices__system__cpu__cpu"


def make_processors(root, *siblings, capacities=()):
    """Write of each processor which are threads of its core, and what it does of the fastest."""
    for number, threads in enumerate(siblings):
        write(root, **{f"{CPU}{number}__topology__thread_siblings_list": f"{threads}\n"})
    for number, capacity in enumerate(capacities):
        write(root, **{f"{CPU}{number}__cpu_capacity": f"{capacity}\n"})


@pytest.mark.parametrize(
    ("siblings", "capacities", "usable", "count", "said"),
    [
        (("0-1", "0-1", "2-3", "2-3"), (), range(4), 2, "its cores"),
        (("0,2", "1,3", "0,2", "1,3"), (), (0, 2, 3), 2, "its cores"),
        (("0", "1", "2", "3"), (430, 430, 1024, 1024), range(4), 2, "the fastest of its 4 cores"),
        (("0", "1", "2", "3"), (430, 430, 1024, 1024), (0, 1), 2, "its cores"),
        ((), (), range(3), 3, "its processors, as the kernel does not tell its cores"),
    ],
)
def test_cores_that_are_as_fast_as_the_fastest_are_counted(
    tmp_path, siblings, capacities, usable, count, said
):
    make_processors(tmp_path, *siblings, capacities=capacities)
    assert count_cores(tmp_path, usable) == Cores(count, said)


def test_efficient_cores_of_intel_are_none_of_the_fastest(tmp_path):
    make_processors(tmp_path, "0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7")
    write(tmp_path, sys__devices__cpu_core__cpus="0-3\n")
    assert count_cores(tmp_path, range(8)) == Cores(2, "the fastest of its 6 cores")


def test_the_cores_of_this_machine_are_no_more_than_its_processors():
    assert 1 <= count_cores().count <= len(os.sched_getaffinity(0))
