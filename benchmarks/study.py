"""The first study's latencies, imported as published and held against an independent computation.

    python benchmarks/study.py DIRECTORY

The directory holds `blackbox_default.csv.gz`, 36,000 latencies of arXiv 2403.17154 (columns model,
operator, tiers, latency_s in order of pass and input), and `blackbox_expected.csv`, what another
program computed of them. They are written out as the study's package has them, a table of 600 rows
a configuration, the first pass twice; that is imported by the command, and everything is computed
from the database. The exit status is 1 where a row differs or a time is over its limit.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.analysis.rank_tests import conover_iman, kruskal_wallis, shapiro_wilk
from edgebench.analysis.results import RunResults
from edgebench.cli import main as edgebench
from edgebench.records.database import Database

LIMIT_S = 3.0
"""For the import, and for all statistics."""
EXACT, CLOSE = 1e-9, 1e-6
"""How near, relatively, medians and all other figures must be."""
TINY = 1e-300
"""Below it a p value is not compared."""
FIRST = 100
"""Values of a pass."""
OPERATORS = {
    "identity": ("", "identity"),
    "quantized": (" Quantize", "sptq"),
    "early_exit": (" EarlyExit", "early-exit"),
    "partition": ("", "partition"),
    "quantized_early_exit": (" Quantize EarlyExit", "early-exit+sptq"),
    "quantized_early_exit_partition": (" Quantize EarlyExit", "early-exit+sptq+partition"),
}
"""By the name that the data has, how the package writes it, and the chain that it becomes."""
MODELS = {"resnet": "ResNet", "resnext": "ResNeXt", "fcn": "FCN", "duc": "DUC"}

Samples = Mapping[tuple[str, str], Any]
"""Seconds by model and `operator@tiers`, as the expected rows name them."""


def write_package(data: Path, table: Path) -> None:
    """Write the latencies as the package has them."""
    found: dict[tuple[str, str], list[str]] = {}
    with gzip.open(data, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = f"{row['model']}{OPERATORS[row['operator']][0]}"
            found.setdefault((row["tiers"].title(), name), []).append(row["latency_s"])
    with table.open("w", encoding="utf-8") as written:
        written.write("Inference,Device,Model\n")
        for (tiers, name), values in found.items():
            for value in values[:FIRST] + values:
                written.write(f'"{value}\n",{tiers},{name}\n')


def read_samples(database: Path) -> Samples:
    """Read what was imported, from the database alone."""
    names = {chain: name for name, (_, chain) in OPERATORS.items()}
    with Database.open(database) as opened:
        results = RunResults.of(opened.read_run()).results
    return {
        (MODELS[one.case.model], f"{names[one.case.chain]}@{one.case.placement}"): one.latency
        for one in results
    }


def describe(values: Any) -> dict[str, float]:
    """Return the descriptives that the expected rows have, by their names."""
    q1, q3 = np.quantile(values, (0.25, 0.75))
    return {
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "std_pop": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "q1": float(q1),
        "q3": float(q3),
        "iqr": float(q3 - q1),
        "p95": float(np.quantile(values, 0.95)),
        "cv": float(values.std() / values.mean()),
    }


def compute(samples: Samples, rows: list[dict[str, str]]) -> dict[tuple[str, ...], Any]:
    """Compute everything that the expected rows name, by model, family or group, and kind."""
    found: dict[tuple[str, ...], Any] = {}
    for (model, group), latency in samples.items():
        described = describe(latency.seconds) | {"median": latency.median}
        found |= {("describe", model, group, name): value for name, value in described.items()}
        found["shapiro", model, group] = shapiro_wilk(latency.seconds)
    for row in rows:
        if row["kind"] == "kruskal":
            model, family, groups = row["model"], row["family"], row["group_a"].split("; ")
            arrays = [samples[model, group].seconds for group in groups]
            found["kruskal", model, family] = kruskal_wallis(arrays)
            for pair in conover_iman(arrays, "none"):
                ends = groups[pair.first], groups[pair.second]
                found["pair", model, family, *ends] = pair
    return found


def compare(rows: list[dict[str, str]], found: Mapping[tuple[str, ...], Any]) -> Iterator[Any]:
    """Yield the kind of each expected row, and whether what was computed agrees with it."""
    readers: dict[str, Callable[[dict[str, str]], bool]] = {
        "describe": lambda row: is_near(
            found["describe", row["model"], row["group_a"], row["name"]],
            row["statistic"],
            EXACT if row["name"] == "median" else CLOSE,
        ),
        "shapiro": lambda row: is_near(
            found["shapiro", row["model"], row["group_a"]].statistic, row["statistic"]
        ),
        "kruskal": lambda row: is_near(
            found["kruskal", row["model"], row["family"]].statistic, row["statistic"]
        ),
        "conover": lambda row: (
            float(row["p_value"]) < TINY or is_near(find_pair(found, row).p, row["p_value"])
        ),
        "cliffs_delta": lambda row: (
            is_near(find_pair(found, row).delta, row["statistic"])
            and find_pair(found, row).magnitude == row["magnitude"]
        ),
    }
    for row in rows:
        if row["kind"] in readers:
            kind = f"{row['kind']} {row['name']}" if row["name"] == "median" else row["kind"]
            yield kind, readers[row["kind"]](row)


def find_pair(found: Mapping[tuple[str, ...], Any], row: dict[str, str]) -> Any:
    """Return the pair of groups that a row is of."""
    return found["pair", row["model"], row["family"], row["group_a"], row["group_b"]]


def is_near(value: float, expected: str, share: float = CLOSE) -> bool:
    """Say whether a figure is the expected one within a share of it."""
    return math.isclose(value, float(expected), rel_tol=share, abs_tol=1e-15)


def main() -> int:
    """Print how many rows of each kind agree, and the times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    with (directory / "blackbox_expected.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as name:
        table, database = Path(name) / "package.csv", Path(name) / "study.db"
        write_package(directory / "blackbox_default.csv.gz", table)
        begin = time.perf_counter()
        if edgebench(["import", str(table), "--db", str(database)]):
            return 1
        importing_s = time.perf_counter() - begin
        samples = read_samples(database)
        begin = time.perf_counter()
        found = compute(samples, rows)
        computing_s = time.perf_counter() - begin
    agree, of = Counter[str](), Counter[str]()
    for kind, near in compare(rows, found):
        of[kind] += 1
        agree[kind] += near
    for kind, count in of.items():
        print(f"{kind}: {agree[kind]} of {count} agree")
    print(
        f"import: {importing_s:.2f} s; statistics: {computing_s:.2f} s (limit {LIMIT_S:g} s each)"
    )
    return int(agree != of or max(importing_s, computing_s) > LIMIT_S)


if __name__ == "__main__":
    sys.exit(main())
