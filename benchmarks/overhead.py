"""What the harness costs: against a bare loop, in one process, and through a host.

    python benchmarks/overhead.py [--pairs 20] [--requests 100] [--json]

A bare loop and a block of the harness alternate, each in fresh processes, over the same session
with the same threads on the same processor; compared is the time of inference. The exit status is
1 where a promised figure is not met.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import attrs
import numpy as np

from edgebench import Case, Dataset, Fabric, Model, Pipeline, Placement, Tier, Weights
from edgebench.cases.case import BackendChoice
from edgebench.catalogue.plugins import PluginSource
from edgebench.catalogue.registry import Registry
from edgebench.measure.stand.block import measure_block
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.overheads import measure_overheads
from edgebench.measure.station.opening import open_piece
from edgebench.measure.station.orders import Work
from edgebench.measure.station.own_process import last_cpus
from edgebench.measure.transport.pace import now
from edgebench.store import splits
from edgebench.store.artifacts import read_pipeline, write_pipeline

HERE = Path(__file__).resolve().parent
BACKEND = "onnxruntime"
WARM = 15
RATIO = (0.97, 1.03)
IN_PROCESS_S = 10e-6
REQUEST_S = 300e-6
DRAWS = 4000


def source() -> PluginSource:
    """Return where the plugins come from: what ships, and the one beside this program."""
    return PluginSource(registry=Registry.read().paths, files=[HERE / "bench_plugin.py"])


def prepare(place: Path) -> Pipeline:
    """Write the pipeline and the inputs below a directory."""
    import onnx

    plugins = source().load()
    splits.keep_splits(
        plugins.get(Dataset, "bench-noise"), 0, made(place / "inputs"), lambda *_: None
    )
    pipeline = plugins.get(Model, "bench").build("default", Weights())
    stage = pipeline.stages[0]
    directory = made(place / "pipeline" / "stage-0")
    onnx.save(stage.live, directory / "model.onnx")
    kept = attrs.evolve(stage, files=["model.onnx"], live=None)
    write_pipeline(pipeline.replaced([kept]), place / "pipeline")
    return read_pipeline(place / "pipeline")


def made(place: Path) -> Path:
    """Make a directory, and return it."""
    place.mkdir(parents=True)
    return place


def deployment(place: Path, pipeline: Pipeline, requests: int, backend: str) -> Deployment:
    """Return a case of one tier that is as fast as this machine, with no link."""
    case = Case(
        model="bench",
        variant="default",
        dataset="bench-noise",
        placement=Placement(["bench"]),
        backends=[BackendChoice(backend)],
        route=["bench"],
        threads=1,
    )
    return Deployment(
        case=case,
        artifact=place / "pipeline",
        pipeline=pipeline,
        split=place / "inputs" / "test",
        # The largest tier of all is not slowed down.
        tiers=[Tier(name="bench", summary="This machine.", cpus=4096, memory=2**60)],
        source=source(),
        scratch=place,
        deadline_s=120,
        requests=requests,
    )


def harness(place: Path, pipeline: Pipeline, requests: int, backend: str = BACKEND) -> Any:
    """Measure one block, and return it."""
    fabric = source().load().get(Fabric, "process")
    block = measure_block(deployment(place, pipeline, requests, backend), fabric)
    if block.status != "ok":
        raise SystemExit(f"the block failed: {block.reason}")
    return block


def bare(place: Path, requests: int) -> list[float]:
    """Run the bare loop in a fresh process, and return the seconds of each inference."""
    argv = [sys.executable, __file__, "--bare", str(place), "--requests", str(requests)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True)
    return [float(seconds) for seconds in json.loads(done.stdout)]


def bare_loop(place: Path, requests: int) -> list[float]:
    """Do what a host does with a request, as a loop without any harness."""
    os.sched_setaffinity(0, last_cpus(1))
    payloads = splits.open_split(place / "inputs" / "test")
    work = Work(
        source=source().to_json(),
        artifact=place / "pipeline",
        piece=0,
        model="bench",
        variant="default",
        backend=BackendChoice(BACKEND),
        threads=1,
    )
    with open_piece(work) as loaded:
        model, run = loaded.piece.model, loaded.piece.stages[0].session.run
        took = []
        for request in range(WARM + requests):
            feeds = model.preprocess(model.decode(payloads[request % len(payloads)], ""), "")
            begin = now()
            outputs = run(feeds)
            took.append((now() - begin) / 1e9)
            model.encode(model.postprocess(outputs, ""))
    return took[WARM:]


def interval(harnessed: Sequence[float], bare_: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of the medians over pairs, and its bootstrap 95 % interval."""
    random = np.random.default_rng(0)
    one, other = np.asarray(harnessed), np.asarray(bare_)
    drawn = random.integers(0, len(one), (DRAWS, len(one)))
    ratios = np.median(one[drawn], axis=1) / np.median(other[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(np.median(one) / np.median(other)), float(low), float(high)


def measure(place: Path, pairs: int, requests: int) -> dict[str, Any]:
    """Measure everything that is promised."""
    pipeline = prepare(place)
    harnessed, looped = [], []
    for pair in range(pairs):
        # Which comes first changes, so that what the one leaves behind meets both alike.
        for which in ("harness", "bare") if pair % 2 else ("bare", "harness"):
            if which == "bare":
                looped.append(median(bare(place, requests)))
            else:
                block = harness(place, pipeline, requests)
                harnessed.append(float(np.median(block.phases_s["inference-0"])))
    ratio, low, high = interval(harnessed, looped)
    null = harness(place, pipeline, max(requests, 300), "bench-null")
    quick = measure_overheads(place)
    return {
        "schema": 1,
        "pairs": pairs,
        "requests": requests,
        "bare_s": looped,
        "harness_s": harnessed,
        "ratio": ratio,
        "ratio_ci95": [low, high],
        "bracket_s": quick["bracket"],
        "in_process_s": quick["in_process"],
        "request_s": quick["request"],
        "null_request_s": float(np.median(null.latency_s)),
        "controller_cpu": null.controller_cpu,
        "met": {
            "ratio": RATIO[0] <= low and high <= RATIO[1],
            "in_process": quick["in_process"] <= IN_PROCESS_S,
            "request": quick["request"] <= REQUEST_S,
        },
    }


def show(found: dict[str, Any]) -> None:
    """Print the figures as a table."""
    met = {True: "met", False: "not met"}
    low, high = found["ratio_ci95"]
    lines = [
        ("bare loop, inference", f"{median(found['bare_s']) * 1e3:.3f} ms", "", ""),
        ("harness, inference", f"{median(found['harness_s']) * 1e3:.3f} ms", "", ""),
        (
            f"ratio of medians, {found['pairs']} pairs",
            f"{found['ratio']:.4f} [{low:.4f}, {high:.4f}]",
            "0.97 to 1.03",
            met[found["met"]["ratio"]],
        ),
        ("bracket round a call", f"{found['bracket_s'] * 1e6:.2f} us", "", ""),
        (
            "null backend, in process",
            f"{found['in_process_s'] * 1e6:.1f} us",
            "at most 10 us",
            met[found["met"]["in_process"]],
        ),
        (
            "null backend, through a host",
            f"{found['request_s'] * 1e6:.0f} us",
            "at most 300 us",
            met[found["met"]["request"]],
        ),
        ("the same, payload of 262 kB decoded", f"{found['null_request_s'] * 1e6:.0f} us", "", ""),
    ]
    for what, value, promised, verdict in lines:
        print(f"{what:<38}{value:<26}{promised:<16}{verdict}")


def main() -> int:
    """Measure, print, and say by the exit status whether all is met."""
    parser = argparse.ArgumentParser(description="What the harness costs.")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare:
        print(json.dumps(bare_loop(args.bare, args.requests)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        found = measure(Path(place), args.pairs, args.requests)
    if args.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)
    return 0 if all(found["met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
