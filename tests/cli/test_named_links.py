"""Links of options, written with rates or with the names of networks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import Registry
from edgebench.cli.named_links import read_link
from edgebench.parts.errors import OptionError
from edgebench.parts.units import parse_link, write_link

NETWORKS = Registry.read().networks


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a-b=4g", "a-b=7.6mbit,10.5ms"),
        (" a-b = 4g ", "a-b=7.6mbit,10.5ms"),
        ("a-b=4g,30ms", "a-b=7.6mbit,30ms"),
        ("a-b=ethernet-1g, 0", "a-b=941mbit"),
        ("a-b=2mbit,5ms", "a-b=2mbit,5ms"),
    ],
)
def test_a_network_stands_where_a_rate_could(text, written):
    assert write_link(read_link(text, NETWORKS)) == written


def test_a_link_keeps_where_its_figures_come_from():
    assert read_link("a-b=4g", NETWORKS).source == f"4g: {NETWORKS['4g'].source}"
    assert read_link("a-b=1mbit", NETWORKS).source == ""


@given(st.sampled_from(sorted(NETWORKS)))
def test_every_network_is_read_to_the_bit(name):
    link = read_link(f"a-b={name}", NETWORKS)
    assert (link.rate, link.delay) == (NETWORKS[name].rate, NETWORKS[name].delay)
    assert parse_link(write_link(link)) == read_link(write_link(link), NETWORKS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a-b=4h", "a rate is a number and gbit, mbit, kbit or bit, not '4h', and no network is"),
        ("a-b=lan", "and no network is called so; known are: 4g, 5g, ethernet-100m"),
        ("a-b=satelite-leo", "; did you mean 'satellite-leo'?"),
        ("a-b=4g,slow", "a delay is a number"),
        ("a-b=", "a link is written A-B=RATE"),
        ("a-b", "a link is written A-B=RATE"),
        ("a-a=4g", "a link joins two tiers"),
        ("ab=4g", "a link is written A-B=RATE"),
        ("a-b=0mbit", "a rate must be greater than 0"),
    ],
)
def test_what_is_no_link_is_refused(text, why):
    with pytest.raises(OptionError, match=re.escape(why)):
        read_link(text, NETWORKS)
