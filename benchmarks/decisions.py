"""How soon cases are told apart, or equal, on this machine; and whether dropping keeps the answer.

    python benchmarks/decisions.py equals [--runs N] [--copies N] [--model M:VARIANT]
    python benchmarks/decisions.py until [--repeats N] [--model M:VARIANT ...]
                                   [--operator CHAIN ...] [--placement P ...] [--backend B ...]
    either with [--requests N] [--store DIR]

`equals` measures copies of one case, blocks added until each is told from the best of them: 20 runs
of 4 copies are 60 pairs. Promised: none is called faster or slower, at least 48 equal.

`until` measures some cases in 20 blocks each, then in runs of `--until decided` that may take as
many. Promised: at most half of the blocks, and an answer that the exhaustive run calls the best,
equal to it, or not told from it.

The exit status is 1 where a promise is not kept. Both want a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgebench.analysis.decisions import rank
from edgebench.analysis.results import RunResults
from edgebench.analysis.verdicts import Verdicts, count_pairs
from edgebench.records.database import Database

PLUGIN = Path(__file__).with_name("copies_plugin.py")
MOST = 20
CHAINS = ("identity", "sptq", "prune", "distill", "distill+sptq", "early-exit(mode=static)", "qat")
PLACEMENTS = ("mobile", "edge")


def run(args: argparse.Namespace, *words: object) -> RunResults:
    """Run edgebench, and return the results."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as place:
        path = Path(place, "decisions.db")
        command = [sys.executable, "-m", "edgebench", "run", "--quiet", "--plugin", PLUGIN,
                   "--requests", args.requests, *words]  # fmt: skip
        done = subprocess.run(
            [*map(str, command), "--db", str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "EDGEBENCH_STORE": str(args.store)},
        )
        if not path.exists():
            raise SystemExit(done.stderr.strip()[-2000:])
        with Database.open(path) as database:
            return RunResults.of(database.read_run())


def many(option: str, values: list[str]) -> Iterator[str]:
    """Yield an option once for each value."""
    for value in values:
        yield from (f"--{option}", value)


def judge_pairs(results: RunResults) -> Counter[str]:
    """Return what the pairs of the copies of a run with the best of them are called."""
    measured = [one for one in results.results if one.latency is not None]
    verdicts = Verdicts.of(measured, 0.02, results.run.max_blocks)
    best, *others = rank(measured, verdicts)
    pairs = count_pairs(len(measured))
    return Counter(verdicts.judge(one, best, pairs) for one in others)


def try_equals(args: argparse.Namespace) -> bool:
    """Measure copies of one case; return whether the promise is kept."""
    told: Counter[str] = Counter()
    copies = [f"copy(n={number})" for number in range(1, args.copies + 1)]
    words = [*many("operator", copies), "--placement", "mobile", "--backend", "onnxruntime",
             "--model", args.model[0], "--score-limit", 64]  # fmt: skip
    run(args, *words, "--blocks", 1)  # so that no run prepares anything
    began, blocks = time.monotonic(), 0
    for number in range(args.runs):
        results = run(args, *words, "--until", "decided", "--seed", 0)
        told += judge_pairs(results)
        blocks += sum(len(one.measured) for one in results.results)
        print(f"run {number + 1}: {dict(told)}, {blocks} blocks", file=sys.stderr)
    each = (time.monotonic() - began) / (args.runs * args.copies)
    print(json.dumps({**told, "blocks a case": blocks / (args.runs * args.copies),
                      "seconds a case": round(each, 1)}))  # fmt: skip
    pairs = args.runs * (args.copies - 1)
    return not told["slower"] + told["faster"] and told["equal"] >= 0.8 * pairs


def try_until(args: argparse.Namespace) -> bool:
    """Measure cases in all blocks and until decided; return whether the promises are kept."""
    words = [*many("operator", args.operator), *many("placement", args.placement),
             *many("backend", args.backend), *many("model", args.model)]  # fmt: skip
    whole = run(args, *words, "--blocks", MOST)
    measured = [one for one in whole.results if one.latency is not None]
    all_blocks = sum(len(one.measured) for one in measured)
    print(f"{len(measured)} cases, {all_blocks} blocks: {say(whole)}", file=sys.stderr)
    kept = True
    for number in range(args.repeats):
        results = run(args, *words, "--until", "decided", "--max-blocks", MOST)
        share = sum(len(one.measured) for one in results.results) / all_blocks
        agrees = [is_good(one, whole) for one in results.decisions]
        kept &= share <= 0.5 and all(agrees)
        print(json.dumps({"repeat": number + 1, "share of blocks": round(share, 3),
                          "good": all(agrees), "answer": say(results)}))  # fmt: skip
    return kept


def say(results: RunResults) -> str:
    """Return the answers in words."""
    return " ".join(one.sentence for one in results.decisions)


def is_good(decision: Any, whole: RunResults) -> bool:
    """Say whether a run's answer is one of those that the exhaustive run leaves as the best."""
    other = next(one for one in whole.decisions if one.title == decision.title)
    best = [other.fastest, *other.equal, *other.undecided, *other.open_faster]
    good = {one.case.id for one in best if one is not None}
    answer = [decision.fastest] if decision.fastest else decision.undecided
    return bool(answer) and any(one.case.id in good for one in answer)


def main(words: list[str]) -> int:
    """Measure, print, and return 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["equals", "until"])
    parser.add_argument("--runs", type=int, default=20, metavar="N")
    parser.add_argument("--copies", type=int, default=4, metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument("--requests", type=int, default=40, metavar="N")
    parser.add_argument("--store", type=Path, default=Path("store"), metavar="DIR")
    for name, default in (
        ("model", ["resnet:small"]),
        ("operator", CHAINS),
        ("placement", PLACEMENTS),
        ("backend", ["onnxruntime"]),
    ):
        parser.add_argument(f"--{name}", action="append", metavar=name[0].upper())
        parser.set_defaults(**{f"default_{name}": default})
    args = parser.parse_args(words)
    for name in ("model", "operator", "placement", "backend"):
        setattr(args, name, getattr(args, name) or list(getattr(args, f"default_{name}")))
    return int(not (try_equals if args.what == "equals" else try_until)(args))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
