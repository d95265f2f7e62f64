from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from edgebench import Weights
from edgebench.analysis.result import Result
from edgebench.records.facts import Facts, RuntimeCheck
from edgebench.testing.results import block_of, case_of, facts_of, result_of, run_of
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


WIDTHS = [60, 80, 100, 120, 160, 200]


def rows(text, *, table=0):
    """Return the lines of a table by the chain of its rows, each with the line below it."""
    _, *tables = re.split(r"^ *#.*\n", text, flags=re.MULTILINE)
    lines = tables[table].split("\n\n")[0].splitlines()
    pairs = itertools.pairwise([*lines, ""])
    return {
        line.split()[1]: (line.rstrip(), below)
        for line, below in pairs
        if re.match(r" *\d+ ", line)
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits(run, width):
    text = shown(run, width)
    assert max(map(len, text.splitlines())) <= width
    line, below = rows(text)["shrink+cut"]
    # No name and no figure is broken, however little room there is.
    assert re.search(r"\d\.\d\d ", line)
    assert re.match(r" +mobile-edge\* eager +\d\.\d\d\.\.\d\.\d\d ", below)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_loss_has_one_sign_and_one_verdict_at_every_width(width):
    """Positive is lost: 4 points are, 0.8 were gained, and of 2 to 4 nothing is shown."""
    results = [
        result_of(case_of(chain), loss=loss, seed=number)
        for number, (chain, loss) in enumerate([("bad", 0.04), ("good", -0.008), ("vague", 0.01)])
    ]
    found = rows(shown(run_of(results), width))
    assert "lost +4.00" in found["bad"][0]
    assert "3.60..4.40" in found["bad"][1]
    assert "shown -0.80" in found["good"][0]
    assert "-1.20..-0.40" in found["good"][1]
    assert "open +1.00" in found["vague"][0]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_answer_stands_last(run, width):
    text = flowing(shown(run, width))
    (decision,) = run.decisions
    assert text.endswith(f"Answer {decision.sentence}")


def test_the_fastest_that_keeps_its_accuracy_is_marked(run):
    text = shown(run)
    assert [chain for chain, (line, _) in rows(text).items() if "> " in line] == ["shrink"]
    text = flowing(text)
    assert "the fastest that is shown to keep its accuracy is shrink on mobile with eager, " in text
    assert "lies under 1 point; lost: it lies over that; open: neither" in text


def test_those_that_are_not_told_apart_are_marked_so_and_nothing_as_the_fastest():
    results = [
        result_of(case_of(chain), median_s=ms / 1e3, spread=0.5, seed=number)
        for number, (chain, ms) in enumerate([("plain", 2.0), ("shrink", 2.1)])
    ]
    text = shown(run_of(results))
    assert [line.count("? ") for line, _ in rows(text).values()] == [1, 1]
    assert not any("> " in line for line, _ in rows(text).values())
    assert "toy:small: not decided: these 2 cannot be told apart: plain" in flowing(text)


def test_strategies_stand_in_order_of_their_latency(run):
    for table in (0, 1):
        found = list(rows(shown(run), table=table))
        assert found == ["careless", "shrink", "shrink+cut", "plain"]


def test_what_computes_another_model_is_marked_and_stands_last():
    check = RuntimeCheck(
        backend="eager",
        agreement=attrs.evolve(facts_of(case_of()).agreement, relative_difference=0.5),
        tolerance=1e-3,
    )
    wrong = result_of(case_of("wrong"), median_s=1e-3)
    wrong = attrs.evolve(wrong, facts=attrs.evolve(wrong.facts, checks=(check,)))
    blind = attrs.evolve(wrong, facts=Facts(no_accuracy="random weights", checks=(check,)))
    right = result_of(case_of("right"), median_s=2e-3)
    for one in (wrong, blind):
        found = rows(shown(run_of([one, right])))
        assert list(found) == ["right", "wrong"]
        assert "disagrees" in "".join(found["wrong"])
        assert "disagrees" not in "".join(found["right"])


def test_every_figure_has_its_unit_in_the_header_and_its_interval_below(run):
    text = shown(run, 200)
    lines = text.splitlines()
    below = next(number for number, line in enumerate(lines) if line.startswith("# strategy"))
    heads = ["median ms", "p95 ms", "accuracy %", "lost points", "model", "peak", "sent", "cold"]
    heads += ["inference", "pre/post", "harness", "network", "wait*", "unaccounted"]
    assert re.findall(r"\S+(?: ms| %| points)?", lines[below - 1]) == heads
    units = ["#", "strategy", *["(95 %)"] * 4, "MB", "MB", "kB", "s", *["ms"] * 6]
    assert re.findall(r"\(95 %\)|\S+", lines[below]) == units
    document = run.to_json()["cases"][0]
    low, high = (f"{end * 1e3:.2f}" for end in document["latency_s"]["ci95"])
    assert f"{low}..{high}" in text
    assert "97.0..99.0" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_the_parts_of_a_request_stand_apart(width):
    case = case_of("plain", "edge")
    parts = {"inference-0": 2.0, "inference-1": 0.5, "decode": 0.75, "queue": 0.125}
    parts |= {"local-hop": 3.0, "uplink": 4.0, "downlink": 0.5, "emulated-wait": 7.5}
    arrays = {phase: np.full(100, ms / 1e3) for phase, ms in parts.items()}
    latency = np.full(100, 18.5e-3)
    blocks = [attrs.evolve(block_of(case), phases_s=arrays, latency_s=latency)]
    text = shown(run_of([Result(case=case, status="ok", blocks=blocks)]), width)
    line, _ = rows(text, table=0 if width >= 160 else 1)["plain"]
    assert line.split()[-6:] == ["2.50", "0.88", "3.00", "4.50", "7.50", "0.12"]
    assert "Medians of parts need not add up to the median of the whole" in flowing(text)


def test_why_no_more_blocks_were_added_is_said_where_they_might_have_been():
    ended = [
        result_of(case_of(name), median_s=ms) for name, ms in (("plain", 4e-3), ("quick", 2e-3))
    ]
    quick = ended[1].case
    said = ("beaten after 2 blocks by " + quick.id, "20 blocks, the most that were allowed")
    ended = [
        attrs.evolve(one, facts=attrs.evolve(one.facts, stopped=words))
        for one, words in zip(ended, said, strict=True)
    ]
    text = flowing(shown(run_of(ended, max_blocks=20), 200))
    name = "toy:small quick on mobile with eager"
    assert f"20 blocks, the most that were allowed: {name}" in text
    assert f"beaten after 2 blocks by {name}: toy:small plain on mobile with eager" in text
    assert "no more blocks" not in shown(run_of(ended))


def test_what_the_figures_rest_on_stands_above_the_table(run):
    assert "toy:small\n500 labels; requests of 1.25 kB\n" in shown(run)
    case = attrs.evolve(case_of(), batch=4, threads=2)
    few = facts_of(case)
    few = attrs.evolve(few, figures=(attrs.evolve(few.figures[0], samples=21),))
    other = attrs.evolve(result_of(attrs.evolve(case, chain="other")), facts=few)
    text = shown(run_of([result_of(case), other]))
    assert "\n21 to 500 labels; requests of 1.25 kB; batch 4; threads 2\n" in text


def test_wide_terminals_show_memory_bytes_and_the_cold_start():
    cut = result_of(case_of("cut", "mobile", "edge"))
    assert rows(shown(run_of([cut]), 120))["cut"][0].split()[-4:] == [
        "0.60",
        "50.0",
        "10.0",
        "0.06",
    ]


def test_a_file_is_named_as_it_was_given():
    weights = Weights(kind="file", path=Path("/there/mein modell, v1:2 (grün).onnx"))
    case = attrs.evolve(case_of(), weights=weights)
    text = shown(run_of([result_of(case)]))
    assert "toy:small\nmein modell, v1:2 (grün).onnx; 500 labels; " in text


def test_of_several_models_a_doubt_names_the_one():
    case = attrs.evolve(case_of(), model="top")
    other = attrs.evolve(result_of(case), facts=Facts(doubts=("odd",)))
    text = flowing(shown(run_of([result_of(case_of()), other])))
    assert "pipeline: 1 of 2 cases: odd (top:small plain on mobile with eager)" in text


def test_a_small_model_is_not_written_as_nothing():
    case = case_of("tiny")
    facts = facts_of(case, size=3210)
    text = shown(run_of([attrs.evolve(result_of(case), facts=facts)]))
    assert rows(text)["tiny"][0].endswith(" 0.003")


def test_the_title_names_the_run_its_tag_and_the_statuses():
    failed = Result(case=case_of("f"), status="failed", reason="no")
    text = flowing(shown(run_of([result_of(case_of()), failed], tag="after the mend")))
    assert text.startswith(
        "toys, run 20260102-030405, tag after the mend, 2 cases (1 ok, 1 failed), on A Processor"
    )


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


def test_an_accelerator_that_was_not_used_is_said():
    idle = with_tiers(result_of(case_of()), accelerator="A100", device="cpu")
    assert "memory not enforced; its A100 was not used" in flowing(shown(run_of([idle])))
    used = with_tiers(result_of(case_of()), accelerator="A100", device="cuda:0")
    assert "was not used" not in shown(run_of([used]))


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


def doubted(chain, *, busy, warm=True):
    case = case_of(chain)
    blocks = [
        attrs.evolve(
            block_of(case, n),
            machine={"busy": busy},
            warmup="stable after 5" if warm else "not stable after 50",
        )
        for n in range(3)
    ]
    return Result(case=case, status="ok", planned=3, blocks=tuple(blocks))


def test_doubts_are_grouped_by_cause_with_the_worst_of_each():
    shares = zip("abc", (0.2, 0.9, 0.3), strict=True)
    results = [doubted(chain, busy=busy) for chain, busy in shares]
    results.append(doubted("d", busy=0.0, warm=False))
    results.append(Result(case=case_of("e"), status="skipped", reason="no way"))
    text = flowing(shown(run_of(results)))
    assert (
        "Reasons to doubt machine: 3 of 4 cases: other programs took up to 90% of the processor "
        "time (worst of them: b on mobile with eager) "
        "warm-up: 1 of 4 cases: warm-up was not stable after 50 requests in 3 of 3 blocks "
        "(d on mobile with eager) "
        "All of them: edgebench report 20260102-030405 --verbose"
    ) in text
    assert "20%" not in text.partition("Answer")[0]
    assert "doubt: other programs took up to 20% of the processor time" in text


def test_in_full_each_doubt_of_each_case_is_printed():
    run = run_of([doubted("a", busy=0.2, warm=False), doubted("b", busy=0.9)])
    text = flowing(shown(attrs.evolve(run, in_full=True)))
    assert (
        "Reasons to doubt toy:small a on mobile with eager "
        "other programs took up to 20% of the processor time "
        "warm-up was not stable after 50 requests in 3 of 3 blocks "
        "toy:small b on mobile with eager other programs took up to 90% of the processor time"
    ) in text
    assert "--verbose" not in text


def test_of_many_kinds_of_doubts_the_worst_are_printed():
    notes = tuple(f"{name} is odd" for name in ("one", "two", "three", "four", "five"))
    odd = attrs.evolve(result_of(case_of()), facts=Facts(doubts=notes))
    text = flowing(shown(run_of([odd])))
    assert "pipeline: 1 of 1 case: one is odd" in text
    assert "also 1: three is odd" in text
    assert "and 2 more kinds" in text
    assert "four" not in text


def test_a_percentile_without_support_says_what_it_needs():
    case = case_of()
    blocks = tuple(block_of(case, n, requests=20) for n in range(3))
    text = shown(run_of([Result(case=case, status="ok", blocks=blocks)]))
    line, below = rows(text)["plain"]
    assert "needs 93 " in line
    assert " requests " in below
    assert "p90" not in text


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


# --- the answer ----------------------------------------------------------------------------------


def test_what_the_answer_gains_over_doing_nothing_stands_last():
    plain = result_of(case_of("identity"), median_s=8e-3, seed=1)
    text = shown(run_of([plain, result_of(case_of("shrink"), median_s=4e-3, seed=2)]))
    answer = flowing(text.partition("Answer\n")[2])
    assert re.fullmatch(
        r"toy:small: the fastest that is shown to keep its accuracy is shrink .* "
        r"It is 2 times \([\d.]+ to 2[\d.]*\) as fast as doing nothing: "
        r"identity on mobile with eager, 8\.02 ms\.",
        answer,
    )
    assert max(map(len, text.splitlines())) <= 80


def test_a_gain_over_what_was_measured_apart_says_so():
    plain = result_of(case_of("identity"), median_s=8e-3, seed=1)
    quick = result_of(case_of("shrink"), median_s=4e-3, seed=2)
    later = [attrs.evolve(block, resumption=1) for block in quick.blocks]
    apart = shown(run_of([plain, attrs.evolve(quick, blocks=tuple(later))]))
    assert "ms. No round holds both" in flowing(apart.partition("Answer\n")[2])
    assert "No round holds both" not in flowing(shown(run_of([plain, quick])))


def test_of_many_reasons_to_doubt_the_answer_the_worst_stand_below_it():
    case = case_of("shrink")
    facts = attrs.evolve(facts_of(case), doubts=tuple(f"reason {n}" for n in range(5)))
    answer = shown(run_of([attrs.evolve(result_of(case), facts=facts)])).partition("Answer\n")[2]
    assert re.findall(r"doubt: (.*\d)", answer) == ["reason 0", "reason 1", "reason 2"]
    assert "and 2 more doubts" in answer


def test_wide_characters_and_long_names_are_folded_within_the_width():
    named = result_of(case_of("模型" * 40 + "x" * 50, backend="b" * 90))
    for width in (60, 80, 160):
        lines = shown(run_of([named]), width).splitlines()
        assert max(map(cell_len, lines)) <= width


def test_an_interval_that_says_nothing_is_not_printed_as_one():
    result = result_of(case_of("plain"), blocks=2)
    fast, slow = (
        attrs.evolve(one, latency_s=one.latency_s * factor)
        for one, factor in zip(result.blocks, (1, 4), strict=True)
    )
    text = shown(run_of([attrs.evolve(result, blocks=(fast, slow))]))
    assert "not known" in rows(text)["plain"][1]
    assert "ms (interval not known)" in flowing(text)


def test_answers_that_weigh_something_are_said_above_the_table(run):
    assert "answers of" not in shown(run)
    blocks = [
        attrs.evolve(one, bytes_out={**one.bytes_out, "answer": 147_584.0})
        for one in run.results[0].blocks
    ]
    heavy = attrs.evolve(run.results[0], blocks=tuple(blocks))
    assert "requests of 1.25 kB; answers of 147.6 kB\n" in shown(run_of([heavy]))
