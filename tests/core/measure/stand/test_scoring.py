import re

import numpy as np
import pytest

from edgebench import CaseFailed, Exit
from edgebench.measure.stand.scoring import score_deployment

SAMPLES = 24


@pytest.fixture
def inputs(split):
    payloads = (split / "payloads.bin").read_bytes()
    size = len(payloads) // SAMPLES
    return np.stack(
        [np.frombuffer(payloads[at * size :][:size][-16:], np.float32) for at in range(SAMPLES)]
    )


@pytest.mark.parametrize("placement", ["mobile", "cloud", "mobile-cloud"])
def test_every_sample_is_scored_through_the_real_hosts(deploy, fabric, inputs, placement):
    got = score_deployment(deploy(placement), fabric)
    assert got.samples == SAMPLES
    # Each stage multiplies by a number of its own, which changes no class.
    factor = 2 if "-" not in placement else 6
    np.testing.assert_allclose(got.outputs[0], inputs * factor, rtol=1e-6)
    np.testing.assert_array_equal(got.counts["accuracy"], np.ones((SAMPLES, 2)))
    assert got.versions == {"tiny": "1"}


def test_the_order_of_the_samples_is_that_of_the_split(deploy, fabric, inputs):
    # Five do not divide twenty-four: the last batch is filled up, and what fills it not counted.
    got = score_deployment(deploy("mobile-edge", case={"batch": 5}), fabric)
    np.testing.assert_allclose(got.outputs[0], inputs * 6, rtol=1e-6)
    assert got.counts["accuracy"].shape == (SAMPLES, 2)


def test_samples_that_leave_early_give_the_exits_answer(deploy, fabric, inputs, spec):
    leaves = Exit(condition="sure", answer=["early"], threshold=0.5)
    stages = [([spec("h", 4), spec("sure"), spec("early", 4)], leaves), ([spec("y", 4)], None)]
    got = score_deployment(deploy("mobile-edge", stages, case={"batch": 4}), fabric)
    out = inputs[:, :1] >= 0.5
    np.testing.assert_allclose(got.outputs[0], np.where(out, inputs * 10, inputs * 6), rtol=1e-6)
    assert got.exit_rates == {"0": pytest.approx(out.mean())}


def test_without_a_dataset_there_are_outputs_and_no_counts(deploy, fabric):
    got = score_deployment(deploy("mobile", case={"dataset": ""}), fabric)
    assert got.counts == {}
    assert len(got.outputs[0]) == SAMPLES


def test_the_device_is_the_one_that_was_opened(deploy, fabric):
    assert score_deployment(deploy("mobile"), fabric).device == "cpu"


def test_sessions_that_can_are_asked_how_they_run(deploy, fabric):
    assert score_deployment(deploy("mobile-edge"), fabric).remarks is None
    told = score_deployment(deploy("mobile-edge", device="telling"), fabric)
    assert told.remarks == ("stage 0: 1 outputs", "stage 1: 1 outputs")


def test_sessions_that_can_say_what_to_doubt_and_what_runs_their_nodes(deploy, fabric):
    silent = score_deployment(deploy("mobile-edge"), fabric)
    assert (silent.doubts, silent.assignments) == ((), {})
    told = score_deployment(deploy("mobile-edge", device="telling"), fabric)
    assert told.doubts == ((0, "its threads are its own"), (1, "its threads are its own"))
    assert told.assignments == {
        "0": {"chip": ("conv", "relu"), "processor": ("gemm h0",)},
        "1": {"chip": ("conv", "relu"), "processor": ("gemm h1",)},
    }


def test_what_is_no_assignment_is_a_doubt(deploy, fabric):
    options = (("stage", "1"), ("at", "99"))
    told = score_deployment(deploy("mobile-edge", device="telling", options=options), fabric)
    assert list(told.assignments) == ["0"]
    assert told.doubts[-1] == (
        1,
        "it could not tell what runs its nodes: TypeError: 'conv' is one text, not a sequence of them",
    )


def test_a_session_that_fails_to_tell_is_scored_all_the_same(deploy, fabric):
    options = (("stage", "1"), ("at", "99"), ("how", "raise"))
    got = score_deployment(deploy("mobile-edge", device="telling", options=options), fabric)
    assert got.samples == SAMPLES
    assert got.remarks[0] == "stage 0: 1 outputs"
    assert got.remarks[1].startswith(
        "stage 1: it could not tell how it runs: RuntimeError: the chip"
    )


def test_a_failure_is_the_cases_with_its_log(deploy, fabric):
    options = (("stage", "0"), ("at", "3"), ("how", "raise"))
    with pytest.raises(CaseFailed) as failed:
        score_deployment(deploy("mobile", options=options), fabric)
    said = r"scoring: backend tiny \(.*\): RuntimeError: the chip is on fire on mobile in stage 0"
    assert re.fullmatch(said, str(failed.value))
    assert "and smokes" in failed.value.log


def test_a_split_may_take_longer_than_the_limit_as_long_as_answers_come(deploy, fabric):
    seen = []
    slow = deploy("mobile", options=(("sleep_ms", "200"),), deadline_s=3.0)
    got = score_deployment(slow, fabric, lambda done, samples: seen.append((done, samples)))
    assert got.samples == SAMPLES
    assert len(seen) > 2
    assert seen == sorted(set(seen))
    assert {samples for _, samples in seen} == {SAMPLES}


@pytest.mark.parametrize(("at", "sleep_ms"), [("3", "0"), ("9", "200")])
def test_a_score_of_which_nothing_is_heard_any_more_is_ended(deploy, fabric, at, sleep_ms):
    options = (("stage", "0"), ("at", at), ("how", "hang"), ("sleep_ms", sleep_ms))
    with pytest.raises(
        CaseFailed, match=r"no answer within 3 s \(--time-limit\), host mobile was silent"
    ):
        score_deployment(deploy("mobile", options=options, deadline_s=3.0), fabric)
