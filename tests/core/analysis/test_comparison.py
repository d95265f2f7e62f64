"""Two runs compared: what is alike is not told apart, what is slower is."""

from __future__ import annotations

import math
from pathlib import Path

import attrs
import numpy as np
import pytest

from edgebench.analysis.admission import check_exact
from edgebench.analysis.bounds import Bound
from edgebench.analysis.comparison import Comparison
from edgebench.analysis.gates import Gate, judge_gates
from edgebench.analysis.likeness import OTHER_FILE, weigh_alike
from edgebench.analysis.prices import Prices, find_bytes
from edgebench.analysis.quantities import QUANTITIES, read_value
from edgebench.cli.comparison_words import list_surroundings
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.subjects import Weights
from edgebench.records.facts import StepFacts
from edgebench.records.outcome import Block
from edgebench.testing.results import block_of, case_of, facts_of, result_of, run_of

CHAINS = [f"chain-{n}" for n in range(14)]


def varied(case, rng, *, median_s=2e-3, blocks=10, requests=40, between=0.017, tail=0.0, facts=()):
    """Make a result whose blocks differ as those of a machine do."""
    made = []
    for number in range(blocks):
        slow = 1.3 if rng.random() < tail else 1.0
        middle = median_s * math.exp(between * rng.standard_normal()) * slow
        seed = int(rng.integers(2**31))
        made.append(
            block_of(case, number, median_s=middle, requests=requests, spread=0.03, seed=seed)
        )
    result = result_of(case, blocks=1)
    kept = attrs.evolve(result.facts, **dict(facts))
    return attrs.evolve(result, blocks=tuple(made), planned=blocks, facts=kept)


def runs(rng, slower=1.0, **how):
    """Return two runs of fourteen cases, the later so many times slower."""
    return [
        run_of(
            [
                varied(case_of(chain), rng, median_s=factor * (1e-3 + 1e-4 * n), **how)
                for n, chain in enumerate(CHAINS)
            ],
            id=name,
        )
        for name, factor in (("one", 1.0), ("two", slower))
    ]


def verdicts(comparison, quantity="latency.median"):
    return [one.verdict for one in comparison.list_changes(quantity)]


def test_runs_of_the_same_are_never_told_apart():
    rng = np.random.default_rng(0)
    for tail in (0.0, 0.05):
        for _ in range(5):
            found = verdicts(Comparison.of(*runs(rng, tail=tail)))
            assert set(found) <= {"equal", "undecided"}


def test_a_run_that_is_a_tenth_slower_is_slower():
    before, after = runs(np.random.default_rng(1), slower=1.1)
    comparison = Comparison.of(before, after)
    assert set(verdicts(comparison)) == {"slower"}
    assert set(verdicts(Comparison.of(after, before))) == {"faster"}
    for change in comparison.list_changes("latency.median"):
        low, high = change.interval()
        assert low < change.share < high
        assert change.share == pytest.approx(0.1, abs=0.04)
        assert change.after / change.before - 1 == pytest.approx(change.share)


def test_a_gate_fails_where_the_bound_is_shown_to_be_passed_and_nowhere_else():
    before, after = runs(np.random.default_rng(2), slower=1.1)
    gate = Gate.parse("latency.median > +5%")
    slower = judge_gates([gate], Comparison.of(before, after))
    assert {one.verdict for one in slower} <= {"failed", "open"}
    assert sum(one.verdict == "failed" for one in slower) >= 10
    same = judge_gates([gate], Comparison.of(before, before))
    assert {one.verdict for one in same} == {"kept"}
    assert {one.value for one in same} == {0.0}


def test_noise_fails_no_build():
    """Of hundred builds in which each case lies on the bound, at most one in forty may fail."""
    rng = np.random.default_rng(3)
    gate, failed = Gate.parse("latency.median > +5%"), 0
    cases = [case_of(chain) for chain in CHAINS[:4]]
    for _ in range(100):
        before, after = (
            run_of([varied(case, rng, median_s=s, blocks=3) for case in cases], id=str(s))
            for s in (1e-3, 1.05e-3)
        )
        judged = judge_gates([gate], Comparison.of(before, after))
        failed += any(one.verdict == "failed" for one in judged)
    assert failed <= 7  # of a share of 1 in 40, more have a chance of 1 in 1,000


@pytest.mark.parametrize("blocks", [3, 5, 10])
@pytest.mark.parametrize("tail", [0.0, 0.05])
def test_intervals_hold_the_truth(blocks, tail):
    """As often as they say, with blocks that differ by 1.7 %, and one in twenty slower by 30 %."""
    rng, case = np.random.default_rng(4), case_of()
    names = ("latency.median", "latency.mean", "latency.p95")
    held = dict.fromkeys(names, 0)
    for _ in range(300):
        one, other = (
            run_of([varied(case, rng, blocks=blocks, tail=tail)], id=name) for name in "ab"
        )
        (pair,) = Comparison.of(one, other).pairs
        for name in names:
            low, high = pair.find_difference(
                QUANTITIES[name], *pair.estimate(QUANTITIES[name])
            ).interval()
            held[name] += low <= 0 <= high
    # Three deviations of 300 draws, about 95 %; a slow block in twenty makes them wider.
    assert all(count >= 300 * 0.95 - 12 for count in held.values()), held


def test_what_a_few_blocks_cannot_tell_is_open_and_says_how_many_would():
    rng, case = np.random.default_rng(5), case_of()
    before, after = (run_of([varied(case, rng, blocks=2)], id=name) for name in "ab")
    (one,) = judge_gates([Gate.parse("latency.median > +1%")], Comparison.of(before, after))
    assert one.verdict == "open"
    assert one.blocks_needed > 1


def test_one_block_and_too_few_requests_are_open():
    rng, case = np.random.default_rng(6), case_of()
    before, after = (run_of([varied(case, rng, blocks=1)], id=name) for name in "ab")
    comparison = Comparison.of(before, after)
    (median,) = judge_gates([Gate.parse("latency.median > +1%")], comparison)
    assert (median.verdict, median.blocks_needed) == ("open", 1)
    assert "2 blocks" in median.why_not
    (tail,) = judge_gates([Gate.parse("latency.p99 > +1%")], comparison)
    assert "473 requests, not 40" in tail.why_not
    assert tail.blocks_needed == 11  # of 40 requests each


def with_facts(result, **fields):
    return attrs.evolve(result, facts=facts_of(result.case, **fields))


@pytest.mark.parametrize(
    ("name", "fields", "verdict"),
    [
        ("size", {"size": 330_000}, "more"),
        ("size", {"size": 270_000}, "less"),
        ("size", {"size": 301_000}, "equal"),
        ("accuracy", {"value": 0.90}, "worse"),
        ("accuracy", {"value": 0.97}, "undecided"),
    ],
)
def test_figures_that_are_no_latencies(name, fields, verdict):
    before = result_of(case_of())
    after = with_facts(before, **fields)
    after = attrs.evolve(after, facts=attrs.evolve(after.facts, score_key="c" * 64))
    comparison = Comparison.of(run_of([before]), run_of([after]))
    assert verdicts(comparison, name) == [verdict]


def test_accuracies_of_one_score_are_equal():
    result = result_of(case_of())
    comparison = Comparison.of(run_of([result]), run_of([result]))
    assert verdicts(comparison, "accuracy") == ["equal"]
    assert verdicts(comparison, "bytes") == ["equal"]
    assert verdicts(comparison, "memory") == ["equal"]


def test_bytes_are_those_of_every_hop_there_and_back_for_all_who_count_them():
    """By hand: on the cloud by way of the edge 10,000 bytes travel twice, and 100 back twice."""
    far = case_of("plain", "cloud")
    far = attrs.evolve(far, route=("mobile", "edge", "cloud"), links=far.links * 2)
    result = result_of(far)
    assert find_bytes(result) == 20_200.0
    assert read_value(QUANTITIES["bytes"], result) == 20_200.0
    (change,) = Comparison.of(run_of([result]), run_of([result])).list_changes("bytes")
    assert (change.before, change.verdict) == (pytest.approx(20_200.0), "equal")
    check = check_exact(result, Bound("bytes", 20_150.0), Prices(tiers={}, links=()))
    assert (check.verdict, check.value) == ("missed", 20_200.0)


def test_what_is_answered_where_it_is_asked_sends_nothing():
    result = result_of(case_of())
    comparison = Comparison.of(run_of([result]), run_of([result]))
    (change,) = comparison.list_changes("bytes")
    assert (change.before, change.after, change.share, change.verdict) == (0.0, 0.0, 0.0, "equal")
    for gate in ("bytes > 1kB", "bytes > +1kB", "bytes > +1%"):
        (passage,) = judge_gates([Gate.parse(gate)], comparison)
        assert passage.verdict == "kept"


def test_values_that_are_all_equal_are_compared_without_a_doubt():
    before, after = (result_of(case_of(), median_s=s, spread=0.0) for s in (2e-3, 2.2e-3))
    comparison = Comparison.of(run_of([before]), run_of([after]))
    assert verdicts(comparison) == ["slower"]


def test_inputs_count_alike_in_both():
    """The second run sent the slow input three times as often, and is no slower for it."""
    case = case_of()

    def sent(times, requests):
        inputs = np.array([0] * times + [1] * (requests - times))
        blocks = []
        for number in range(4):
            rng = np.random.default_rng((times, number))
            seconds = np.where(inputs == 0, 9e-3, 3e-3) * np.exp(0.01 * rng.standard_normal(40))
            block = block_of(case, number, requests=requests)
            blocks.append(attrs.evolve(block, latency_s=seconds, inputs=inputs, phases_s={}))
        return attrs.evolve(result_of(case), blocks=tuple(blocks))

    before, after = sent(10, 40), sent(30, 40)
    assert before.median == pytest.approx(3e-3, rel=0.05)
    assert after.median == pytest.approx(9e-3, rel=0.05)
    (mean,) = Comparison.of(run_of([before]), run_of([after])).list_changes("latency.mean")
    assert mean.verdict == "equal"
    assert mean.after == pytest.approx(6e-3, rel=0.05)


def test_requests_that_only_one_run_sent_are_left_out_and_counted():
    result = result_of(case_of(), blocks=5)
    moved = [attrs.evolve(b, inputs=b.inputs + 100 * (b.number > 2)) for b in result.blocks]
    after = attrs.evolve(result, blocks=tuple(moved))
    comparison = Comparison.of(run_of([result]), run_of([after]))
    [pair] = comparison.pairs
    assert [one.left_out for one in pair.requests] == [0, 200]
    assert [one.count for one in pair.requests] == [500, 300]
    assert any("200 of 500 requests after" in line for line in list_surroundings(comparison))
    assert not any("never" in s for s in list_surroundings(Comparison.of(*[run_of([result])] * 2)))


def test_what_both_runs_skipped_was_lost_by_neither():
    skipped = attrs.evolve(
        result_of(case_of("other")), status="skipped", reason="it cannot be", blocks=()
    )
    run = run_of([result_of(case_of()), skipped])
    comparison = Comparison.of(run, run)
    assert not comparison.unmeasured
    judged = judge_gates([Gate.parse("size > +10%"), Gate.parse("size > 1MB")], comparison)
    assert [one.verdict for one in judged] == ["kept", "kept"]
    gone = run_of([result_of(case_of())])
    alone = judge_gates([Gate.parse("size > +10%")], Comparison.of(run, gone))
    assert [one.verdict for one in alone] == ["kept"]


def test_inputs_of_which_few_are_shared_are_not_matched():
    result = result_of(case_of())
    blocks = [attrs.evolve(b, inputs=b.inputs + 100) for b in result.blocks]
    pair = weigh_alike(result, attrs.evolve(result, blocks=tuple(blocks)))
    assert [one.matched for one in pair] == [False, False]
    assert [len(one.blocks) for one in pair] == [3, 3]


def test_inputs_that_another_number_of_requests_never_came_to_are_said_to_be_that():
    """The shorter run sent nothing that the longer one did not."""
    few, many = (
        attrs.evolve(
            result_of(case_of()),
            blocks=tuple(
                attrs.evolve(block_of(case_of(), n, requests=count), inputs=np.arange(count))
                for n in range(2)
            ),
        )
        for count in (10, 35)
    )
    for sides, counts in (((few, many), "20 and 70"), ((many, few), "70 and 20")):
        found = list_surroundings(Comparison.of(*(run_of([one]) for one in sides)))
        why = f"as many requests were not asked for ({counts} of a case)"
        assert f"inputs of 1 case: {why}, so they were not matched" in found
    other = attrs.evolve(
        many, blocks=tuple(attrs.evolve(b, inputs=b.inputs + 100) for b in many.blocks)
    )
    found = list_surroundings(Comparison.of(run_of([few]), run_of([other])))
    assert "inputs of 1 case: others were sent, so they were not matched" in found


def test_an_artifact_is_another_where_it_holds_something_else():
    """Its key follows from when files of data were changed, as they are by copying them."""
    result = result_of(case_of())

    def kept(artifact, content):
        facts = attrs.evolve(result.facts, artifact=artifact * 64, content=content * 64)
        return attrs.evolve(result, facts=facts)

    def list_changed(*sides):
        comparison = Comparison.of(*(run_of([one]) for one in sides))
        return [(one.what, one.before, one.after) for one in comparison.pairs[0].changed]

    assert list_changed(kept("a", "c"), kept("b", "c")) == []
    assert list_changed(kept("a", "c"), kept("b", "d")) == [("artifact", "c" * 8, "d" * 8)]
    # Of a run that kept no digest of it the key is all that there is.
    assert list_changed(kept("a", ""), kept("b", "d")) == [("artifact", "a" * 8, "b" * 8)]


def test_what_differs_beside_is_named():
    result = result_of(case_of())
    busy = attrs.evolve(
        result,
        blocks=tuple(attrs.evolve(b, machine={**b.machine, "busy": 0.4}) for b in result.blocks),
        facts=attrs.evolve(result.facts, versions={"eager": "2.0"}, device="gpu"),
    )
    comparison = Comparison.of(
        run_of([result]), run_of([busy], environment={"processor": "B", "frequency_hz": [1, 2]})
    )
    found = {one.what: (one.before, one.after) for one in comparison.surroundings}
    assert found == {
        "processor": ("A Processor", "B"),
        "version of eager": ("1.0", "2.0"),
        "processor time used by other programs": ("1%", "40%"),
    }
    assert [one.what for one in comparison.pairs[0].changed] == ["device"]


def test_another_speed_of_a_tier_is_named():
    """One that states its gflops has another once this machine's own figure is another."""
    before = result_of(case_of())
    checks = [attrs.evolve(one, stated=0.25) for one in before.blocks[0].tiers]
    blocks = tuple(attrs.evolve(one, tiers=checks) for one in before.blocks)
    comparison = Comparison.of(run_of([before]), run_of([attrs.evolve(before, blocks=blocks)]))
    assert "speed of mobile of 1 case: 0.5 -> 0.25" in list_surroundings(comparison)


def test_data_that_lay_elsewhere_is_told_though_the_case_is_the_same():
    case = attrs.evolve(case_of(), data=Path("/a/photos"))
    other = attrs.evolve(case, data=Path("/b/photos"))
    assert case.id == other.id
    comparison = Comparison.of(
        *(run_of([result_of(one)], id=str(one.data)) for one in (case, other))
    )
    (found,) = comparison.pairs[0].changed
    assert (found.what, found.before, found.after) == ("data", "/a/photos", "/b/photos")


def of_file(chain, path, **options):
    case = attrs.evolve(case_of(chain), weights=Weights(kind="file", path=Path(path)))
    return result_of(attrs.evolve(case, options=tuple(options.items())))


def test_the_same_files_elsewhere_are_matched_by_their_names():
    mine = run_of([of_file("a", "/mine/net.x", labels="/mine/y.npy"), of_file("b", "/mine/net.x")])
    yours = run_of(
        [of_file("a", "/yours/net.x", labels="/yours/y.npy"), of_file("b", "/yours/other.x")],
        id="r2",
    )
    found = Comparison.of(mine, yours)
    assert [(one.before.case.chain, one.after.case.chain) for one in found.pairs] == [("a", "a")]
    assert [one.case.weights.path.name for one in found.only_before] == ["net.x"]
    assert [one.case.weights.path.name for one in found.only_after] == ["other.x"]


def test_which_of_two_files_of_one_name_is_meant_is_not_guessed():
    mine = run_of([of_file("a", "/one/net.x"), of_file("a", "/two/net.x")])
    with pytest.raises(EdgebenchError, match="no case in common"):
        Comparison.of(mine, run_of([of_file("a", "/three/net.x")], id="r2"))
    found = Comparison.of(mine, run_of([of_file("a", "/two/net.x")], id="r2"))
    assert [str(one.before.case.weights.path) for one in found.pairs] == ["/two/net.x"]


def test_a_file_is_not_matched_because_the_others_of_its_name_are():
    """What is left of two files of one name may be another model."""
    before = run_of([of_file("a", "/one/net.x"), of_file("a", "/two/net.x")])
    after = run_of([of_file("a", "/one/net.x"), of_file("a", "/three/net.x")], id="r2")
    for runs in ((before, after), (before, run_of([of_file("a", "/one/net.x")], id="r3"))):
        found = Comparison.of(*runs)
        assert [str(one.before.case.weights.path) for one in found.pairs] == ["/one/net.x"]
        assert [str(one.case.weights.path) for one in found.only_before] == ["/two/net.x"]


def test_files_that_were_matched_by_name_are_named_and_another_one_is_called_so():
    def built(path, key):
        result = of_file("a", path)
        step = StepFacts(what="built", artifact=key * 64)
        return attrs.evolve(result, facts=attrs.evolve(result.facts, steps=(step,)))

    for key, said in (("k", ""), ("l", f" ({OTHER_FILE})")):
        comparison = Comparison.of(
            run_of([built("/one/net.x", "k")]), run_of([built("/two/net.x", key)], id="r2")
        )
        lines = [line for line in list_surroundings(comparison) if line.startswith("file ")]
        assert lines == [f"file of 1 case: /one/net.x -> /two/net.x{said}"]
    # A new version of a file that lies where the other lay is told by what was made of it.
    same = Comparison.of(run_of([built("/one/net.x", "k")]), run_of([built("/one/net.x", "l")]))
    assert not any(line.startswith("file ") for line in list_surroundings(same))


def test_cases_of_one_run_alone_are_listed_with_what_sets_them_apart():
    case = case_of("plain", "mobile", "edge")
    slower = attrs.evolve(case, links=[attrs.evolve(case.links[0], rate=1e6)])
    both = result_of(case_of())
    comparison = Comparison.of(
        run_of([both, result_of(case)]),
        run_of([both, result_of(slower), result_of(case_of("other"))]),
    )
    assert [one.case for one in comparison.only_before] == [case]
    assert comparison.explain_unmatched(comparison.only_before[0]) == "differs in links"
    assert [comparison.explain_unmatched(one) for one in comparison.only_after] == [
        "differs in links",
        "",
    ]


def test_runs_with_nothing_in_common_are_refused():
    with pytest.raises(EdgebenchError, match="no case in common"):
        Comparison.of(run_of([result_of(case_of("a"))]), run_of([result_of(case_of("b"))]))


def test_a_case_that_failed_in_one_is_open():
    good, other = result_of(case_of("a")), result_of(case_of("b"))
    failed = attrs.evolve(other, status="failed", reason="it broke", blocks=())
    comparison = Comparison.of(run_of([good, other]), run_of([good, failed]))
    kept, lost = judge_gates([Gate.parse("latency.median > +50%")], comparison)
    assert (kept.verdict, lost.verdict) == ("kept", "open")
    assert "it broke" in lost.why_not
    with pytest.raises(EdgebenchError, match="measured no case"):
        Comparison.of(run_of([other]), run_of([failed]))


def test_blocks_of_the_shape_of_the_first_version_are_read():
    """A result without inputs, as an imported one, is compared as it is."""
    result = result_of(case_of())
    blocks = [attrs.evolve(b, inputs=None, machine={}) for b in result.blocks]
    assert all(isinstance(one, Block) for one in blocks)
    bare = attrs.evolve(result, blocks=tuple(blocks))
    assert verdicts(Comparison.of(run_of([bare]), run_of([bare]))) == ["equal"]


def test_what_a_busier_machine_may_have_done_fails_no_build():
    result, gate = result_of(case_of()), Gate.parse("latency.median > +5%")
    slower = result_of(case_of(), median_s=3e-3)
    busy = [attrs.evolve(b, machine={**b.machine, "busy": 0.3}) for b in slower.blocks]
    later = attrs.evolve(slower, blocks=tuple(busy))
    (one,) = judge_gates([gate], Comparison.of(run_of([result]), run_of([slower])))
    assert one.verdict == "failed"
    (one,) = judge_gates([gate], Comparison.of(run_of([result]), run_of([later])))
    assert one.verdict == "open"
    assert "1% and then 30%" in one.why_not
    (one,) = judge_gates([gate], Comparison.of(run_of([later]), run_of([later])))
    assert one.verdict == "kept"
    (size,) = judge_gates(
        [Gate.parse("size > 1kB")], Comparison.of(run_of([result]), run_of([later]))
    )
    assert size.verdict == "failed"


def successive(case, blocks, *, requests=40, inputs=569, seed=0):
    """Make a result whose blocks go on in the inputs where the block before has ended."""
    rng, made = np.random.default_rng(seed), []
    for number in range(blocks):
        block = block_of(case, number, requests=requests, seed=int(rng.integers(2**31)))
        first = number * requests
        made.append(attrs.evolve(block, inputs=np.arange(first, first + requests) % inputs))
    return attrs.evolve(result_of(case, blocks=1), blocks=tuple(made), planned=blocks)


def test_runs_of_unequal_block_counts_that_share_no_later_input_are_compared():
    case = case_of()
    comparison = Comparison.of(
        run_of([successive(case, 5, seed=1)]), run_of([successive(case, 3, seed=2)])
    )
    assert [len(one.blocks) for one in comparison.pairs[0].requests] == [3, 3]
    found = {one.quantity.name: one.verdict for one in comparison.changes}
    assert set(found) == set(QUANTITIES)
    assert {found["latency.median"], found["latency.p90"]} <= {"equal", "undecided"}
    assert found["latency.p99"] == "unknown"  # needs 473, where 120 are shared


def test_percentiles_are_those_of_a_report():
    rng, case = np.random.default_rng(7), case_of()
    before, after = (run_of([varied(case, rng, blocks=12)], id=name) for name in "ab")
    comparison = Comparison.of(before, after)
    for name in ("p90", "p95", "p99"):
        (change,) = comparison.list_changes(f"latency.{name}")
        for value, run in ((change.before, before), (change.after, after)):
            assert value == pytest.approx(run.results[0].latency.percentile(name), rel=1e-9)
    (tail,) = comparison.list_changes("latency.p99.9")
    assert (tail.verdict, tail.blocks_needed) == ("unknown", 107)


def test_a_rare_tail_passes_a_bound_though_most_blocks_have_none_of_it():
    """In every other block of 40 requests one takes 80 ms: the p99.9 is not that of a block."""
    case, blocks = case_of(), []
    for number in range(119):
        block = block_of(case, number, requests=40, seed=number)
        seconds = np.where((np.arange(40) == 7) & (number % 2 == 0), 0.08, block.latency_s)
        blocks.append(attrs.evolve(block, latency_s=seconds, phases_s={}))
    run = run_of([attrs.evolve(result_of(case), blocks=tuple(blocks), planned=119)])
    (one,) = judge_gates([Gate.parse("latency.p99.9 > 50ms")], Comparison.of(run, run))
    assert (one.verdict, one.value) == ("failed", pytest.approx(0.08))


def test_a_percentile_of_inputs_that_are_weighed_has_an_interval():
    """The slow input is sent three times as often, and the percentile of the matched is as before.

    Where each input counts alike, three in ten requests are slow in both.
    """
    case = case_of()

    def sent(slow):
        inputs = np.array([0] * slow + [1] * (40 - slow))
        blocks = []
        for number in range(6):
            rng = np.random.default_rng((slow, number))
            seconds = np.where(inputs == 0, 9e-3, 3e-3) * np.exp(0.01 * rng.standard_normal(40))
            block = block_of(case, number, requests=40)
            blocks.append(attrs.evolve(block, latency_s=seconds, inputs=inputs, phases_s={}))
        return attrs.evolve(result_of(case), blocks=tuple(blocks))

    comparison = Comparison.of(run_of([sent(2)]), run_of([sent(10)]))
    assert sent(2).latency.percentile("p90") == pytest.approx(3e-3, rel=0.1)
    (change,) = comparison.list_changes("latency.p90")
    assert change.before == pytest.approx(9e-3, rel=0.05)
    assert change.after == pytest.approx(9e-3, rel=0.05)
    low, high = change.interval()
    assert low < 0 < high
    assert change.verdict in ("equal", "undecided")


def with_memory(case, size, blocks=1):
    made = result_of(case, blocks=blocks)
    held = [
        attrs.evolve(b, peak_memory_bytes=dict.fromkeys(b.peak_memory_bytes, size))
        for b in made.blocks
    ]
    return attrs.evolve(made, blocks=tuple(held))


def test_the_peak_memory_of_one_block_fails_no_build():
    before, after = (run_of([with_memory(case_of(), s)]) for s in (100_000_000, 103_000_000))
    (one,) = judge_gates([Gate.parse("memory > +2%")], Comparison.of(before, after))
    assert (one.verdict, one.blocks_needed) == ("open", 1)
    assert verdicts(Comparison.of(before, after), "memory") == ["unknown"]
    # What a request sends is counted, and the same in every block.
    assert verdicts(Comparison.of(before, after), "bytes") == ["equal"]


def test_what_latencies_differ_by_on_a_machine_makes_no_sizes_equal():
    before = result_of(case_of())
    after = with_facts(before, size=340_000)
    runs = [run_of([one], aa_difference=0.15) for one in (before, after)]
    comparison = Comparison.of(*runs)
    assert comparison.margin == 0.15
    assert verdicts(comparison, "size") == ["more"]
    slower = run_of([result_of(case_of(), median_s=2.2e-3, spread=0.0)], aa_difference=0.15)
    flat = run_of([result_of(case_of(), spread=0.0)], aa_difference=0.15)
    assert verdicts(Comparison.of(flat, slower)) == ["equal"]


def test_inputs_that_were_not_noted_are_not_said_to_match():
    result = result_of(case_of())
    bare = attrs.evolve(result, blocks=tuple(attrs.evolve(b, inputs=None) for b in result.blocks))
    assert [one.matched for one in weigh_alike(bare, bare)] == [None, None]
    assert [one.matched for one in weigh_alike(result, bare)] == [None, None]
    assert [one.matched for one in weigh_alike(result, result)] == [True, True]
