"""The backend `tensorrt` on a GPU: what the fake of `tests/plugins/backends` cannot show."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgebench import CaseFailed, Pipeline
from edgebench.cases.case import BackendChoice
from edgebench.sessions.compiled import compile_stage, find_compiled
from edgebench.sessions.opening import Opening
from edgebench_plugins.backends import tensorrt as plugin
from edgebench_plugins.backends.tensorrt import TensorrtOptions

from ..plugins.backends.graphs import graph_stage, quantized, spec

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("tensorrt")]
(BACKEND,) = plugin.edgebench_backends()
GPU = "cuda:0"
WIDE = 512


@pytest.fixture
def build(tmp_path):
    """Build an engine in a directory of its own."""

    def build(stage, **options):
        directory = tmp_path / f"built-{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        return BACKEND.compile(stage, GPU, 1, TensorrtOptions(**options), directory)

    return build


def run(stage, inputs):
    with BACKEND.open(stage, GPU, 1, TensorrtOptions()) as session:
        return session.run(inputs)


def test_it_is_usable_and_says_on_what(facts):
    assert BACKEND.usable(facts, GPU) is True
    assert {"tensorrt", GPU, "cuda-driver"} <= set(BACKEND.versions())


@pytest.mark.parametrize("batch", [1, 4, 5])
def test_it_computes_what_the_graph_says_at_any_batch(
    build, convolutions, images, reference, batch
):
    got = run(build(convolutions, opt_batch=4, max_batch=8), {"pixels": images[:batch]})
    np.testing.assert_allclose(got["out"], reference[:batch], atol=1e-4)


def test_a_batch_beyond_the_profile_is_refused(build, convolutions, images):
    stage = build(convolutions, max_batch=4)
    with pytest.raises(CaseFailed, match="a batch of 5 is beyond what the engine was built for"):
        run(stage, {"pixels": images})


@pytest.mark.parametrize("which", ["two_by_two", "swapped"])
def test_tensors_go_by_name(build, request, which):
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    got = run(build(request.getfixturevalue(which)), given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_each_element_type_comes_back_as_it_is(build, tmp_path):
    nodes = [
        helper.make_node("Not", ["m"], ["n"]),
        helper.make_node("Neg", ["h"], ["g"]),
        helper.make_node("Add", ["i", "i"], ["j"]),
    ]
    kinds = {"bool": ("m", "n"), "float16": ("h", "g"), "int64": ("i", "j")}
    inputs, outputs = (
        [spec(ends[place], "batch", 2, dtype=kind) for kind, ends in kinds.items()]
        for place in (0, 1)
    )
    stage = build(graph_stage(tmp_path / "kinds", nodes, inputs, outputs))
    given = {
        "m": np.array([[True, False]]),
        "h": np.array([[1, -2]], "f2"),
        "i": np.array([[3, 2**40]]),
    }
    got = run(stage, given)
    np.testing.assert_array_equal(got["n"], [[False, True]])
    np.testing.assert_array_equal(got["g"], np.array([[-1, 2]], "f2"))
    np.testing.assert_array_equal(got["j"], [[6, 2**41]])
    assert [got[name].dtype.name for name in "ngj"] == ["bool", "float16", "int64"]


# --- precision -----------------------------------------------------------------------------------


def product(directory, *, half=False):
    """A wide product, in halves if asked for, with floats at both ends."""
    weights = np.random.default_rng(0).standard_normal((WIDE, WIDE)).astype("f2" if half else "f4")
    inner = [helper.make_node("MatMul", ["a", "w"], ["b"])]
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=10 if half else 1),
        *inner,
        helper.make_node("Cast", ["b"], ["y"], to=1),
    ]
    ends = [spec("x", "batch", WIDE)], [spec("y", "batch", WIDE)]
    return graph_stage(directory, nodes, *ends, [numpy_helper.from_array(weights, "w")]), weights


def find_error(stage, weights):
    """Return how far a product is from the one in 64 bits, in units of what its values spread."""
    x = np.random.default_rng(1).standard_normal((8, WIDE)).astype("f4")
    wanted = x.astype("f8") @ weights.astype("f8")
    return float(np.abs(run(stage, {"x": x})["y"] - wanted).max() / wanted.std())


def test_floats_stay_floats_unless_tf32_is_asked_for(build, tmp_path):
    stage, weights = product(tmp_path / "wide")
    plain = find_error(build(stage, opt_batch=8), weights)
    assert plain < 1e-5
    rounded = find_error(build(stage, opt_batch=8, tf32=True), weights)
    # TF32 may be used and need not be; it keeps 10 bits, of 23.
    assert rounded < 1e-2


def test_halves_are_halves(build, tmp_path):
    stage, weights = product(tmp_path / "half", half=True)
    error = find_error(build(stage, opt_batch=8), weights)
    assert 1e-5 < error < 2e-2


def test_a_quantized_graph_computes_in_int8(build, tmp_path):
    stage = quantized(tmp_path / "int8", np.int8)
    x = np.random.default_rng(5).standard_normal((3, 4)).astype("f4")
    wanted = ReferenceEvaluator(str(stage.file)).run(None, {"x": x})[0]
    np.testing.assert_allclose(run(build(stage), {"x": x})["y"], wanted, atol=1e-3)


def test_unsigned_activations_are_refused_in_one_line(build, tmp_path):
    with pytest.raises(CaseFailed, match="tensorrt does not read the graph") as failed:
        build(quantized(tmp_path / "uint8", np.uint8))
    assert "\n" not in str(failed.value)


def test_an_operator_that_it_does_not_have_is_refused_in_one_line(build, tmp_path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"], name="rounded"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    stage = graph_stage(tmp_path / "g", nodes, [spec("x", "batch", 4)], [spec("y", "batch", 4)])
    with pytest.raises(CaseFailed, match="tensorrt does not read the graph") as failed:
        build(stage)
    assert "\n" not in str(failed.value)


# --- sessions and engines ------------------------------------------------------------------------


def test_two_sessions_at_once_do_not_disturb_each_other(build, convolutions, images, reference):
    stage = build(convolutions)
    with (
        BACKEND.open(stage, GPU, 1, TensorrtOptions()) as one,
        BACKEND.open(stage, GPU, 1, TensorrtOptions()) as other,
    ):
        for number in range(4):
            first = one.run({"pixels": images[number : number + 1]})["out"]
            second = other.run({"pixels": images[number + 1 :]})["out"]
            np.testing.assert_allclose(first, reference[number : number + 1], atol=1e-4)
            np.testing.assert_allclose(second, reference[number + 1 :], atol=1e-4)


def test_closing_gives_the_memory_back(build, tmp_path):
    from cuda.bindings import runtime

    stage, _ = product(tmp_path / "wide")
    stage = build(stage, max_batch=4096)
    x = np.ones((4096, WIDE), "f4")
    run(stage, {"x": x})  # what CUDA itself takes once, it keeps
    _, before, _ = runtime.cudaMemGetInfo()
    for _ in range(5):
        run(stage, {"x": x})
    _, after, _ = runtime.cudaMemGetInfo()
    assert before - after < 2 * x.nbytes


def test_an_engine_is_kept_and_found_again(convolutions, images, reference, tmp_path):
    opening = Opening.of(BACKEND, BackendChoice("tensorrt"), 1)
    output = convolutions.outputs[0].name
    alone = Pipeline(model="m", variant="v", stages=[convolutions], outputs=[output])
    times = []
    for _ in range(2):
        compile_stage(opening, alone, 0, tmp_path / "store")
        stage, _ = find_compiled(opening, convolutions, tmp_path / "store", BACKEND.versions())
        times.append(stage.file.stat().st_mtime_ns)
    assert times[0] == times[1]
    np.testing.assert_allclose(run(stage, {"pixels": images})["out"], reference, atol=1e-4)


def test_what_is_damaged_is_refused(build, convolutions):
    stage = build(convolutions)
    stage.file.chmod(0o600)
    stage.file.write_bytes(stage.file.read_bytes()[:-100])
    with pytest.raises(CaseFailed, match="tensorrt does not load the engine"):
        run(stage, {})


def test_times_of_kernels_are_kept_and_read(build, convolutions, tmp_path):
    cache = tmp_path / "times"
    for _ in range(2):
        build(convolutions, timing_cache=str(cache))
    assert cache.stat().st_size > 0


def test_a_model_is_measured_in_floats_in_halves_and_in_int8(cli, tmp_path):
    said = cli(
        "run", "--model", "resnet:small", "--backend", "tensorrt", "--operator", "identity",
        "--operator", "fp16", "--operator", "sptq", "--blocks", "1", "--requests", "20", "--json",
        "--db", tmp_path / "gpu.db",
    )  # fmt: skip
    cases = said.cases()
    assert {name.split()[0]: case["status"] for name, case in cases.items()} == {
        "identity": "ok", "fp16": "ok", "sptq": "ok",
    }, said.err  # fmt: skip
    for case in cases.values():
        assert case["cold_s"]["mobile"]["compile"] > 0
    plain = cases["identity mobile tensorrt"]["agreement"]
    assert plain["max_abs_difference"] < 1e-3
