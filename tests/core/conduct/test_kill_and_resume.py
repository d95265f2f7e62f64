"""What a kill costs: of a host, of the controller, of whatever hangs."""

from __future__ import annotations

import json
import re
import time
from textwrap import dedent

import psutil
import pytest

from ..waiting import wait_for
from .worlds import HELD, begin, blocks, hosts

SMALL = (
    "--model", "toy", "--operator", "identity", "--operator", "toy-round", "--backend", "held",
    "--requests", "3",
)  # fmt: skip


@pytest.fixture
def held(toy, tmp_path, process):
    """Begin a run whose hosts hold still after so many blocks; everything is in one place."""
    plugin = tmp_path / "held.py"
    plugin.write_text(dedent(HELD))
    started = []

    def start(*words, after=None):
        if after is not None:
            (tmp_path / "hold-after").write_text(str(after))
        started.append(begin(toy, tmp_path, plugin, *SMALL, *words))
        return started[-1]

    yield start
    (tmp_path / "hold").unlink(missing_ok=True)
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, json.loads(out)["cases"], err


def test_a_killed_host_costs_one_block(held, tmp_path):
    run = held("--blocks", "3", after=2)
    wait_for(tmp_path / "holding", run)
    (host,) = hosts(run.pid)
    assert host.pid == int((tmp_path / "holding").read_text())
    below = psutil.Process(run.pid).children(recursive=True)
    host.kill()
    (tmp_path / "hold").unlink()
    status, cases, _ = ended(run)

    assert status == 1
    assert sorted(case["status"] for case in cases) == ["ok", "partial"], [
        case["reason"] for case in cases
    ]
    (partial,) = [case for case in cases if case["status"] == "partial"]
    assert re.fullmatch(
        r"2 of 3 blocks were measured: host mobile was killed by SIGKILL while it ran "
        r"backend \S+ \(.+\) and model \S+ \(.+\)",
        partial["reason"],
    )
    kept = blocks(tmp_path / "edgebench.db")
    assert [status for _, _, _, status, _, _ in kept] == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert [process for process in below if process.is_running()] == []


def test_a_killed_controller_costs_the_block_under_way(held, tmp_path):
    run = held("--blocks", "2", after=3)
    wait_for(tmp_path / "holding", run)
    below = psutil.Process(run.pid).children(recursive=True)
    assert len(below) >= 2
    before = blocks(tmp_path / "edgebench.db")
    assert len(before) == 3
    run.kill()
    run.communicate()
    _, left = psutil.wait_procs(below, timeout=10)
    assert left == []

    (tmp_path / "hold").unlink()
    finished = (tmp_path / "finished").read_text()
    status, cases, err = ended(held("--blocks", "2", "--resume"))
    assert status == 0, err
    assert [case["status"] for case in cases] == ["ok", "ok"]
    after = blocks(tmp_path / "edgebench.db")
    assert after[:3] == before
    assert len(after) == 4
    assert sorted(order for *_, order in after) == [0, 1, 2, 3]
    assert (tmp_path / "finished").read_text().removeprefix(finished).count("\n") == 1

    # What is complete is not measured again: a new run begins, and says so.
    status, _, err = ended(held("--blocks", "2", "--resume"))
    assert status == 0
    assert "holds no unfinished run of this" in err
    assert "a new one begins" in err
    again = blocks(tmp_path / "edgebench.db")
    assert again[:4] == after
    # The same plan and seed take the same order.
    order = {(case, number): order for _, case, number, _, _, order in after}
    assert {(case, number): order for _, case, number, _, _, order in again[4:]} == order


def test_what_hangs_is_ended_in_time_and_given_up(held, tmp_path):
    began = time.monotonic()
    run = held("--blocks", "4", "--time-limit", "2", after=2)
    status, cases, _ = ended(run)
    assert status == 1
    assert {case["status"] for case in cases} == {"partial"}
    assert all(
        "1 of 4 blocks were measured: no answer within 2 s" in case["reason"] for case in cases
    )
    assert [s for _, _, _, s, _, _ in blocks(tmp_path / "edgebench.db")] == (
        ["ok"] * 2 + ["timeout"] * 4
    )
    assert {case["stopped"] for case in cases} == {"2 blocks that failed in a row"}
    assert time.monotonic() - began < 60


def test_what_hangs_while_it_is_scored_fails_with_a_reason(held, tmp_path):
    (tmp_path / "hold").touch()
    # Weights of its own: their score is in no store yet.
    words = ("--blocks", "1", "--time-limit", "2", "--weights", "random", "--seed", "7")
    status, cases, _ = ended(held(*words))
    assert status == 1
    assert {case["status"] for case in cases} == {"failed"}
    assert all(case["reason"].startswith("scoring: no answer within 2 s") for case in cases)
    assert blocks(tmp_path / "edgebench.db") == []
