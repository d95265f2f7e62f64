"""Whether the parts of every cut give what the whole gives.

`python benchmarks/cuts.py [--large MODEL]`: goes through every cut of every small model, as it is
and quantized, where there are at most 300; else through all at which one tensor crosses and 300
that are drawn with seed 0. Prints for each how many cuts there are, the largest difference relative
to the largest output where that exceeds 1, and what failed: in f32 1e-5 is allowed, and nothing
where integers cross. Three cuts of each model that `--large` names are tried. Weights are random.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edgebench import Model, Registry, Stage, Weights
from edgebench.catalogue.plugins import Plugins
from edgebench_kit.onnx.cut_lists import Cut, CutFinder, find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.graph_files import move_weights
from edgebench_kit.onnx.parts_and_whole import TOLERANCE
from edgebench_kit.onnx.splitting import split_graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALL = ("resnet", "resnext", "vgg", "fcn", "duc", "bert", "roberta")
MOST, DRAWN = 300, 300


def draw(stage: Stage, rows: int, seed: int, side: int = 96) -> dict[str, Any]:
    """Draw inputs of a stage."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for spec in stage.inputs:
        shape = [
            n if isinstance(n, int) else side if axis else rows for axis, n in enumerate(spec.shape)
        ]
        drawn = generator.standard_normal(shape)
        tensors[spec.name] = (drawn if spec.dtype.startswith("float") else drawn > 0).astype(
            spec.dtype
        )
    return tensors


def export(plugins: Plugins, name: str) -> Stage:
    """Return a model of random weights as a graph."""
    from edgebench_plugins.converters.onnx import convert

    model, _, variant = name.partition(":")
    found = plugins.get(Model, model)
    stage = found.build(found.variant(variant).name, Weights(kind="random")).stages[0]
    return convert(stage, draw(stage, 2, 0))


def quantize(stage: Stage) -> Any:
    """Return the graph of a stage with its activations and weights as integers."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [draw(stage, 1, seed) for seed in range(1, 9)]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    with TemporaryDirectory() as directory:
        plain, ready, done = (Path(directory, name) for name in ("plain", "ready", "done"))
        onnx.save_model(stage.live, plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(ready, done, Reader(), per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)  # fmt: skip
        return onnx.load_model(done)


def run(model: Any, feeds: Mapping[str, Any]) -> dict[str, Any]:
    """Run a graph with ONNX Runtime, weights beside it where they are heavy."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import onnxruntime

    with TemporaryDirectory() as directory:
        path = Path(directory, "model.onnx")
        path.write_bytes(move_weights(model, path.with_name("weights")).SerializeToString())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        given = {one.name: feeds[one.name] for one in session.get_inputs()}
        return dict(zip(names, session.run(None, given), strict=True))


def compare(graph: Graph, cut: Cut, feeds: Mapping[str, Any], whole: Mapping[str, Any]) -> float:
    """Return the largest difference between the parts and the whole, relative to its largest."""
    tensors = dict(feeds)
    for part in split_graph(graph, cut.names):
        tensors |= run(part, tensors)
    return max(
        float(np.abs(tensors[name] - one).max() / max(1.0, np.abs(one).max()))
        for name, one in whole.items()
    )


def choose(cuts: Sequence[Cut], most: int) -> Sequence[Cut]:
    """Return the cuts that are tried."""
    if len(cuts) <= most:
        return cuts
    single = [cut for cut in cuts if len(cut.names) == 1]
    return [*single, *random.Random(0).sample(list(cuts), DRAWN)]  # noqa: S311 (a sample)


def check(name: str, model: Any, feeds: Mapping[str, Any], few: int = 0) -> int:
    """Try the cuts of a graph, print what came of it, and return how many failed."""
    graph, begin = Graph.of(model), time.perf_counter()
    finder = CutFinder(graph=graph)
    total, more = finder.count()
    cuts = find_cuts(graph, 4)
    took = time.perf_counter() - begin
    exact = [cut for cut in cuts if cut.quantized]
    tried = choose(exact if graph.holds_quantized else cuts, MOST)
    tried = [tried[len(tried) * part // (few + 1)] for part in range(1, few + 1)] or tried
    whole = run(model, feeds)
    bound = 0.0 if graph.holds_quantized else TOLERANCE
    found = {cut.names: compare(graph, cut, feeds, whole) for cut in tried}
    failed = {names: off for names, off in found.items() if not off <= bound}
    print(f"{name}: {'more than ' * more}{total} cuts, {len(exact)} at integers, "
        f"listed in {took:.1f} s; "
          f"{len(tried)} tried, largest difference {max(found.values(), default=0):.2g}, "
          f"{len(failed)} failed", flush=True)  # fmt: skip
    for names, off in failed.items():
        print(f"  {'+'.join(names)}: {off:.3g}")
    return len(failed)


def main() -> int:
    """Try the cuts of all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="one small model; repeats")
    parser.add_argument("--large", action="append", default=[], help="a large model; repeats")
    args = parser.parse_args()
    plugins = Plugins.load(Registry.read())
    failed = 0
    for name in args.only or ([] if args.large else SMALL):
        stage = export(plugins, f"{name}:small")
        feeds = draw(stage, 2, 9)
        failed += check(f"{name}:small identity", stage.live, feeds)
        failed += check(f"{name}:small sptq", quantize(stage), feeds)
    for name in args.large:
        stage = export(plugins, name)
        failed += check(name, stage.live, draw(stage, 1, 9, 224), few=3)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
