from __future__ import annotations

import string

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis.comparison import Comparison
from edgebench.analysis.gates import Gate, judge_gates
from edgebench.analysis.quantities import QUANTITIES
from edgebench.parts.errors import EdgebenchError
from edgebench.testing.results import block_of, case_of, result_of, run_of


@pytest.mark.parametrize(
    ("text", "name", "above", "bound", "difference", "relative"),
    [
        ("latency.p95 > +5%", "latency.p95", True, 0.05, True, True),
        ("latency.p95>+5%", "latency.p95", True, 0.05, True, True),
        ("latency.median > 50ms", "latency.median", True, 0.05, False, False),
        ("latency.median > + 5 ms", "latency.median", True, 0.005, True, False),
        ("latency.mean < -10 %", "latency.mean", False, -0.1, True, True),
        ("accuracy < -1", "accuracy", False, -1, True, False),
        ("accuracy < -1.5 points", "accuracy", False, -1.5, True, False),
        ("accuracy < 95%", "accuracy", False, 95, False, False),
        ("size > +10%", "size", True, 0.1, True, True),
        ("memory > 2MiB", "memory", True, 2 * 2**20, False, False),
        ("bytes > +1kB", "bytes", True, 1000, True, False),
    ],
)
def test_bounds_as_they_are_written(text, name, above, bound, difference, relative):
    gate = Gate.parse(text)
    assert gate.quantity.name == name
    assert gate.above is above
    assert gate.bound == pytest.approx(bound)
    assert (gate.difference, gate.relative) == (difference, relative)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is written FIGURE > BOUND"),
        ("latency.p95", "is written"),
        ("latency.p95 >= 5%", "is written"),
        ("latency.p95 = 5ms", "is written"),
        ("latency.p95 > five", "is written"),
        ("latency.p59 > +5%", "did you mean 'latency.p99'"),
        ("latency.p95 > 5%", "write \\+5%"),
        ("latency.p95 > 5", "without a unit; latency.p95 takes s, ms, us, %"),
        ("latency.p95 > 5MB", "the unit 'MB'"),
        ("size > 5ms", "the unit 'ms'"),
        ("accuracy < -1ms", "the unit 'ms'"),
        ("accuracy < -1%", "points"),
        ("latency.p95 < -100%", "less than nothing"),
        ("latency.p95 > 0ms", "bound of 0"),
        (f"latency.p95 > {'9' * 400}ms", "too large"),
    ],
)
def test_bounds_that_are_no_bounds(text, said):
    with pytest.raises(EdgebenchError, match=said):
        Gate.parse(text)


@given(st.text(string.printable + "ä€%<>+-"))
def test_any_text_is_a_bound_or_one_line_says_why_not(text):
    try:
        Gate.parse(text)
    except EdgebenchError as error:
        assert str(error)


@given(
    st.sampled_from(sorted(QUANTITIES)),
    st.sampled_from("<>"),
    st.sampled_from(["", "+", "-"]),
    st.floats(0.01, 99, allow_nan=False),
    st.sampled_from(["%", "ms", "s", "MB", "B", "points", ""]),
)
def test_what_is_accepted_is_judged(name, sign, plus, number, unit):
    try:
        gate = Gate.parse(f"{name} {sign} {plus}{number:.3f}{unit}")
    except EdgebenchError:
        return
    result = result_of(case_of("plain", "mobile", "edge"))
    comparison = Comparison.of(run_of([result]), run_of([result]))
    (one,) = judge_gates([gate], comparison)
    if one.value is not None and gate.difference:
        # Nothing has changed, and so lies on the other side of every bound that a change is.
        within = gate.bound < 0 if gate.above else gate.bound > 0
        assert (one.verdict == "failed") <= within


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("latency.median > 1ms", "failed"),
        ("latency.median > 3ms", "kept"),
        ("latency.median < 3ms", "failed"),
        ("latency.median > +0.1ms", "kept"),
        ("latency.median > +1us", "kept"),
        ("accuracy < 90%", "kept"),
        ("accuracy < 99.9%", "failed"),
        ("size > 299kB", "failed"),
        ("size > 300kB", "kept"),
        ("memory > 50.1MB", "kept"),
        ("bytes > 1kB", "kept"),
    ],
)
def test_values_are_held_against_bounds(text, verdict):
    result = result_of(case_of(), spread=0.0)
    comparison = Comparison.of(run_of([result]), run_of([result]))
    assert [one.verdict for one in judge_gates([Gate.parse(text)], comparison)] == [verdict]


def sole_verdicts(text, before, after):
    judged = judge_gates([Gate.parse(text)], Comparison.of(before, after))
    return {one.case.chain: one.verdict for one in judged}


def failed(case):
    return attrs.evolve(result_of(case), status="failed", reason="it broke", blocks=())


def test_a_bound_on_the_later_run_takes_no_earlier_one():
    """Of one block, failed, or not there: what the earlier run holds makes no difference."""
    cases = [case_of(name) for name in ("one-block", "broke", "new", "both")]
    before = run_of([result_of(cases[0], blocks=1), failed(cases[1]), result_of(cases[3])])
    after = run_of([result_of(case, median_s=0.2) for case in cases])
    found = sole_verdicts("latency.median > 50ms", before, after)
    assert found == dict.fromkeys(("one-block", "broke", "new", "both"), "failed")
    # Of a difference, what the earlier run has not is open, and a new case has none.
    found = sole_verdicts("latency.median > +5%", before, after)
    assert found == {"one-block": "open", "broke": "open", "both": "failed"}


@pytest.mark.parametrize("text", ["latency.median > +50%", "latency.median > 50ms"])
def test_a_case_that_the_later_run_lost_is_open(text):
    kept, lost = case_of("kept"), case_of("lost")
    before, after = run_of([result_of(kept), result_of(lost)]), run_of([result_of(kept)])
    assert sole_verdicts(text, before, after) == {"kept": "kept", "lost": "open"}


def test_a_bound_on_a_case_that_failed_says_why():
    broke, both = case_of("broke"), case_of("both")
    before = run_of([result_of(broke), result_of(both)])
    after = run_of([failed(broke), result_of(both)])
    judged = judge_gates([Gate.parse("latency.median > 50ms")], Comparison.of(before, after))
    assert [one.verdict for one in judged] == ["kept", "open"]
    assert "it broke" in judged[1].why_not


def test_levels_are_shared_by_all_bounds():
    """What one bound would show alone is open among forty: together they err as one does."""
    rng = np.random.default_rng(1)
    case, blocks = case_of(), []
    for factor in (1.0, 1.1):
        medians = factor * 2e-3 * np.exp(0.02 * rng.standard_normal(4))
        measured = [
            block_of(case, n, median_s=float(s), seed=int(1e3 * factor))
            for n, s in enumerate(medians)
        ]
        blocks.append(run_of([attrs.evolve(result_of(case), blocks=tuple(measured), planned=4)]))
    comparison = Comparison.of(*blocks)
    gate, others = Gate.parse("latency.median > +7%"), [Gate.parse("latency.median > +1000%")] * 39
    assert [one.verdict for one in judge_gates([gate], comparison)] == ["failed"]
    assert judge_gates([gate, *others], comparison)[0].verdict == "open"
