from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.advice import advise
from edgebench.analysis.advised import Wish
from edgebench.analysis.bounds import parse_bound
from edgebench.analysis.decisions import decide
from edgebench.analysis.draws import Resampling
from edgebench.analysis.evidence import find_evidence
from edgebench.analysis.group_tests import answer_by_study, compare_all
from edgebench.analysis.prices import Prices
from edgebench.analysis.standings import Standings
from edgebench.analysis.verdicts import Verdicts
from edgebench.records.outcome import Run
from edgebench.testing.results import case_of, facts_of, result_of

RUN = Run(started="2026")


def result(chain, median_ms, *, loss=0.0, spread=0.001, **fields):
    made = result_of(case_of(chain), median_s=median_ms / 1e3, spread=spread, **fields)
    return attrs.evolve(made, facts=facts_of(made.case, loss=loss))


def ask(results, *bounds, run=RUN):
    wish = Wish(bounds=tuple(map(parse_bound, bounds)))
    (found,) = advise(run, results, wish, Prices(tiers={}, links=()))
    return found


def chains(candidates):
    return [one.result.case.chain for one in candidates]


def in_rounds(chain, median_ms, factors, *, beaten_by=(), **fields):
    """A result of one block a factor, each so many times the median, with hardly any scatter."""
    made = result(chain, median_ms, blocks=len(factors), **fields)
    blocks = [
        attrs.evolve(block, latency_s=block.latency_s * factor)
        for block, factor in zip(made.blocks, factors, strict=True)
    ]
    facts = attrs.evolve(made.facts, beaten_by=tuple(beaten_by))
    return attrs.evolve(made, blocks=tuple(blocks), facts=facts)


GROWN = attrs.evolve(RUN, max_blocks=20)
MINUTES = (0.96, 0.97, *np.linspace(0.995, 1.02, 8))
"""What rounds took of their mean: the first two were quick ones."""


@pytest.mark.parametrize("dropped_by_it", [False, True])
def test_what_had_only_quick_rounds_is_not_the_best_for_it(dropped_by_it):
    best = in_rounds("best", 2.0, MINUTES, seed=1)
    by = [best.case.id] if dropped_by_it else []
    dropped = in_rounds("dropped", 2.05, MINUTES[:2], seed=2, beaten_by=by)
    assert dropped.median < best.median
    found = ask([dropped, best], run=GROWN)
    assert chains(found.ranked) == ["best", "dropped"]
    assert found.ranked[0].probability > 0.5
    assert found.ranked[0].median == pytest.approx(best.median)
    if dropped_by_it:
        assert found.ranked[1].standing == "slower"


def test_what_had_only_quick_rounds_meets_no_bound_by_it():
    minutes = (1.0, 1.0, *[1.6] * 4)
    best = in_rounds("best", 10.0, minutes, seed=1)
    dropped = in_rounds("dropped", 12.0, minutes[:2], seed=2, beaten_by=[best.case.id])
    assert dropped.median < 0.013 < best.median
    found = ask([dropped, best], "latency.median=13ms", run=GROWN)
    assert not found.ranked
    [check] = [one for c in found.missed for one in c.checks if c.result is dropped and one.value]
    # As if it had been in all six: 12 ms in two of them, 19.2 in four.
    assert check.value == pytest.approx(12e-3 * 1.6 ** (4 / 6), rel=0.01)
    assert dropped.case.id not in {one.result.case.id for one in found.open}
    free = ask([dropped, best], run=GROWN)
    assert [(one.result.case.chain, one.probability) for one in free.ranked] == [
        ("best", 1.0),
        ("dropped", None),
    ]
    assert [one.case.chain for one in free.front] == ["best"]


def test_a_strategy_that_is_faster_in_every_round_wins_whatever_its_median_of_all_requests():
    """A block ends after a time, so slow ones hold fewer requests: three were slow here."""
    minutes = (1.0, 1.0, 2.0, 2.0, 2.0)

    def cut(made):
        blocks = [
            attrs.evolve(b, latency_s=b.latency_s[: int(5.0 / b.latency_s[0])]) for b in made.blocks
        ]
        return attrs.evolve(made, blocks=tuple(blocks))

    slow = cut(in_rounds("slow", 48.0, minutes))
    quick = cut(in_rounds("quick", 25.0, minutes, seed=1))
    assert slow.median < quick.median
    found = ask([slow, quick])
    assert [(c.result.case.chain, c.probability) for c in found.ranked] == [
        ("quick", 1.0),
        ("slow", 0.0),
    ]
    assert [one.case.chain for one in found.front] == ["quick"]
    decision = decide("toy:small", [slow, quick], Verdicts.of([slow, quick], 0.02))
    assert decision.fastest is quick
    assert decision.slower == (slow,)


def test_a_bound_that_others_miss_makes_nothing_surer():
    best = in_rounds("best", 2.0, (1.0, 1.0, 1.0, 1.0))
    other = in_rounds("other", 2.2, (1.0, 1.08, 0.94, 1.05), seed=1)
    large = [
        attrs.evolve(one, facts=facts_of(one.case, size=9_000_000))
        for one in (in_rounds(f"n{n}", 4.0, (1.0,) * 4, seed=n) for n in range(9))
    ]
    without, bounded = ask([best, other, *large]), ask([best, other, *large], "size=1MB")
    assert len(bounded.ranked) == 2
    assert [one.standing for one in bounded.ranked] == [one.standing for one in without.ranked[:2]]


def test_what_is_shown_to_be_faster_than_the_first_takes_its_place():
    quick, slow = in_rounds("quick", 2.0, MINUTES), in_rounds("slow", 2.2, MINUTES, seed=1)
    figure = Resampling([slow, quick]).find("latency.median")
    standings = Standings(Verdicts.of([slow, quick], 0.02), figure, by_request=False)
    order = standings.settle([slow, quick])
    assert [one.case.chain for one in order] == ["quick", "slow"]
    assert [standing for standing, _ in standings.compare(order, None)] == ["best", "slower"]


def test_where_blocks_were_added_one_look_is_judged_as_a_report_judges_it():
    best = in_rounds("best", 2.0, (1.0, 1.0, 1.0, 1.0))
    other = in_rounds("other", 2.2, (1.0, 1.08, 0.94, 1.05), seed=1)
    for run in (RUN, GROWN):
        verdicts = Verdicts.of([best, other], 0.02, run.max_blocks)
        found = ask([best, other], run=run)
        assert found.ranked[1].standing == verdicts.judge(other, best)
    assert ask([best, other]).ranked[1].standing == "slower"
    assert ask([best, other], run=GROWN).ranked[1].standing == "undecided"


def test_intervals_are_those_of_a_report():
    made = in_rounds("made", 2.0, (0.9, 1.1))
    found = ask([made], "latency.p95=9ms", "latency.mean=9ms")
    (one,) = (*found.ranked, *found.open)
    assert one.ends == made.latency.interval()
    assert one.checks[0].ends == made.latency.interval("p95")
    # Student's of two blocks reaches far.
    assert ask([made], "latency.median=2.5ms").ranked == ()


def test_one_block_among_cases_of_several_checks_no_bound():
    imported = attrs.evolve(RUN, source="a study")
    found = ask([result("one", 1.0, blocks=1), result("more", 2.0)], "latency.mean=5ms",
                run=imported)  # fmt: skip
    assert chains(found.ranked) == ["more"]
    (one,) = found.unchecked
    assert one.failing[0].text == (
        "latency.mean: one block says nothing of what differs between blocks"
    )


def imported_result(chain, median_ms, **fields):
    made = result(chain, median_ms, blocks=1, loss=None, **fields)
    return attrs.evolve(made, facts=attrs.evolve(made.facts, imported="a study"))


def test_imported_cases_are_compared_by_study_mode():
    run = attrs.evolve(RUN, source="a study")
    # Their medians differ by 1 %, and their requests by far more: delta is negligible.
    results = [
        imported_result("one", 1.0, spread=0.5),
        imported_result("other", 1.01, spread=0.5),
        imported_result("slow", 2.0, spread=0.1, seed=2),
        imported_result("slightly", 1.015, spread=0.01, seed=3),
    ]
    found = ask(results, run=run)
    best = found.best.result
    test = compare_all(results, Verdicts.of(results, 0.02))
    expected = [test.find(one.result, best).verdict for one in found.ranked[1:]]
    told = ["undecided" if one == "faster" else one for one in expected]
    assert [one.standing for one in found.ranked[1:]] == told
    assert found.studied == 4
    assert find_evidence(found).studied == 4


def test_study_mode_compares_the_quickest():
    run = attrs.evolve(RUN, source="a study")
    results = [imported_result(f"n{n}", 1 + n / 10, seed=n) for n in range(30)]
    found = ask(results, run=run)
    assert found.studied == 24
    assert [one.standing for one in found.ranked] == ["best"] + ["slower"] * 23 + [""] * 6
    said = answer_by_study(results, Verdicts.of(results, 0.02))
    assert "with Holm's correction among the 24 of the lowest medians), as" in said
