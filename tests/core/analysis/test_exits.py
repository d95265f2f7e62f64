"""Where samples left, on which tier, and what was sent: read from phases that did not happen."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.exits import find_exits, find_sent
from edgebench.analysis.result import Result
from edgebench.records.facts import Facts, StageFacts
from edgebench.testing.results import block_of, case_of, result_of

NAN = float("nan")


def leaving(*tiers, ran, latency, bytes_out, **facts):
    """Return a result of two equal blocks; *ran* has the phases of each stage by request."""
    placed = tuple(dict.fromkeys(tiers))
    case = case_of("early", *placed)
    phases = {f"inference-{n}": np.array(times, float) for n, times in enumerate(ran)}
    rates = {
        str(number): float((~np.isnan(one) & np.isnan(phases[f"inference-{number + 1}"])).mean())
        for number, one in enumerate(list(phases.values())[:-1])
    }
    block = attrs.evolve(
        block_of(case),
        latency_s=np.array(latency, float),
        phases_s=phases,
        exit_rates=rates,
        bytes_out=bytes_out,
    )
    stages = tuple(StageFacts(tier=tier) for tier in tiers)
    known = Facts(stages=stages, **facts)
    return Result(
        case=case,
        status="ok",
        planned=2,
        blocks=(block, attrs.evolve(block, number=1)),
        facts=known,
    )


@pytest.fixture
def three():
    """Of four requests one leaves at the first exit, one at the second, two go to the end."""
    return leaving(
        "mobile",
        "mobile",
        "edge",
        ran=[[1, 1, 1, 1], [NAN, 1, 1, 1], [NAN, NAN, 1, 1]],
        latency=[1e-3, 2e-3, 8e-3, 10e-3],
        bytes_out={"mobile": 400.0, "answer": 10.0},
        exit_rates={"0": 0.3, "1": 0.2},
    )


def test_each_exit_and_the_end_have_their_tier_their_share_and_their_latency(three):
    found = [
        (one.exit, one.stage, one.tier, one.rate, one.requests, one.mean_s)
        for one in find_exits(three)
    ]
    assert found == [
        (0, 0, "mobile", 0.25, 2, pytest.approx(1e-3)),
        (1, 1, "mobile", 0.25, 2, pytest.approx(2e-3)),
        (None, 2, "edge", 0.5, 4, pytest.approx(9e-3)),
    ]
    assert [one.scored_rate for one in find_exits(three)] == [0.3, 0.2, pytest.approx(0.5)]


def test_requests_that_leave_within_the_last_stage_are_not_told_from_those_that_end():
    """Of these only the share is recorded, not which they are."""
    result = leaving("mobile", "edge", ran=[[1, 1], [1, 1]], latency=[1e-3, 3e-3], bytes_out={})
    blocks = [attrs.evolve(block, exit_rates={"1": 0.9}) for block in result.blocks]
    inner, end = find_exits(attrs.evolve(result, blocks=tuple(blocks)))
    assert (inner.stage, inner.exit, inner.rate, end.rate) == (1, 0, 0.9, pytest.approx(0.1))
    for one in (inner, end):
        assert (one.requests, one.mean_s) == (None, None)


def test_what_was_not_sent_counts_as_nothing(three):
    assert find_sent(three) == {"mobile": 200.0, "answer": 10.0}
    document = three.to_json()
    assert document["bytes_out"]["mobile"] == 400.0
    assert document["bytes_sent"]["mobile"] == 200.0
    assert document["exit_rates"] == {"0": 0.25, "1": 0.25}
    assert [one["tier"] for one in document["exits"]] == ["mobile", "mobile", "edge"]


def test_where_all_leave_before_the_link_nothing_is_sent():
    result = leaving(
        "mobile", "edge", ran=[[1, 1], [NAN, NAN]], latency=[1e-3, 1e-3], bytes_out={"answer": 9.0}
    )
    assert find_sent(result) == {"mobile": 0.0, "answer": 9.0}
    end = find_exits(result)[-1]
    assert (end.rate, end.requests, end.mean_s) == (0.0, 0, None)


def test_without_exits_each_request_is_sent_on_and_none_leaves():
    result = result_of(case_of("cut", "mobile", "edge"))
    assert find_exits(result) == ()
    assert find_sent(result) == {"mobile": 1e4, "answer": 100.0}


def test_a_relay_sends_every_request_on_whatever_leaves_behind_it():
    result = leaving(
        "edge", "cloud", ran=[[1, 1], [NAN, 1]], latency=[1e-3, 2e-3],
        bytes_out={"mobile": 1000.0, "edge": 400.0, "answer": 9.0},
    )  # fmt: skip
    assert find_sent(result) == {"mobile": 1000.0, "edge": 200.0, "answer": 9.0}


def test_what_requests_of_unequal_sizes_add_up_to_is_their_mean():
    result = leaving(
        "mobile", "edge", ran=[[1, 1], [1, 1]], latency=[1e-3, 3e-3],
        bytes_out={"mobile": 14e3, "answer": 40.0},
    )  # fmt: skip
    known = {"mobile": 36e3, "answer": 44.0}
    blocks = tuple(attrs.evolve(one, bytes_mean=known) for one in result.blocks)
    assert find_sent(attrs.evolve(result, blocks=blocks)) == known
    assert find_sent(result) == {"mobile": 14e3, "answer": 40.0}  # of an older database
