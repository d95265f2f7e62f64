import struct
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.measure.station.driver import (
    AGAIN,
    LONG_S,
    AnsweredRequest,
    Sequencer,
    pick_samples,
    shuffle_samples,
    tabulate_marks,
)
from edgebench.measure.station.orders import DriverOrder
from edgebench.measure.transport.wire import CODES, Mark

sizes = st.integers(1, 50)


@given(sizes, st.integers(0, 9), st.integers(1, 4))
def test_going_round_once_sends_every_sample_once(count, seed, batch):
    requests = list(pick_samples(shuffle_samples(count, seed), batch, 0, count))
    sent = [index for request in requests for index in request]
    assert all(len(request) == batch for request in requests)
    assert sorted(sent) == sorted(list(range(count)) * batch)


@given(sizes, st.integers(0, 9), st.integers(0, 9), st.integers(1, 9))
def test_blocks_go_on_where_the_last_one_ended(count, seed, block, requests):
    order = shuffle_samples(count, seed)
    whole = list(pick_samples(order, 1, 0, (block + 1) * requests))
    assert list(pick_samples(order, 1, block * requests, requests)) == whole[block * requests :]


def test_the_order_follows_from_the_seed_alone():
    one, same, other = (shuffle_samples(40, seed) for seed in (1, 1, 2))
    assert one == same != other


def answered(*marks):
    return AnsweredRequest(
        latency=1, size=0, marks=[Mark(CODES[name], number, ns) for name, number, ns in marks]
    )


def test_what_was_noted_is_added_up_by_phase():
    names, raw = tabulate_marks(
        [
            answered(("uplink", 0, 10), ("uplink", 0, 5), ("inference", 0, 7)),
            answered(("uplink", 0, 1), ("inference", 1, 3)),
        ]
    )
    assert names == ["uplink", "inference-0", "inference-1"]
    # A phase that a request did not have is told apart from one that took no time.
    assert struct.unpack("=6q", raw) == (15, 7, -1, 1, -1, 3)


def test_a_block_without_requests_has_an_empty_table():
    assert tabulate_marks([]) == ([], b"")


@pytest.mark.parametrize(("seconds", "again"), [(LONG_S * 0.9, AGAIN), (LONG_S * 1.1, 0)])
def test_a_block_warms_up_again_after_its_checks_unless_its_requests_are_long(
    split, seconds, again
):
    """Of a long request the checks have cooled nothing that would show."""
    order = DriverOrder(name="driver", tier="", controller="", parent=0, split=split, requests=5)
    took = AnsweredRequest(latency=round(seconds * 1e9), marks=[], size=0)
    told = {}
    sequencer = Sequencer(
        order,
        SimpleNamespace(tell=lambda verb, values, *raw: told.update({verb: (values, raw)})),
        SimpleNamespace(send_request=lambda request, payloads: took),
    )
    sequencer.warm()
    sequencer.measure()
    values, (latency, *_) = told["measure"]
    assert AGAIN > 0
    assert len(values["again_s"]) == again
    assert len(latency) == 5 * 8
