from __future__ import annotations

import attrs

from edgebench import Link
from edgebench.analysis import decisions
from edgebench.analysis.groups import find_groups
from edgebench.analysis.verdicts import Verdicts
from edgebench.testing.results import case_of, result_of, run_of


def decide(title, results, within):
    return decisions.decide(title, results, Verdicts.of(results, within))


def at(chain, *tiers, rate=None, **changes):
    case = attrs.evolve(case_of(chain, *tiers), **changes)
    if rate:
        case = attrs.evolve(case, links=[Link(between=("mobile", "edge"), rate=rate)])
    return result_of(case, median_s=5e-3)


def named(results):
    return {title: [r.case.chain for r in found] for title, found in find_groups(results)}


def test_strategies_under_equal_conditions_are_one_group():
    assert named([at("plain"), at("cut", "mobile", "edge", rate=1e6)]) == {
        "toy:small": ["plain", "cut"]
    }


def test_each_setting_of_a_swept_link_is_a_group_and_who_does_not_use_it_stands_in_all():
    found = named(
        [
            at("plain"),
            at("cut", "mobile", "edge", rate=1e6),
            at("cut", "mobile", "edge", rate=1e7),
            at("far", "edge", rate=1e7),
        ]
    )
    assert found == {
        "toy:small, mobile-edge=1mbit": ["plain", "cut"],
        "toy:small, mobile-edge=10mbit": ["plain", "cut", "far"],
    }


def test_other_conditions_that_vary_set_groups_apart_and_are_named():
    found = named([at("plain"), at("plain", batch=4), at("plain", threads=2)])
    assert found == {
        "toy:small, batch 1": ["plain"],
        "toy:small, batch 4": ["plain"],
        "toy:small, batch 1, threads 2": ["plain"],
    }


def test_what_was_said_of_a_file_sets_groups_apart():
    short, long = ([("dims", f"seq={size}")] for size in (8, 128))
    found = named(
        [at("plain", options=short), at("int8", options=short), at("plain", options=long)]
    )
    assert found == {
        'toy:small(dims="seq=8")': ["plain", "int8"],
        'toy:small(dims="seq=128")': ["plain"],
    }
    assert list(named([at("plain", options=short), at("int8", options=short)])) == ["toy:small"]


def test_an_input_of_another_length_is_never_called_the_fastest():
    slow = at("plain", options=[("dims", "seq=128")])
    fast = result_of(attrs.evolve(slow.case, options=[("dims", "seq=8")]), median_s=1e-3)
    made = run_of([slow, fast]).decisions
    assert [one.fastest for one in made] == [slow, fast]
    assert made[0].sentence.startswith('toy:small(dims="seq=128"): the fastest ')


def test_a_case_under_other_links_is_never_called_the_fastest_of_these():
    slow = at("cut", "mobile", "edge", rate=1e6)
    fast = result_of(
        attrs.evolve(slow.case, links=[Link(between=("mobile", "edge"), rate=1e7)]), median_s=1e-3
    )
    made = run_of([slow, fast]).decisions
    assert [(one.title.split("=")[-1], one.fastest) for one in made] == [
        ("1mbit", slow),
        ("10mbit", fast),
    ]


def test_a_case_without_all_its_blocks_decides_nothing():
    whole = at("plain")
    partial = attrs.evolve(result_of(case_of("quick"), median_s=1e-3), status="partial")
    assert decide("toy", [whole, partial], 0.02).fastest is whole
    alone = decide("toy", [partial], 0.02)
    assert alone.fastest is None
    assert alone.sentence == (
        "toy: no case was measured in two blocks or more, so none is decided."
    )
