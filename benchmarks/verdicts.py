"""Whether the statistics keep what they say, on simulated blocks: intervals, verdicts, dropping.

    python benchmarks/verdicts.py [--repeats N] [--seed N] [--json]

Block medians differ by 1.7 % within a round and rounds by 1.0 %, requests by 5 %, as was measured.

- Of 14 equal cases in 3, 5, 10 and 20 rounds: how often the 95 % interval of a case's median, of
  its p90, and of the ratio of two cases holds the truth. Promised for median and ratio: 93 to 97 of
  100.
- Of 14 cases, a block in 20 being 30 % too slow, `--until decided` with 20 blocks at most: how many
  of all blocks it takes, and how often it drops the best: with 5 cases within 3 % of it, and where
  it leads by more than the margin. Promised for the latter: at most 50 of 1,000.
- Of 4 equal cases, blocks added until they are told apart: how many of the pairs with the best are
  called equal, and how many slower or faster.

The exit status is 1 where a promise is not kept.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edgebench.analysis.enough import Rule
from edgebench.analysis.intervals import Latency
from edgebench.analysis.rounds import Rounds
from edgebench.analysis.verdicts import judge
from edgebench.testing.results import case_of

WITHIN, BETWEEN, REQUESTS = 0.017, 0.010, 0.05
"""Standard deviations of logarithms: of block medians within a round, of rounds, of requests."""
MARGIN, MOST = 0.02, 20
CASES = [case_of(f"c{number}") for number in range(14)]
WILD, FACTOR = 0.05, 1.3
"""Share of blocks that something disturbs, and how many times as slow they are."""


def rounds_of(table: NDArray[Any]) -> Rounds:
    """Return rounds whose block medians have these logarithms, shape (cases, rounds)."""
    return Rounds({case: {(0, n): float(v) for n, v in enumerate(row)}
                   for case, row in zip(CASES, table, strict=False)})  # fmt: skip


def draw(rng: Generator, effects: NDArray[Any], rounds: int) -> NDArray[Any]:
    """Return logarithms of block medians, shape (cases, rounds)."""
    shared = rng.normal(0, BETWEEN, (1, rounds))
    return effects[:, None] + shared + rng.normal(0, WITHIN, (len(effects), rounds))


# --- intervals ------------------------------------------------------------------------------------


def cover_ratios(rng: Generator, rounds: int, repeats: int) -> float:
    """Return how often the interval of a ratio of equal cases holds 1."""
    hits = []
    for _ in range(repeats):
        made = rounds_of(draw(rng, np.zeros(14), rounds))
        ratios = [made.compare(case, CASES[0]) for case in CASES[1:]]
        hits += [one.low <= 1 <= one.high for one in ratios]
    return float(np.mean(hits))


def cover_latencies(rng: Generator, rounds: int, repeats: int, name: str) -> float:
    """Return how often the interval of the median or of the p90 of a case holds the true one."""
    spread = math.hypot(WITHIN, BETWEEN)
    true = {"median": 1.0, "p90": math.exp(1.281552 * math.hypot(spread, REQUESTS))}
    hits = 0
    for _ in range(repeats):
        middles = rng.normal(0, spread, rounds)
        blocks = tuple(np.exp(middle + rng.normal(0, REQUESTS, 40)) for middle in middles)
        low, high = Latency(blocks=blocks).interval(name)
        hits += low <= true[name] <= high
    return hits / repeats


# --- blocks that are added ------------------------------------------------------------------------


def add_blocks(rng: Generator, effects: NDArray[Any], rule: Rule, *, wild: float) -> Any:
    """Add blocks as `--until decided` does; return rounds, who has enough, and how many blocks."""
    cases = CASES[: len(effects)]
    medians: dict[Any, dict[tuple[int, int], float]] = {case: {} for case in cases}
    enough: dict[Any, Any] = {}
    for number in range(rule.most):
        logs = draw(rng, effects, 1)[:, 0]
        logs += np.where(rng.random(len(cases)) < wild, math.log(FACTOR), 0.0)
        for case, value in zip(cases, logs.tolist(), strict=True):
            if case not in enough:
                medians[case][0, number] = value
        dropped = {case: why for case, why in enough.items() if why.beaten_by}
        enough = dict(rule.find(Rounds(medians), cases, dropped))
        if len(enough) == len(cases):
            break
    return Rounds(medians), enough, sum(map(len, medians.values()))


def near_effects(rng: Generator) -> NDArray[Any]:
    """Return 14 cases, the first the best, five within 3 % of it."""
    near, far = rng.uniform(0, math.log(1.03), 5), rng.uniform(math.log(1.03), math.log(3), 8)
    return np.array([0.0, *near, *far])


def led_effects(rng: Generator) -> NDArray[Any]:
    """Return the same where the best leads by more than the margin."""
    near = rng.uniform(math.log(1 + MARGIN), math.log(1.05), 5)
    return np.array([0.0, *near, *rng.uniform(math.log(1.05), math.log(3), 8)])


def try_dropping(
    rng: Generator, effects: Callable[[Generator], NDArray[Any]], repeats: int
) -> dict[str, float]:
    """Return how often the best is dropped, and which share of all blocks is measured."""
    rule = Rule(within=MARGIN, most=MOST, decided=True)
    dropped = blocks = 0
    for _ in range(repeats):
        _, enough, count = add_blocks(rng, effects(rng), rule, wild=WILD)
        dropped += CASES[0] in enough and bool(enough[CASES[0]].beaten_by)
        blocks += count
    return {"dropped": dropped, "repeats": repeats, "blocks": blocks / (repeats * 14 * MOST)}


def try_equals(rng: Generator, repeats: int) -> dict[str, float]:
    """Return what the pairs of four equal cases with the best of them are called."""
    rule = Rule(within=MARGIN, most=MOST, decided=True)
    told: dict[str, float] = {"equal": 0, "undecided": 0, "slower": 0, "faster": 0}
    blocks = 0
    for _ in range(repeats):
        rounds, _, count = add_blocks(rng, np.zeros(4), rule, wild=0.0)
        adjusted = rounds.adjust(CASES[:4])
        best = min(adjusted, key=adjusted.__getitem__)
        for case in set(CASES[:4]) - {best}:
            told[judge(rounds.compare(case, best), MARGIN, 3, MOST)] += 1
        blocks += count
    return {**told, "blocks a case": blocks / (4 * repeats)}


def measure(repeats: int, seed: int) -> Iterator[tuple[str, dict[str, float], bool]]:
    """Yield the name of each figure, what was found, and whether the promise is kept."""
    rng = np.random.default_rng(seed)
    for rounds in (3, 5, 10, 20):
        found = {
            "ratio": cover_ratios(rng, rounds, repeats),
            "median": cover_latencies(rng, rounds, 5 * repeats, "median"),
            "p90": cover_latencies(rng, rounds, repeats // 4, "p90"),
        }
        kept = all(0.93 <= found[name] <= 0.97 for name in ("ratio", "median"))
        yield f"intervals of {rounds} rounds hold the truth", found, kept
    yield "5 of 14 within 3 %: the best dropped", try_dropping(rng, near_effects, repeats), True
    led = try_dropping(rng, led_effects, repeats)
    yield "the best leads: dropped", led, led["dropped"] <= 0.05 * repeats
    yield "4 equal cases", try_equals(rng, max(1, repeats // 5)), True


def main(words: list[str]) -> int:
    """Print what was found, and return 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    found = list(measure(args.repeats, args.seed))
    if args.json:
        print(json.dumps({name: {**figures, "kept": kept} for name, figures, kept in found}))
    for name, figures, kept in [] if args.json else found:
        shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
        print(f"{'' if kept else 'NOT KEPT: '}{name}: {shown}")
    return int(not all(kept for *_, kept in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
