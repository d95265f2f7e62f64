"""What the studies asked: which questions a run can be asked, and what it answers."""

from __future__ import annotations

import re

import attrs
import numpy as np
import pytest

from edgebench import Link
from edgebench.analysis.bandwidths import find_grids
from edgebench.analysis.group_tests import compare_all
from edgebench.analysis.inquiry import Questions
from edgebench.analysis.questions import ask_all, describe_test
from edgebench.analysis.verdicts import Verdicts
from edgebench.testing.results import case_of, result_of, run_of


def at(chain, *tiers, ms=2.0, blocks=8, seed=0, loss=0.0, **changes):
    case = attrs.evolve(case_of(chain, *tiers), **changes)
    return result_of(case, median_s=ms / 1e3, blocks=blocks, spread=0.01, seed=seed, loss=loss)


def imported(chain, *tiers, ms=2.0, seed=0, spread=0.1):
    """A case of which one block alone is known."""
    result = result_of(
        case_of(chain, *tiers), median_s=ms / 1e3, blocks=1, seed=seed, spread=spread
    )
    facts = attrs.evolve(
        result.facts,
        imported="one block of 5 passes",
        figures=(),
        no_accuracy="latencies alone",
    )
    seconds = ms / 1e3 * np.exp(spread * np.random.default_rng(seed).standard_normal(500))
    block = attrs.evolve(result.blocks[0], latency_s=seconds, phases_s={})
    return attrs.evolve(result, facts=facts, blocks=(block,))


def judge(results):
    return Verdicts.of(results, 0.02)


def titles(results):
    found = ask_all(results, judge(results))
    return {
        one.title: {f"{r.case.chain} {r.case.placement}" for r in one.test.results} for one in found
    }


ALL = [
    at("identity", "mobile", ms=4, seed=1),
    at("identity", "edge", ms=2, seed=2),
    at("int8", "edge", ms=1, seed=3),
    at("short+int8", "edge", ms=0.8, seed=4),
    at("cut", "mobile", "edge", ms=3, seed=5),
    at("short+int8+cut", "mobile", "edge", ms=2.5, seed=6),
]


def test_what_can_be_asked_follows_from_where_chains_run():
    """Nothing knows which operator divides a model: a chain on two tiers does."""
    assert titles(ALL) == {
        "Which tier for identity?": {"identity mobile", "identity edge"},
        "Which operator on edge?": {"identity edge", "int8 edge", "short+int8 edge"},
        "Which operator on mobile-edge?": {"cut mobile-edge", "short+int8+cut mobile-edge"},
        "One tier or several: identity or cut?": {
            "identity mobile", "identity edge", "cut mobile-edge",
        },
        "One tier or several: short+int8 or short+int8+cut?": {
            "short+int8 edge", "short+int8+cut mobile-edge",
        },
        "Is short+int8 on edge better than its parts?": {"short+int8 edge", "int8 edge"},
        "Is short+int8+cut on mobile-edge better than its parts?": {
            "short+int8+cut mobile-edge", "cut mobile-edge",
        },
    }  # fmt: skip


def test_backends_are_asked_apart_and_another_models_outputs_are_not_asked():
    results = [at("identity", "mobile"), at("identity", "edge", ms=1)]
    other = [
        attrs.evolve(
            one, case=attrs.evolve(one.case, backends=case_of("x", backend="other").backends)
        )
        for one in results
    ]
    found = ask_all([*results, *other], judge([*results, *other]))
    assert [one.subject for one in found] == ["toy:small with eager", "toy:small with other"]
    assert ask_all(results[:1], judge(results[:1])) == ()


def test_by_rounds_the_replicate_is_a_round_and_its_number_is_said():
    (question,) = (
        one for one in ask_all(ALL, judge(ALL)) if one.title == "Which operator on edge?"
    )
    test = question.test
    assert (test.mode, test.name, test.post_hoc) == ("rounds", "Friedman", "Conover-Friedman")
    assert test.replicates == (8,)
    assert [one.case.chain for one in test.results] == ["short+int8", "int8", "identity"]
    slow, best = test.results[2], test.results[0]
    stand = test.find(slow, best)
    assert stand.verdict == "slower"
    assert stand.ratio == pytest.approx(2.5, rel=0.01)
    assert stand.ratio_ci95[0] < stand.ratio < stand.ratio_ci95[1]
    # The least p of 8 rounds is 2/256: three pairs of that are under 5 %.
    assert stand.wilcoxon == pytest.approx(3 * 2 / 256)
    turned = test.find(best, slow)
    assert (turned.verdict, turned.ratio) == ("faster", pytest.approx(1 / stand.ratio))
    assert turned.tested.delta == -stand.tested.delta == -1.0
    assert "Friedman over 8 rounds" in describe_test(test)
    assert question.sentence == (
        f"short+int8 ({1e3 * best.median:.3g} ms) is the fastest; int8 takes 1.25 and identity 2.5 times as long. "
        "Accuracy of the first: kept (+0.00 points)."
    )  # fmt: skip


def test_wilcoxon_is_left_out_where_holm_cannot_be_met():
    few = [at("identity", "mobile", ms=4, blocks=5), at("identity", "edge", ms=2, blocks=5)]
    (question,) = ask_all(few, judge(few))
    # Of 5 rounds the least p is 2/32.
    assert question.test.pairs[0].wilcoxon is None
    assert "Wilcoxon" not in describe_test(question.test)


def test_requests_of_one_process_are_never_tested_where_blocks_can_be_had():
    once = [at("identity", "mobile", ms=4, blocks=1), at("identity", "edge", ms=2, blocks=1)]
    (question,) = ask_all(once, judge(once))
    assert (question.test.mode, question.test.pairs) == ("none", ())
    assert question.sentence == (
        "Not tested, as 1 round shared by all of them, and at least 2 are needed; "
        f"the lowest median is that of edge ({1e3 * once[1].median:.3g} ms)."
    )


def test_what_was_imported_as_one_block_is_tested_by_requests_and_says_so():
    results = [
        imported("identity", "mobile", ms=4, seed=1),
        imported("identity", "edge", ms=2, seed=2),
        imported("identity", "cloud", ms=2, seed=3),
    ]
    (question,) = ask_all(results, judge(results))
    test = question.test
    assert (test.mode, test.name, test.post_hoc) == ("study", "Kruskal-Wallis", "Conover-Iman")
    assert test.replicates == (500, 500, 500)
    *_, slow = test.results
    assert test.find(slow, test.results[0]).verdict == "slower"
    assert test.find(test.results[1], test.results[0]).verdict == "equal"
    assert test.find(slow, test.results[0]).ratio_ci95 is None
    assert "make no difference that matters" in question.sentence.replace("makes", "make")
    assert (
        run_of(results)
        .decisions[0]
        .sentence.startswith(
            "toy:small: by study mode (Kruskal-Wallis over requests, Conover-Iman with Holm's "
            "correction), as one block each was imported: identity on "
        )
    )


def test_a_small_effect_of_few_requests_is_undecided_and_never_equal():
    one, other = imported("identity", "mobile", seed=1), imported("identity", "edge", seed=2)

    def short(result, values):
        (block,) = result.blocks
        return attrs.evolve(result, blocks=(attrs.evolve(block, latency_s=np.array(values)),))

    for values in ([1.5, 2.5, 3.5], [1.0, 2.0, 3.0]):
        pair = [short(one, [1.0, 2.0, 3.0]), short(other, values)]
        assert compare_all(pair, judge(pair)).pairs[0].verdict == "undecided"


def slow_link(rate, chain, *tiers, ms):
    link = Link(between=("mobile", "edge"), rate=rate)
    return at(chain, *tiers, ms=ms, seed=int(rate / 1e6) % 97, links=[link])


def test_the_best_placement_under_each_setting_of_the_links():
    results = [
        at("identity", "mobile", ms=3, links=[]),
        slow_link(1e6, "identity", "edge", ms=9),
        slow_link(1e8, "identity", "edge", ms=1),
    ]
    (grid,) = find_grids(results, judge(results))
    assert grid.sentence == (
        "the best placement changes: mobile under mobile-edge=1mbit, and edge under "
        "mobile-edge=100mbit; of what keeps its accuracy"
    )
    (one,) = find_grids(results[:2], judge(results[:2]))
    assert one.sentence.startswith("measured under one setting of its links (mobile-edge=1mbit)")


def test_a_best_placement_that_is_not_told_apart_has_not_changed():
    results = [
        at("identity", "mobile", ms=3, links=[]),
        slow_link(1e6, "identity", "edge", ms=3),
        slow_link(1e8, "identity", "edge", ms=1),
    ]
    (grid,) = find_grids(results, judge(results))
    assert grid.sentence.startswith("the best placement is not shown to change: ")
    always = [at("identity", "mobile", ms=0.5, links=[]), *results[1:]]
    assert find_grids(always, judge(always))[0].sentence == (
        "mobile is best under all 2 settings; of what keeps its accuracy"
    )


def test_what_loses_its_accuracy_is_the_best_under_no_link():
    quick = slow_link(1e6, "lossy", "edge", ms=1)
    figure = attrs.evolve(quick.figure, loss=0.2, loss_ci95=(0.15, 0.25))
    lossy = attrs.evolve(quick, facts=attrs.evolve(quick.facts, figures=(figure,)))
    kept = [at("identity", "mobile", ms=3, links=[]), slow_link(1e8, "identity", "edge", ms=1)]
    (grid,) = find_grids([*kept, lossy], judge([*kept, lossy]))
    assert [one.best.case.chain for one in grid.settings] == ["identity", "identity"]


def test_the_document_has_every_pair_and_how_each_stands_to_the_first():
    document = Questions.of(ALL, 0.02, ()).to_json()
    asked = {one["title"]: one for one in document["asked"]}
    entry = asked["Which operator on edge?"]
    assert len(entry["pairs"]) == 3
    first, second, _ = entry["strategies"]
    assert (first["against_best"], first["ratio"]) == (None, 1.0)
    assert second["against_best"]["verdict"] == "slower"
    assert second["accuracy_change"] == 0.0
    assert document["normal"]["of"] == len(ALL)


def test_beside_what_is_not_told_apart_stands_what_would_have_been():
    vague = [
        at("identity", "mobile", ms=2.0, blocks=3),
        attrs.evolve(at("identity", "edge", ms=2.1, blocks=3, seed=1)),
    ]
    wide = [
        attrs.evolve(
            one, blocks=tuple(attrs.evolve(b, latency_s=b.latency_s * f) for b, f in zip(one.blocks, by, strict=True))
        )
        for one, by in zip(vague, [(1.0, 1.3, 0.8), (1.2, 0.9, 1.0)], strict=True)
    ]  # fmt: skip
    (question,) = ask_all(wide, judge(wide))
    (pair,) = question.test.pairs
    assert pair.verdict == "undecided"
    assert f"cannot be told from it (a difference of {pair.least:.0%} would have been)" in (
        question.sentence
    )


def drop(result, rounds, by):
    """A case that was dropped after its first rounds, as another was shown to be faster."""
    facts = attrs.evolve(result.facts, beaten_by=(by.case.id,))
    return attrs.evolve(result, blocks=result.blocks[:rounds], planned=rounds, facts=facts)


def test_what_was_dropped_early_takes_no_rounds_from_the_others_and_stays_slower():
    best, next_ = at("identity", "edge", ms=2), at("identity", "mobile", ms=4, seed=1)
    late = drop(at("identity", "cloud", ms=1.99, seed=2), 2, best)
    asked = [late, next_, best]
    (question,) = ask_all(asked, judge(asked))
    test = question.test
    assert test.replicates == (8,)
    assert test.dropped == (late,)
    stand = test.find(late, best)
    assert (stand.verdict, stand.tested) == ("slower", None)
    assert test.find(late, next_).verdict != "slower"
    assert "without 1 that was dropped early" in describe_test(test)
    (entry,) = Questions.of(asked, 0.02, ()).to_json()["asked"]
    assert entry["dropped"] == [late.case.id]
    alone = [late, best]
    (question,) = ask_all(alone, judge(alone))
    assert "is the fastest; cloud takes" in question.sentence
    assert "all others were dropped early" in describe_test(question.test)


def test_what_was_dropped_is_slower_than_what_takes_no_less_than_its_winner():
    best, quick = at("identity", "edge", ms=2), at("identity", "mobile", ms=1, seed=1)
    slow = at("identity", "edge-2", ms=9, seed=4)
    late = drop(at("identity", "cloud", ms=1.01, seed=2), 2, best)
    verdicts = judge([best, quick, slow, late])
    assert verdicts.stand(late, quick) == "slower"
    assert verdicts.stand(quick, late) == "faster"
    assert verdicts.stand(late, slow) == "faster"


def test_where_blocks_were_added_a_question_spends_as_little_as_the_answer():
    """A difference that 5 % would tell is not told by what one look of many may spend."""
    for ms in np.arange(2.04, 2.4, 0.02):
        pair = [
            result_of(
                case_of("identity", tier), median_s=each / 1e3, blocks=4, spread=0.3, seed=seed
            )
            for tier, each, seed in (("mobile", ms, 1), ("edge", 2.0, 2))
        ]
        fixed, added = (
            attrs.evolve(run_of(pair, max_blocks=most), conclusions=()) for most in (None, 20)
        )
        said = [one.questions.asked[0].test.pairs[0].verdict for one in (fixed, added)]
        assert (said[1] == "undecided") == (added.decisions[0].fastest is None)
        if said[0] != said[1]:
            return
    pytest.fail("no difference lies between the two levels")


def test_requests_are_equal_only_where_the_whole_interval_of_delta_is_negligible():
    """0.146 of 500 requests each may as well be 0.22, which is not negligible."""
    one, other = imported("identity", "mobile"), imported("identity", "edge")
    base = np.arange(1.0, 501.0)

    def shifted(by):
        (block,) = other.blocks
        pair = [
            attrs.evolve(each, blocks=(attrs.evolve(block, latency_s=values),))
            for each, values in ((one, base), (other, base + by))
        ]
        (found,) = compare_all(pair, judge(pair)).pairs
        return abs(found.tested.delta), found.verdict

    delta, verdict = shifted(38.0)
    assert 0.14 < delta < 0.147
    assert verdict == "undecided"
    delta, verdict = shifted(18.0)
    assert 0.06 < delta < 0.075
    assert verdict == "equal"


def test_by_study_a_median_under_a_millisecond_is_not_0():
    results = [imported("identity", "mobile", ms=0.4), imported("identity", "edge", ms=0.9, seed=2)]
    sentence = run_of(results).decisions[0].sentence
    assert re.search(r"has the lowest median, 0\.[34]\d* ms", sentence)
