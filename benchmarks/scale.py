"""What a request weighs and what it takes: the tables of docs/method.md, measured.

    python benchmarks/scale.py [--model M:VARIANT ...] [--link A-B=RATE ...] [--json]

Each model is measured in f32 and in int8: whole on every tier, and cut in two between the first
and the second, where `partition` cuts by itself and for some where a picture has just become small
(`EARLY`). The links are those of the suite `quickstart` unless others are given; several rates from
the first tier to the second make a row each. Nothing is called faster unless its 95 % interval
overlaps no other's: more `--blocks` make the intervals narrower.

Both tables are printed as the page has them, then what could not be measured. The exit status is 1
where anything could not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tables import digits, table

from edgebench.parts.units import write_rate

SMALL = ("resnet", "resnext", "vgg", "fcn", "duc", "bert", "roberta")
LINKS = ("mobile-edge=200mbit", "edge-cloud=50mbit")
"""The links of the suite `quickstart`."""
EARLY: Mapping[str, str] = {
    "duc:small": "max_pool2d",
    "fcn:small": "max_pool2d",
    "resnet:small": "relu",
}
"""By model, the tensor of an early cut: what the first convolution makes of the picture."""
PRECISIONS: Mapping[str, tuple[str, str]] = {
    "f32": ("", ""),
    "int8": ("sptq+", "_QuantizeLinear_Output"),
}
"""What stands before a cut in the chain, and what the quantizer calls a tensor as integers."""
PLACEMENTS = ("mobile", "edge", "cloud", "mobile-edge")
COLUMNS: Mapping[str, tuple[str, str]] = {
    "mobile": ("whole", "mobile"),
    "edge": ("whole", "edge"),
    "cloud": ("whole", "cloud"),
    "cut": ("balanced", "mobile-edge"),
    "cut early": ("early", "mobile-edge"),
}
"""By column of the second table: how the graph is cut, and the placement."""

Case = Mapping[str, Any]


def chains(model: str, precision: str) -> dict[str, str]:
    """Return the chains of a model in a precision by how they cut the graph."""
    before, integers = PRECISIONS[precision]
    made = {"whole": before.rstrip("+") or "identity", "balanced": f"{before}partition"}
    if tensor := EARLY.get(model):
        made["early"] = f"{before}partition(tensor={tensor}{integers})"
    return made


def measured(model: str, options: argparse.Namespace) -> list[Case]:
    """Measure one model in every way; return the cases that chain and placement go together for.

    Raises:
        SystemExit: The run itself failed; it has said why.
    """
    operators = [chain for one in PRECISIONS for chain in chains(model, one).values()]
    words = ["run", "--model", model, "--backend", "onnxruntime", "--json", "--quiet"]
    given = (("operator", operators), ("placement", PLACEMENTS), ("link", options.link))
    words += [word for name, values in given for one in values for word in (f"--{name}", one)]
    words += ["--blocks", str(options.blocks), "--requests", str(options.requests)]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "edgebench", *words, "--db", str(Path(scratch) / "scale.db")],
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
    if done.returncode not in (0, 1):
        raise SystemExit(done.returncode)
    return [case for case in json.loads(done.stdout)["cases"] if fits(case)]


def fits(case: Case) -> bool:
    """Say whether a case has as many pieces as its placement has tiers."""
    return ("partition" in case["chain"]) == ("-" in case["placement"])


def rate(case: Case) -> float | None:
    """Return the bit/s from the first tier to the second; None where nothing goes that way."""
    links = [one for one in case["network"] if set(one["between"]) == {"mobile", "edge"}]
    return links[0]["rate_bit_s"] if links else None


def found(cases: Sequence[Case], chain: str | None, placement: str, at: float) -> Case | None:
    """Return the case of a chain on a placement over a link, if it was measured."""
    fitting = (
        case
        for case in cases
        if case["status"] == "ok"
        and (case["chain"], case["placement"]) == (chain, placement)
        and rate(case) in (None, at)
    )
    return next(fitting, None)


def rates(cases: Sequence[Case]) -> list[float]:
    """Return the rates from the first tier to the second that were measured."""
    return [at for at in dict.fromkeys(map(rate, cases)) if at is not None]


def weights(model: str, cases: Sequence[Case], at: float) -> list[str] | None:
    """Return a row of the first table: what a request and a model weigh, and what they take.

    None where the whole model was not measured on the first tier and on the second.
    """
    whole, far = (found(cases, "identity", one, at) for one in ("mobile", "edge"))
    cut = found(cases, "partition", "mobile-edge", at)
    if whole is None or far is None:
        return None
    sent, inner = far["bytes_out"]["mobile"], cut["bytes_out"]["mobile"] if cut else None
    compute, transfer = whole["latency_s"]["median"], sent * 8 / at
    return [
        f"`{model}`",
        digits(sent / 1e3),
        digits(inner / 1e3) if inner else "",
        digits(whole["model_bytes"] / 1e6),
        digits(compute * 1e3),
        digits(transfer * 1e3, 2),
        digits(inner * 8 / at * 1e3, 2) if inner else "",
        digits(compute / transfer, 2),
    ]


def first_table(cases: Mapping[str, Sequence[Case]], at: float) -> str:
    """Lay out what requests and models weigh, over one link."""
    link = write_rate(at)
    rows = (weights(model, ones, at) for model, ones in cases.items())
    return table(
        (
            *("model", "input kB", "cut kB", "model MB", "mobile ms"),
            *(f"input, {link}, ms", f"cut, {link}, ms", "compute : transfer"),
        ),
        [row for row in rows if row],
    )


def below(one: Case, others: Sequence[Case]) -> bool:
    """Say whether the interval of a case lies below those of all others."""
    high = one["latency_s"]["ci95"][1]
    return all(high < other["latency_s"]["ci95"][0] for other in others)


def verdict(cases: Mapping[str, Case]) -> str:
    """Say how the faster cut fares against the fastest of what is not cut."""
    by_median = sorted(cases.items(), key=lambda item: item[1]["latency_s"]["median"])
    cut = [case for column, case in by_median if COLUMNS[column][0] != "whole"]
    whole = [case for column, case in by_median if COLUMNS[column][0] == "whole"]
    if not cut or not whole:
        return ""
    if below(cut[0], whole):
        return "wins"
    return "loses" if any(below(one, cut) for one in whole) else "not told apart"


def written(case: Case | None, others: Sequence[Case]) -> str:
    """Write a median with its interval in ms, bold where it is told apart as the fastest."""
    if case is None:
        return ""
    median, *ends = (digits(s * 1e3) for s in (case["latency_s"]["median"], *latency_ends(case)))
    bold = "**" if others and below(case, others) else ""
    return f"{bold}{median}{bold} ({' to '.join(ends)})"


def latency_ends(case: Case) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a case's median, in seconds."""
    low, high = case["latency_s"]["ci95"]
    return low, high


def accuracy(cases: Mapping[str, Case]) -> str:
    """Write the metric that decides, of the first case that was measured."""
    figures: dict[str, float] = next((case["accuracy"] for case in cases.values()), {})
    return next((f"{metric} {value:.3f}" for metric, value in figures.items()), "")


def latencies(model: str, cases: Sequence[Case], at: float) -> list[list[str]]:
    """Return the rows of the second table for a model and a link: a row for each precision."""
    rows = []
    for precision in PRECISIONS:
        named = chains(model, precision)
        cells = {
            column: found(cases, named.get(cut), placement, at)
            for column, (cut, placement) in COLUMNS.items()
        }
        there = {column: case for column, case in cells.items() if case}
        texts = [
            written(case, [other for other in there.values() if other is not case])
            for case in cells.values()
        ]
        rows.append([precision, accuracy(there), *texts, verdict(there)])
    return rows


def second_table(cases: Mapping[str, Sequence[Case]]) -> str:
    """Lay out the medians by placement, a row for each model, link and precision."""
    rows = [
        [f"`{model}`", write_rate(at), *row]
        for model, ones in cases.items()
        for at in rates(ones)
        for row in latencies(model, ones, at)
    ]
    return table(("model", "mobile-edge", "", "accuracy", *COLUMNS, "the cut"), rows)


def missing(cases: Mapping[str, Sequence[Case]]) -> list[str]:
    """Return a line for each case that was not measured whole."""
    return [
        f"{model} {case['chain']} on {case['placement']}: {case['status']}, {case['reason']}"
        for model, ones in cases.items()
        for case in ones
        if case["status"] != "ok"
    ]


def main() -> int:
    """Measure, print both tables, and return 1 where anything could not be measured."""
    parser = argparse.ArgumentParser(description="What a request weighs and what it takes.")
    parser.add_argument("--model", action="append", default=[], metavar="M:VARIANT")
    parser.add_argument("--link", action="append", default=[], metavar="A-B=RATE")
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--requests", type=int, default=31)
    parser.add_argument("--json", action="store_true", help="print what was measured instead")
    options = parser.parse_args()
    options.link = options.link or LINKS
    models = options.model or [f"{name}:small" for name in SMALL]
    cases = {model: measured(model, options) for model in models}
    failed = missing(cases)
    if options.json:
        print(json.dumps(cases, indent=1))
    else:
        for at in dict.fromkeys(at for ones in cases.values() for at in rates(ones)):
            print(first_table(cases, at), end="\n\n")
        print(second_table(cases))
        print(*failed, sep="\n", file=sys.stderr, end="\n" if failed else "")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
