"""What the shipped models promise, measured.

    python benchmarks/subjects.py [--model FAMILY ...] [--store DIR] [--json]
    python benchmarks/subjects.py --large [--model M:VARIANT ...] [--json]

The first trains `small` and `tiny` of each family in a store of its own, then once more, which must
find everything there, and measures both in f32 and int8 on one thread of ONNX Runtime. Where a
given store holds them already, no training is judged. The second builds each large size with random
weights, in a process of its own, and compares what the backends answer; it needs some gigabytes in
the directory for temporary files (`TMPDIR`). The exit status is 1 where a promised figure is not
met.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
from tables import digits, table

from edgebench import Backend, Case, EdgebenchError, Model, Registry
from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Product, Suite
from edgebench.prepare.make import Maker
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.recipe import Recipes
from edgebench.sessions.asking import ask_in_processes
from edgebench.store.artifacts import Store, read_pipeline

SIZES = ("small", "tiny")
LEAST: Mapping[str, float] = {"top1": 0.97, "miou": 0.80, "f1": 0.95}
"""Accuracy of `small`, by the metric that decides."""
MOST_LESS = 0.02
"""Accuracy that `tiny` may have less."""
LEAST_RATIO = 1.8
"""Inference of `small` over that of `tiny`."""
SAMPLE_S = (1e-3, 10e-3)
"""Inference of `small`."""
COMPACT: Mapping[str, float] = {
    "efficientnet": 0.3e-3,
    "mobilenet": 0.3e-3,
    "shufflenet": 0.3e-3,
}
"""By family, what inference of `small` takes at least where it is not the above: depthwise
convolutions take far longer to train than to run, and a sample of 1 ms would take a minute."""
TRAINING_S = 120.0
BACKENDS = ("torch", "onnxruntime", "openvino")
"""Those that a large size is opened in; the others are held against the first."""
DIFFERENCE = 1e-3
"""Largest difference from the first, relative to its largest output."""

Found = dict[str, Any]


@attrs.frozen
class Workshop:
    """The plugins that ship, and a store."""

    recipes: Recipes

    @classmethod
    def at(cls, place: Path) -> Workshop:
        """Open a store, without the plugins that others installed."""
        registry = Registry.read()
        return cls(Recipes(Plugins.load(registry), Store(place)))

    def models(self) -> Iterator[Model]:
        """Yield the models that are no file of a user's."""
        for model in self.recipes.plugins.all(Model).values():
            if model.from_file is None:
                yield model

    def families(self) -> list[str]:
        """Return the models that have both sizes that are trained here."""
        names = {model.name: {one.name for one in model.variants} for model in self.models()}
        return [name for name, sizes in names.items() if sizes.issuperset(SIZES)]

    def large(self) -> list[str]:
        """Return the sizes that are not trained here."""
        return [
            f"{model.name}:{variant.name}"
            for model in self.models()
            for variant in model.variants
            if "trained" not in variant.weights
        ]

    def cases(self, subject: str, backends: Sequence[str]) -> tuple[Case, ...]:
        """Return the cases of a model as it is, one for each backend."""
        product = Product(
            models=(subject,),
            operators=("identity",),
            placements=("mobile",),
            backends=tuple(backends),
        )
        study = Study(suite=Suite(name="", summary="", products=(product,)))
        plan = make_plan(study, self.recipes.plugins, ask_in_processes)
        if plan.skipped:
            raise EdgebenchError(f"{subject}: {plan.skipped[0].reason}")
        return plan.cases


# --- the sizes that are trained here --------------------------------------------------------------


@attrs.frozen
class Clock:
    """Notes when each piece of work was first heard of."""

    begun: dict[str, float] = attrs.field(factory=dict)

    def __call__(self, done: int, total: int, what: str) -> None:  # noqa: ARG002 - how much of it
        """Take note of a worker's progress."""
        self.begun.setdefault(what, time.monotonic())


def prepared(subject: str, place: Path) -> Clock:
    """Prepare a model in a store, and return when what was begun."""
    clock, workshop = Clock(), Workshop.at(place)
    (case,) = workshop.cases(subject, ["onnxruntime"])
    preparer = Preparer(recipes=workshop.recipes, progress=clock)
    preparer.inputs(case)
    preparer.prepare(case)
    return clock


def trained(subject: str, place: Path) -> Found:
    """Train a model, and again; return the seconds of training, and what was done a second time."""
    begun = prepared(subject, place).begun
    first, then = (begun.get(f"{subject} {what}") for what in ("trained", "to onnx"))
    return {
        "training_s": then - first if first and then else None,
        "done_again": [*prepared(subject, place).begun],
    }


def measured(family: str, place: Path, options: argparse.Namespace) -> dict[str, dict[str, Found]]:
    """Measure both sizes in f32 and int8 in one run; return the cases by size and chain.

    Raises:
        SystemExit: A case could not be measured.
    """
    words = ["run", "--backend", "onnxruntime", "--placement", "mobile", "--threads", "1"]
    words += [word for size in SIZES for word in ("--model", f"{family}:{size}")]
    words += ["--operator", "identity", "--operator", "sptq", "--json", "--quiet"]
    words += ["--blocks", str(options.blocks), "--requests", str(options.requests)]
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "edgebench", *words, "--db", str(Path(scratch) / "results.db")],
            env={**os.environ, "EDGEBENCH_STORE": str(place)},
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
    cases = json.loads(done.stdout)["cases"] if done.returncode in (0, 1) else []
    bad = [f"{one['variant']} {one['chain']}: {one['reason']}" for one in cases if one["reason"]]
    if done.returncode or bad:
        raise SystemExit(f"{family} was not measured: {'; '.join(bad) or done.returncode}")
    found: dict[str, dict[str, Found]] = {size: {} for size in SIZES}
    for case in cases:
        found[case["variant"]][case["chain"]] = case
    return found


def figures(cases: Mapping[str, Found]) -> Found:
    """Return the figures of one size from its cases by chain."""
    plain, integers = cases["identity"], cases["sptq"]
    metric = next(iter(plain["accuracy"]))
    return {
        "metric": metric,
        "accuracy": plain["accuracy"][metric],
        "int8_loss": integers["accuracy_loss"][metric]["points"] / 100,
        "inference_s": plain["phases_s"]["inference-0"],
        "int8_inference_s": integers["phases_s"]["inference-0"],
    }


def family(name: str, place: Path, options: argparse.Namespace) -> Found:
    """Train and measure one family; return all that is promised of it, and which of it is met."""
    trainings = {size: trained(f"{name}:{size}", place) for size in SIZES}
    cases = measured(name, place, options)
    sizes = {size: trainings[size] | figures(cases[size]) for size in SIZES}
    return judged(name, sizes, fresh=not options.store)


def judged(name: str, sizes: Mapping[str, Found], *, fresh: bool) -> Found:
    """Hold the figures of a family against what is promised.

    Nothing is promised of a training that a store had in it, which a fresh one has not.
    """
    small, tiny = (sizes[size] for size in SIZES)
    ratio = small["inference_s"] / tiny["inference_s"]
    took = [one["training_s"] for one in sizes.values()]
    least = COMPACT.get(name, SAMPLE_S[0])
    met = {
        "accuracy": small["accuracy"] >= LEAST[small["metric"]],
        "tiny's accuracy": tiny["accuracy"] >= small["accuracy"] - MOST_LESS,
        "ratio": ratio >= LEAST_RATIO,
        "sample": least <= small["inference_s"] <= SAMPLE_S[1],
        "training": all(not fresh if one is None else one <= TRAINING_S for one in took),
        "kept": not any(one["done_again"] for one in sizes.values()),
    }
    return {"subject": name, **sizes, "ratio": ratio, "met": met}


def family_rows(found: Found) -> list[list[str]]:
    """Return the rows of one family: a row for each size."""
    rows = []
    for size in SIZES:
        one = found[size]
        seconds = one["training_s"]
        rows.append(
            [
                f"`{found['subject']}:{size}`",
                f"{one['metric']} {one['accuracy']:.4f}",
                f"{100 * one['int8_loss']:.2f}",
                digits(one["inference_s"] * 1e3),
                digits(one["int8_inference_s"] * 1e3),
                digits(found["ratio"]) if size == "small" else "",
                "" if seconds is None else f"{seconds:.0f}",
                verdict(found) if size == "small" else "",
            ]
        )
    return rows


FAMILY_COLUMNS = (
    *("model", "accuracy", "int8 loses, points", "ms a sample", "in int8"),
    *("small : tiny", "training s", "not met"),
)


def verdict(found: Found) -> str:
    """Name what is not met."""
    return ", ".join(what for what, well in found["met"].items() if not well)


# --- the large sizes ------------------------------------------------------------------------------


@attrs.frozen
class Steps:
    """The seconds of each step, and the most memory that this process had held after it."""

    seconds: dict[str, float] = attrs.field(factory=dict)
    peak_bytes: dict[str, int] = attrs.field(factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done in the context."""
        begin = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begin
        # Linux counts in kibibytes.
        self.peak_bytes[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def built(subject: str) -> Found:
    """Build, convert and run one size in this process, on one request; return what it took."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as place:
        workshop, steps = Workshop.at(Path(place)), Steps()
        maker = Maker(workshop.recipes, lambda *_: None)
        cases = workshop.cases(subject, BACKENDS)
        maker.inputs(cases[0])
        with steps.step("build"):
            base = read_pipeline(maker.base(cases[0]))
        inputs, _ = next(iter(maker.stages.split(cases[0], "test", base)))
        outputs = {case.backend: answered(case, maker, inputs, steps) for case in cases}
    first = outputs.pop(BACKENDS[0])
    differences = {name: difference(first, one) for name, one in outputs.items()}
    return {
        "subject": subject,
        "seconds": steps.seconds,
        "peak_bytes": steps.peak_bytes,
        "differences": differences,
        "met": {f"agreement of {name}": one <= DIFFERENCE for name, one in differences.items()},
    }


def answered(case: Case, maker: Maker, inputs: Mapping[str, Any], steps: Steps) -> Found:
    """Convert a model for a backend, open it there, and return its answer to one request."""
    backend = maker.recipes.plugins.get(Backend, case.backend)
    with steps.step(f"{case.backend}: convert"):
        (stage,) = read_pipeline(maker.prepare(case)).stages
    given = {spec.inside: inputs[spec.name] for spec in stage.inputs}
    with ExitStack() as stack:
        with steps.step(f"{case.backend}: open"):
            opened = backend.open(stage, backend.devices()[0], 1, backend.options())
            session = stack.enter_context(opened)
        with steps.step(f"{case.backend}: answer"):
            written = session.run(given)
        return {spec.name: written[spec.inside] for spec in stage.outputs}


def difference(one: Found, other: Found) -> float:
    """Return the largest difference of any output, relative to the largest value of the first."""
    import numpy as np

    apart = [
        float(np.abs(values - other[name]).max() / np.abs(values).max())
        for name, values in one.items()
    ]
    # A NaN is never within bounds, and `max` might pass over it.
    return float(np.max(apart))


def in_its_own_process(subject: str) -> Found:
    """Run `built` in a fresh process, whose memory is of this size alone."""
    argv = [sys.executable, __file__, "--built", subject]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        return {"subject": subject, "met": {f"it ended with status {done.returncode}": False}}
    found: Found = json.loads(done.stdout)
    return found


def large_rows(found: Found) -> list[list[str]]:
    """Return the row of one large size."""
    name, unmet = f"`{found['subject']}`", verdict(found)
    if "seconds" not in found:
        return [[name, *[""] * (len(LARGE_COLUMNS) - 2), unmet]]
    seconds, peak = found["seconds"], max(found["peak_bytes"].values())
    taken = [" / ".join(f"{seconds[f'{one}: {what}']:.1f}" for what in STEPS) for one in BACKENDS]
    apart = [f"{one:.0e}" for one in found["differences"].values()]
    return [[name, f"{seconds['build']:.1f}", *taken, *apart, digits(peak / 2**30), unmet]]


STEPS = ("convert", "open", "answer")
LARGE_COLUMNS = (
    *("model", "build, s"),
    *(f"{name}: {' / '.join(STEPS)}, s" for name in BACKENDS),
    *(f"{name} differs by" for name in BACKENDS[1:]),
    *("peak GiB", "not met"),
)


# --- both -----------------------------------------------------------------------------------------


def main() -> int:
    """Measure, print, and say by the exit status whether all is met."""
    options = arguments()
    if options.built:
        print(json.dumps(built(options.built)))
        return 0
    found = larges(options) if options.large else families(options)
    if options.json:
        print(json.dumps(found, indent=1))
    elif options.large:
        show(LARGE_COLUMNS, large_rows, found)
    else:
        show(FAMILY_COLUMNS, family_rows, found)
    return int(any(verdict(one) for one in found))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="What the shipped models promise.")
    parser.add_argument("--large", action="store_true", help="the sizes that are not trained here")
    parser.add_argument("--model", action="append", default=[], metavar="FAMILY|M:VARIANT")
    parser.add_argument("--store", type=Path, help="a store that may hold the trained sizes")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--built", help=argparse.SUPPRESS)
    return parser.parse_args()


def families(options: argparse.Namespace) -> list[Found]:
    """Measure the families that were asked for, all of them by default."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as fresh:
        place = options.store or Path(fresh)
        names = options.model or Workshop.at(place).families()
        return [told(family(name, place, options)) for name in names]


def larges(options: argparse.Namespace) -> list[Found]:
    """Build the large sizes that were asked for, all of them by default."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as fresh:
        names = options.model or Workshop.at(Path(fresh)).large()
    return [told(in_its_own_process(name)) for name in names]


def told(found: Found) -> Found:
    """Say at once how it went, because the rest takes minutes."""
    print(f"{found['subject']}: {verdict(found) or 'met'}", file=sys.stderr)
    return found


def show(
    columns: Sequence[str], rows: Callable[[Found], list[list[str]]], found: Sequence[Found]
) -> None:
    """Print a table of what was found."""
    print(table(columns, [row for one in found for row in rows(one)]))


if __name__ == "__main__":
    sys.exit(main())
