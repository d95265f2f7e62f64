from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis import advice
from edgebench.analysis.admission import check_drop
from edgebench.analysis.advice import advise
from edgebench.analysis.advised import Wish
from edgebench.analysis.bounds import Drop, parse_bound, parse_drop
from edgebench.analysis.evidence import find_evidence
from edgebench.analysis.labels import foresee_labels
from edgebench.analysis.losses import Proportion, count_labels_needed
from edgebench.analysis.prices import Prices
from edgebench.cli.advice_layout import lay_out_advice
from edgebench.parts.errors import UnknownName
from edgebench.records.facts import Agreement, Figure, RuntimeCheck
from edgebench.records.outcome import Run
from edgebench.testing.results import case_of, facts_of, result_of

RUN = Run(started="2026")
FREE = Prices(tiers={}, links=())


def result(chain, median_ms, *tiers, loss=0.0, spread=0.001, size=300_000, **fields):
    case = case_of(chain, *tiers)
    made = result_of(case, median_s=median_ms / 1e3, spread=spread, **fields)
    return attrs.evolve(made, facts=facts_of(case, loss=loss, size=size))


def ask(results, *bounds, drops=(), run=RUN, **wish):
    wanted = Wish(
        bounds=tuple(map(parse_bound, bounds)), drops=tuple(map(parse_drop, drops)), **wish
    )
    (found,) = advise(run, results, wanted, FREE)
    return found


def chains(candidates):
    return [one.result.case.chain for one in candidates]


def test_the_quickest_that_keeps_to_the_bounds_is_the_best():
    results = [
        result("large", 1.0, size=9_000_000),
        result("careless", 1.1, loss=0.05),
        result("best", 2.0, seed=1),
        result("equal", 2.002, seed=2),
        result("slow", 3.0),
    ]
    found = ask(results, "size=1MB", "latency.p95=4ms")
    assert chains(found.ranked)[-1] == "slow"
    assert set(chains(found.ranked)[:2]) == {"best", "equal"}
    assert [one.standing for one in found.ranked] == ["best", "equal", "slower"]
    assert found.ranked[2].ratio[0] == pytest.approx(1.5, rel=0.01)
    assert chains(found.missed) == ["large", "careless"]
    assert "size is 9MB" in found.missed[0].failing[0].text
    assert "5 points of accuracy are lost" in found.missed[1].failing[0].text
    assert sum(one.probability for one in found.ranked) == pytest.approx(1.0)
    assert found.ranked[2].probability == 0.0


def test_of_shares_that_read_alike_the_lower_median_goes_first(monkeypatch):
    """And what is told from nothing is called no winner."""
    results = [
        result(f"chain-{ms}", ms, spread=0.5, seed=n) for n, ms in enumerate((2.1, 2.0, 2.2))
    ]
    lowest = min(results, key=lambda one: one.median)
    shares = [0.331 if one is lowest else 0.334 for one in results]
    monkeypatch.setattr(advice, "_share_best", lambda *_, **__: shares)
    found = ask(results)
    assert found.ranked[0].result is lowest
    assert [one.standing for one in found.ranked] == ["best", "undecided", "undecided"]
    answer = list(lay_out_advice(found, None))[-1]
    assert answer.startswith("not decided: 3 cannot be told apart. First of them is chain-")
    monkeypatch.setattr(advice, "_share_best", lambda *_, **__: [0.2, 0.2, 0.6])
    assert chains(ask(results).ranked)[0] == "chain-2.2"
    monkeypatch.undo()
    assert list(lay_out_advice(ask([lowest]), None))[-1].startswith("chain-")


def test_a_study_s_margin_bounds_the_loss_unless_another_is_asked_for():
    results = [result("careless", 1.0, loss=0.03), result("careful", 2.0)]
    assert chains(ask(results).ranked) == ["careful"]
    assert str(ask(results).bounds[0]) == "accuracy=1"
    loose = ask(results, drops=["accuracy=5"])
    assert chains(loose.ranked) == ["careless", "careful"]


def test_what_is_open_is_listed_and_admitted_on_request():
    # The loss lies between 0.6 and 1.4 points, the margin is 1.
    results = [result("open", 1.0, loss=0.01), result("shown", 2.0)]
    found = ask(results)
    assert (chains(found.ranked), chains(found.open)) == (["shown"], ["open"])
    (check,) = found.open[0].failing
    assert check.text.startswith("may lose up to 1.4 points, 500 labels; ")
    admitted = ask(results, admit_open=True)
    assert chains(admitted.ranked) == ["open", "shown"]
    assert admitted.ranked[0].verdict == "open"


def test_a_latency_is_open_where_its_interval_holds_the_bound():
    rng = np.random.default_rng(0)
    shaky = result("shaky", 2.0)
    factors = (0.8, 1.0, 1.25)
    blocks = [
        attrs.evolve(b, latency_s=2e-3 * f * np.exp(0.01 * rng.standard_normal(100)))
        for b, f in zip(shaky.blocks, factors, strict=True)
    ]
    shaky = attrs.evolve(shaky, blocks=tuple(blocks))
    found = ask([shaky, result("sure", 2.05)], "latency.median=2.1ms")
    assert chains(found.ranked) == ["sure"]
    (open_,) = found.open
    assert open_.failing[0].text.startswith("latency.median is 2ms (")
    # It competes where it is drawn below the bound.
    assert 0.2 < open_.probability < 0.9
    assert open_.probability + found.ranked[0].probability == pytest.approx(1.0)


def test_a_percentile_that_the_sample_does_not_support_meets_no_bound():
    few = attrs.evolve(
        result("few", 1.0),
        blocks=tuple(
            attrs.evolve(b, latency_s=b.latency_s[:30]) for b in result("few", 1.0).blocks
        ),
    )
    found = ask([few], "latency.p95=1s")
    assert found.ranked == ()
    (one,) = found.unchecked
    assert one.failing[0].text == "latency.p95 needs 93 requests, 90 were measured"
    assert ask([few], "latency.p95=1s", admit_open=True).ranked == ()


def test_nothing_meets_the_bounds_and_the_nearest_says_what_to_relax():
    results = [result("near", 2.0), result("far", 9.0), result("lossy", 1.0, loss=0.2)]
    found = ask(results, "latency.median=1.9ms")
    assert found.best is None
    assert found.nearest.result.case.chain == "near"
    relaxed = [one.relaxed for one in found.nearest.failing]
    assert [str(one) for one in relaxed] == [str(relaxed[0])]
    again = ask(results, str(relaxed[0]))
    assert chains(again.ranked) == ["near"]


def test_a_relaxed_drop_is_met():
    figure = Figure(metric="accuracy", value=0.9, ci95=(0.8, 1.0), samples=500, loss=0.012,
                    loss_ci95=(0.004, 0.02))  # fmt: skip
    lossy = attrs.evolve(result("lossy", 1.0), facts=attrs.evolve(
        facts_of(case_of("lossy")), figures=(figure,)))  # fmt: skip
    check = check_drop(lossy, Drop("accuracy", 1.0))
    assert check.verdict == "open"
    assert check_drop(lossy, check.relaxed).verdict == "met"


def test_a_loss_without_an_interval_is_met_by_no_other_bound():
    figure = Figure(metric="f1", value=0.9, ci95=(0.8, 1.0), samples=500, loss=0.004)
    facts = attrs.evolve(facts_of(case_of("unknown")), figures=(figure,))
    unknown = attrs.evolve(result("unknown", 1.0), facts=facts)
    check = check_drop(unknown, Drop("accuracy", 0.3))
    assert check.verdict == "open"
    assert check.relaxed is None
    assert check.excess == float("inf")
    near = result("near", 1.0, loss=0.02)
    found = ask([unknown, near], drops=["accuracy=1"])
    assert found.nearest.result.case.chain == "near"


def test_partial_failed_and_refuted_cases_are_never_recommended():
    partial = attrs.evolve(result("partial", 1.0), status="partial")
    single = result("single", 1.0, blocks=1)
    wrong = result("wrong", 1.0)
    differs = RuntimeCheck(
        backend="eager",
        agreement=Agreement(
            max_abs_difference=5.0,
            mean_abs_difference=1.0,
            same_answer=0.1,
            samples=8,
            reference="other",
            relative_difference=0.9,
            values=80,
        ),
        tolerance=1e-3,
    )
    wrong = attrs.evolve(wrong, facts=attrs.evolve(wrong.facts, checks=(differs,)))
    found = ask([partial, single, wrong, result("sound", 5.0)], admit_open=True)
    assert chains(found.ranked) == ["sound"]
    assert [one.case.chain for one in found.refuted] == ["wrong"]
    assert {one.case.chain for one in found.unfinished} == {"partial", "single"}


def test_imported_cases_are_one_block_each_and_say_so():
    imported = attrs.evolve(RUN, source="a study")
    results = [result("one", 1.0, blocks=1), result("other", 2.0, blocks=1)]
    found = ask(results, run=imported)
    assert chains(found.ranked) == ["one", "other"]
    assert [one.standing for one in found.ranked] == ["best", "slower"]
    assert find_evidence(found).by_request
    assert ask(results).ranked == ()


def test_without_any_known_loss_latency_decides_and_a_drop_cannot_be_checked():
    results = [result("one", 1.0, loss=None), result("other", 2.0, loss=None)]
    found = ask(results)
    assert chains(found.ranked) == ["one", "other"]
    assert not found.accuracy_known
    strict = ask(results, drops=["accuracy=1"])
    assert strict.ranked == ()
    assert strict.unchecked[0].failing[0].text.startswith("no loss is known")


def test_a_metric_that_no_case_has_is_refused():
    with pytest.raises(UnknownName, match="figure of merit"):
        ask([result("one", 1.0)], drops=["acuracy=1"])


def test_the_front_is_beaten_by_none_in_latency_accuracy_and_size():
    results = [
        result("quick", 1.0, size=9_000),
        result("small", 2.0, size=5_000),
        result("beaten", 3.0, size=9_000),
        result("twin", 1.5, size=9_000),
    ]
    found = ask(results)
    assert [one.case.chain for one in found.front] == ["quick", "small"]


def test_what_the_evidence_is_worth():
    evidence = find_evidence(ask([result("one", 1.0), result("other", 1.5, "mobile", "edge")]))
    assert (evidence.blocks, evidence.requests, evidence.rounds) == (3, 300, 3)
    assert evidence.labels == 500
    assert evidence.emulated == ("mobile",)
    assert not evidence.by_request


@pytest.mark.parametrize(("worse", "better", "samples"), [(0, 0, 500), (3, 1, 569), (12, 9, 400)])
def test_labels_for_another_margin_are_foreseen_as_those_of_the_study_s_own(worse, better, samples):
    loss = Proportion(worse=worse, better=better, samples=samples)
    figure = Figure(
        metric="top1",
        value=0.9,
        ci95=(0.88, 0.92),
        samples=samples,
        loss=loss.value,
        loss_ci95=loss.interval(),
        margin=0.03,
    )
    for margin in (0.002, 0.005, 0.01):
        assert foresee_labels(figure, margin) == count_labels_needed(loss, margin)


def test_labels_of_any_other_figure_follow_the_root():
    figure = Figure(metric="miou", value=0.5, ci95=(0.4, 0.6), samples=100, loss=0.0,
                    loss_ci95=(-0.021, 0.0203), margin=0.05)  # fmt: skip
    assert foresee_labels(figure, 0.01) == pytest.approx(412, abs=1)
    assert foresee_labels(attrs.evolve(figure, loss_ci95=None), 0.01) is None
