"""The ranges found one sample at a time are those that ONNX Runtime finds in all at once."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

from edgebench_kit.onnx.activation_ranges import BINS, LEVELS, find_extremes, find_ranges

from ... import foreign

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


@pytest.fixture
def graph(tmp_path):
    path = foreign.conv(tmp_path / "conv.onnx")
    onnx.save_model(onnx.shape_inference.infer_shapes(onnx.load_model(path)), path)
    return path


@pytest.fixture
def feeds():
    """Samples of which the later ones reach far beyond the first."""
    random = np.random.default_rng(4)
    return [
        {"picture": (random.standard_t(4, (1, 3, 8, 8)) * (1 + 10 * number)).astype("f4")}
        for number in range(8)
    ]


def of_the_runtime(path, feeds, method, symmetric):
    """What its own calibrator finds, with all samples in memory."""
    settings = {"symmetric": symmetric}
    if method == "entropy":
        settings |= {"num_bins": BINS[method], "num_quantized_bins": LEVELS}
    with redirect_stdout(io.StringIO()):
        calibrator = create_calibrator(
            path,
            augmented_model_path=str(path.with_name("theirs.onnx")),
            calibrate_method=METHODS[method],
            extra_options=settings,
        )
        calibrator.collect_data(foreign.Reader(feeds))
        return calibrator.compute_data()


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_they_are_the_runtimes_own(graph, feeds, method, symmetric):
    ours = find_ranges(graph, feeds, find_extremes(graph, feeds), method, symmetric=symmetric)
    theirs = of_the_runtime(graph, feeds, method, symmetric)
    assert set(ours.keys()) == set(theirs.keys())
    assert ours.calibration_method == theirs.calibration_method
    # Its bins for absolute values begin at the smallest of them, ours at 0.
    tolerance = 1e-4 if symmetric and method == "percentile" else 0
    for name, found in ours.items():
        for one, other in zip(found.range_value, theirs[name].range_value, strict=True):
            np.testing.assert_allclose(one, other, rtol=tolerance)


def test_one_sample_at_a_time_is_asked_for(graph, feeds):
    """No more than one set of activations is ever there; twice through, where values are counted."""
    taken = []

    def one_by_one():
        for number, feed in enumerate(feeds):
            taken.append(number)
            yield feed

    class Again:
        def __iter__(self):
            return one_by_one()

    found = find_extremes(graph, Again())
    find_ranges(graph, Again(), found, "minmax", symmetric=False)
    assert taken == list(range(8))
    find_ranges(graph, Again(), found, "percentile", symmetric=False)
    assert taken == [*range(8)] * 2


@pytest.mark.parametrize("method", METHODS)
def test_only_what_is_wanted_is_counted(graph, feeds, method):
    found = find_extremes(graph, feeds)
    wanted = {name: found[name] for name in ("picture", "r0")}
    whole, part = (
        find_ranges(graph, feeds, one, method, symmetric=False) for one in (found, wanted)
    )
    assert set(part.keys()) == set(wanted)
    for name in wanted:
        assert part[name].range_value == whole[name].range_value
