"""Which cases are alike for what equal ones differ by: the same model, on tiers as fast."""

from __future__ import annotations

import pytest

from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.conduct.settings import describe_settings
from edgebench.prepare.keys import Keys
from edgebench.testing.results import case_of

CASE = case_of("plain", backend="toy-numpy")


@pytest.fixture
def describe(toy):
    """Say what a case of the toy measures, by what ships and registries over it."""

    def find(*registries, case=CASE):
        keys = Keys(Plugins.load(Registry.read(registries), [toy]))
        return describe_settings([case], keys)[case.id]

    return find


@pytest.mark.parametrize("change", ["speed = 0.2", "threads = 2"])
def test_another_speed_of_a_tier_of_that_name_is_another_condition(describe, tmp_path, change):
    shipped = {"speed": "speed = 0.25", "threads": "threads = 1"}
    here, other = shipped | {change.partition(" ")[0]: change}, tmp_path / "own.toml"
    text = "[tiers.mobile]\nsummary = 'Mine.'\ncpus = 4\nmemory_gib = 4\nsource = 'mine'\n"
    other.write_text(text + "\n".join(here.values()))
    one, changed = describe(), describe(other)
    assert one.conditions == "on mobile; mobile: speed 0.25, threads 1"
    assert one.subject == changed.subject
    assert one.conditions != changed.conditions


def test_operators_and_backends_are_none(describe):
    assert describe() == describe(case=case_of("other", backend="another"))
    assert describe() != describe(case=case_of("plain", "edge"))
