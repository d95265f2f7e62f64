from hypothesis import given
from hypothesis import strategies as st

from edgebench.measure.transport.pace import Pace, now, wait_until

MS = 1_000_000


def test_a_message_takes_its_bytes_over_the_rate_and_the_delay():
    pace = Pace(rate=8e6, delay=2e-3)
    assert pace.due(0, 1000) == 1 * MS + 2 * MS


@given(
    st.sampled_from([1e6, 10e6, 50e6, 200e6]),
    st.floats(0, 0.5),
    st.integers(1_000, 100_000_000),
    st.integers(0, 2**50),
)
def test_an_idle_link_follows_theory_at_every_size(rate, delay, size, sent):
    due = Pace(rate=rate, delay=delay).due(sent, size)
    assert abs((due - sent) - (size * 8 / rate + delay) * 1e9) <= 2


def test_a_second_message_waits_until_the_first_has_left_the_link():
    pace = Pace(rate=8e6, delay=5e-3)
    assert pace.due(0, 1000) == 6 * MS
    # The delay does not keep the link busy: it is free after one millisecond.
    assert pace.due(0, 1000) == 7 * MS
    assert pace.due(10 * MS, 1000) == 16 * MS


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)), min_size=1, max_size=20))
def test_no_burst_is_faster_than_the_rate(messages):
    pace = Pace(rate=8e9)
    messages.sort()
    last = [pace.due(sent, size) for sent, size in messages][-1]
    assert last >= messages[0][0] + sum(size for _, size in messages)


def test_empty_messages_take_the_delay_alone():
    assert Pace(rate=1.0, delay=1e-3).due(5, 0) == 5 + MS


def test_a_wait_ends_no_sooner_than_it_must():
    for wait in (0, 50_000, 3 * MS):
        due = now() + wait
        assert wait_until(due) >= due


def test_a_time_that_has_passed_is_not_waited_for():
    begin = now()
    assert begin <= wait_until(begin - 10**9) <= now()
