"""How long it takes from a model and data of one's own to a table with accuracy.

Promised: at most 180 s on 2 CPUs, with nothing prepared, from 500 JPEG files in five folders and a
checkpoint of transformers, from 1,000 sentences with 3 labels and a BERT of two layers, and from an
ONNX file with the same pictures. The data and models are made by `docs/examples/own_*.py`, which
train for a minute; that is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
MOST_S = 180
QUESTIONS = {
    "pictures, a checkpoint": ("resnet-digits", "photos"),
    "texts, a checkpoint": ("bert-reviews", "reviews.csv"),
    "pictures, an ONNX file": (
        "resnet-digits.onnx(preprocess=resnet-digits,metric=top1)",
        "photos",
    ),
}
"""What is measured: a model and its data."""


def ask(model: str, data: str, directory: Path) -> tuple[float, dict]:
    """Return the seconds that a run takes with an empty store, and the document it prints."""
    words = ["run", "--json", "--db", f"{model[:8]}.db", "--model", model, "--data", data]
    words += ["--backend", "onnxruntime", "--operator", "identity", "--operator", "sptq"]
    with tempfile.TemporaryDirectory() as store:
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "edgebench", *words],
            cwd=directory,
            env={**os.environ, "EDGEBENCH_STORE": store},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return time.perf_counter() - begin, json.loads(done.stdout)


def main() -> int:
    """Print the figures and what was promised; return 1 where one is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in", dest="directory", type=Path, metavar="DIR",
                        help="where data and models lie, or are made (a new one)")  # fmt: skip
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = (asked.directory or Path(scratch)).resolve()
        for name, made in (("own_pictures", "resnet-digits.onnx"), ("own_texts", "reviews.csv")):
            if not (directory / made).exists():
                subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], cwd=directory, check=True)
        met = True
        for what, (model, data) in QUESTIONS.items():
            seconds, document = ask(model, data, directory)
            figures = ", ".join(
                f"{case['chain']} {1e3 * case['latency_s']['median']:.3g} ms "
                f"{100 * next(iter(case['accuracy'].values())):.1f} %"
                for case in document["cases"]
            )
            kept = seconds <= MOST_S
            met &= kept
            print(f"{what:24} {seconds:6.1f} s of {MOST_S} s: {'met' if kept else 'NOT MET'}")
            print(f"{'':24} {figures}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
