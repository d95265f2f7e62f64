"""What a request weighs and what it takes: the tables of docs/method.md, measured.

    python benchmarks/scale.py [--model M:VARIANT ...] [--link A-B=RATE ...] [--json]

Each model is measured whole on every tier, in f32 and int8, and cut in two between the first and
the second, over the links of the suite `quickstart` unless others are given. Some are also cut
where a picture has just become small (`EARLY`), which no rule of `partition` chooses yet.
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

SMALL = ("resnet", "resnext", "vgg", "fcn", "duc", "bert", "roberta")
LINKS = ("mobile-edge=200mbit", "edge-cloud=50mbit")
"""The links of the suite `quickstart`."""
EARLY: Mapping[str, str] = {
    "duc:small": "max_pool2d",
    "fcn:small": "max_pool2d",
    "resnet:small": "relu",
}
"""By model, the tensor of an early cut: what the first convolution makes of the picture."""
CHAINS = ("identity", "sptq", "partition")
PLACEMENTS = ("mobile", "edge", "cloud", "mobile-edge")

Case = Mapping[str, Any]


def measured(model: str, options: argparse.Namespace) -> list[Case]:
    """Measure one model under every chain and placement that go together; return what was."""
    chains = [*CHAINS]
    if tensor := EARLY.get(model):
        chains.append(f'partition(tensor="{tensor}")')
    words = ["run", "--model", model, "--backend", "onnxruntime", "--json", "--quiet"]
    for name, values in (("operator", chains), ("placement", PLACEMENTS), ("link", options.link)):
        words += [word for value in values for word in (f"--{name}", value)]
    words += ["--blocks", str(options.blocks), "--requests", str(options.requests)]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "edgebench", *words, "--db", str(Path(scratch) / "scale.db")],
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
    cases = json.loads(done.stdout)["cases"]
    return [case for case in cases if case["status"] == "ok"]


def found(cases: Sequence[Case], chain: str, placement: str) -> Case | None:
    """Return the case of a chain on a placement, if it was measured."""
    fitting = (c for c in cases if c["chain"] == chain and c["placement"] == placement)
    return next(fitting, None)


def weights(model: str, cases: Sequence[Case]) -> list[str]:
    """Return a row of the first table: what a request and a model weigh, and what they take."""
    whole, cut = found(cases, "identity", "mobile"), found(cases, "partition", "mobile-edge")
    far = found(cases, "identity", "edge")
    if whole is None or far is None:
        raise SystemExit(f"{model} was not measured whole on mobile and on edge")
    sent, inner = far["bytes_out"]["mobile"], cut["bytes_out"]["mobile"] if cut else None
    rate = far["network"][0]["rate_bit_s"]
    compute, transfer = whole["latency_s"]["median"], sent * 8 / rate
    return [
        model,
        f"{sent / 1e3:.3g}",
        f"{inner / 1e3:.3g}" if inner else "none of one tensor",
        f"{whole['model_bytes'] / 1e6:.3g}",
        f"{compute * 1e3:.3g}",
        f"{transfer * 1e3:.2g}",
        f"{inner * 8 / rate * 1e3:.2g}" if inner else "-",
        f"{compute / transfer:.2g}",
    ]


def latencies(model: str, cases: Sequence[Case]) -> list[list[str]]:
    """Return the rows of the second table: medians in ms by chain, the fastest of a model bold."""
    best = min(case["latency_s"]["median"] for case in cases)
    rows = []
    for chain in dict.fromkeys(case["chain"] for case in cases):
        cells = []
        for placement in PLACEMENTS:
            case = found(cases, chain, placement)
            median = case["latency_s"]["median"] if case else None
            text = f"{median * 1e3:.3g}" if median else ""
            cells.append(f"**{text}**" if median == best else text)
        rows.append([model, f"`{chain}`", *cells])
    return rows


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", default=[], metavar="M:VARIANT")
    parser.add_argument("--link", action="append", default=[], metavar="A-B=RATE")
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--requests", type=int, default=31)
    parser.add_argument("--json", action="store_true", help="print what was measured instead")
    options = parser.parse_args()
    options.link = options.link or LINKS
    models = options.model or [f"{name}:small" for name in SMALL]
    cases = {model: measured(model, options) for model in models}
    if options.json:
        print(json.dumps(cases, indent=1))
        return
    first = ("model", "input kB", "cut kB", "model MB", "compute on mobile ms",
             "input over the link ms", "cut over the link ms", "compute : input")  # fmt: skip
    print(table(first, [weights(model, found) for model, found in cases.items()]))
    print()
    rows = [row for model, found in cases.items() for row in latencies(model, found)]
    print(table(("model", "chain", *PLACEMENTS), rows))


if __name__ == "__main__":
    main()
