"""Graphs that edgebench did not export: run, cut in two, quantized, whatever their shapes."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench import ChainError, Pipeline, Quantization, Stage, TensorSpec
from edgebench_kit.onnx.cut_lists import find_cuts
from edgebench_kit.onnx.cuts import Graph
from edgebench_plugins.backends import onnxruntime, openvino
from edgebench_plugins.formats import onnx as form
from edgebench_plugins.models.onnx import OnnxOptions, from_file
from edgebench_plugins.operators import partition, sptq
from edgebench_plugins.operators.partition import PartitionOptions
from edgebench_plugins.operators.sptq import SptqOptions

from ... import foreign

BACKENDS = {
    "onnxruntime": (onnxruntime, onnxruntime.OnnxruntimeOptions()),
    "openvino": (openvino, openvino.OpenvinoOptions()),
}


def opened(path, dims=""):
    """Make a pipeline of a file, its graph loaded as operators are given it."""
    pipeline = from_file(path, OnnxOptions(dims=dims))
    (stage,) = pipeline.stages
    live = stage.live or form.load(stage, None)
    return pipeline.replaced([attrs.evolve(stage, live=live)])


def pictures(random, batch):
    return {"picture": random.standard_normal((batch, 3, 8, 8)).astype("f4")}


def lit(random, batch):
    colours = random.uniform(0.5, 2, (batch, 3)).astype("f4")
    return {"x": random.standard_normal((batch, 3, 8, 8)).astype("f4"), "scale": colours}


def sentences(random, batch):
    return {"ids": random.integers(0, 100, (batch, 12))}


FILES = {
    "one picture at a time": (foreign.conv, "", pictures, 1),
    "an old operator set, weights among the inputs": (
        lambda path: foreign.conv(path, opset=9, ir=3), "", pictures, 1,
    ),
    "two inputs": (foreign.scaled, "", lit, 3),
    "words": (foreign.text, "seq=12", sentences, 3),
}  # fmt: skip


@attrs.frozen
class Case:
    pipeline: Pipeline
    inputs: dict
    calibration: list


@pytest.fixture(scope="module", params=FILES.values(), ids=FILES.keys())
def case(request, tmp_path_factory):
    make, dims, draw, batch = request.param
    path = make(tmp_path_factory.mktemp("file") / "some.model.onnx")
    random = np.random.default_rng(3)
    return Case(opened(path, dims), draw(random, batch), [draw(random, 1) for _ in range(12)])


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def on(request, context):
    """Make a context that runs on one of the backends."""
    module, options = request.param
    return lambda *given, **rest: context(*given, backend=module, runtime=options, **rest)


def reference(pipeline, inputs):
    """Compute the outputs by the evaluator that onnx itself brings."""
    from onnx.reference import ReferenceEvaluator

    (stage,) = pipeline.stages
    return dict(
        zip(pipeline.outputs, ReferenceEvaluator(stage.live).run(None, inputs), strict=True)
    )


def near(got, wanted, part=1e-5):
    for name, array in wanted.items():
        assert got[name].shape == array.shape
        assert np.abs(got[name] - array).max() <= part * max(1.0, np.abs(array).max())


def test_it_runs(case, on):
    near(on().run(case.pipeline, case.inputs), reference(case.pipeline, case.inputs))


def test_it_is_cut_in_two(case, on):
    here = on(PartitionOptions())
    done = partition.apply(case.pipeline, here)
    assert len(done.stages) == 2
    assert all(stage.parameters for stage in done.stages)
    whole = here.run(case.pipeline, case.inputs)
    near(here.run(done, case.inputs), whole)


def test_it_is_cut_at_every_place_there_is(case, context):
    cuts = find_cuts(Graph.of(case.pipeline.stages[0].live))
    assert len(cuts) >= 3
    here = context()
    whole = here.run(case.pipeline, case.inputs)
    for cut in cuts:
        done = partition.apply(case.pipeline, context(PartitionOptions(tensor=cut.names[0])))
        near(here.run(done, case.inputs), whole)


@pytest.mark.parametrize("calibration", ["minmax", "percentile"])
def test_it_is_quantized(case, on, calibration):
    target = Quantization(activation="uint8", weight="int8", per_channel=True)
    options = SptqOptions(calibration=calibration)
    here = on(options, calibration=case.calibration, target=target)
    done = sptq.apply(case.pipeline, here)
    (stage,) = done.stages
    assert "QuantizeLinear" in {node.op_type for node in stage.live.graph.node}
    assert stage.inputs == case.pipeline.stages[0].inputs
    whole, got = (here.run(one, case.inputs) for one in (case.pipeline, done))
    for name, array in whole.items():
        assert np.mean((got[name] - array) ** 2) < 0.02 * np.mean(array**2)


def test_what_is_quantized_is_cut_in_two(case, context):
    target = Quantization(activation="uint8", weight="int8")
    quantized = sptq.apply(
        case.pipeline, context(SptqOptions(), calibration=case.calibration, target=target)
    )
    here = context(PartitionOptions())
    done = partition.apply(quantized, here)
    whole, got = (here.run(one, case.inputs) for one in (quantized, done))
    for name, array in whole.items():
        np.testing.assert_array_equal(got[name], array)


# --- shapes ---------------------------------------------------------------------------------------


def sized(path):
    """A net that takes pictures of any size."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "v"], ["d"]),
        helper.make_node("GlobalMaxPool", ["d"], ["y"]),
    ]
    weights = foreign._drawn({"w": (4, 3, 3, 3), "v": (5, 4, 3, 3)})
    ends = [("x", ["batch", 3, "h", "w_"])], [("y", ["batch", 5, 1, 1])]
    foreign._saved(path, nodes, weights, *ends)
    specs = [
        TensorSpec(name="x", dtype="float32", shape=("batch", 3, "h", "w")),
        TensorSpec(name="y", dtype="float32", shape=("batch", 5, 1, 1)),
    ]
    live = onnx.load_model(path)
    stage = Stage(format="onnx", live=live, inputs=specs[:1], outputs=specs[1:])
    return Pipeline(model="sized", variant="", stages=[stage], outputs=["y"])


@pytest.mark.parametrize("calibration", ["minmax", "entropy", "percentile"])
@pytest.mark.parametrize("symmetric", [False, True])
def test_samples_of_different_sizes_calibrate(tmp_path, context, calibration, symmetric):
    random = np.random.default_rng(0)
    shapes = [(3, 9, 14), (3, 20, 8), (3, 11, 11)]
    samples = [{"x": random.standard_normal((1, *shape)).astype("f4")} for shape in shapes]
    target = Quantization(
        activation="int8" if symmetric else "uint8", symmetric_activation=symmetric
    )
    pipeline = sized(tmp_path / "sized.onnx")
    here = context(SptqOptions(calibration=calibration), calibration=samples, target=target)
    done = sptq.apply(pipeline, here)
    for sample in samples:
        wanted, got = (here.run(one, sample)["y"] for one in (pipeline, done))
        assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()


def flattened(path, words):
    """A net whose middle has a row for each word, not for each sample."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("Reshape", ["words", "rows"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w0"], ["wide"]),
        helper.make_node("Reshape", ["wide", "back"], ["deep"]),
        helper.make_node("ReduceMean", ["deep"], ["y"], axes=[1], keepdims=0),
    ]
    tensors = [
        *foreign._drawn({"table": (50, 8), "w0": (8, 200)}),
        numpy_helper.from_array(np.array([-1, 8]), "rows"),
        numpy_helper.from_array(np.array([-1, words, 200]), "back"),
    ]
    ends = [("ids", ["batch", words])], [("y", ["batch", 200])]
    return foreign._saved(path, nodes, tensors, *ends, kind=TensorProto.INT64)


def test_a_tensor_without_a_row_for_each_sample_is_no_cut(tmp_path, context):
    pipeline = opened(flattened(tmp_path / "flat.onnx", 6))
    with pytest.raises(ChainError, match="cannot be cut at 'wide': it has 12 rows for 2 samples"):
        partition.apply(pipeline, context(PartitionOptions(tensor="wide")))
    done = partition.apply(pipeline, context(PartitionOptions(tensor="words")))
    assert done.stages[0].outputs[0].shape == ("batch", 6, 8)


def test_where_shapes_tell_such_a_tensor_is_not_among_the_cuts(tmp_path):
    path = flattened(tmp_path / "flat.onnx", 6)
    model = onnx.load_model(path)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    names = [cut.names[0] for cut in find_cuts(Graph.of(model))]
    assert "words" in names
    assert not {"flat", "wide"} & set(names)


def told(path):
    """A net that gives a class, whether it is sure, and a logarithm that is no number for some."""
    nodes = [
        helper.make_node("Gemm", ["x", "w0"], ["wide"]),
        helper.make_node("Tanh", ["wide"], ["bent"]),
        helper.make_node("ArgMax", ["bent"], ["class"], axis=1, keepdims=0),
        helper.make_node("Greater", ["bent", "half"], ["sure"]),
        helper.make_node("Log", ["bent"], ["log"]),
    ]
    tensors = [
        *foreign._drawn({"w0": (6, 4)}),
        numpy_helper.from_array(np.array(0.5, "f4"), "half"),
    ]
    foreign._saved(path, nodes, tensors, [("x", ["N", 6])], [("log", ["N", 4])])
    model = onnx.load_model(path)
    model.graph.output.extend([
        helper.make_tensor_value_info("class", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("sure", TensorProto.BOOL, ["N", 4]),
    ])  # fmt: skip
    onnx.save_model(model, path)
    return path


def test_outputs_of_every_kind_are_compared(tmp_path, context):
    pipeline = opened(told(tmp_path / "told.onnx"))
    here = context(PartitionOptions(tensor="bent"))
    inputs = {"x": np.random.default_rng(0).standard_normal((3, 6)).astype("f4")}
    assert np.isnan(here.run(pipeline, inputs)["log"]).any()
    done = partition.apply(pipeline, here)
    for name, array in here.run(pipeline, inputs).items():
        np.testing.assert_array_equal(here.run(done, inputs)[name], array)


# --- size -----------------------------------------------------------------------------------------

MEMORY, DISK = 10 * 2**30, 12 * 10**9


@attrs.frozen
class Heavy:
    pipeline: Pipeline
    inputs: dict
    outputs: dict
    scratch: Path


@pytest.fixture(scope="module")
def heavy():
    """A file of more than 2 GiB, its graph loaded, and what it gives; gone when all are done."""
    if (free := psutil.virtual_memory().available) < MEMORY:
        pytest.skip(f"needs 10 GiB of free memory, there are {free / 2**30:.1f}")
    with TemporaryDirectory(prefix="edgebench-") as directory:
        if (free := shutil.disk_usage(directory).free) < DISK:
            pytest.skip(f"needs 12 GB of free disk in {directory}, there are {free / 1e9:.1f}")
        path = foreign.heavy(Path(directory) / "heavy.onnx")
        pipeline = opened(path)
        inputs = {"x": np.random.default_rng(0).standard_normal((2, 2048)).astype("f4")}
        assert pipeline.stages[0].size > 2**31
        with onnxruntime.open_session(
            pipeline.stages[0], "cpu", 1, onnxruntime.OnnxruntimeOptions()
        ) as session:
            outputs = session.run(inputs)
        yield Heavy(pipeline, inputs, outputs, Path(directory))


def light(heavy, context, *given, **rest):
    """Make a context on the backend that takes less time to open large graphs."""
    module, options = BACKENDS["openvino"]
    here = context(*given, backend=module, runtime=options, **rest)
    # Where pytest would keep what is written there, gigabytes would stay.
    here.scratch = heavy.scratch
    return here


def test_more_than_2_gib_run(heavy, context):
    here = light(heavy, context)
    near(here.run(heavy.pipeline, heavy.inputs), heavy.outputs)


def test_more_than_2_gib_are_cut_in_two(heavy, context):
    here = light(heavy, context, PartitionOptions())
    done = partition.apply(heavy.pipeline, here)
    sizes = [stage.parameters for stage in done.stages]
    assert sizes == [heavy.pipeline.stages[0].parameters // 2] * 2
    near(here.run(done, heavy.inputs), heavy.outputs)


def test_more_than_2_gib_are_quantized(heavy, context):
    calibration = [{"x": heavy.inputs["x"][row : row + 1]} for row in range(2)]
    target = Quantization(activation="uint8", weight="int8", per_channel=False)
    here = light(heavy, context, SptqOptions(), calibration=calibration, target=target)
    done = sptq.apply(heavy.pipeline, here)
    kinds = {node.op_type for node in done.stages[0].live.graph.node}
    assert "QuantizeLinear" in kinds
    assert here.saved(done.stages[0]).size < 2**31 / 3
    near(here.run(done, heavy.inputs), heavy.outputs, part=0.02)
