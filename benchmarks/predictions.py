"""How far `edgebench predict` lies from what is measured, at rates and at cuts it has not seen.

    python benchmarks/predictions.py [--model M:VARIANT ...] [--rate MBIT ...] [--store DIR]
                                     [--blocks N] [--requests N] [--cuts N] [--keep DIR] [--json]

Each model is measured in one run, block about block: whole on `mobile` and on `edge`, and at
several cuts between, that spread over what they are predicted to take, at each rate of the link.
Then each strategy that uses the link is predicted at each rate from another, and each cut from the
other cuts, and from the one that `partition` chooses. The error of a prediction is the median over
rounds of predicted over measured medians, less 1, as what disturbs a block of one disturbs that of
the other. What is shown is the median of the absolute errors. It is promised to be at most 5 % at
rates and 10 % at cuts, from one cut or from all; the exit status is 1 where it is more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
from tables import table

from edgebench.analysis.cut_predictions import Candidate, CutModel, find_share
from edgebench.analysis.predictions import Prediction, predict_links
from edgebench.analysis.result import Result
from edgebench.analysis.results import RunResults
from edgebench.analysis.rounds import name_round
from edgebench.records.database import Database

MODELS = ("resnet:small", "fcn:small", "bert:small")
RATES = (20, 100)
PROMISED = {"rates": 0.05, "cuts, from the others": 0.10, "cuts, from one": 0.10}
CUT = "partition"
"""The chain that is measured first, and predicts the others."""


@attrs.frozen(kw_only=True)
class Errors:
    """How far predictions of one kind lie from what was measured."""

    model: str
    kind: str
    """One of `PROMISED`."""
    errors: Sequence[float]
    """Relative, with their signs."""

    @property
    def median(self) -> float:
        """The median of the absolute errors."""
        return median(map(abs, self.errors))

    @property
    def kept(self) -> bool:
        """Whether the promise is."""
        return self.median <= PROMISED[self.kind]


def edgebench(args: Any, *words: object) -> Any:
    """Run edgebench and return its document."""
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EDGEBENCH_STORE": str(args.store)},
    )
    if not done.stdout.startswith("{"):
        raise SystemExit(done.stderr.strip()[-2000:])
    return json.loads(done.stdout)


def choose_cuts(args: Any, model: str, place: Path) -> list[str]:
    """Return chains that cut elsewhere than `CUT` does, spread over their predictions."""
    words = ("--model", model, "--operator", CUT, "--placement", "mobile-edge", *HOW)
    edgebench(args, "run", *words, "--db", place / "first.db", "--blocks", 2, "--requests", 5)
    found = [one["chain"] for one in edgebench(args, "predict", "--db", place / "first.db")["cuts"]]
    if len(found) <= args.cuts:
        return found
    return [found[round(n * (len(found) - 1) / (args.cuts - 1))] for n in range(args.cuts)]


HOW = ("--backend", "onnxruntime", "--threads", 1, "--score-limit", 8)


def measure(args: Any, model: str, place: Path) -> list[Result]:
    """Measure a model whole and at cuts, at each rate, in one run."""
    chains = ["identity", CUT, *choose_cuts(args, model, place)]
    words: list[object] = ["run", "--model", model, *HOW, "--db", place / "all.db"]
    words += [word for one in chains for word in ("--operator", one)]
    words += [word for one in ("mobile", "edge", "mobile-edge") for word in ("--placement", one)]
    words += [word for rate in args.rate for word in ("--link", f"mobile-edge={rate}mbit")]
    edgebench(args, *words, "--blocks", args.blocks, "--requests", args.requests)
    with Database.open(place / "all.db") as database:
        results = RunResults.of(database.read_run()).results
    return [one for one in results if one.status == "ok"]


def compare(found: Prediction, wanted: Result, results: Sequence[Result]) -> float:
    """Return the error of a prediction, within the rounds of what it was predicted from."""
    base = next(one for one in results if one.case.id == found.base)
    known = {name_round(block): block for block in wanted.measured}
    blocks = found.latency.blocks if found.latency else ()
    ratios = [
        median(predicted.tolist()) / median(known[name_round(block)].latency_s.tolist())
        for predicted, block in zip(blocks, base.measured, strict=True)
        if name_round(block) in known
    ]
    return median(ratios) - 1


def find_rate_errors(results: Sequence[Result]) -> Iterator[float]:
    """Yield the error of each strategy at each rate, predicted from another."""
    settings = {one.case.links: one for one in results if one.case.links}
    for links in settings:
        found, _ = predict_links(results, links)
        yield from (compare(one, one.measured, results) for one in found if one.measured)


def find_cut_errors(results: Sequence[Result], *, from_one: bool) -> Iterator[float]:
    """Yield the error of each cut at each rate, predicted from `CUT` or from all others."""
    wholes = [one for one in results if len(one.case.placement.tiers) == 1]
    shares = [(share, one) for one in results if (share := find_share(one)) is not None]
    for links in {one.case.links: None for one in results if one.case.links}:
        cuts = [
            (share, one)
            for share, one in shares
            if one.case.links == links and len(one.case.placement.tiers) == 2
        ]
        alone = [one for one in wholes if one.case.links in ((), links)]
        for share, wanted in cuts:
            known = [
                (other, one)
                for other, one in cuts
                if one is not wanted and (not from_one or one.case.chain == CUT)
            ]
            if known and wanted.median:
                model = CutModel(known, alone)
                sent = median(b.bytes_out["mobile"] for b in wanted.measured)
                candidate = Candidate(chain=wanted.case.chain, bytes=sent, share=share)
                found = model.predict(candidate, links)
                if isinstance(found, Prediction):
                    yield compare(found, wanted, results)


def judge(args: Any, model: str, place: Path) -> list[Errors]:
    """Measure a model, and return the errors of each kind."""
    results = measure(args, model, place)
    found = {
        "rates": list(find_rate_errors(results)),
        "cuts, from the others": list(find_cut_errors(results, from_one=False)),
        "cuts, from one": list(find_cut_errors(results, from_one=True)),
    }
    return [Errors(model=model, kind=kind, errors=own) for kind, own in found.items() if own]


def pool(kind: str, found: Sequence[Errors]) -> Errors:
    """Return the errors of one kind of all models."""
    errors = [error for one in found if one.kind == kind for error in one.errors]
    return Errors(model="all", kind=kind, errors=errors)


def describe(one: Errors) -> list[str]:
    """Write a row of the table."""
    worst = max(one.errors, key=abs)
    return [
        one.model,
        one.kind,
        str(len(one.errors)),
        f"{one.median:.1%}",
        f"{worst:+.1%}",
        "kept" if one.kept else "not kept",
    ]


def main() -> int:
    """Measure, and print a table or a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", metavar="M:VARIANT")
    parser.add_argument("--rate", action="append", type=int, metavar="MBIT")
    parser.add_argument("--store", type=Path, help="where artifacts are kept")
    parser.add_argument("--blocks", type=int, default=7, help="of each case")
    parser.add_argument("--requests", type=int, default=31, help="requests a block")
    parser.add_argument("--cuts", type=int, default=4, help="beside the one that is chosen")
    parser.add_argument("--keep", type=Path, help="where the databases are kept")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.rate = args.rate or list(RATES)
    found = []
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        args.store = args.store or Path(scratch, "store")
        for model in args.model or MODELS:
            place = Path(args.keep or scratch, model.replace(":", "-"))
            place.mkdir(parents=True, exist_ok=True)
            found += judge(args, model, place)
    every = [pool(kind, found) for kind in PROMISED]
    if args.json:
        print(json.dumps([{**attrs.asdict(one), "median": one.median} for one in [*found, *every]]))
    else:
        columns = ["model", "what", "predictions", "median error", "worst", "promise"]
        print(table(columns, map(describe, [*found, *every])))
    return int(not all(one.kept for one in every))


if __name__ == "__main__":
    sys.exit(main())
