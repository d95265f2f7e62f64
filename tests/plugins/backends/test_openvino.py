from __future__ import annotations

import numpy as np
import openvino
import pytest

from edgebench import CaseFailed
from edgebench_plugins.backends import openvino as plugin
from edgebench_plugins.backends.openvino import OpenvinoOptions

(BACKEND,) = plugin.edgebench_backends()


@pytest.fixture
def opened(convolutions):
    with BACKEND.open(convolutions, "cpu", 1, BACKEND.options()) as session:
        yield session


def test_it_computes_what_the_graph_says_in_f32(opened, images, reference):
    """In bf16, which it takes unasked, the difference is a hundred times as large."""
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


def test_it_takes_what_does_not_lie_in_order(opened, images, reference):
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(opened.run({"pixels": turned})["out"], reference, atol=1e-5)


def test_outputs_outlive_the_next_call_and_the_session(convolutions, images, reference):
    with BACKEND.open(convolutions, "cpu", 1, BACKEND.options()) as session:
        first = session.run({"pixels": images[:1]})["out"]
        session.run({"pixels": images[1:2]})
    del session
    np.testing.assert_allclose(first, reference[:1], atol=1e-5)


def test_inputs_are_left_alone(opened, images):
    before = images.copy()
    opened.run({"pixels": images})
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("which", ["two_by_two", "swapped"])
def test_tensors_go_by_name(which, request):
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    with BACKEND.open(request.getfixturevalue(which), "cpu", 1, BACKEND.options()) as session:
        got = session.run(given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_what_is_asked_for_is_what_is_set(convolutions):
    compiled = openvino.Core().compile_model(
        convolutions.file, "CPU", plugin._properties("cpu", 2, OpenvinoOptions())
    )
    got = {name: compiled.get_property(name) for name in ("NUM_STREAMS", "INFERENCE_NUM_THREADS")}
    assert got == {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 2}
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert "LATENCY" in str(compiled.get_property("PERFORMANCE_HINT"))
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_threads_are_for_processors_only():
    assert "INFERENCE_NUM_THREADS" not in plugin._properties("gpu.0", 2, OpenvinoOptions())


def test_a_precision_is_had_or_refused(convolutions, images):
    """The processor of a machine has bf16 or not; what is opened is what was asked for."""
    can = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision in ("bf16", "f16"):
        options = OpenvinoOptions(precision=precision)
        if {"bf16": "BF16", "f16": "FP16"}[precision] in can:
            with BACKEND.open(convolutions, "cpu", 1, options) as session:
                assert session.run({"pixels": images})["out"].shape == (5, 8, 8, 8)
        else:
            with (
                pytest.raises(CaseFailed, match=f"on this cpu, not in {precision}"),
                BACKEND.open(convolutions, "cpu", 1, options),
            ):
                pass


def test_its_precision_is_that_of_its_options():
    assert BACKEND.precision(OpenvinoOptions()) == "f32"
    assert BACKEND.precision(OpenvinoOptions(precision="bf16")) == "bf16"


def test_an_unknown_device_is_refused(convolutions, facts):
    with (
        pytest.raises(CaseFailed, match="no device 'npu9' here; it has cpu"),
        BACKEND.open(convolutions, "npu9", 1, BACKEND.options()),
    ):
        pass
    assert "no device 'npu9' here" in BACKEND.usable(facts, "npu9")
    assert BACKEND.usable(facts, "cpu") is True


def test_it_is_not_usable_where_it_is_not_installed(facts, monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert BACKEND.usable(facts, "cpu") == "openvino is not installed"
    assert BACKEND.devices() == ()


def test_it_tells_its_version():
    assert BACKEND.versions() == {"openvino": openvino.get_version()}
