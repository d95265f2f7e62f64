"""Blocks from end to end: real processes, real sockets, a model of numpy."""

import multiprocessing
import os
import re
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from edgebench import EdgebenchError, Exit, Fabric
from edgebench.measure.stand.block import measure_block
from edgebench.measure.station.driver import LEAST


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """Hold every test to leaving no process, no socket and no file behind."""
    children = set(psutil.Process().children(recursive=True))
    with tempfile.TemporaryDirectory() as private:
        monkeypatch.setattr(tempfile, "tempdir", private)
        yield
        assert set(psutil.Process().children(recursive=True)) <= children
        assert list(Path(private).iterdir()) == []
        assert list((tmp_path / "scratch").iterdir()) == []


def explained(block):
    """Return the seconds of each request that some phase explains."""
    return np.nansum(list(block.phases_s.values()), axis=0)


def test_a_request_to_the_first_tier(deploy, fabric):
    block = measure_block(deploy("mobile", number=2, order=7), fabric)
    assert (block.status, block.reason) == ("ok", "")
    assert (block.number, block.order) == (2, 7)
    assert block.latency_s.shape == block.inputs.shape == (8,)
    assert set(block.phases_s) == {
        "encode",
        "local-hop",
        "queue",
        "decode",
        "preprocess",
        "inference-0",
        "postprocess",
        "emulated-wait",
    }
    assert block.links == ()
    assert set(block.bytes_out) == {"answer"}
    assert block.exit_rates == {}
    assert set(block.cold_s["mobile"]) == {"start", "import", "load", "first"}
    assert block.peak_memory_bytes["mobile"] > 10e6
    assert set(block.logs) == {"driver", "host mobile"}
    assert 0 <= block.controller_cpu < 1
    assert len(block.warmup_s) >= 5
    assert "stable after" in block.warmup
    assert block.duration_s > sum(block.latency_s)


def test_the_phases_add_up_to_the_latency(deploy, fabric):
    block = measure_block(deploy("mobile-edge", requests=24), fabric)
    lost = np.median(block.latency_s - explained(block))
    assert 0 <= lost <= max(0.02 * np.median(block.latency_s), 0.2e-3)
    assert {"serialise-0", "transfer-0", "downlink", "inference-1"} <= set(block.phases_s)


def test_the_slower_tier_waits_beside_its_phases(deploy, fabric):
    block = measure_block(deploy("mobile", options=(("sleep_ms", "4"),)), fabric)
    slowdown = 1 / block.tiers[0].claimed
    if slowdown == 1:
        pytest.skip("this machine has the processors of the largest tier")
    computed = ("decode", "preprocess", "inference-0", "postprocess")
    compute = sum(block.phases_s[name] for name in computed)
    share = block.phases_s["emulated-wait"] / compute
    # No wait ends early, and how late one ends is up to the machine.
    assert np.all(share >= (slowdown - 1) * 0.999)
    assert share.min() < (slowdown - 1) * 1.2
    assert np.all(block.latency_s > slowdown * compute)
    assert "emulated" in block.tiers[0].enforced["cpu"]


def test_a_cut_tensor_crosses_and_relays_pass_on(deploy, fabric):
    block = measure_block(deploy("mobile-cloud"), fabric)
    assert block.status == "ok"
    # The tensor of 16 bytes goes from mobile to edge and on to cloud.
    assert block.bytes_out["mobile"] == block.bytes_out["edge"] == 16
    assert {"transfer-0", "transfer-1"} <= set(block.phases_s)
    assert set(block.cold_s["edge"]) == {"start"}
    # One way over a link with 1 ms of delay.
    assert np.all(block.phases_s["transfer-0"] >= 1e-3)
    assert {tier.name for tier in block.tiers} == {"mobile", "cloud"}


def test_three_pieces_on_three_tiers(deploy, fabric):
    block = measure_block(deploy("mobile-edge-cloud"), fabric)
    assert block.status == "ok"
    assert [name for name in block.phases_s if name.startswith("inference")] == [
        "inference-0",
        "inference-1",
        "inference-2",
    ]
    assert {(check.source, check.target) for check in block.links} == {
        ("mobile", "edge"),
        ("edge", "mobile"),
        ("edge", "cloud"),
        ("cloud", "edge"),
    }
    assert {check.when for check in block.links} == {"before"}


def test_links_are_verified_before_one_block_and_after_the_next(deploy, fabric):
    block = measure_block(deploy("mobile-edge", number=1), fabric)
    assert {check.when for check in block.links} == {"after"}
    assert len(block.links) == 2


def test_the_input_travels_to_a_later_tier(deploy, fabric, split):
    block = measure_block(deploy("cloud"), fabric)
    assert "uplink" in block.phases_s
    assert "local-hop" not in block.phases_s
    payload = (split / "payloads.bin").stat().st_size / 24
    assert block.bytes_out["mobile"] == block.bytes_out["edge"] == payload
    uplinks = [check for check in block.links if check.source == "mobile"]
    assert [check.message_bytes for check in uplinks] == [payload]
    assert block.phases_s["uplink"].min() >= 1e-3 + payload * 8 * (1 / 200e6 + 1 / 50e6)


def test_equal_blocks_of_different_cases_send_the_same_inputs(deploy, fabric):
    one = measure_block(deploy("mobile", number=1, seed=3), fabric)
    other = measure_block(deploy("edge", number=1, seed=3), fabric)
    next_one = measure_block(deploy("mobile", number=2, seed=3), fabric)
    assert one.inputs.tolist() == other.inputs.tolist()
    assert not set(one.inputs) & set(next_one.inputs)


def test_samples_of_a_batch_leave_where_they_are_sure(deploy, fabric, spec):
    leaves = Exit(condition="sure", answer=["early"], threshold=0.5)
    stages = [
        ([spec("h", 4), spec("sure"), spec("early", 4)], leaves),
        ([spec("logits", 4)], None),
    ]
    deployment = deploy("mobile-edge", stages, case={"batch": 4}, requests=12)
    block = measure_block(deployment, fabric)
    assert block.status == "ok", block.reason
    # The first of four numbers between 0 and 1 is the confidence.
    assert 0 < block.exit_rates["0"] < 1
    assert "exited-0" not in block.phases_s
    # A row of four float32 for each sample that stays, in the mean of what was sent.
    assert 16 <= block.bytes_out["mobile"] < 4 * 16


def test_what_everything_leaves_before_the_link_is_never_sent(deploy, fabric, spec):
    leaves = Exit(condition="sure", answer=["early"], threshold=-1)
    stages = [([spec("h", 4), spec("sure"), spec("early", 4)], leaves), ([spec("y", 4)], None)]
    block = measure_block(deploy("mobile-edge", stages), fabric)
    assert block.exit_rates == {"0": 1.0}
    assert "mobile" not in block.bytes_out
    assert not {"transfer-0", "inference-1", "downlink"} & set(block.phases_s)
    assert set(block.cold_s["edge"]) == {"start", "import", "load"}


@pytest.mark.parametrize(
    ("placement", "stage", "tier"), [("mobile", 0, "mobile"), ("mobile-edge", 1, "edge")]
)
def test_an_error_in_a_session_fails_the_block_and_names_its_place(
    deploy, fabric, placement, stage, tier
):
    options = (("stage", str(stage)), ("at", "7"), ("how", "raise"))
    block = measure_block(deploy(placement, options=options), fabric)
    assert block.status == "failed"
    said = rf"backend tiny \(.*\): RuntimeError: the chip is on fire on {tier} in stage {stage}"
    assert re.fullmatch(said, block.reason)
    assert "and smokes" in block.logs[f"host {tier}"]
    assert block.latency_s is None


def test_an_error_while_loading(deploy, fabric):
    block = measure_block(deploy("mobile", options=(("stage", "0"), ("at", "0"))), fabric)
    assert block.status == "failed"
    said = r"host mobile: backend tiny \(.*\): OSError: no such chip"
    assert re.fullmatch(said, block.reason)


def test_a_mistake_of_the_users_is_told_without_a_traceback(deploy, fabric):
    block = measure_block(deploy("mobile", options=(("sleepms", "9"),)), fabric)
    assert block.status == "failed"
    assert block.reason == (
        "host mobile: the backend tiny has no option 'sleepms'; did you mean 'sleep_ms'?"
    )


def test_a_host_that_is_killed_while_it_measures(deploy, fabric):
    options = (("stage", "1"), ("at", "15"), ("how", "kill"))
    block = measure_block(deploy("mobile-edge", options=options, requests=30), fabric)
    assert (block.status, block.reason) == ("failed", "host edge was killed by SIGKILL")


def test_whose_code_a_host_ran_is_said_where_it_cannot_say_so(deploy, fabric):
    code = {"edge": ("backend tiny (there)", "model rows (here)")}
    ran = "host edge {} while it ran backend tiny (there) and model rows (here)"
    options = (("stage", "1"), ("at", "8"), ("how", "kill"))
    block = measure_block(deploy("mobile-edge", options=options, code=code), fabric)
    assert block.reason == ran.format("was killed by SIGKILL")
    options = (("stage", "1"), ("at", "8"), ("how", "hang"))
    block = measure_block(deploy("mobile-edge", options=options, deadline_s=4, code=code), fabric)
    assert (
        f"no answer within 4 s (--time-limit), {ran.format('was silent')}: waited for"
        in block.reason
    )


def test_a_host_that_hangs_costs_no_more_than_the_deadline(deploy, fabric):
    options = (("stage", "1"), ("at", "8"), ("how", "hang"))
    began = time.monotonic()
    block = measure_block(deploy("mobile-edge", options=options, deadline_s=4.0), fabric)
    assert time.monotonic() - began < 10
    assert block.status == "timeout"
    assert block.reason.startswith(
        "no answer within 4 s (--time-limit), host edge was silent: waited for driver to"
    )


def test_garbage_on_standard_output_does_no_harm(deploy, fabric):
    options = (("stage", "0"), ("at", "3"), ("how", "chatter"))
    block = measure_block(deploy("mobile", options=options), fabric)
    assert block.status == "ok"
    assert len(block.logs["host mobile"].encode()) <= 4 * 64 * 1024
    assert "garbage" in block.logs["host mobile"]


def test_a_fabric_that_does_not_open_fails_the_block(deploy):
    def refuse(tiers, links):
        raise EdgebenchError("there is no bridge here")

    block = measure_block(deploy("mobile"), Fabric(name="broken", summary="No.", open=refuse))
    assert (block.status, block.reason) == ("failed", "there is no bridge here")


def test_a_machine_without_room_fails_the_block(deploy, fabric, tmp_path):
    block = measure_block(deploy("mobile", scratch=tmp_path / "gone"), fabric)
    assert block.status == "failed"
    assert block.reason.startswith("FileNotFoundError")


def test_an_interruption_ends_the_processes_and_is_passed_on(deploy, fabric):
    options = (("stage", "0"), ("at", "1"), ("how", "hang"))
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        measure_block(deploy("mobile", options=options), fabric)
    timer.join()


def _measure_until_killed(deployment, fabric):
    measure_block(deployment, fabric)


def test_no_process_outlives_a_controller_that_is_killed(deploy, fabric, tmp_path):
    options = (("stage", "0"), ("at", "1"), ("how", "hang"))
    fork = multiprocessing.get_context("fork")
    controller = fork.Process(
        target=_measure_until_killed, args=(deploy("mobile-edge", options=options), fabric)
    )
    controller.start()
    hosts = _wait_for_children(controller.pid, 3)
    controller.kill()
    controller.join()
    gone, alive = psutil.wait_procs(hosts, timeout=10)
    assert (len(gone), alive) == (3, [])
    assert list(Path(tempfile.gettempdir()).iterdir()) != []
    shutil.rmtree(tmp_path / "scratch")
    # The next block finds what the killed controller left.
    assert measure_block(deploy("mobile"), fabric).status == "ok"


def _wait_for_children(pid, count):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        children = psutil.Process(pid).children()
        # Each has told the kernel what to do when the controller dies before it loads anything.
        if len(children) == count and all(len(child.threads()) > 1 for child in children):
            return children
        time.sleep(0.05)
    raise AssertionError("the processes did not start")


def test_a_block_ends_when_its_time_is_up_and_there_are_enough(deploy, fabric):
    # A bound that has passed before the first request: the least are still measured.
    block = measure_block(deploy("mobile", requests=24, bound_s=1e-9), fabric)
    assert block.status == "ok", block.reason
    assert len(block.latency_s) == LEAST
    whole = measure_block(deploy("mobile", requests=24), fabric)
    assert len(whole.latency_s) == 24
    # The same inputs in the same order, as far as it came.
    assert block.inputs.tolist() == whole.inputs[:LEAST].tolist()
