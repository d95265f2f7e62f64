"""What the shipped operators promise on the small models, measured over seeds.

    python benchmarks/operators.py [--model M:VARIANT ...] [--operator CHAIN ...] [--seed N ...]
                                   [--store DIR] [--jobs N] [--blocks N] [--requests N]
                                   [--json]

Each model is trained with each seed, and each chain applied to it and scored on the test split,
on ONNX Runtime. What is shown of a chain is the mean over the seeds of the points lost against the
same seed's untransformed model. Its 95 % interval holds what other seeds and what other labels
would give: the seeds share their labels, so more seeds do not make those more. A promise is met
where the estimate keeps it, shown where the whole interval does, and open else. Ratios of time are
those of inference, and with exits those of the mean request; they mean something on a machine that
does nothing else, with one job. The exit status is 1 where a promise is not met.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import attrs
from scipy import stats
from tables import digits, table

MODELS = (
    "resnet:small", "resnext:small", "vgg:small", "fcn:small", "duc:small", "bert:small",
    "roberta:small",
)  # fmt: skip
VISION = ("resnet", "resnext", "vgg", "fcn", "duc")
QUANTILE = 1.96
"""Of the normal distribution, for 95 %."""


@attrs.frozen(kw_only=True)
class Promise:
    """What a chain promises of a model."""

    lost: float
    """Points of accuracy that it loses at most."""
    faster: float = 0.0
    """How many times as fast it is at least; for models that take pictures where *pictures*."""
    pictures: bool = False
    leaving: float = 0.0
    """The share of inputs that leave early at least."""


PROMISES: Mapping[str, Promise] = {
    "sptq": Promise(lost=1),
    "qat": Promise(lost=0.5),
    "prune": Promise(lost=2, faster=1.5, pictures=True),
    "distill": Promise(lost=2, faster=1.8),
    "early-exit(mode=dynamic)": Promise(lost=1, faster=1, leaving=0.3),
    "distill+sptq": Promise(lost=3),
}


@attrs.frozen(kw_only=True)
class Draw:
    """What one chain gave with one seed."""

    seed: int
    status: str
    reason: str = ""
    accuracy: float | None = None
    lost: float | None = None
    """Points."""
    error: float = 0.0
    """The standard error of that, for other labels."""
    inference_s: float = 0.0
    mean_s: float = 0.0
    """Of a request, what links cost included."""
    leaving: float | None = None
    bytes: int = 0


@attrs.frozen(kw_only=True)
class Row:
    """What one chain gave a model over all seeds."""

    model: str
    chain: str
    draws: tuple[Draw, ...]
    plain: tuple[Draw, ...]
    """Of the same seeds, untransformed."""

    @property
    def lost(self) -> tuple[float, float] | None:
        """The mean of the points lost, and half the width of its interval."""
        losses = [draw.lost for draw in self.draws if draw.lost is not None]
        if not losses:
            return None
        labels = fmean(draw.error for draw in self.draws if draw.lost is not None)
        count = len(losses)
        seeds = stdev(losses) / math.sqrt(count) if count > 1 else 0.0
        # So few seeds are a sample of Student's distribution.
        quantile = float(stats.t.ppf(0.975, count - 1)) if count > 1 else 0.0
        return fmean(losses), math.hypot(QUANTILE * labels, quantile * seeds)

    @property
    def faster(self) -> float | None:
        """How many times as fast it is: by inference, and where inputs leave early by the mean."""
        name = "inference_s" if self.leaving is None else "mean_s"
        own, plain = ([getattr(one, name) for one in some] for some in (self.draws, self.plain))
        pairs = [(a, b) for a, b in zip(own, plain, strict=True) if a and b]
        return math.exp(fmean(math.log(b / a) for a, b in pairs)) if pairs else None

    @property
    def leaving(self) -> float | None:
        """The mean share that leaves early."""
        found = [draw.leaving for draw in self.draws if draw.leaving is not None]
        return fmean(found) if found else None

    @property
    def faults(self) -> list[str]:
        """What it does not keep of its promise, in words."""
        promise, faults = PROMISES.get(self.chain), []
        faults += [f"seed {d.seed}: {d.status}: {d.reason}" for d in self.draws if d.status != "ok"]
        if promise is None:
            return faults
        if self.lost is None:
            faults.append("no accuracy was measured")
        elif self.lost[0] > promise.lost:
            faults.append(f"{digits(self.lost[0])} points lost, at most {promise.lost:g} promised")
        bound = promise.faster if not promise.pictures or self._sees else 0.0
        if bound and (self.faster is None or self.faster < bound):
            found = "no time was measured" if self.faster is None else digits(self.faster)
            faults.append(f"{found} times as fast, {bound:g} promised")
        if promise.leaving and (self.leaving or 0.0) < promise.leaving:
            faults.append(f"{self.leaving or 0:.0%} leave early, {promise.leaving:.0%} promised")
        return faults

    @property
    def verdict(self) -> str:
        """Whether the points lost are shown to be few enough, or only estimated to be."""
        promise = PROMISES.get(self.chain)
        if promise is None or self.lost is None:
            return "-"
        mean, half = self.lost
        return (
            "shown" if mean + half <= promise.lost else "open" if mean <= promise.lost else "lost"
        )

    @property
    def _sees(self) -> bool:
        return self.model.partition(":")[0] in VISION


def measure(model: str, seed: int, chains: Sequence[str], args: Any) -> dict[str, Draw]:
    """Measure chains on one model with one seed; return by chain what each gave."""
    words = [word for chain in ("identity", *chains) for word in ("--operator", chain)]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        database = Path(scratch, "results.db")
        said = subprocess.run(
            [
                *(sys.executable, "-m", "edgebench", "run", "--json", "--quiet"),
                *("--model", model, "--seed", str(seed), "--db", str(database)),
                *("--backend", "onnxruntime", "--placement", "cloud", "--input-at", "cloud"),
                *("--blocks", str(args.blocks), "--requests", str(args.requests), *words),
            ],
            env={**os.environ, "EDGEBENCH_STORE": str(args.store)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        document = json.loads(said.stdout)
        means = read_means(database)
    cases = {case["chain"]: read_draw(case, seed, means) for case in document["cases"]}
    return {chain: cases[spelt] for chain, spelt in zip(["identity", *chains], cases, strict=True)}


def read_means(database: Path) -> dict[str, float]:
    """Return the mean seconds of a request by the id of its case."""
    query = """
        SELECT case_id, avg(seconds) FROM requests
        WHERE kind = 'latency' AND status = 'ok' GROUP BY case_id
    """
    with sqlite3.connect(database) as opened:
        return dict(opened.execute(query))


def read_draw(case: Mapping[str, Any], seed: int, means: Mapping[str, float]) -> Draw:
    """Read what a case gave from the document of a run."""
    if case["status"] != "ok":
        return Draw(seed=seed, status=case["status"], reason=case["reason"])
    losses = list(case["accuracy_loss"].values())
    loss = losses[0] if losses else None
    ends = loss["ci95"] if loss else None
    phases = case["phases_s"].items()
    return Draw(
        seed=seed,
        status="ok",
        accuracy=next(iter(case["accuracy"].values()), None),
        lost=loss["points"] if loss else None,
        error=(ends[1] - ends[0]) / (2 * QUANTILE) if ends else 0.0,
        inference_s=sum(seconds for name, seconds in phases if name.startswith("inference")),
        mean_s=means[case["id"]],
        leaving=sum(case["exit_rates"].values()) if case["exit_rates"] else None,
        bytes=case["model_bytes"],
    )


def measure_all(args: Any) -> Iterator[Row]:
    """Yield what each chain gave each model, a model at a time."""
    with ThreadPoolExecutor(args.jobs) as pool:
        asked = {
            (model, seed): pool.submit(measure, model, seed, args.operator, args)
            for model in args.model
            for seed in args.seed
        }
        for model in args.model:
            found = [asked[model, seed].result() for seed in args.seed]
            for chain in args.operator:
                yield Row(
                    model=model,
                    chain=chain,
                    draws=tuple(one[chain] for one in found),
                    plain=tuple(one["identity"] for one in found),
                )


def describe(row: Row) -> list[str]:
    """Write a row of the table."""
    plain = [one.accuracy for one in row.plain if one.accuracy is not None]
    sizes = [a.bytes / b.bytes for a, b in zip(row.draws, row.plain, strict=True) if a.bytes]
    lost = row.lost
    return [
        row.model,
        row.chain,
        f"{100 * fmean(plain):.1f}" if plain else "-",
        f"{lost[0]:.2f} ± {lost[1]:.2f}" if lost else "-",
        row.verdict,
        f"{row.faster:.2f}" if row.faster else "-",
        f"{row.leaving:.0%}" if row.leaving is not None else "-",
        f"{fmean(sizes):.2f}" if sizes else "-",
        "; ".join(row.faults) or "kept",
    ]


def main() -> int:
    """Measure, and print a table or a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", action="append", metavar="M:VARIANT")
    parser.add_argument("--operator", action="append", metavar="CHAIN")
    parser.add_argument("--seed", action="append", type=int, metavar="N")
    parser.add_argument("--store", type=Path, help="where artifacts are kept")
    parser.add_argument("--jobs", type=int, default=1, help="models and seeds at a time")
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--requests", type=int, default=31, help="requests a block")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    args.model = args.model or list(MODELS)
    args.operator = args.operator or list(PROMISES)
    args.seed = args.seed or [0, 1, 2]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        args.store = args.store or Path(scratch)
        rows = []
        for row in measure_all(args):
            rows.append(row)
            print(f"{row.model} {row.chain}: {'; '.join(describe(row)[3:])}", file=sys.stderr)
    if args.json:
        print(json.dumps([attrs.asdict(row) | {"faults": row.faults} for row in rows], indent=2))
    else:
        columns = (
            "model", "operators", "accuracy %", "points lost", "that is", "times as fast",
            "leave early", "size", "promise",
        )  # fmt: skip
        print(table(columns, [describe(row) for row in rows]))
    return 1 if any(row.faults for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
