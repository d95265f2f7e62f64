"""How much memory `sptq` takes for weights that no ONNX file can hold.

    python benchmarks/heavy_weights.py [--matrices N] [--width W] [--json]

Writes a graph of N products, each with a matrix of W x W in a file beside it (2.27 GB unless told
otherwise), and quantizes it in a process of its own. The figure is the largest resident set of that
process over the bytes of the weights: 2.5 is asked for. The exit status is 1 where it is more. Both
graphs lie in the directory for temporary files (`TMPDIR`).
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from subjects import Workshop
from tables import digits, table

from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.rows import Product, Suite
from edgebench.prepare.make import Maker
from edgebench.sessions.asking import ask_in_processes
from edgebench.store.artifacts import read_pipeline

MATRICES, WIDTH = 43, 3720
MOST = 2.5
"""Times the bytes of the weights."""
INPUTS, CLASSES = 256, 10
"""The height of the first matrix, and the width of the last."""


def write_graph(place: Path, matrices: int, width: int) -> int:
    """Write the graph `model.onnx` and its weights into a directory; return their bytes."""
    import onnx
    from onnx import TensorProto, helper

    random, sizes = np.random.default_rng(0), [INPUTS, *[width] * (matrices - 1), CLASSES]
    weights, nodes, entering = [], [], "input"
    with (place / "weights").open("wb") as file:
        for number, shape in enumerate(pairwise(sizes)):
            drawn = random.standard_normal(shape, dtype=np.float32) * math.sqrt(2 / shape[0])
            tensor = TensorProto(name=f"w{number}", data_type=TensorProto.FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            said = {"location": "weights", "offset": file.tell(), "length": drawn.nbytes}
            for key, value in said.items():
                tensor.external_data.add(key=key, value=str(value))
            file.write(drawn.tobytes())
            weights.append(tensor)
            nodes.append(helper.make_node("MatMul", [entering, tensor.name], [f"sum{number}"]))
            nodes.append(helper.make_node("Relu", [f"sum{number}"], [f"kept{number}"]))
            entering = f"kept{number}"
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])]
        for name, size in (("input", INPUTS), (entering, CLASSES))
    ]
    graph = helper.make_graph(nodes, "heavy", *ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, place / "model.onnx")
    return (place / "weights").stat().st_size


def quantize(place: Path) -> dict[str, Any]:
    """Quantize the graph of a directory in this process; return what that took and gave."""
    workshop = Workshop.at(place / "store")
    product = Product(
        models=(str(place / "model.onnx"),),
        operators=("sptq",),
        placements=("mobile",),
        backends=("onnxruntime",),
    )
    study = Study(suite=Suite(name="", summary="", products=(product,)))
    (case,) = make_plan(study, workshop.recipes.plugins, ask_in_processes).cases
    maker = Maker(workshop.recipes, lambda *_: None)
    maker.inputs(case)
    maker.base(case)
    made = maker.prepare(case)
    assert made is not None  # without a profile to be measured, all is made here
    (stage,) = read_pipeline(made).stages
    return {
        # Linux counts in kibibytes.
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "made_bytes": stage.size,
        "precision": stage.precision,
    }


def main() -> int:
    """Measure, and print a table or a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--matrices", type=int, default=MATRICES)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.place:
        print(json.dumps(quantize(options.place)))
        return 0
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        weights = write_graph(Path(scratch), options.matrices, options.width)
        argv = [sys.executable, __file__, "--place", scratch]
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
    found = {"weights_bytes": weights, **json.loads(done.stdout)}
    times = found["peak_bytes"] / weights
    columns = ("weights, GB", "peak, GB", "times", "quantized, GB", "precision")
    sizes = [digits(found[name] / 1e9) for name in ("weights_bytes", "peak_bytes", "made_bytes")]
    row = [*sizes[:2], digits(times), sizes[2], found["precision"]]
    print(
        json.dumps({**found, "times": times}, indent=1) if options.json else table(columns, [row])
    )
    return int(times > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
