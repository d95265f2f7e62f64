"""Tiers, links and where the input is, as the commands that measure nothing show them."""

from __future__ import annotations

import pytest


def columns_of(said):
    return next(line.split() for line in said.out.splitlines() if line.startswith(" case "))


@pytest.mark.process
def test_plan_shows_where_the_input_is_and_what_lies_between(here, toy):
    words = ("plan", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    near = here(*words)
    assert columns_of(near) == ["case", "model", "chain", "placement", "backend"]
    assert "the input is on mobile; --input-at TIER says that another holds it" in near.out
    far = here(*words, "--placement", "cloud", "--input-at", "edge")
    assert columns_of(far)[-1] == "route"
    assert "edge-cloud" in far.out
    assert "the input is on edge; " in far.out
    (case,) = here(*words, "--placement", "cloud", "--json").json["cases"]
    assert case["route"] == ["mobile", "edge", "cloud"]


@pytest.mark.process
def test_plan_tells_cases_of_different_links_apart(here, toy, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    words = ("plan", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    words += ("--placement", "edge", "--placement", "mobile")
    assert "links" not in columns_of(here(*words, "--link", "edge-mobile=10mbit"))
    said = here(*words, "--link", "edge-mobile=10mbit", "--link", "mobile-edge=1mbit,20ms")
    assert columns_of(said)[-2:] == ["route", "links"]
    lines = [line.split() for line in said.out.splitlines() if " toy-numpy " in line]
    assert [line[5:] for line in lines] == [
        ["mobile-edge", "mobile-edge=10mbit"],
        ["mobile"],
        ["mobile-edge", "mobile-edge=1mbit,20ms"],
    ]


WATCH = """
[tiers.watch]
summary = "On a wrist."
cpus = 1
memory_gib = 0.5
speed = 0.05
source = "the data sheet"

[[links]]
between = ["watch", "mobile"]
rate = "2mbit"
source = "measured at a desk"
"""


@pytest.fixture
def watch(tmp_path):
    (tmp_path / "mine.toml").write_text(WATCH)
    return tmp_path / "mine.toml"


def test_a_tier_of_ones_own_comes_from_ones_own_file(here, watch, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    lines = here("list", "tiers", "--registry", watch).out.splitlines()
    sources = {line.split()[0]: line.split()[-1] for line in lines if "." in line}
    assert sources == {
        "cloud": "studied-tiers",
        "edge": "studied-tiers",
        "mobile": "studied-tiers",
        "watch": str(watch),
    }
    shown = here("show", "tier", "watch", "--json", "--registry", watch).json
    assert (shown["registry"], shown["speed"], shown["threads"]) == (str(watch), 0.05, 1)


@pytest.mark.process
def test_a_tier_that_is_linked_to_the_device_does_not_become_it(here, toy, watch):
    words = ("plan", "--json", "--plugin", toy, "--model", "toy", "--backend", "toy-numpy")
    (plain,), (with_watch,) = (
        here(*words, *more).json["cases"] for more in ((), ("--registry", watch))
    )
    assert plain["route"] == with_watch["route"] == ["mobile"]
    assert plain["id"] == with_watch["id"]


PHONE = """
[tiers.phone]
summary = "A phone."
cpus = 8
memory_gib = 6
source = "nobody timed it"

[tiers.server]
summary = "A server."
cpus = 64
memory_gib = 256
accelerator = "H100"
speed = 1.6
threads = 64
source = "its data sheet"

[[links]]
between = ["phone", "server"]
rate = "50mbit"
delay = "5ms"
source = "chosen"
"""


def test_what_a_tier_is_not_stands_beside_its_figures(cli, toy, tmp_path):
    (tmp_path / "mine.toml").write_text(PHONE)
    words = ("--plugin", toy, "--registry", "mine.toml", "--model", "toy", "--backend", "toy-numpy")
    lost = cli("run", *words, "--placement", "server")
    assert (lost.status, lost.out) == (2, "")
    assert "say --input-at: which of phone, server holds the input?" in lost.err
    said = cli("run", "--json", *words, "--placement", "phone", "--placement", "server",
               "--input-at", "phone", "--blocks", 1, "--requests", 3)  # fmt: skip
    near, far = said.json["cases"]
    (phone,), (server,) = near["tiers"], far["tiers"]
    assert (phone["claimed"], phone["stated"], phone["threads"]) == (1.0, None, 1)
    assert "speed of phone not stated: it ran as fast as this machine" in near["doubts"]
    assert (server["claimed"], server["stated"], server["ok"]) == (1.6, 1.6, False)
    assert server["enforced"]["cpu"].startswith("not enforced: 1.6 of this machine's speed")
    assert 1 <= server["threads"] <= server["processors"]
    assert "server: its accelerator H100 was not used: ran on cpu" in far["doubts"]
    there, back = far["links"]
    assert (there["source"], there["goodput_bit_s"], back["goodput_bit_s"]) == ("phone", None, None)
    assert [one["figure"] for one in there["figures"]] == ["round trip", "transfer"]
    assert far["route"] == ["phone", "server"]
