"""Whether `partition(choose=min-latency)` chooses the cut that answers first.

    python benchmarks/cut_choice.py [--model M:VARIANT ...] [--rate MBIT ...] [--store DIR]
                                    [--blocks N] [--requests N] [--json]

For each model and rate of the link between `mobile` and `edge` the candidates are the 10 cuts that
are predicted to be best, 10 that are spread evenly over the bytes that cross, and no cut, on either
tier. All are measured in one run, block about block. The three fastest and the pick are measured
once more, in 10 blocks that take turns. The pick is the cut that `min-latency` chooses, or no cut
on the tier that it names where it doubts that any cut answers before. What is shown is how many
times as long the pick takes as the best of these: the median over blocks of the ratio of their
medians, as what disturbs a block of one disturbs that of the other. It is promised to be at most
1.05; the exit status is 1 where it is more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import attrs
from tables import digits, table

MODELS = ("resnet:small", "fcn:small", "bert:small")
RATES = (5, 50, 200)
PROMISED = 1.05
BEST, SPREAD, FASTEST, FINAL_BLOCKS = 10, 10, 3, 10
PLUGIN = Path(__file__).with_name("cut_choice_plugin.py")


@attrs.frozen(kw_only=True)
class Ranked:
    """A cut as it is predicted."""

    tensor: str
    bytes: int
    exact: bool
    predicted_s: float

    @property
    def chain(self) -> str:
        """The operator that cuts there."""
        return f'partition(tensor="{self.tensor}")'


@attrs.frozen(kw_only=True)
class Found:
    """What came of one model at one rate."""

    model: str
    rate: int
    pick: str
    best: str
    ratio: float
    low: float
    """The lower quartile of the ratio over blocks, and the upper."""
    high: float
    first: Mapping[str, float]
    """The median seconds of every candidate in the first run."""
    final: Mapping[str, float]
    """The same of those measured again."""
    predicted: Mapping[str, float]
    """By chain, the seconds that it is predicted to add to running all on the last tier."""

    @property
    def kept(self) -> bool:
        """Whether the promise is."""
        return self.ratio <= PROMISED


def run(args: Any, model: str, rate: int, *words: object) -> Any:
    """Run edgebench and return its document."""
    command = [
        *(sys.executable, "-m", "edgebench", "run", "--json", "--backend", "onnxruntime"),
        *("--plugin", PLUGIN, "--model", model, "--link", f"mobile-edge={rate}mbit"),
        *("--threads", 1, "--score-limit", 8, *words),
    ]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as place:
        done = subprocess.run(
            [*map(str, command), "--db", str(Path(place, "choice.db"))],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "EDGEBENCH_STORE": str(args.store)},
        )
    if not done.stdout.startswith("{"):
        raise SystemExit(f"{model} at {rate} Mbit/s: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def rank(args: Any, model: str, rate: int) -> tuple[list[Ranked], dict[str, float]]:
    """Return all cuts as they are predicted, the best first, and by chain what no cut takes."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as place:
        path = Path(place, "ranked.json")
        chain = f'rank-cuts(path="{path}")'
        words = ("--placement", "mobile-edge", "--blocks", 1, "--requests", 1)
        document = run(args, model, rate, "--operator", chain, *words)
        if not path.exists():
            raise SystemExit(f"{model}: not ranked: {document['cases'][0]['reason']}")
        found = json.loads(path.read_text())
    whole = {f"identity on {tier}": took for tier, took in found["whole"].items()}
    return [Ranked(**one) for one in found["cuts"]], whole


def choose(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Return the candidates that are cut: those predicted best, and some evenly over bytes."""
    found, rest = list(ranked[:BEST]), list(ranked[BEST:])
    least, most = min(one.bytes for one in ranked), max(one.bytes for one in ranked)
    for step in range(min(SPREAD, len(rest))):
        wanted = least + (most - least) * step / (SPREAD - 1)
        nearest = min(rest, key=lambda one: abs(one.bytes - wanted))
        found.append(nearest)
        rest.remove(nearest)
    return found


def measure(
    args: Any, model: str, rate: int, wanted: Sequence[str], blocks: int
) -> dict[str, list[float]]:
    """Return the medians of the blocks of chains, block about block; `identity on T` is no cut."""
    chains = [name for name in wanted if " on " not in name]
    whole = [name.split(" on ") for name in wanted if " on " in name]
    operators = dict.fromkeys([*chains, *(chain for chain, _ in whole)])
    placements = ["mobile-edge"] * bool(chains) + [tier for _, tier in whole]
    words: list[object] = ["--blocks", blocks, "--requests", args.requests]
    words += [word for one in operators for word in ("--operator", one)]
    words += [word for one in placements for word in ("--placement", one)]
    # A run writes a chain without the quotes that the command line needs.
    asked = {name.replace('"', ""): name for name in wanted}
    found = {}
    for case in run(args, model, rate, *words)["cases"]:
        alone = case["placement"] != "mobile-edge"
        written = case["chain"] + f" on {case['placement']}" * alone
        name = asked.get(written.replace('"', ""), written)
        if case["status"] == "ok":
            found[name] = list(case["latency_s"]["block_medians"])
        elif case["status"] != "skipped":
            print(f"{model}: {name} {case['status']}: {case['reason']}", file=sys.stderr)
    return found


def compare(args: Any, model: str, rate: int) -> Found:
    """Measure the candidates of one model at one rate."""
    ranked, whole = rank(args, model, rate)
    cuts = choose(ranked)
    chains = [*(one.chain for one in cuts), *whole]
    first = measure(args, model, rate, chains, args.blocks)
    fastest = sorted(first, key=lambda name: median(first[name]))[:FASTEST]
    uncut = min(whole, key=lambda name: whole[name])
    pick = uncut if whole[uncut] <= ranked[0].predicted_s else ranked[0].chain
    final = measure(args, model, rate, list(dict.fromkeys([*fastest, pick])), FINAL_BLOCKS)
    best = min(final, key=lambda name: median(final[name]))
    ratios = [a / b for a, b in zip(final[pick], final[best], strict=False)]
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return Found(
        model=model,
        rate=rate,
        pick=pick,
        best=best,
        ratio=median(ratios),
        low=low,
        high=high,
        first={name: median(took) for name, took in first.items()},
        final={name: median(took) for name, took in final.items()},
        predicted={one.chain: one.predicted_s for one in cuts} | whole,
    )


def describe(found: Found) -> list[str]:
    """Write a row of the table."""
    return [
        found.model,
        str(found.rate),
        f"`{found.pick}`",
        digits(1e3 * found.final[found.pick]),
        f"`{found.best}`",
        digits(1e3 * found.final[found.best]),
        f"{found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})",
        "kept" if found.kept else "not kept",
    ]


def main() -> int:
    """Measure, and print a table or a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", metavar="M:VARIANT")
    parser.add_argument("--rate", action="append", type=int, metavar="MBIT")
    parser.add_argument("--store", type=Path, help="where artifacts are kept")
    parser.add_argument("--blocks", type=int, default=3, help="of the first run, each candidate")
    parser.add_argument("--requests", type=int, default=15, help="requests a block")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        args.store = args.store or Path(scratch)
        for model in args.model or MODELS:
            for rate in args.rate or RATES:
                found.append(compare(args, model, rate))
                print("; ".join(describe(found[-1])), file=sys.stderr, flush=True)
    if args.json:
        print(json.dumps([attrs.asdict(one) | {"kept": one.kept} for one in found], indent=1))
    else:
        columns = ("model", "Mbit/s", "pick", "ms", "best", "ms", "pick / best", "promise")
        print(table(columns, [describe(one) for one in found]))
    return int(not all(one.kept for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
