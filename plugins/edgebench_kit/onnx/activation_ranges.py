"""The ranges of the activations of an ONNX graph, found on samples, for static quantization.

ONNX Runtime's own calibrators load the weights, write them out again, and keep every activation of
every sample until the last; here a graph that watches itself refers to the weights where they lie,
samples go one by one, and nothing is kept of them but ranges and counts. So samples may differ in
shape, too.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.onnx.sessions import make_options

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench import Tensors

BINS = {"entropy": 512, "percentile": 2048}
LEVELS = 255
"""Bins of the histograms, and how many values int8 has for them on both sides of 0.

The quantizer's own default for `entropy` is 128 of each: then the whole range is the only one it
tries, and the result is that of `minmax` to the last byte. More bins take time that grows with
their square."""
PERCENTILE = 99.999
"""The part of the values, in percent, that `percentile` keeps."""

Extremes = dict[str, tuple["NDArray[Any]", "NDArray[Any]"]]
"""The lowest and the highest value of each tensor, both of shape (1,)."""


def find_ranges(
    path: Path, feeds: Iterable[Tensors], found: Extremes, method: str, *, symmetric: bool
) -> Any:
    """Return the ranges of tensors of a graph, as the quantizer takes them.

    *found* are the ends of those that are wanted, as `find_extremes` gives them. *feeds* are what
    they were found on, gone through once more by the methods that count (`entropy`, `percentile`;
    the other is `minmax`).
    """
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import TensorsData

    if method == "minmax":
        return TensorsData(
            CalibrationMethod.MinMax,
            {name: _centre(*ends) if symmetric else ends for name, ends in found.items()},
        )
    collector = _count(path, feeds, found, method, symmetric=symmetric)
    with redirect_stdout(io.StringIO()):  # it prints how it is getting on
        chosen = collector.compute_collection_result()
    kind = {"entropy": "Entropy", "percentile": "Percentile"}[method]
    return TensorsData(CalibrationMethod[kind], chosen)


def _centre(low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy as np

    largest = np.maximum(np.abs(low), np.abs(high))
    return -largest, largest


def find_extremes(path: Path, feeds: Sequence[Tensors]) -> Extremes:
    """Return the ends of the values of each float tensor of a graph, taken inside the graph.

    *feeds* are batches by the graph's own names. The graph's shapes must be inferred. A tensor that
    was empty in all of them has no ends.
    """
    watched = _watch(path, reduced=True)
    try:
        return _merge(watched.read_ends(values) for values in _run(watched, feeds))
    except Exception:  # noqa: BLE001 (whatever the runtime raises where a tensor is empty)
        whole = _watch(path, reduced=False)
        return _merge(_measure_ends(values) for values in _run(whole, feeds))


def _merge(found: Iterable[Extremes]) -> Extremes:
    import numpy as np

    merged: Extremes = {}
    for sample in found:
        for name, (low, high) in sample.items():
            before = merged.get(name, (low, high))
            merged[name] = np.fmin(before[0], low), np.fmax(before[1], high)
    return merged


def _measure_ends(values: Mapping[str, NDArray[Any]]) -> Extremes:
    return {
        name: (array.min().reshape(1), array.max().reshape(1))
        for name, array in values.items()
        if array.size
    }


def _count(
    path: Path, feeds: Iterable[Tensors], found: Extremes, method: str, *, symmetric: bool
) -> Any:
    """Return a collector with the histogram of each tensor, its bins laid over its whole range."""
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector = HistogramCollector(
        method=method,
        symmetric=symmetric,
        num_bins=BINS[method],
        num_quantized_bins=LEVELS,
        percentile=PERCENTILE,
        scenario="same",
    )
    absolute = symmetric and method == "percentile"
    collector.histogram_dict = {
        name: _make_histogram(*ends, BINS[method], absolute=absolute)
        for name, ends in found.items()
    }
    watched = _watch(path, reduced=False, wanted=found)
    with redirect_stdout(io.StringIO()):
        for values in _run(watched, feeds):
            collector.collect({name: values[name] for name in watched.tensors})
    return collector


def _make_histogram(
    low: NDArray[Any], high: NDArray[Any], bins: int, *, absolute: bool
) -> tuple[Any, ...]:
    """Return a histogram without counts, in the collector's form.

    Were it left to begin with the first sample, it would be widened by every later one that
    exceeds it, by as many bins of the first one's width as that takes.
    """
    import numpy as np

    nothing, largest = np.zeros(0, low.dtype), max(abs(low[0]), abs(high[0]))
    if absolute:
        counts, edges = np.histogram(nothing, bins, range=(0, largest))
        return counts, edges.astype(low.dtype), low[0], high[0]
    counts, edges = np.histogram(nothing, bins, range=(-largest, largest))
    return counts, edges, low[0], high[0], np.array(largest, dtype=low.dtype)


@attrs.frozen(eq=False)
class _Watched:
    """A graph that gives its inner tensors, or their ends, beside its outputs."""

    path: Path
    tensors: tuple[str, ...]
    outputs: tuple[str, ...]

    def read_ends(self, values: Mapping[str, NDArray[Any]]) -> Extremes:
        """Return the ends of each tensor among what the graph gave."""
        return {
            name: (values[low].reshape(1), values[high].reshape(1))
            for name in self.tensors
            for low, high in [_name_ends(name)]
        }


def _name_ends(name: str) -> tuple[str, str]:
    return f"{name}/lowest", f"{name}/highest"


def _watch(path: Path, *, reduced: bool, wanted: Container[str] | None = None) -> _Watched:
    """Write a graph that watches float tensors, all or those wanted, beside the one it reads."""
    import onnx
    from onnx import helper

    # It refers to the weights by their paths, and so has to be written into the same directory.
    model = onnx.load_model(path, load_external_data=False)
    tensors = {
        name: kind
        for name, kind in _find_floats(model.graph).items()
        if wanted is None or name in wanted
    }
    present = {one.name for one in model.graph.output}
    if reduced:
        for name, kind in tensors.items():
            for op, end in zip(("ReduceMin", "ReduceMax"), _name_ends(name), strict=True):
                model.graph.node.append(helper.make_node(op, [name], [end], keepdims=0))
                model.graph.output.append(helper.make_tensor_value_info(end, kind, []))
    else:
        model.graph.output.extend(
            helper.make_tensor_value_info(name, kind, None)
            for name, kind in tensors.items()
            if name not in present
        )
    target = path.with_name("watched.onnx")
    target.write_bytes(model.SerializeToString())
    outputs = [end for name in tensors for end in _name_ends(name)] if reduced else list(tensors)
    return _Watched(target, tuple(tensors), tuple(outputs))


def _find_floats(graph: Any) -> Mapping[str, int]:
    """Return the element type of each tensor of floats that a node reads or writes, in order."""
    import onnx

    constants = {one.name for one in graph.initializer}
    kinds = {
        one.name: one.type.tensor_type.elem_type
        for one in (*graph.value_info, *graph.output, *graph.input)
    }
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    used = (name for node in graph.node for name in (*node.input, *node.output))
    return {
        name: kinds[name]
        for name in dict.fromkeys(used)
        if name not in constants and kinds.get(name) in floats
    }


def _run(watched: _Watched, feeds: Iterable[Tensors]) -> Iterator[dict[str, NDArray[Any]]]:
    """Run a watched graph on each sample; what is yielded is gone before the next."""
    import onnxruntime

    options = make_options()
    # Fused away, a tensor could not be watched.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        watched.path, options, providers=["CPUExecutionProvider"]
    )
    for feed in feeds if watched.outputs else ():
        yield dict(zip(watched.outputs, session.run(watched.outputs, feed), strict=True))
