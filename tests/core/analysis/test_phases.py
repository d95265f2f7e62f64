from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.links import predict_travel_s, summarise_links
from edgebench.analysis.phases import GROUPS, add_up_groups, find_family, find_group, find_medians
from edgebench.analysis.result import Result
from edgebench.testing.results import DELAY, RATE, ROUND_TRIP, block_of, case_of, result_of


def block(latency, **phases):
    named = {name.replace("_", "-"): np.array(values) for name, values in phases.items()}
    return attrs.evolve(block_of(case_of()), latency_s=np.array(latency), phases_s=named)


@pytest.mark.parametrize(
    ("phase", "kind", "where"),
    [
        ("inference-0", "inference", "inference"),
        ("transfer-12", "transfer", "network"),
        ("uplink", "uplink", "network"),
        ("network", "network", "network"),
        ("emulated-wait", "emulated-wait", "emulated"),
        ("decode", "decode", "processing"),
        ("local-hop", "local-hop", "harness"),
        ("serialise-1", "serialise", "processing"),
    ],
)
def test_phases_have_kinds(phase, kind, where):
    assert (find_family(phase), find_group(phase)) == (kind, where)


def test_medians_leave_out_requests_that_had_no_such_phase():
    nan = np.nan
    blocks = [
        block([3.0, 3.0], decode=[1.0, 2.0], transfer_0=[nan, 5.0]),
        block([3.0, 3.0], decode=[3.0, 9.0], transfer_0=[nan, 7.0], inference_1=[nan, nan]),
    ]
    assert find_medians(blocks) == {"decode": 2.5, "transfer-0": 6.0}


def test_groups_add_up_within_a_request():
    """Two stages slow in turn: their medians sum to 2, what each request computes is 11."""
    turns = block(
        [12.0, 12.0, 12.0, 12.0],
        inference_0=[1.0, 10.0, 1.0, 10.0],
        inference_1=[10.0, 1.0, 10.0, 1.0],
        uplink=[0.5] * 4,
        decode=[0.1] * 4,
        local_hop=[0.15] * 4,
        emulated_wait=[np.nan, 0.2, 0.2, 0.2],
    )
    found = add_up_groups([turns])
    assert found["inference"] == 11.0
    assert found["processing"] == pytest.approx(0.1)
    assert found["harness"] == pytest.approx(0.15)
    assert found["network"] == 0.5
    assert found["emulated"] == 0.2
    assert found["unaccounted"] == pytest.approx(0.05)


def test_groups_name_every_kind_in_order():
    assert tuple(add_up_groups(result_of(case_of()).blocks)) == GROUPS


def test_without_phases_there_are_no_groups():
    assert add_up_groups([block([1.0])]) == {}
    assert add_up_groups([]) == {}


def test_links_predict_what_a_request_travels():
    through = result_of(case_of("plain", "cloud"))
    hop = ROUND_TRIP + (1e4 + 100) * 8 / RATE
    assert predict_travel_s(through) == pytest.approx(hop)
    three = result_of(case_of("plain", "mobile", "edge", "cloud"))
    assert predict_travel_s(three) == pytest.approx(2 * hop)


def test_links_predict_nothing_where_there_are_none_or_they_were_not_verified():
    assert predict_travel_s(result_of(case_of())) is None
    assert predict_travel_s(Result(case=case_of("plain", "edge"), status="failed")) is None
    far = result_of(case_of("plain", "edge"))
    blind = tuple(attrs.evolve(one, links=()) for one in far.blocks)
    assert predict_travel_s(attrs.evolve(far, blocks=blind)) is None


def test_a_link_is_summed_up_by_medians():
    far = case_of("plain", "edge")
    blocks = [block_of(far, number, sound=number != 2) for number in range(5)]
    there, back = summarise_links(blocks)
    assert (there.source, there.target, back.source) == ("mobile", "edge", "edge")
    assert (there.checks, there.failed, there.ok) == (5, 1, False)
    assert there.measured_s == pytest.approx(10_000 * 8 / RATE + ROUND_TRIP)
    assert there.expected_s == pytest.approx(10_000 * 8 / RATE + 2 * DELAY)
    idle, transfer = there.figures
    assert (idle.figure, idle.failed, idle.worst_s) == ("round trip", 0, ROUND_TRIP)
    assert (transfer.figure, transfer.failed) == ("transfer", 1)
    assert transfer.worst_s == pytest.approx(2 * there.expected_s)
    assert (there.rate_bit_s, there.delay_s) == (RATE, DELAY)


def test_a_goodput_that_no_message_was_large_enough_for_is_unknown():
    far = case_of("plain", "edge")
    block_ = block_of(far)
    small = tuple(attrs.evolve(check, goodput_bit_s=None) for check in block_.links)
    assert summarise_links([attrs.evolve(block_, links=small)])[0].goodput_bit_s is None
