from __future__ import annotations

import io
import itertools
import re

import attrs
import pytest
from rich.console import Console

from edgebench.analysis.result import Result
from edgebench.records.facts import Facts
from edgebench.testing.results import block_of, case_of, result_of, run_of
from edgebench_plugins.reporters.terminal import edgebench_reporters


def shown(results, width=80, **options):
    (reporter,) = edgebench_reporters()
    console = Console(file=io.StringIO(), width=width, color_system=None, **options)
    console.print(reporter.render(results))
    return console.file.getvalue()


def flowing(text):
    return " ".join(text.split())


@pytest.fixture
def run():
    chains = [("plain", ("mobile",), 8.0, 0.0), ("shrink", ("mobile",), 4.0, 0.002)]
    chains += [("shrink+cut", ("mobile", "edge"), 6.0, 0.002), ("careless", ("edge",), 3.5, 0.04)]
    results = [
        result_of(case_of(chain, *tiers), median_s=ms / 1e3, loss=loss, seed=number)
        for number, (chain, tiers, ms, loss) in enumerate(chains)
    ]
    return run_of(results)


@pytest.mark.parametrize("width", [80, 130])
def test_it_fits(run, width):
    lines = shown(run, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("shrink+cut" in line and "mobile-edge" in line for line in lines)


def test_the_fastest_that_keeps_its_accuracy_is_marked(run):
    lines = shown(run).splitlines()
    (marked,) = [line for line in lines if "> " in line and "marks" not in line]
    assert marked.startswith("shrink ")
    text = flowing(shown(run))
    assert "the fastest that is shown to keep its accuracy is shrink on mobile with eager, " in text
    assert "lies under 1 point; if it lies over that, accuracy is lost; else that is open." in text


def test_those_that_are_not_told_apart_are_marked_so_and_nothing_as_the_fastest():
    results = [
        result_of(case_of(chain), median_s=ms / 1e3, spread=0.5, seed=number)
        for number, (chain, ms) in enumerate([("plain", 2.0), ("shrink", 2.1)])
    ]
    text = shown(run_of(results))
    rows = [line for line in text.splitlines() if line.startswith(("plain ", "shrink "))]
    assert [row.count("? ") for row in rows] == [1, 1]
    assert "> " not in text.partition("Fastest")[0]
    assert "toy:small: not decided: these 2 cannot be told apart: plain" in flowing(text)


def test_a_loss_of_accuracy_is_shown_with_its_interval(run):
    lines = shown(run, 130).splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("careless")]
    assert " 4.00 " in lines[number]
    assert "3.60..4.40" in lines[number + 1]


def test_strategies_stand_in_order_of_their_latency(run):
    lines = shown(run, 130).splitlines()
    rows = [line.split()[0] for line in lines[: lines.index("Fastest")] if "eager " in line]
    assert rows == ["careless", "shrink", "shrink+cut", "plain"]


def test_every_figure_has_its_unit_in_the_header_and_its_interval_below(run):
    text = shown(run, 130)
    lines = text.splitlines()
    below = next(number for number, line in enumerate(lines) if line.startswith("chain"))
    for unit in ("median ms", "p95 ms", "accuracy %", "loss points"):
        assert unit in lines[below - 1]
    assert lines[below].count("(95 %)") == 4
    for unit in ("MB", "compute ms", "network ms", "emulated ms"):
        assert unit in lines[below]
    document = run.to_json()["cases"][0]
    low, high = (f"{end * 1e3:.2f}" for end in document["latency_s"]["ci95"])
    assert f"{low}..{high}" in text
    assert "97.0..99.0" in text


def test_emulated_tiers_are_labelled_and_explained_once(run):
    text = flowing(shown(run))
    assert "mobile-edge*" in text
    assert text.count("emulated: waits 1 x each computation") == 2  # once a tier
    assert (
        "mobile to edge: 100 Mbit/s and a delay of 1 ms claimed, 100 to 100 Mbit/s measured, "
        "round trip 2.2 to 2.2 ms"
    ) in text


def with_rate(result, rate):
    """Return a result whose link claims, and has, another rate."""
    blocks = [
        attrs.evolve(
            block,
            links=[attrs.evolve(one, rate_bit_s=rate, goodput_bit_s=rate) for one in block.links],
        )
        for block in result.blocks
    ]
    links = [attrs.evolve(link, rate=rate) for link in result.case.links]
    return attrs.evolve(result, case=attrs.evolve(result.case, links=links), blocks=tuple(blocks))


def test_links_of_different_claims_are_not_taken_for_one():
    far = result_of(case_of("plain", "edge"))
    text = flowing(shown(run_of([with_rate(far, 1e7), with_rate(far, 1e6)])))
    for rate in ("10", "1"):
        claimed = f"{rate} Mbit/s and a delay of 1 ms claimed"
        assert f"mobile to edge: {claimed}, {rate} to {rate} Mbit/s measured" in text


def with_tiers(result, **facts):
    blocks = [
        attrs.evolve(block, tiers=[attrs.evolve(one, **facts) for one in block.tiers])
        for block in result.blocks
    ]
    return attrs.evolve(result, blocks=tuple(blocks))


def test_a_speed_that_nobody_states_is_not_claimed():
    silent = with_tiers(result_of(case_of()), stated=None, claimed=1.0, enforced={})
    assert "mobile: speed not stated, 0.49 to 0.49 measured, 1 thread;" in flowing(
        shown(run_of([silent]))
    )
    older = with_tiers(result_of(case_of()), stated=None, processors=None)
    assert "0.50 of this machine's speed claimed" in flowing(shown(run_of([older])))


def test_cases_that_were_not_measured_are_grouped_by_reason():
    why = "no converter from graph to blob [at all]"
    skipped = [
        Result(case=case_of(chain, backend="npu"), status="skipped", reason=why)
        for chain in "abcde"
    ]
    failed = Result(case=case_of("f"), status="failed", reason="the model does not load")
    text = flowing(shown(run_of([result_of(case_of()), *skipped, failed])))
    assert text.count(why) == 1  # brackets and all
    assert "5 skipped: no converter" in text
    assert "toy:small c on mobile with npu and 2 more)" in text
    assert "1 failed: the model does not load (toy:small f on mobile with eager)" in text


def test_doubts_are_grouped_too():
    case = case_of("plain", "edge")
    blocks = tuple(block_of(case, n, median_s=9e-3) for n in range(2))
    results = [
        Result(case=attrs.evolve(case, model=model), status="partial", planned=3, blocks=blocks)
        for model in ("toy", "top")
    ]
    text = flowing(shown(run_of(results)))
    doubt = "2 blocks: at least 3 are needed to see what differs between processes"
    assert f"toy:small plain on edge with eager and 1 more: {doubt}" in text


def test_a_percentile_without_support_says_what_it_needs():
    case = case_of()
    blocks = tuple(block_of(case, n, requests=20) for n in range(3))
    assert "needs 93" in shown(run_of([Result(case=case, status="ok", blocks=blocks)]))


def test_a_model_without_accuracy_says_why():
    result = attrs.evolve(result_of(case_of()), facts=Facts(no_accuracy="random weights"))
    for width in (80, 130):
        text = flowing(shown(run_of([result]), width))
        assert "random weights" in text
        assert "(accuracy is not known)" in text


def test_a_run_of_nothing_but_skips_has_no_table():
    text = shown(run_of([Result(case=case_of(), status="skipped", reason="no way")]))
    assert "median" not in text
    assert "1 skipped: no way" in text


def test_names_are_never_read_as_markup():
    odd = result_of(case_of("[bold]x[/bold]"))
    assert "[bold]x[/bold]" in "".join(shown(run_of([odd], suite="[red]s")).split())
    assert "[red]s, run" in shown(run_of([odd], suite="[red]s"))


def test_without_colour_it_is_plain_text(run):
    assert "\x1b" not in shown(run)
    assert shown(run).isascii()


def test_where_there_is_no_room_the_times_say_what_they_are_and_in_which_unit(run):
    (under,) = [
        below
        for line, below in itertools.pairwise(shown(run, 80).splitlines())
        if line.startswith("shrink+cut")
    ]
    assert re.match(r"compute \d\.\d\dms +net \d\.\d\dms +wait\* \d\.\d\dms ", under)


def test_what_was_said_of_a_file_tells_its_cases_apart():
    cases = [
        attrs.evolve(case_of(chain), options=[("dims", f"seq={size}")])
        for size in (8, 128)
        for chain in ("plain", "shrink")
    ]
    results = [
        attrs.evolve(result_of(case), facts=Facts(inputs="random-inputs")) for case in cases[:3]
    ]
    results.append(Result(case=cases[3], status="skipped", reason="no way"))
    text = shown(run_of(results), 200)
    for size in (8, 128):
        assert f'toy:small(dims="seq={size}"): the fastest ' in text
        assert f'toy:small(dims="seq={size}"): own weights, inputs of random-inputs' in text
    assert '1 skipped: no way (toy:small(dims="seq=128") shrink on mobile with eager)' in text


def test_a_subject_is_written_in_one_way():
    case = attrs.evolve(case_of(), options=[("side", "64")])
    other = attrs.evolve(case, options=[("side", "96")])
    facts = Facts(inputs="random-inputs")
    results = [attrs.evolve(result_of(one), facts=facts) for one in (case, other)]
    text = shown(run_of(results), 200)
    assert "toy:small(side=64): the fastest " in text
    assert "toy:small(side=64): own weights" in text
    assert '"64"' not in text
