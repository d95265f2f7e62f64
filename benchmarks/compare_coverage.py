"""How often intervals of `edgebench compare` hold the truth, and how often noise fails a build.

    python benchmarks/compare_coverage.py [--draws 2000] [--seed 0]

Two runs of one case are drawn whose blocks differ as those of a machine do: by 1.7 %, and one in so
many slower by 30 %; requests of a block scatter by 3 %, and one in twenty takes up to a third more.
The last column is the share of builds that a bound fails which the case lies on: 2.5 % at most.
"""

from __future__ import annotations

import argparse
from itertools import product

import attrs
import numpy as np
from tables import digits, table

from edgebench.analysis.comparison import Comparison
from edgebench.analysis.estimates import LEVEL
from edgebench.analysis.quantities import QUANTITIES
from edgebench.analysis.result import Result
from edgebench.records.outcome import Block
from edgebench.testing.results import case_of, result_of, run_of

FIGURES = ("latency.median", "latency.mean", "latency.p90", "latency.p95")
BLOCKS, REQUESTS, SLOW = (3, 5, 10, 20), (40, 100), (0.0, 0.05)
BETWEEN, WITHIN = 0.017, 0.03


def draw(
    result: Result, blocks: int, requests: int, slow: float, rng: np.random.Generator
) -> Result:
    """Draw a result whose true median is 1 s."""
    made: list[Block] = []
    for block in [result.blocks[0]] * blocks:
        effect = BETWEEN * rng.standard_normal() + np.log(1.3) * (rng.random() < slow)
        tail = 0.3 * rng.random(requests) * (rng.random(requests) < 0.05)
        seconds = np.exp(effect + WITHIN * rng.standard_normal(requests) + tail)
        inputs = np.arange(requests)
        made.append(attrs.evolve(block, latency_s=seconds, inputs=inputs, phases_s={}))
    return attrs.evolve(result, blocks=tuple(made))


def main() -> None:
    """Print a line for each number of blocks and requests, and share of slow blocks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng, result, rows = np.random.default_rng(args.seed), result_of(case_of(), blocks=1), []
    for blocks, requests, slow in product(BLOCKS, REQUESTS, SLOW):
        held, width, above = (dict.fromkeys(FIGURES, 0.0) for _ in range(3))
        for _ in range(args.draws):
            one, other = (run_of([draw(result, blocks, requests, slow, rng)]) for _ in "ab")
            (pair,) = Comparison.of(one, other).pairs
            for name in FIGURES:
                found = pair.find_difference(QUANTITIES[name], *pair.estimate(QUANTITIES[name]))
                low, high = found.interval()
                held[name] += (low <= 0 <= high) / args.draws
                width[name] += (high - low) / 2 / args.draws
                above[name] += (found.interval(LEVEL)[0] > 0) / args.draws
        cells = [
            f"{100 * held[n]:.1f} % (±{digits(100 * width[n])} %), {100 * above[n]:.1f} %"
            for n in FIGURES
        ]
        rows.append([str(blocks), str(requests), f"{slow:.0%}", *cells])
    print(table(("blocks", "requests", "slow blocks", *FIGURES), rows))


if __name__ == "__main__":
    main()
