from __future__ import annotations

import shutil

import attrs
import numpy as np
import openvino
import pytest

from edgebench import CaseFailed
from edgebench_kit.onnx.openvino_properties import Asked
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


def freeze(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("change", [freeze, lambda array: np.ascontiguousarray(array.T).T])
@pytest.mark.parametrize("exported", [False, True])
def test_several_inputs_that_are_copied_are_there_until_all_is_computed(
    two_by_two, tmp_path, change, exported
):
    """Their copies are in nobody's hands but the backend's, and memory that is free is reused."""
    x, y = np.full((500, 4), 5, "f4"), np.full((500, 4), 2, "f4")
    given = {"x": change(x), "y": change(y)}
    assert not any(one.flags.writeable and one.flags.c_contiguous for one in given.values())
    with BACKEND.open(two_by_two, "cpu", 1, BACKEND.options()) as session:
        run = session.run
        if exported:
            place, defined = tmp_path / "program", {}
            shutil.copytree(two_by_two.directory, place)
            text = BACKEND.program(two_by_two, "cpu", 1, BACKEND.options(), place)
            exec(text, defined)  # noqa: S102 (that is what a program is for)
            run = defined["open_stage"](place)
        for _ in range(3):
            got = run(given)
            np.testing.assert_array_equal(got["less"], np.full((500, 4), 3, "f4"))
            np.testing.assert_array_equal(got["more"], np.full((500, 4), 7, "f4"))


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


# --- hints, streams, devices ----------------------------------------------------------------------


def compiled_of(session):
    return session.request.get_compiled_model()


def test_latency_takes_one_stream_and_throughput_as_many_as_it_likes(
    convolutions, images, reference
):
    with BACKEND.open(convolutions, "cpu", 2, OpenvinoOptions()) as session:
        assert compiled_of(session).get_property("NUM_STREAMS") == 1
        assert session.doubts() == []
    with BACKEND.open(convolutions, "cpu", 2, OpenvinoOptions(hint="throughput")) as session:
        assert "THROUGHPUT" in str(compiled_of(session).get_property("PERFORMANCE_HINT"))
        np.testing.assert_allclose(session.run({"pixels": images})["out"], reference, atol=1e-5)
        streams = compiled_of(session).get_property("NUM_STREAMS")
        assert len(session.doubts()) == (streams > 1)
    with BACKEND.open(convolutions, "cpu", 2, OpenvinoOptions(streams=2)) as session:
        assert session.doubts() == [
            "openvino is prepared for 2 requests at once, and they come one by one"
        ]


def test_what_it_does_not_take_is_refused(convolutions):
    """It answers with fewer streams than it was asked for, and says nothing."""
    with (
        pytest.raises(CaseFailed, match="^openvino takes NUM_STREAMS as 1 on this cpu, not as 9$"),
        BACKEND.open(convolutions, "cpu", 1, OpenvinoOptions(streams=9)),
    ):
        pass


def test_cores_that_a_processor_does_not_have_are_refused(convolutions):
    options = OpenvinoOptions(cores="efficient")
    alike = openvino.Core().compile_model(
        convolutions.file, "CPU", {"SCHEDULING_CORE_TYPE": "ECORE_ONLY"}
    )
    if alike.get_property("SCHEDULING_CORE_TYPE").name == "ECORE_ONLY":
        with BACKEND.open(convolutions, "cpu", 1, options) as session:
            assert session.doubts() == []
    else:
        with (
            pytest.raises(
                CaseFailed, match="SCHEDULING_CORE_TYPE as ANY_CORE on this cpu, not as E"
            ),
            BACKEND.open(convolutions, "cpu", 1, options),
        ):
            pass


def test_fewer_threads_than_it_was_given_are_a_doubt(convolutions):
    with BACKEND.open(convolutions, "cpu", 4096, OpenvinoOptions()) as session:
        used = compiled_of(session).get_property("INFERENCE_NUM_THREADS")
        assert session.doubts() == [
            f"openvino uses {used} threads, as this machine has no more for it"
        ]


def test_activations_are_quantized_only_where_that_is_asked_for(convolutions):
    for size in (0, 64):
        options = OpenvinoOptions(dynamic_quantization=size)
        with BACKEND.open(convolutions, "cpu", 1, options) as session:
            got = compiled_of(session).get_property("DYNAMIC_QUANTIZATION_GROUP_SIZE")
        assert got == size


@pytest.mark.parametrize(("device", "fallback"), [("auto", ""), ("cpu", "cpu"), ("cpu", "")])
def test_every_way_to_a_device_computes_alike_in_f32(
    convolutions, images, reference, device, fallback
):
    """One device may be its own fallback, which makes two of it: all that one processor can show."""
    with BACKEND.open(convolutions, device, 1, OpenvinoOptions(fallback=fallback)) as session:
        np.testing.assert_allclose(session.run({"pixels": images})["out"], reference, atol=1e-5)
        (name,) = compiled_of(session).get_property("EXECUTION_DEVICES")
        ((runs, nodes),) = session.assignment().items()
        assert (name, runs, len(nodes)) == ("CPU", "CPU", 3)
        assert sum(session.profile({"pixels": images}, 2).values()) > 0
        if device == "auto" or fallback:
            taken = compiled_of(session).get_property("DEVICE_PROPERTIES")["CPU"]
            assert taken["NUM_STREAMS"] == taken["INFERENCE_NUM_THREADS"] == 1
            assert taken["ENABLE_CPU_PINNING"] is False


@pytest.mark.parametrize(
    ("device", "fallback", "said"),
    [
        ("auto", "", "takes NUM_STREAMS as 1 on this cpu, not as 9"),
        ("cpu", "cpu", "takes NUM_STREAMS as 1 on this cpu, not as 9"),
    ],
)
def test_what_is_refused_is_refused_behind_a_choice_too(convolutions, device, fallback, said):
    options = OpenvinoOptions(fallback=fallback, streams=9)
    with (
        pytest.raises(CaseFailed, match=said),
        BACKEND.open(convolutions, device, 1, options),
    ):
        pass


@pytest.mark.parametrize(
    ("device", "fallback", "said"),
    [
        ("cpu", "npu9", "no device 'npu9' here"),
        ("cpu", "auto", "no device 'auto' here"),
        ("auto", "cpu", "chooses among all devices with 'auto': fallback has no part"),
    ],
)
def test_a_fallback_is_a_device_that_is_there(convolutions, device, fallback, said):
    with (
        pytest.raises(CaseFailed, match=said),
        BACKEND.open(convolutions, device, 1, OpenvinoOptions(fallback=fallback)),
    ):
        pass


def test_each_device_of_several_is_asked_with_its_own_properties():
    options = OpenvinoOptions(streams=2)
    asked = Asked.of(
        ["gpu.1", "cpu"], [plugin._properties(one, 3, options) for one in ("gpu.1", "cpu")]
    )
    assert asked.target == "HETERO:GPU.1,CPU"
    given = asked.write()["DEVICE_PROPERTIES"]
    assert "INFERENCE_NUM_THREADS" not in given["GPU.1"]
    assert given["CPU"]["INFERENCE_NUM_THREADS"] == 3
    assert given["GPU.1"]["NUM_STREAMS"] == given["CPU"]["NUM_STREAMS"] == 2


def test_nodes_are_told_by_the_device_that_has_them(convolutions):
    """What only a machine with two devices can show is what the runtime would say of it."""
    with BACKEND.open(convolutions, "cpu", 1, OpenvinoOptions()) as session:
        says = {"h": "GPU.0", "a": "GPU.0", "r": "CPU", "out": "CPU"}
        both = attrs.evolve(session, place=lambda: says)
        assert both.assignment() == {"GPU.0": ["h"], "CPU": ["r", "out"]}


def test_a_program_asks_as_the_session_did(convolutions, tmp_path):
    place = tmp_path / "program"
    shutil.copytree(convolutions.directory, place)
    options = OpenvinoOptions(fallback="cpu", hint="throughput", streams=1)
    text = BACKEND.program(convolutions, "cpu", 1, options, place)
    assert "'HETERO:CPU,CPU'" in text
    assert "'PERFORMANCE_HINT': 'THROUGHPUT'" in text
    defined = {}
    exec(text, defined)  # noqa: S102 (that is what a program is for)
    images = np.random.default_rng(3).standard_normal((2, 3, 12, 12)).astype("f4")
    with BACKEND.open(convolutions, "cpu", 1, options) as session:
        np.testing.assert_allclose(
            defined["open_stage"](place)({"pixels": images})["out"],
            session.run({"pixels": images})["out"],
            atol=1e-6,
        )
