"""Rates, delays and links as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import Link
from edgebench.parts.errors import OptionError
from edgebench.parts.units import (
    parse_delay,
    parse_link,
    parse_rate,
    write_delay,
    write_link,
    write_rate,
)

RATES = st.floats(min_value=1e-3, max_value=1e15)
DELAYS = st.floats(min_value=0, max_value=1e6)
TIERS = st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("200mbit", 200e6),
        ("1 Mbit/s", 1e6),
        ("0.5kbit", 500.0),
        ("1gbit", 1e9),
        (" 12bit ", 12.0),
        ("1e3bit", 1000.0),
    ],
)
def test_a_rate_is_a_decimal_number_of_bits_a_second(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "delay"),
    [("20ms", 0.02), ("0.1ms", 0.0001), ("1.5s", 1.5), ("250us", 0.00025), ("0", 0.0), ("0ms", 0)],
)
def test_a_delay_is_in_seconds(text, delay):
    assert parse_delay(text) == delay


@pytest.mark.parametrize(
    "text", ["", "200", "mbit", "200mb", "200 mibit", "-1mbit", "1,5mbit", "nan bit", "20ms"]
)
def test_what_is_not_a_rate_is_quoted(text):
    with pytest.raises(OptionError) as caught:
        parse_rate(text)
    assert "a number and gbit, mbit, kbit or bit" in str(caught.value)


@pytest.mark.parametrize("text", ["0mbit", "0.0bit"])
def test_a_rate_of_nothing_is_refused(text):
    with pytest.raises(OptionError, match="greater than 0"):
        parse_rate(text)


@pytest.mark.parametrize("text", ["20", "20min", "-5ms", "ms", "5mbit"])
def test_what_is_not_a_delay_says_how_one_is_written(text):
    with pytest.raises(OptionError, match=r"a delay is a number and s, ms or us, not"):
        parse_delay(text)


def test_what_is_too_large_for_a_float_is_refused():
    with pytest.raises(OptionError, match="finite"):
        parse_rate("1e308gbit")


def test_a_link_is_two_tiers_a_rate_and_a_delay():
    assert parse_link("mobile-edge=200mbit,20ms", source="measured") == Link(
        between=("mobile", "edge"), rate=200e6, delay=0.02, source="measured"
    )


def test_the_delay_of_a_link_may_be_left_out():
    assert parse_link(" edge-cloud = 1mbit").delay == 0


@pytest.mark.parametrize(
    "text",
    ["", "mobile=1mbit", "mobile-edge", "mobile-edge=", "a-b-c=1mbit", "-b=1mbit", "a-b=1mbit,"],
)
def test_what_is_not_a_link_says_how_one_is_written(text):
    with pytest.raises(OptionError, match="a link is written A-B=RATE or A-B=RATE,DELAY"):
        parse_link(text)


def test_a_link_does_not_join_a_tier_to_itself():
    with pytest.raises(OptionError, match="not 'edge' to itself"):
        parse_link("edge-edge=1mbit")


@pytest.mark.parametrize(
    ("text", "part"), [("a-b=1mb", "a rate"), ("a-b=1mbit,2min", "a delay"), ("a-b=1mbit,2,3", "a")]
)
def test_a_link_says_which_part_of_it_is_wrong(text, part):
    with pytest.raises(OptionError, match=f"^{part}"):
        parse_link(text)


@given(RATES)
def test_a_written_rate_reads_back_as_the_same_number(rate):
    assert parse_rate(write_rate(rate)) == rate


@given(DELAYS)
def test_a_written_delay_reads_back_as_the_same_number(delay):
    assert parse_delay(write_delay(delay)) == delay


@given(one=TIERS, other=TIERS, rate=RATES, delay=DELAYS)
def test_a_written_link_reads_back_as_the_same_link(one, other, rate, delay):
    if one == other:
        other += "x"
    link = Link(between=(one, other), rate=rate, delay=delay)
    assert parse_link(write_link(link)) == link


@given(st.text(max_size=30))
def test_any_text_is_a_link_or_an_option_error(text):
    try:
        link = parse_link(text)
    except OptionError:
        return
    assert link.rate > 0


def test_people_are_shown_the_unit_they_would_write():
    assert [write_rate(200e6), write_rate(1.5e9), write_rate(10)] == ["200mbit", "1.5gbit", "10bit"]
    assert [write_delay(0.02), write_delay(0), write_delay(2)] == ["20ms", "0ms", "2s"]
    assert write_link(parse_link("a-b=1mbit")) == "a-b=1mbit"
