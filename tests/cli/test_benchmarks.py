"""The figures that the pages show: what the programs in `benchmarks` call a win, a loss, a failure."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[2] / "benchmarks"
MOBILE_EDGE = [{"between": ["mobile", "edge"], "rate_bit_s": 2e8, "delay_s": 0.0}]


@pytest.fixture
def program(monkeypatch):
    """Import one of the programs, which find each other in their own directory."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    return importlib.import_module


def case(chain, placement, median, spread=0.0, **changes):
    """A case as `run --json` prints it, in ms."""
    far = placement != "mobile"
    return {
        "chain": chain,
        "placement": placement,
        "status": "ok",
        "reason": "",
        "network": MOBILE_EDGE if far else [],
        "latency_s": {
            "median": median / 1e3,
            "ci95": [(median - spread) / 1e3, (median + spread) / 1e3],
        },
        "accuracy": {"top1": 0.98765, "top5": 1.0},
        "bytes_out": {"mobile": 25_000 if "partition" in chain else 200_000},
        "model_bytes": 4_430_000,
        **changes,
    }


def rows(scale, cut, spread=0.0):
    """The f32 row of a model that takes 17 ms on mobile, 16 on edge and 45 in the cloud."""
    cases = [
        case("identity", "mobile", 17, spread),
        case("identity", "edge", 16, spread),
        case("identity", "cloud", 45, spread),
        case("partition", "mobile-edge", cut, spread),
    ]
    return scale.latencies("vgg:small", cases, 2e8)


@pytest.mark.parametrize(
    ("cut", "spread", "verdict", "bold"),
    [
        (14, 0.5, "wins", "**14** (13.5 to 14.5)"),
        (14, 1.5, "not told apart", ""),
        (16.2, 0.5, "not told apart", ""),
        (20, 0.5, "loses", ""),
    ],
)
def test_a_cut_wins_only_where_its_interval_overlaps_none(program, cut, spread, verdict, bold):
    first, empty = rows(program("scale"), cut, spread)
    assert first[-1] == verdict
    assert [cell for cell in first if "**1" in cell] == ([bold] if bold else [])
    assert empty == ["int8", "", "", "", "", "", "", ""]


def test_only_the_fastest_of_a_row_is_bold_and_its_metric_is_shown(program):
    (row, _) = rows(program("scale"), 20)
    assert row == [
        *("f32", "top1 0.988", "17 (17 to 17)", "**16** (16 to 16)", "45 (45 to 45)"),
        *("20 (20 to 20)", "", "loses"),
    ]


def test_what_a_request_weighs_stands_beside_what_it_takes(program):
    scale = program("scale")
    cases = [
        case("identity", "mobile", 17.4),
        case("identity", "edge", 16),
        case("partition", "mobile-edge", 15),
    ]
    assert scale.weights("vgg:small", cases, 2e8) == [
        *("`vgg:small`", "200", "25", "4.43", "17.4", "8", "1", "2.2"),
    ]
    assert scale.weights("vgg:small", cases[:1], 2e8) is None
    # Compute is thousands of times the transfer for a sentence: no exponent, as the page has it.
    assert program("tables").digits(3412.7, 2) == "3,400"


def test_each_rate_of_the_link_has_rows_of_its_own(program):
    scale = program("scale")
    slow = [{**MOBILE_EDGE[0], "rate_bit_s": 1e8}]
    cases = [
        case("identity", "mobile", 17),
        case("identity", "edge", 16),
        case("identity", "edge", 24, network=slow),
    ]
    text = scale.second_table({"vgg:small": cases})
    assert [line.split(" | ")[1:6] for line in text.splitlines()[2:] if "top1" in line] == [
        ["200mbit", "f32", "top1 0.988", "17 (17 to 17)", "**16** (16 to 16)"],
        ["100mbit", "f32", "top1 0.988", "**17** (17 to 17)", "24 (24 to 24)"],
    ]


def test_what_was_not_measured_is_listed_and_never_shown_as_measured(program):
    scale = program("scale")
    lost = case("partition", "mobile-edge", 1, status="partial", reason="2 blocks were lost")
    assert scale.found([lost], "partition", "mobile-edge", 2e8) is None
    assert scale.missing({"vgg:small": [case("identity", "edge", 1), lost]}) == [
        "vgg:small partition on mobile-edge: partial, 2 blocks were lost"
    ]
    # A chain without a cut on two tiers is no failure: the product of the options holds it.
    assert not scale.fits(case("identity", "mobile-edge", 1))
    assert scale.fits(lost)


@pytest.mark.process
def test_a_run_that_fails_ends_the_program_with_its_own_status():
    argv = [sys.executable, str(PROGRAMS / "scale.py"), "--model", "nobody:small"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody" in done.stderr


def figures(accuracy, inference_s, **changes):
    return {
        "metric": "top1",
        "accuracy": accuracy,
        "int8_loss": 0.001,
        "inference_s": inference_s,
        "int8_inference_s": inference_s / 2,
        "training_s": 60.0,
        "done_again": [],
        **changes,
    }


@pytest.mark.parametrize(
    ("small", "tiny", "unmet"),
    [
        ({}, {}, ""),
        ({"accuracy": 0.96}, {}, "accuracy"),
        ({}, {"accuracy": 0.955}, "tiny's accuracy"),
        ({}, {"inference_s": 2.3e-3}, "ratio"),
        ({"inference_s": 11e-3}, {}, "sample"),
        ({}, {"training_s": 121.0}, "training"),
        ({}, {"training_s": None}, "training"),
        ({"done_again": ["vgg:small trained"]}, {}, "kept"),
    ],
)
def test_each_promise_of_a_family_can_be_broken(program, small, tiny, unmet):
    subjects = program("subjects")
    sizes = {
        "small": figures(0.98, 4e-3) | small,
        "tiny": figures(0.975, 2e-3) | tiny,
    }
    found = subjects.judged("vgg", sizes, fresh=True)
    assert subjects.verdict(found) == unmet
    assert len({len(row) for row in subjects.family_rows(found)} | {8}) == 1


def test_training_is_not_judged_where_a_store_held_it(program):
    subjects = program("subjects")
    sizes = {name: figures(0.98, 4e-3 if name == "small" else 2e-3, training_s=None)
             for name in ("small", "tiny")}  # fmt: skip
    assert subjects.verdict(subjects.judged("vgg", sizes, fresh=False)) == ""


@pytest.mark.parametrize(
    ("family", "seconds", "unmet"),
    [("mobilenet", 0.5e-3, ""), ("mobilenet", 0.2e-3, "sample"), ("vgg", 0.5e-3, "sample")],
)
def test_a_compact_model_may_take_less_than_the_others(program, family, seconds, unmet):
    subjects = program("subjects")
    sizes = {"small": figures(0.98, seconds), "tiny": figures(0.98, seconds / 2)}
    assert subjects.verdict(subjects.judged(family, sizes, fresh=True)) == unmet


def test_an_answer_that_is_no_number_agrees_with_nothing(program):
    np = pytest.importorskip("numpy")
    subjects = program("subjects")
    one = {"a": np.array([1.0, -4.0]), "b": np.array([2.0])}
    assert subjects.difference(one, {"a": np.array([1.0, -3.0]), "b": np.array([2.0])}) == 0.25
    other = {"a": np.array([1.0, np.nan]), "b": np.array([2.0])}
    assert not subjects.difference(one, other) <= subjects.DIFFERENCE


def test_a_large_size_that_cannot_be_built_is_a_row_that_says_so(program):
    subjects = program("subjects")
    found = {"subject": "vgg:16", "met": {"it ended with status -9": False}}
    (row,) = subjects.large_rows(found)
    assert (row[0], row[-1]) == ("`vgg:16`", "it ended with status -9")
    assert len(row) == len(subjects.LARGE_COLUMNS)
