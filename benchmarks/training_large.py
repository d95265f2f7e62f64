"""Whether operators that train work at full size, and what they take.

    python benchmarks/training_large.py [--model M:VARIANT] [--operator CHAIN ...] [--pictures N]
                                        [--json]

Each chain is applied to a model with random weights, in a process of its own, which reads generated
pictures that lie as ImageNet's do: 320 of them are 20 steps of the two epochs in which `resnet:50`
is trained. Nothing can be learnt from noise, and nothing is said of accuracy: the figures are
seconds and memory. The exit status is 1 where a chain fails.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from subjects import Workshop
from tables import digits, table

from edgebench import EdgebenchError, Model
from edgebench.cases.case import Case
from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.rows import Product, Suite
from edgebench.prepare.make import Maker
from edgebench.prepare.provenance import read_provenance
from edgebench.sessions.asking import ask_in_processes
from edgebench.store.artifacts import ASIDE, read_pipeline

MODEL, CHAINS = "resnet:50", ("qat", "prune(epochs=2)")
PICTURES, HELD_OUT, SIDE = 320, 40, 256
"""To train on, in all other splits, and the height and width of each."""
CLASSES = 10
DATASET = "imagenet"


def write_pictures(place: Path, count: int) -> Path:
    """Write pictures of noise as ImageNet has them, in a folder for each class."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split, most in (("train", count), ("val", HELD_OUT)):
        for number in range(most):
            folder = place / split / str(number % CLASSES)
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    return place


def plan_case(workshop: Workshop, options: argparse.Namespace, data: Path) -> Case:
    """Return the case of a chain on a model.

    Raises:
        EdgebenchError: It is skipped, for the reason given.
    """
    product = Product(
        models=(options.model,),
        operators=(options.built,),
        placements=("mobile",),
        backends=("onnxruntime",),
    )
    study = Study(
        suite=Suite(name="", summary="", products=(product,)),
        weights="random",
        data={DATASET: data},
    )
    plan = make_plan(study, workshop.recipes.plugins, ask_in_processes)
    if plan.skipped:
        raise EdgebenchError(f"{options.model} {options.built}: {plan.skipped[0].reason}")
    return plan.cases[0]


@attrs.define
class Epochs:
    """Counts the epochs that a trainer reports."""

    done: int = 0

    def __call__(self, done: int, total: int, what: str) -> None:  # noqa: ARG002 - of how many
        """Take note of a report."""
        self.done += what.startswith("epoch ")


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Apply a chain in this process; return what it took and what came of it."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        place = Path(scratch)
        workshop, epochs = Workshop.at(place / "store"), Epochs()
        case = plan_case(workshop, options, write_pictures(place / "data", options.pictures))
        maker = Maker(workshop.recipes, epochs)
        maker.inputs(case)
        maker.base(case)
        begin = time.monotonic()
        made = maker.prepare(case)
        seconds = time.monotonic() - begin
        assert made is not None  # without a profile to be measured, all is made here
        (stage,) = read_pipeline(made).stages
        budget = workshop.recipes.plugins.get(Model, case.model).budget
        entries = [path.parent for path in (place / "store").rglob(ASIDE)]
        return {
            "chain": options.built,
            "steps": epochs.done * math.ceil(options.pictures / budget.batch),
            "batch": budget.batch,
            "seconds": seconds,
            "training_s": sum(read_provenance(one).training_s or 0.0 for one in entries),
            # Linux counts in kibibytes.
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "model_bytes": sum(path.stat().st_size for path in made.rglob("*.onnx*")),
            "parameters": stage.parameters,
            "precision": stage.precision,
        }


def run(chain: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run `build` in a fresh process, whose memory is of this chain alone."""
    argv = [
        *(sys.executable, __file__, "--built", chain, "--model", options.model),
        *("--pictures", str(options.pictures)),
    ]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        return {"chain": chain, "fault": f"it ended with status {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"{chain}: {found}", file=sys.stderr)
    return found


COLUMNS = (
    *("operators", "steps", "seconds", "of them training", "peak GiB", "parameters"),
    *("precision", "MB", "fault"),
)


def describe(found: dict[str, Any]) -> list[str]:
    """Write a row of the table."""
    if "fault" in found:
        return [found["chain"], *[""] * (len(COLUMNS) - 2), found["fault"]]
    return [
        f"`{found['chain']}`",
        f"{found['steps']} of {found['batch']}",
        f"{found['seconds']:.0f}",
        f"{found['training_s']:.0f}",
        digits(found["peak_bytes"] / 2**30),
        f"{found['parameters']:,}",
        found["precision"],
        digits(found["model_bytes"] / 1e6),
        "",
    ]


def main() -> int:
    """Measure, and print a table or a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=MODEL, metavar="M:VARIANT")
    parser.add_argument("--operator", action="append", default=[], metavar="CHAIN")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="to train on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--built", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.built:
        print(json.dumps(build(options)))
        return 0
    found = [run(chain, options) for chain in options.operator or CHAINS]
    print(
        json.dumps(found, indent=1) if options.json else table(COLUMNS, list(map(describe, found)))
    )
    return int(any("fault" in one for one in found))


if __name__ == "__main__":
    raise SystemExit(main())
