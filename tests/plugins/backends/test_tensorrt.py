"""The backend `tensorrt` on a fake of what it uses; `tests/gpu/test_tensorrt.py` is for real ones."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgebench import CaseFailed
from edgebench.cases.case import BackendChoice
from edgebench.cases.chain import parse_backend, structure
from edgebench.catalogue.registry import shipped_registry
from edgebench.parts.errors import OptionError
from edgebench.parts.pipeline import Pipeline
from edgebench.sessions.compiled import compile_stage, find_compiled
from edgebench.sessions.opening import Opening
from edgebench_kit.cuda import devices as cuda_devices
from edgebench_plugins.backends import tensorrt as plugin
from edgebench_plugins.backends.tensorrt import TensorrtOptions

from .fake_tensorrt import TF32, Machine
from .graphs import graph_stage, quantized, spec

(BACKEND,) = plugin.edgebench_backends()
OLD, NEW = "10.16.1.11", "11.4.0.106"


@pytest.fixture(params=[OLD, NEW])
def machine(request, monkeypatch):
    return Machine(request.param).install(monkeypatch)


@pytest.fixture
def build(machine, tmp_path):
    """Compile a stage into a directory of its own."""

    def build(stage, device="cuda:0", **options):
        directory = tmp_path / f"built-{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        return BACKEND.compile(stage, device, 1, TensorrtOptions(**options), directory)

    return build


@pytest.fixture
def opened(build, convolutions):
    stage = build(convolutions, max_batch=8)
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        yield session


def read_head(stage):
    return json.loads(stage.file.read_bytes().partition(b"\0")[0])


def test_that_no_gpu_has_run_it_is_said_where_people_look():
    """Until a run of `tests/gpu/run.sh` is recorded in docs/backends.md."""
    page = shipped_registry().parent / "docs" / "backends.md"
    section = page.read_text(encoding="utf-8").partition("\n## tensorrt\n")[2].partition("\n## ")[0]
    assert "Never run on a GPU so far" in section
    assert "Never run on a GPU so far" in BACKEND.summary


# --- how it is built -----------------------------------------------------------------------------


def test_networks_are_strongly_typed_by_the_flag_that_the_version_has(machine, build, convolutions):
    build(convolutions)
    assert [network._flags for network in machine.networks] == [2 if machine.major == 10 else 0]


@pytest.mark.parametrize("tf32", [False, True])
def test_products_are_rounded_only_where_that_is_asked_for(build, convolutions, tf32):
    """No other flag is set: precision is the graph's own."""
    assert read_head(build(convolutions, tf32=tf32))["flags"] == ([TF32] if tf32 else [])
    assert BACKEND.precision(TensorrtOptions(tf32=tf32)) == ("tf32" if tf32 else "f32")


def test_the_batch_goes_as_far_as_the_options_say(build, convolutions):
    said = read_head(build(convolutions, min_batch=2, opt_batch=4, max_batch=16, effort=1))
    assert said["shapes"] == {"pixels": [[size, 3, 12, 12] for size in (2, 4, 16)]}
    assert said["effort"] == 1


def test_what_is_compiled_lies_where_it_was_asked_for(build, convolutions):
    stage = build(convolutions)
    assert stage.files == ("engine.plan",)
    assert (stage.inputs, stage.outputs) == (convolutions.inputs, convolutions.outputs)


LENGTH = [spec("ids", "batch", "length", dtype="int64")]
SUM = [helper.make_node("ReduceSum", ["ids", "axis"], ["sums"], keepdims=0)]
AXIS = [numpy_helper.from_array(np.array([1]), "axis")]
SUMS = [spec("sums", "batch", dtype="int64")]


@pytest.fixture
def lengths(tmp_path):
    return graph_stage(tmp_path / "lengths", SUM, LENGTH, SUMS, AXIS)


def test_other_open_sizes_must_be_given(build, lengths):
    with pytest.raises(
        CaseFailed, match="'ids' leaves the size 'length' open, .* sizes=\"length=1:64:128\""
    ):
        build(lengths)
    said = read_head(build(lengths, sizes="length=2:5:9"))
    assert said["shapes"] == {"ids": [[1, 2], [1, 5], [32, 9]]}


def test_sizes_that_nothing_leaves_open_are_refused(build, lengths, convolutions):
    with pytest.raises(CaseFailed, match="sizes gives 'width', and open are: length"):
        build(lengths, sizes="length=1:2:3,width=1:2:3")
    with pytest.raises(CaseFailed, match="sizes gives 'batch', and open are: none beside the"):
        build(convolutions, sizes="batch=1:2:3")


def test_a_batch_that_nothing_leaves_open_is_refused(build, tmp_path):
    node = helper.make_node("Relu", ["x"], ["y"])
    stage = graph_stage(tmp_path / "fixed", [node], [spec("x", 3, 4)], [spec("y", 3, 4)])
    with pytest.raises(CaseFailed, match="opt_batch=3 is given, and no input leaves its batch"):
        build(stage, opt_batch=3)
    assert read_head(build(stage))["shapes"] == {"x": [[3, 4]] * 3}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tensorrt(max_batch=0)", "max_batch must be a number from 1, not 0"),
        ("tensorrt(min_batch=4)", "must rise, not be 4, 1 and 32"),
        ("tensorrt(effort=6)", "effort must be at most 5, not 6"),
        ("tensorrt(sizes=length=128)", 'sizes are written "length=1:64:128", not'),
        ("tensorrt(sizes=length=9:5:2)", 'sizes are written "length=1:64:128", not'),
        ("tensorrt(timing_cache=here)", "timing_cache must be a path from the root, not 'here'"),
        ("tensorrt(fp16=true)", "has no option 'fp16'"),
    ],
)
def test_options_that_make_no_sense_are_refused(written, said):
    choice = parse_backend(written)
    with pytest.raises(OptionError, match=said):
        structure(BACKEND.options, choice.options, "tensorrt")


def test_times_of_kernels_are_kept_in_the_file_that_is_named(build, convolutions, tmp_path):
    cache = tmp_path / "kept" / "times"
    for _ in range(2):
        build(convolutions, timing_cache=str(cache))
    assert cache.read_bytes() == b"Fake 9000 timed timed"
    assert [path.name for path in cache.parent.iterdir()] == ["times"]


def test_times_of_another_gpu_are_refused(build, convolutions, tmp_path):
    (tmp_path / "times").write_bytes(b"Other 7 timed")
    with pytest.raises(CaseFailed, match="was not made on this GPU by this TensorRT: remove it"):
        build(convolutions, timing_cache=str(tmp_path / "times"))


# --- what it does not read -----------------------------------------------------------------------


def test_what_the_parser_refuses_is_one_line(build, tmp_path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"], name="rounded"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        helper.make_node("StringConcat", ["y", "y"], ["z"], name="joined"),
    ]
    stage = graph_stage(tmp_path / "g", nodes, [spec("x", "batch", 4)], [spec("y", "batch", 4)])
    with pytest.raises(CaseFailed) as failed:
        build(stage)
    assert str(failed.value) == (
        "tensorrt does not read the graph: DynamicQuantizeLinear 'rounded': No importer for "
        "DynamicQuantizeLinear; and 1 more; it takes int8 around zero, written with QuantizeLinear "
        "and DequantizeLinear, as quantizers write it that are told of this backend"
    )


def test_unsigned_activations_are_refused_with_what_helps(build, tmp_path):
    stage = quantized(tmp_path / "unsigned", np.uint8)
    with pytest.raises(CaseFailed, match="QuantizeLinear.*it takes int8 around zero") as failed:
        build(stage)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        ([spec("x", "batch", 4)], [spec("z", "batch", 4)], "the graph has no output 'z'"),
        ([spec("x", "batch", 4), spec("w", 4)], None, "the graph has no input 'w'"),
        ([spec("q", "batch", 4)], None, "the graph reads 'x', which its stage does not announce"),
        (
            [spec("x", "batch", 4, dtype="float16")],
            None,
            "makes float32 of its input 'x', which is",
        ),
        ([spec("x", 3, 4)], None, None),
        ([spec("x", "batch", 5)], None, "'x' has the fixed size 4 in the graph where 5 is"),
        ([spec("x", "batch", "n")], None, "'x' has the fixed size 4 in the graph where 'n' is"),
        ([spec("x", "batch")], None, "'x' has 2 dimensions in the graph, and 1 are announced"),
    ],
)
def test_the_ends_of_the_graph_are_those_that_are_announced(build, tmp_path, inputs, outputs, said):
    ends = [spec("x", "batch", 4)], [spec("y", "batch", 4)]
    made = graph_stage(tmp_path / "g", [helper.make_node("Relu", ["x"], ["y"])], *ends)
    stage = attrs.evolve(made, inputs=inputs, outputs=outputs or made.outputs)
    if said is None:
        assert read_head(build(stage))["shapes"] == {"x": [[3, 4]] * 3}
        return
    with pytest.raises(CaseFailed, match=said):
        build(stage, sizes="n=1:2:3" if "'n'" in said else "")


def test_a_type_that_it_narrows_is_refused(build, tmp_path):
    ends = [spec(name, "batch", 4, dtype="float64") for name in ("x", "y")]
    stage = graph_stage(
        tmp_path / "g", [helper.make_node("Relu", ["x"], ["y"])], ends[:1], ends[1:]
    )
    with pytest.raises(CaseFailed, match="makes float32 of its input 'x', which is float64"):
        build(stage)


def test_values_that_are_sizes_are_refused(build, tmp_path):
    stage = graph_stage(
        tmp_path / "g",
        [helper.make_node("Expand", ["x", "to"], ["y"])],
        [spec("x", "batch", 1), spec("to", 2, dtype="int64")],
        [spec("y", "batch", "n")],
    )
    model = onnx.load(stage.file)
    model.graph.input[1].doc_string = "shape tensor"
    onnx.save(model, stage.file)
    with pytest.raises(CaseFailed, match="values of the input 'to' are sizes of others"):
        build(stage)


def test_why_nothing_is_built_is_the_first_error_in_one_line(build, convolutions, monkeypatch):
    monkeypatch.setattr("edgebench_kit.onnx.tensorrt_engines._add_profile", lambda *_: None)
    with pytest.raises(CaseFailed) as failed:
        build(convolutions)
    assert str(failed.value) == (
        "tensorrt builds no engine of the graph: pixels: dynamic, but no optimization profile"
    )


# --- what it computes ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 4, 5])
def test_it_gives_what_the_engine_makes_of_a_batch(opened, images, reference, batch):
    got = opened.run({"pixels": images[:batch]})
    assert list(got) == ["out"]
    np.testing.assert_allclose(got["out"], reference[:batch], atol=1e-6)


def test_a_batch_that_kernels_were_not_chosen_for_is_a_doubt(build, convolutions, images):
    stage = build(convolutions, opt_batch=4)
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        session.run({"pixels": images[:4]})
        assert session.doubts() == []
        for size in (2, 4, 2, 5):
            session.run({"pixels": images[:size]})
        assert session.doubts() == [
            f"tensorrt chose its kernels for a batch of 4, and ran one of {size}: say "
            f"opt_batch={size}"
            for size in (2, 5)
        ]


def test_other_inputs_give_other_outputs(opened, images, reference):
    for number in (0, 3, 1):
        got = opened.run({"pixels": images[number : number + 1]})["out"]
        np.testing.assert_allclose(got, reference[number : number + 1], atol=1e-6)


def test_it_takes_what_came_off_the_wire_and_what_does_not_lie_in_order(opened, images, reference):
    wire = np.frombuffer(images.tobytes(), "f4").reshape(images.shape)
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for array in (wire, turned):
        np.testing.assert_allclose(opened.run({"pixels": array})["out"], reference, atol=1e-6)


def test_outputs_outlive_the_next_call(opened, images):
    first = opened.run({"pixels": images[:1]})["out"]
    kept = first.copy()
    opened.run({"pixels": images[1:2]})
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("which", ["two_by_two", "swapped"])
def test_tensors_go_by_name(build, request, which):
    stage = build(request.getfixturevalue(which))
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        got = session.run(given)
    assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_each_element_type_comes_back_as_it_is(build, lengths, tmp_path):
    stage = build(lengths, sizes="length=1:4:9")
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        for shape in ((2, 3), (3, 9), (1, 1)):
            got = session.run({"ids": np.ones(shape, "i8")})["sums"]
            np.testing.assert_array_equal(got, np.full(shape[0], shape[1]))
            assert got.dtype == np.int64
    kinds = [("m", "bool"), ("h", "float16")]
    nodes = [helper.make_node("Not", ["m"], ["n"]), helper.make_node("Neg", ["h"], ["g"])]
    made = graph_stage(
        tmp_path / "kinds",
        nodes,
        [spec(name, "batch", dtype=kind) for name, kind in kinds],
        [spec("n", "batch", dtype="bool"), spec("g", "batch", dtype="float16")],
    )
    with BACKEND.open(build(made), "cuda:0", 1, TensorrtOptions()) as session:
        got = session.run({"m": np.array([True, False]), "h": np.array([1, -2], "f2")})
    np.testing.assert_array_equal(got["n"], [False, True])
    np.testing.assert_array_equal(got["g"], np.array([-1, 2], "f2"))


def test_an_input_that_nothing_reads_is_left_out(build, tmp_path):
    stage = graph_stage(
        tmp_path / "g",
        [helper.make_node("Relu", ["x"], ["y"])],
        [spec("x", "batch", 2), spec("unread", "batch", 2)],
        [spec("y", "batch", 2)],
    )
    with BACKEND.open(build(stage), "cuda:0", 1, TensorrtOptions()) as session:
        got = session.run({name: np.ones((1, 2), "f4") for name in ("x", "unread")})
    assert list(got) == ["y"]


def test_a_batch_beyond_the_profile_is_one_clear_reason(opened, images, reference):
    with pytest.raises(CaseFailed) as failed:
        opened.run({"pixels": np.repeat(images, 2, axis=0)})
    assert str(failed.value) == (
        "tensorrt: a batch of 10 is beyond what the engine was built for, from 1 to 8: say "
        "min_batch and max_batch"
    )
    np.testing.assert_allclose(opened.run({"pixels": images})["out"], reference, atol=1e-6)


def test_a_size_beyond_the_profile_is_one_clear_reason(build, lengths):
    stage = build(lengths, sizes="length=2:4:6")
    with (
        BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session,
        pytest.raises(CaseFailed, match="a size of 7 in 'ids' is beyond .* from 2 to 6: say sizes"),
    ):
        session.run({"ids": np.ones((1, 7), "i8")})


def test_outputs_as_large_as_values_say_are_refused(build, tmp_path):
    stage = graph_stage(
        tmp_path / "g",
        [helper.make_node("NonZero", ["x"], ["y"])],
        [spec("x", "batch", 4)],
        [spec("y", 2, "found", dtype="int64")],
    )
    with (
        BACKEND.open(build(stage), "cuda:0", 1, TensorrtOptions()) as session,
        pytest.raises(CaseFailed, match="how large the output 'y' is follows from values"),
    ):
        session.run({"x": np.ones((1, 4), "f4")})


def test_two_sessions_at_once_do_not_disturb_each_other(build, convolutions, images, reference):
    stage = build(convolutions)
    with (
        BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as one,
        BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as other,
    ):
        assert one.room.handle != other.room.handle
        first = one.run({"pixels": images[:1]})["out"]
        second = other.run({"pixels": images[1:3]})["out"]
        again = one.run({"pixels": images[:1]})["out"]
    np.testing.assert_allclose(second, reference[1:3], atol=1e-6)
    np.testing.assert_array_equal(first, again)


def test_closing_gives_all_memory_and_streams_back(machine, build, convolutions, images):
    stage = build(convolutions)
    assert (machine.memory, machine.streams) == ({}, {})
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        session.run({"pixels": images[:1]})
        before = len(machine.memory)
        session.run({"pixels": images})
        assert len(machine.memory) == before == 4  # room grows, and the smaller one is given back
    assert (machine.memory, machine.streams) == ({}, {})
    assert session.engine.context is None


def test_what_fails_in_a_run_leaves_nothing_behind(machine, build, convolutions, images):
    stage = build(convolutions)
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        machine.room = 2000
        with pytest.raises(CaseFailed, match="CUDA failed: error 2"):
            session.run({"pixels": images})
    assert (machine.memory, machine.streams) == ({}, {})


# --- what was quantized --------------------------------------------------------------------------


def test_biases_of_32_bits_become_the_floats_that_they_are(build, tmp_path):
    stage = quantized(tmp_path / "signed", np.int8)
    before = stage.file.read_bytes()
    inputs = np.random.default_rng(5).standard_normal((3, 4)).astype("f4")
    wanted = ReferenceEvaluator(str(stage.file)).run(None, {"x": inputs})[0]
    with BACKEND.open(build(stage), "cuda:0", 1, TensorrtOptions()) as session:
        got = session.run({"x": inputs})["y"]
    np.testing.assert_array_equal(got, wanted)
    assert stage.file.read_bytes() == before


def test_quantizers_are_told_that_it_takes_int8_around_zero():
    said = BACKEND.quantization
    assert (said.activation, said.symmetric_activation) == ("int8", True)
    assert (said.weight, said.per_channel) == ("int8", True)


def test_what_the_shipped_quantizer_makes_for_it_is_read(build, convolutions, images, monkeypatch):
    """The quantizer keeps biases in 32 bits; with this backend's wish no zero is off its place."""
    pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    model = onnx.load(convolutions.file)
    model.opset_import[0].version = 19
    model.graph.node[0].input.append("bias")
    model.graph.initializer.append(numpy_helper.from_array(np.ones(16, "f4"), "bias"))
    onnx.save(model, convolutions.file)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [{"pixels": images}]

        def get_next(self):
            return self.left.pop() if self.left else None

    wish = BACKEND.quantization
    made = convolutions.directory / "int8.onnx"
    monkeypatch.chdir(convolutions.directory)
    quantize_static(
        convolutions.file, made, Reader(), quant_format=QuantFormat.QDQ,
        per_channel=wish.per_channel, activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": True},
    )  # fmt: skip
    kinds = [one.data_type for one in onnx.load(made).graph.initializer]
    assert TensorProto.INT32 in kinds
    stage = build(attrs.evolve(convolutions, files=["int8.onnx"]))
    wanted = ReferenceEvaluator(str(made)).run(None, {"pixels": images})[0]
    with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()) as session:
        np.testing.assert_array_equal(session.run({"pixels": images})["out"], wanted)


# --- where it runs, and what is kept -------------------------------------------------------------


def compiled(stage, store, **options):
    """Have a stage compiled as a host does, and return the opening and what is found."""
    words = "".join(f"{key}={value}" for key, value in options.items())
    choice = parse_backend(f"tensorrt:cuda:0({words})") if words else BackendChoice("tensorrt")
    opening = Opening.of(BACKEND, choice, 1)
    alone = Pipeline(model="m", variant="v", stages=[stage], outputs=[stage.outputs[0].name])
    compile_stage(opening, alone, 0, store)
    return find_compiled(opening, stage, store, BACKEND.versions())[0]


def test_an_engine_is_built_once_for_a_gpu_a_driver_and_a_version(
    convolutions, tmp_path, monkeypatch
):
    store = tmp_path / "store"
    built = []
    for version, gpu, driver in [
        (OLD, "Fake 9000", "550.1"), (OLD, "Fake 9000", "550.1"), (NEW, "Fake 9000", "550.1"),
        (NEW, "Fake 7000", "550.1"), (NEW, "Fake 7000", "580.2"), (NEW, "Fake 7000", "580.2"),
    ]:  # fmt: skip
        machine = Machine(version, [gpu]).install(monkeypatch)
        (tmp_path / "driver").write_text(f"NVRM version: NVIDIA UNIX Module {driver} Release\n")
        monkeypatch.setattr(cuda_devices, "DRIVER", tmp_path / "driver")
        stage = compiled(convolutions, store)
        with BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()):
            built.append(len(machine.networks))
    assert built == [1, 0, 1, 1, 1, 0]


def test_an_engine_of_another_gpu_is_refused(machine, build, convolutions):
    stage = build(convolutions)
    machine.gpus[0] = "Fake 7000"
    with (
        pytest.raises(CaseFailed, match="does not load the engine: The engine plan file is not"),
        BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()),
    ):
        pass


def test_an_engine_that_is_damaged_is_refused(build, convolutions):
    stage = build(convolutions)
    stage.file.write_bytes(stage.file.read_bytes()[:-100])
    with (
        pytest.raises(
            CaseFailed, match="does not load the engine: The engine plan file is damaged"
        ),
        BACKEND.open(stage, "cuda:0", 1, TensorrtOptions()),
    ):
        pass


def test_an_engine_is_built_for_the_gpu_that_is_asked_for(
    machine, build, convolutions, monkeypatch
):
    machine.gpus.append("Fake 7000")
    machine.install(monkeypatch)
    assert read_head(build(convolutions, "cuda:1"))["gpu"] == "Fake 7000"
    assert BACKEND.devices() == ("cuda:0", "cuda:1")


def test_it_tells_what_an_engine_is_good_for(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(cuda_devices, "DRIVER", tmp_path / "nowhere")
    assert BACKEND.versions() == {
        "tensorrt": machine.version,
        "cuda:0": "Fake 9000, compute capability 9.0",
        "cuda-driver": "CUDA 13.0",
    }


def test_an_unknown_device_is_refused(machine, build, convolutions, facts):
    stage = build(convolutions)
    with (
        pytest.raises(CaseFailed, match="no device 'cuda:3' here; it has cuda:0"),
        BACKEND.open(stage, "cuda:3", 1, TensorrtOptions()),
    ):
        pass
    assert BACKEND.usable(facts, "cuda:3") == "no device 'cuda:3' here; it has cuda:0"
    assert BACKEND.usable(facts, "cuda:0") is True


def test_without_a_driver_it_says_so(monkeypatch, facts):
    Machine(NEW, gpus=()).install(monkeypatch)
    assert BACKEND.devices() == ()
    assert BACKEND.usable(facts, "") == "no CUDA device here: no NVIDIA driver is here"


@pytest.mark.parametrize("lacking", ["tensorrt", "cuda"])
def test_it_is_not_usable_where_something_is_not_installed(facts, monkeypatch, lacking):
    Machine(NEW).install(monkeypatch)
    find = plugin.find_spec
    hide = lambda name: None if name == lacking else find(name)  # noqa: E731
    monkeypatch.setattr(plugin, "find_spec", hide)
    monkeypatch.setattr(cuda_devices, "find_spec", hide)
    called = {"cuda": "cuda-bindings"}.get(lacking, lacking)
    assert BACKEND.usable(facts, "cuda:0") == f"{called} is not installed"
    assert BACKEND.devices() == ()


def test_a_version_before_10_and_one_that_cannot_be_loaded_are_said(facts, monkeypatch):
    Machine(NEW).install(monkeypatch)
    sys.modules["tensorrt"].__version__ = "8.6.1"
    assert BACKEND.usable(facts, "cuda:0") == "TensorRT 8 is too old: 10 or newer is needed"

    class Broken(ModuleType):
        __path__ = ()

        def __getattr__(self, name):
            if name == "__version__":
                raise ImportError("libnvinfer.so.11: cannot open shared object file")
            raise AttributeError(name)

    broken = Broken("tensorrt")
    broken.__spec__ = sys.modules["tensorrt"].__spec__
    monkeypatch.setitem(sys.modules, "tensorrt", broken)
    assert BACKEND.usable(facts, "cuda:0") == (
        "tensorrt cannot be loaded: libnvinfer.so.11: cannot open shared object file"
    )


def test_the_bindings_themselves_say_that_no_driver_is_here():
    """The real ones, which can be imported without a GPU."""
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
    if cuda_devices.list_devices():
        pytest.skip("a GPU is here")
    assert cuda_devices.is_installed()
    assert cuda_devices.explain_none() == "no NVIDIA driver is here"
    assert cuda_devices.describe_devices() == {}
    from edgebench_kit.cuda.buffers import open_buffers

    with pytest.raises(CaseFailed, match="^CUDA failed: CUDA driver version is insufficient"):
        open_buffers("cuda:0").__enter__()
