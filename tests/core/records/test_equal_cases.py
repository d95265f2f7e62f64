"""What A/A runs found, kept where quick runs of the same machine find it."""

from __future__ import annotations

import attrs
import pytest

from edgebench.parts.errors import StoreError
from edgebench.records import equal_cases
from edgebench.records.environment import describe
from edgebench.records.equal_cases import (
    find_quick,
    find_spread,
    identify_machine,
    keep_spread,
    list_unreadable,
)
from edgebench.records.quick import EqualSpread, Quick, Setting, describe_conditions
from edgebench.testing.results import case_of


def ask(*models, conditions="on mobile", **changes):
    """Settings of one case each of some models, by ids that are their names."""
    settings = {
        name: Setting(subject=f"{name}:small 0123", conditions=conditions) for name in models
    }
    return {name: attrs.evolve(one, **changes) for name, one in settings.items()}


VGG, BERT, ROBERTA = ask("vgg"), ask("bert"), ask("roberta")

FOUND = EqualSpread(
    difference=0.05,
    within=0.02,
    between=0.01,
    copies=20,
    rounds=5,
    requests=10,
    case="vgg:small identity on mobile with one",
    subject="vgg:small 0123",
    measured="2026-01-02T03:04:05+00:00",
    case_id="another",
    conditions="on edge",
    median_s=0.2,
)
LATER = attrs.evolve(FOUND, subject="bert:small 0123", measured="2026-02-02T03:04:05+00:00")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))


def test_none_is_found_where_none_was_kept():
    assert find_spread(VGG) is None


def test_what_is_kept_is_found_and_the_later_stands_in_its_place():
    keep_spread(FOUND, "c")
    assert find_spread(VGG) == FOUND
    again = attrs.evolve(FOUND, within=0.03, measured="2026-01-03T03:04:05+00:00")
    path = keep_spread(again, "c")
    assert find_spread(VGG) == again
    assert [one.name for one in path.parent.iterdir()] == ["c.json"]


def test_that_of_the_same_model_goes_before_a_later_one_of_another():
    keep_spread(FOUND, "c")
    keep_spread(LATER, "d")
    assert find_spread(VGG) == FOUND
    assert find_spread(ROBERTA) == LATER


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
        assert find_spread(VGG) is None


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


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"schema": 3, "within": 1}', '{"schema": 2}', '{"schema": 4}', "\xff"],
)
def test_a_file_that_holds_none_is_passed_over_and_named_with_the_remedy(text):
    keep_spread(FOUND, "c")
    keep_spread(LATER, "d").write_text(text, encoding="latin-1")
    assert find_spread(BERT) == FOUND
    (said,) = list_unreadable()
    assert "d.json does not hold what equal cases differ by" in said
    assert "remove it" in said
    assert "\n" not in said


def test_a_file_of_another_version_is_passed_over_by_its_version_alone():
    """Its figures may mean something else, however like ours they look."""
    path = keep_spread(FOUND, "c")
    path.write_text(path.read_text().replace('"schema": 3', '"schema": 2'))
    assert find_spread(VGG) is None
    assert "it is of version 2, not 3" in list_unreadable()[0]


def test_the_case_itself_goes_before_its_conditions_and_these_before_what_is_later():
    """By hand: each is measured before the one that it stands behind."""
    own = attrs.evolve(
        FOUND, case_id="vgg", conditions="on mobile", measured="2026-01-01", median_s=9.0
    )
    alike = attrs.evolve(FOUND, conditions="on mobile", measured="2026-01-02")
    longer = attrs.evolve(alike, measured="2026-01-03", median_s=0.9)
    later = attrs.evolve(FOUND, measured="2026-01-04")
    for number, one in enumerate((later, longer, alike, own)):
        keep_spread(one, f"c{number}")
        assert find_spread(BERT | VGG) == one


def test_the_case_itself_with_other_weights_or_on_a_tier_of_another_speed_is_another():
    """An id has the names of files and tiers, not what they hold and how fast they are."""
    own = attrs.evolve(FOUND, case_id="vgg", conditions="on mobile")
    later = attrs.evolve(LATER, conditions="on mobile")
    keep_spread(own, "vgg")
    keep_spread(later, "bert")
    assert find_quick(BERT | VGG) == Quick(spread=own, like=("vgg",))
    assert find_quick(ROBERTA | VGG).spread == own
    for changed in (ask("vgg", subject="vgg:small 4567"), ask("vgg", conditions="on mobile; slow")):
        assert find_quick(BERT | changed) == Quick(spread=later, like=("bert",))
    # Of the same weights, though elsewhere, it is as good as before.
    moved = {"elsewhere": VGG["vgg"]}
    assert find_quick(moved) == Quick(spread=own, like=("elsewhere",))
    assert find_quick(ROBERTA).like == ()


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 2},
        {"threads": 3},
        {"links": ()},
        {"links": (attrs.evolve(case_of("plain", "cloud").links[0], delay=0.3),)},
    ],
)
def test_conditions_are_placement_links_batch_and_threads(change):
    case = case_of("plain", "cloud")
    assert describe_conditions(attrs.evolve(case, **change)) != describe_conditions(case)
    assert describe_conditions(attrs.evolve(case, chain="other")) == describe_conditions(case)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="set EDGEBENCH_CACHE"):
        keep_spread(FOUND, "c")
