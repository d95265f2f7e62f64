"""How fast one thread of this machine is: products of float32 matrices, in a process of their own.

`python -m edgebench.measure.station.yardstick SECONDS` prints JSON, and needs numpy alone.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

SIDE = 192
"""Of the matrices: three of them take 432 KiB, which the second cache of most processors holds."""
ROUND_S = 0.02
"""About how long a round takes: many products, so that nothing is lost on the clock."""
WARM_S = 0.3
"""Before the first round: a processor that was idle takes some time to run at its full clock."""
LEAST_ROUNDS = 9


def time_rounds(seconds: float) -> list[float]:
    """Return what each round did in 10^9 operations a second of this process's processor time.

    Processor time, so that what else runs here is not taken for a slow processor, and a library
    that computes in several threads all the same is not taken for a fast one.
    """
    one = np.full((SIDE, SIDE), 0.5, np.float32)
    out = np.empty_like(one)
    count, end = 1, time.perf_counter() + WARM_S
    while time.perf_counter() < end:
        begin = time.process_time()
        for _ in range(count):
            np.matmul(one, one, out)
        took = time.process_time() - begin
        count = max(1, round(count * min(ROUND_S / max(took, 1e-6), 10.0)))
    rounds: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds) < LEAST_ROUNDS:
        begin = time.process_time()
        for _ in range(count):
            np.matmul(one, one, out)
        rounds.append(count * 2 * SIDE**3 / (time.process_time() - begin) / 1e9)
    return rounds


def name_blas() -> str:
    """Return what numpy multiplies matrices with, with its version, as far as numpy knows it."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    return " ".join(str(blas[key]) for key in ("name", "version") if blas.get(key))


def main(words: list[str]) -> None:
    """Measure for as many seconds as the one word says, and print what was found."""
    rounds = time_rounds(float(words[0]))
    found = {"rounds": rounds, "numpy": np.__version__, "blas": name_blas()}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
