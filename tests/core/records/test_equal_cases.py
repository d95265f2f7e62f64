"""What A/A runs found, kept where quick runs of the same machine find it."""

from __future__ import annotations

import attrs
import pytest

from edgebench.parts.errors import StoreError
from edgebench.records import equal_cases
from edgebench.records.environment import describe
from edgebench.records.equal_cases import find_spread, identify_machine, keep_spread
from edgebench.records.quick import EqualSpread

FOUND = EqualSpread(
    difference=0.05,
    within=0.02,
    between=0.01,
    copies=20,
    rounds=5,
    requests=10,
    case="vgg:small identity on mobile with one",
    subject="vgg:small",
    measured="2026-01-02T03:04:05+00:00",
)
LATER = attrs.evolve(FOUND, subject="bert:small", measured="2026-02-02T03:04:05+00:00")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))


def test_none_is_found_where_none_was_kept():
    assert find_spread({"vgg:small"}) is None


def test_what_is_kept_is_found_and_the_later_stands_in_its_place():
    keep_spread(FOUND, "c")
    assert find_spread({"vgg:small"}) == FOUND
    again = attrs.evolve(FOUND, within=0.03, measured="2026-01-03T03:04:05+00:00")
    path = keep_spread(again, "c")
    assert find_spread({"vgg:small"}) == again
    assert [one.name for one in path.parent.iterdir()] == ["c.json"]


def test_that_of_the_same_model_goes_before_a_later_one_of_another():
    keep_spread(FOUND, "c")
    keep_spread(LATER, "d")
    assert find_spread({"vgg:small"}) == FOUND
    assert find_spread({"roberta:small"}) == LATER


def test_that_of_another_machine_is_never_found(monkeypatch):
    keep_spread(FOUND, "c")
    here = describe()
    for other in (
        attrs.evolve(here, processor="another"),
        attrs.evolve(here, cpus=(here.cpus or 0) + 1),
        attrs.evolve(here, cpu_limit=0.5),
        attrs.evolve(here, memory_bytes=1),
    ):
        monkeypatch.setattr(equal_cases, "describe", lambda other=other: other)
        assert find_spread({"vgg:small"}) is None


def test_two_machines_that_look_alike_are_told_apart_by_the_id_of_their_system(tmp_path):
    here, found = describe(), set()
    for name in ("one", "two"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/machine-id").write_text(f"{name}\n")
        found.add(identify_machine(here, tmp_path / name))
    (tmp_path / "none").mkdir()
    found.add(identify_machine(here, tmp_path / "none"))
    assert len(found) == 3
    assert identify_machine(here, tmp_path / "one") in found


def test_a_damaged_file_is_named_with_the_remedy():
    path = keep_spread(FOUND, "c")
    path.write_text("{")
    with pytest.raises(StoreError, match=r"c\.json does not hold .*remove it"):
        find_spread({"vgg:small"})
    path.write_text('{"schema": 1, "within": 1}')
    with pytest.raises(StoreError, match="remove it"):
        find_spread({"vgg:small"})


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="set EDGEBENCH_CACHE"):
        keep_spread(FOUND, "c")
