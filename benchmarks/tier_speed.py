"""Whether a tier that is slower than this machine is slower by its factor, and as long as asked.

    python benchmarks/tier_speed.py [--rounds 5]

The check that every block makes, repeated over works and factors, each held to what a block allows.
The exit status is 1 where the median of the rounds misses; other programs on the machine spoil it.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from statistics import median
from types import SimpleNamespace

from edgebench import Tier
from edgebench.measure.stand.verify import TIER_SHARE, check_tier
from edgebench.measure.station.speed import compare_speeds

WORKS_S = (0.5e-3, 2e-3, 16e-3)
SLOWDOWNS = (1.0, 2.0, 4.0)
LENGTH = (0.5, 2.0)
"""How long the work may take, as a share of what was asked: it is calibrated once, at first."""


def measured(seconds: float, slowdown: float, rounds: int) -> tuple[float, float]:
    """Return the tier's speed, and the length of the work, each against what was asked for."""
    found = [compare_speeds(seconds, slowdown) for _ in range(rounds)]
    tier = Tier(name="tier", summary="As slow as asked.", cpus=1, memory=1, speed=1 / slowdown)
    host = SimpleNamespace(tier=tier, slowdown=slowdown, enforced={})
    checks = [check_tier(host, 1, one) for one in found]
    return (
        median(check.measured / check.claimed for check in checks),
        median(check.work_s / seconds for check in checks),
    )


def main() -> int:
    """Print a line for each work and factor, and return 1 if any misses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    missed = 0
    for seconds, slowdown in product(WORKS_S, SLOWDOWNS):
        speed, length = measured(seconds, slowdown, rounds)
        met = abs(speed - 1) <= TIER_SHARE and LENGTH[0] <= length <= LENGTH[1]
        missed += not met
        print(
            f"{seconds * 1e3:5.1f} ms at 1/{slowdown:g}: {speed:.2f} of the speed claimed, "
            f"{length:.2f} of the length asked for{'' if met else '  MISSED'}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
