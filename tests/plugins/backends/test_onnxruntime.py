from __future__ import annotations

import gc
import weakref

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgebench import CaseFailed
from edgebench_plugins.backends import onnxruntime as plugin
from edgebench_plugins.backends.onnxruntime import OnnxruntimeOptions

from .graphs import graph_stage, spec

(BACKEND,) = plugin.edgebench_backends()


@pytest.fixture
def opened(convolutions):
    with BACKEND.open(convolutions, "cpu", 1, BACKEND.options()) as session:
        yield session


def test_it_computes_what_the_graph_says(opened, images, reference):
    got = opened.run({"pixels": images})
    assert list(got) == ["out"]
    np.testing.assert_allclose(got["out"], reference, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_it_takes_any_batch(opened, images, reference, batch):
    got = opened.run({"pixels": images[:batch]})["out"]
    np.testing.assert_allclose(got, reference[:batch], atol=1e-5)


def test_it_takes_what_came_off_the_wire(opened, images, reference):
    array = np.frombuffer(images.tobytes(), "f4").reshape(images.shape)
    np.testing.assert_allclose(opened.run({"pixels": array})["out"], reference, atol=1e-5)


def test_outputs_outlive_the_next_call(opened, images):
    first = opened.run({"pixels": images[:1]})["out"]
    kept = first.copy()
    opened.run({"pixels": images[1:2]})
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("which", ["two_by_two", "swapped"])
def test_tensors_go_by_name(which, request):
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    with BACKEND.open(request.getfixturevalue(which), "cpu", 1, BACKEND.options()) as session:
        got = session.run(given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


@pytest.mark.parametrize("level", ["all", "extended", "basic", "disabled"])
def test_any_optimisation_computes_the_same(convolutions, images, reference, level):
    options = OnnxruntimeOptions(graph_optimization=level)
    with BACKEND.open(convolutions, "cpu", 1, options) as session:
        np.testing.assert_allclose(session.run({"pixels": images})["out"], reference, atol=1e-5)


@pytest.fixture
def compressed(tmp_path):
    """A product whose weights alone are integers."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.integers(-127, 128, (64, 32)).astype("i1"),
        "scales": (random.random(32) / 100 + 1e-3).astype("f4"),
        "zeros": np.zeros(32, "i1"),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scales", "zeros"], ["wf"], axis=1),
        helper.make_node("MatMul", ["x", "wf"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    ends = [spec("x", "batch", 64)], [spec("y", "batch", 32)]
    stage = graph_stage(tmp_path / "compressed", nodes, *ends, tensors)
    return stage, constants["w"] * constants["scales"].astype("f8")


@pytest.mark.parametrize("exported", [False, True])
def test_floats_are_not_rounded_to_integers_unasked(compressed, exported):
    stage, weights = compressed
    given = np.random.default_rng(1).standard_normal((8, 64)).astype("f4")
    given[:, 0] = 30  # beside which 8 bits leave little of the others
    with BACKEND.open(stage, "cpu", 1, BACKEND.options()) as session:
        run = session.run
        if exported:
            text, defined = BACKEND.program(stage, "cpu", 1, BACKEND.options(), stage.directory), {}
            exec(text, defined)  # noqa: S102 (that is what a program is for)
            run = defined["open_stage"](stage.directory)
        got = run({"x": given})["y"]
    assert np.linalg.norm(got - given @ weights) / np.linalg.norm(given @ weights) < 1e-5


def test_what_is_asked_for_is_what_is_set():
    asked = plugin._session_options(3, OnnxruntimeOptions(graph_optimization="basic"))
    assert (asked.intra_op_num_threads, asked.inter_op_num_threads) == (3, 1)
    assert asked.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert asked.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert asked.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_session_goes_with_its_context(convolutions, monkeypatch):
    made = []

    class Noted(onnxruntime.InferenceSession):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            made.append(weakref.ref(self))

    monkeypatch.setattr(onnxruntime, "InferenceSession", Noted)
    with BACKEND.open(convolutions, "cpu", 1, BACKEND.options()):
        assert made[0]() is not None
    gc.collect()
    assert made[0]() is None


def test_an_unknown_device_is_refused(convolutions, facts, process):
    with (
        pytest.raises(CaseFailed, match="onnxruntime has no device 'npu' here; it has "),
        BACKEND.open(convolutions, "npu", 1, BACKEND.options()),
    ):
        pass
    assert BACKEND.usable(facts, "npu").startswith("no device 'npu' here; it has cpu")
    assert BACKEND.usable(facts, "cpu") is True


def test_another_device_than_asked_for_is_refused(convolutions, monkeypatch):
    """Falling back is what the runtime does by itself; here it is made to say that it did."""
    monkeypatch.setattr(
        onnxruntime.InferenceSession, "get_providers", lambda _: ["OtherExecutionProvider"]
    )
    with (
        pytest.raises(CaseFailed, match="runs on OtherExecution.*, not on CPUExecutionProvider"),
        BACKEND.open(convolutions, "cpu", 1, BACKEND.options()),
    ):
        pass


def test_a_provider_of_the_build_that_does_not_run_here_is_not_usable(facts, monkeypatch, process):
    names = ["OtherExecutionProvider", "CPUExecutionProvider", "AzureExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    assert list(BACKEND.devices())[:2] == ["cpu", "other"]
    assert "azure" not in BACKEND.devices()
    with pytest.warns(UserWarning, match="'OtherExecutionProvider' is not in available"):
        said = BACKEND.usable(facts, "other")
    assert said == "OtherExecutionProvider refuses: Unknown Provider Type: " + names[0]


def test_it_is_not_usable_where_it_is_not_installed(facts, monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert BACKEND.usable(facts, "cpu") == "onnxruntime is not installed"
    assert BACKEND.devices() == ()


def test_it_tells_its_version():
    assert BACKEND.versions()["onnxruntime"] == onnxruntime.__version__
