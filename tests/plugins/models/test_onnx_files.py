"""The model that is a file: what it says of itself, its requests, and every mistake in one line."""

from __future__ import annotations

import io
import os
import re

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgebench import DataError, Weights
from edgebench.cases.chain import structure
from edgebench.parts.errors import OptionError
from edgebench.store.splits import keep_splits, open_split
from edgebench_kit.onnx.external_weights import find_external_files
from edgebench_kit.onnx.written_options import value_ranges
from edgebench_kit.own_data.options import DataOptions
from edgebench_plugins.models import onnx as plugin
from edgebench_plugins.models.onnx import OnnxOptions

from ... import foreign

(MODEL,) = plugin.edgebench_models()


def pipeline_of(path, **options):
    return MODEL.from_file(path, OnnxOptions(**options))


def requests(path, data=None, split="test", **options):
    dataset = MODEL.inputs(path, OnnxOptions(**options), data)
    return [(arrays(payload), answer) for payload, answer in dataset.samples(split, 7)]


def arrays(payload):
    """What a host makes of a request, without the batch."""
    tensors = MODEL.preprocess(MODEL.decode(payload, ""), "")
    return {name: array[0] for name, array in tensors.items()}


@pytest.fixture
def conv(tmp_path):
    return foreign.conv(tmp_path / "conv.onnx")


@pytest.fixture
def scaled(tmp_path):
    return foreign.scaled(tmp_path / "scaled.onnx")


@pytest.fixture
def text(tmp_path):
    return foreign.text(tmp_path / "text.onnx")


@pytest.fixture
def beside(tmp_path):
    """A file whose weights lie in another, below its directory."""
    model = onnx.load_model(foreign.conv(tmp_path / "plain.onnx"))
    (tmp_path / "weights").mkdir()
    path = tmp_path / "apart.onnx"
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights/all.bin", size_threshold=0
    )
    return path


# --- the pipeline ---------------------------------------------------------------------------------


def test_it_is_used_as_it_lies(conv):
    pipeline = pipeline_of(conv)
    (stage,) = pipeline.stages
    assert (stage.file, stage.files, stage.live) == (conv, ("conv.onnx",), None)
    assert [(s.name, s.dtype, s.shape) for s in stage.inputs] == [
        ("picture", "float32", (1, 3, 8, 8))
    ]
    assert [(s.name, s.dtype, s.shape) for s in stage.outputs] == [("scores", "float32", (1, 10))]
    assert pipeline.outputs == ("scores",)
    assert (stage.precision, stage.parameters) == ("f32", 8 * 27 + 8 * 72 + 80)


def test_the_first_open_dimension_is_the_batch_whatever_it_is_called(scaled):
    (stage,) = pipeline_of(scaled).stages
    shapes = {spec.name: spec.shape for spec in (*stage.inputs, *stage.outputs)}
    assert shapes == {"x": ("batch", 3, 8, 8), "scale": ("batch", 3), "logits": ("batch", 5)}


def test_weights_that_an_old_file_lists_as_inputs_are_none(tmp_path):
    path = foreign.conv(tmp_path / "old.onnx", opset=9, ir=3)
    assert [spec.name for spec in pipeline_of(path).inputs] == ["picture"]


def test_files_of_weights_belong_to_it(beside):
    (stage,) = pipeline_of(beside).stages
    assert stage.files == ("apart.onnx", "weights/all.bin")
    assert stage.parameters == 8 * 27 + 8 * 72 + 80
    assert [one.name for one in MODEL.beside(beside)] == ["all.bin"]
    assert MODEL.beside(beside.with_name("plain.onnx")) == []


@pytest.mark.parametrize("link", ["hardlink_to", "symlink_to"])
def test_weights_that_are_linked_are_taken_as_they_are(beside, link):
    """What a store or a cache of downloads makes of files; onnx takes either for an attack."""
    weights = beside.parent / "weights" / "all.bin"
    moved = weights.rename(beside.parent / "blob")
    getattr(weights, link)(moved)
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(beside)
    assert pipeline_of(beside).stages[0].files == ("apart.onnx", "weights/all.bin")


@pytest.mark.parametrize("what", ["file", "directory", "chain"])
def test_weights_that_a_link_fetches_from_elsewhere_are_not_read(beside, tmp_path_factory, what):
    """What is cloned or unpacked may hold a link to whatever its reader may read."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    weights = beside.parent / "weights" / "all.bin"
    secret = weights.rename(elsewhere / "all.bin")
    if what == "directory":
        weights.parent.rmdir()
        weights.parent.symlink_to(elsewhere)
    elif what == "chain":
        (beside.parent / "link").symlink_to(secret)
        weights.symlink_to("../link")
    else:
        weights.symlink_to(secret)
    refused(beside, f"a link to {secret}, which is outside of its directory; put the file itself")
    with pytest.raises(DataError, match="outside of its directory"):
        MODEL.beside(beside)


def test_a_model_that_is_a_link_has_its_weights_beside_the_link(beside, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    beside.rename(other / "blob")
    beside.symlink_to(other / "blob")
    assert pipeline_of(beside).stages[0].files == ("apart.onnx", "weights/all.bin")


@pytest.mark.parametrize("made", ["fifo", "loop", "device"])
def test_what_is_no_file_is_not_read(beside, made):
    weights = beside.parent / "weights" / "all.bin"
    weights.unlink()
    if made == "fifo":
        os.mkfifo(weights)
    else:
        weights.symlink_to("all.bin" if made == "loop" else "/dev/zero")
    refused(beside, "no such file lies beside it")


def test_a_file_with_weights_beside_it_is_checked_too(beside):
    model = onnx.load_model(beside, load_external_data=False)
    model.graph.node[1].input[0] = "nowhere"
    beside.write_bytes(model.SerializeToString())
    refused(beside, "does not pass the ONNX checker", "nowhere")


@pytest.mark.parametrize("written", ["seq=16", "ids.1=16", " seq=16,"])
def test_an_open_dimension_is_set(text, written):
    (stage,) = pipeline_of(text, dims=written).stages
    assert stage.inputs[0].shape == ("batch", 16)
    graph = stage.live.graph
    assert [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim] == [0, 16]
    assert graph.initializer[0].raw_data
    assert stage.directory is None


def test_setting_a_dimension_reads_the_weights_that_lie_elsewhere(text):
    path = text.with_name("apart.onnx")
    onnx.save_model(
        onnx.load_model(text), path, save_as_external_data=True, location="w", size_threshold=0
    )
    (stage,) = pipeline_of(path, dims="seq=16").stages
    whole = onnx.load_model(text)
    assert [one.raw_data for one in stage.live.graph.initializer] == [
        one.raw_data for one in whole.graph.initializer
    ]


def test_what_was_noted_for_open_dimensions_is_forgotten(text):
    model = onnx.shape_inference.infer_shapes(onnx.load_model(text))
    onnx.save_model(model, text)
    (stage,) = pipeline_of(text, dims="seq=16").stages
    assert not stage.live.graph.value_info


def test_a_dimension_without_a_name_goes_by_its_input(text):
    model = onnx.load_model(text)
    model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    onnx.save_model(model, text)
    with pytest.raises(DataError, match=r"the dimension 'ids.1' of input 'ids' has no number"):
        pipeline_of(text)
    assert pipeline_of(text, dims="ids.1=9").inputs[0].shape == ("batch", 9)


def test_the_batch_may_be_fixed_at_one(scaled):
    (stage,) = pipeline_of(scaled, dims="N=1").stages
    assert {spec.shape[0] for spec in (*stage.inputs, *stage.outputs)} == {1}


@pytest.mark.parametrize("size", [-1, 0])
def test_a_size_that_is_none_is_an_open_dimension(text, size):
    model = onnx.load_model(text)
    for info in (*model.graph.input, *model.graph.output):
        first_dimension(info, size)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = size
    text.write_bytes(model.SerializeToString())
    refused(text, "the dimension 'ids.1' of input 'ids' has no number", 'dims="ids.1=128"')
    (stage,) = pipeline_of(text, dims="ids.1=9").stages
    assert [spec.shape for spec in (*stage.inputs, *stage.outputs)] == [("batch", 9), ("batch", 2)]


@pytest.mark.parametrize("size", [-1, 0])
def test_a_batch_that_is_written_as_no_size_is_open_to_a_runtime(scaled, size):
    model = onnx.load_model(scaled)
    for info in (*model.graph.input, *model.graph.output):
        first_dimension(info, size)
    scaled.write_bytes(model.SerializeToString())
    (stage,) = pipeline_of(scaled).stages
    session = onnxruntime.InferenceSession(
        stage.live.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feeds = {"x": np.ones((3, 3, 8, 8), "f4"), "scale": np.ones((3, 3), "f4")}
    assert session.run(None, feeds)[0].shape == (3, 5)
    shapes = {spec.name: spec.shape for spec in (*stage.inputs, *stage.outputs)}
    assert shapes == {"x": ("batch", 3, 8, 8), "scale": ("batch", 3), "logits": ("batch", 5)}


def half(path):
    model = onnx.load_model(foreign.scaled(path))
    for one in model.graph.initializer:
        if one.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(one).astype("f2")
            one.CopyFrom(numpy_helper.from_array(array, one.name))
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save_model(model, path)


def quantizing(path):
    model = onnx.load_model(foreign.scaled(path))
    step = numpy_helper.from_array(np.array(0.1, "f4"), "step")
    model.graph.initializer.append(step)
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, "u1"), "zero"))
    node = helper.make_node("QuantizeLinear", ["logits", "step", "zero"], ["levels"])
    model.graph.node.append(node)
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("levels", TensorProto.UINT8, ["N", 5])
    )
    onnx.save_model(model, path)


def reckoning(path):
    """A net whose last product is one of integers, made of floats on the way."""
    model = onnx.load_model(foreign.scaled(path))
    last = model.graph.node.pop()
    weights = numpy_helper.from_array(np.ones((6, 5), "i1"), "w1")
    model.graph.initializer[1].CopyFrom(weights)
    model.graph.node.extend(
        [
            helper.make_node("DynamicQuantizeLinear", ["flat"], ["levels", "step", "zero"]),
            helper.make_node("MatMulInteger", ["levels", "w1", "zero"], ["sums"]),
            helper.make_node("Cast", ["sums"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["numbers", "step"], [last.output[0]]),
        ]
    )
    onnx.save_model(model, path)


def double(path):
    """A net as it is exported of doubles, as those of scikit-learn are."""
    nodes = [helper.make_node("MatMul", ["x", "w0"], ["a"]), helper.make_node("Exp", ["a"], ["y"])]
    ends = ([("x", ["N", 27])], [("y", ["N", 6])])
    foreign._saved(path, nodes, foreign._drawn({"w0": (27, 6), "w1": (6, 5)}), *ends)
    model = onnx.load_model(path)
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.elem_type = TensorProto.DOUBLE
    for one in model.graph.initializer:
        wide = numpy_helper.to_array(one).astype("f8")
        one.CopyFrom(numpy_helper.from_array(wide, one.name))
    onnx.save_model(model, path)


@pytest.mark.parametrize(
    ("make", "precision"),
    [(half, "f16"), (quantizing, "int8"), (reckoning, "int8"), (double, "f64")],
)
def test_its_precision_is_that_of_its_numbers(tmp_path, make, precision):
    make(tmp_path / "some.onnx")
    (stage,) = pipeline_of(tmp_path / "some.onnx").stages
    assert (stage.precision, stage.parameters) == (precision, 6 * 27 + 30)


@pytest.mark.parametrize(("kind", "precision"), [(TensorProto.DOUBLE, "f64"), (10, "f16")])
def test_without_weights_its_precision_is_that_of_its_ends(tmp_path, kind, precision):
    ends = [helper.make_tensor_value_info(name, kind, ["N", 8]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.save_model(model, tmp_path / "some.onnx")
    assert pipeline_of(tmp_path / "some.onnx").stages[0].precision == precision


# --- mistakes in the file -------------------------------------------------------------------------


def edited(path, change):
    """Write a file again, changed, whatever the checker would say."""
    model = onnx.load_model(path)
    change(model.graph)
    path.write_bytes(model.SerializeToString())
    return path


def refused(path, *words, **options):
    with pytest.raises(DataError) as caught:
        pipeline_of(path, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path) in said
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 100, b"not a graph", b"version https://git-lfs.github.com/spec/v1\noid sha256"],
)
def test_what_is_no_onnx_file_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    refused(path, "ONNX")


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_file_is_refused(conv, part):
    content = conv.read_bytes()
    conv.write_bytes(content[: int(len(content) * part)])
    refused(conv, "is no ONNX file, or is truncated")


def test_what_the_checker_says_is_said_in_one_line(conv):
    edited(conv, lambda graph: graph.node[1].input.__setitem__(0, "nowhere"))
    refused(conv, "does not pass the ONNX checker", "nowhere")


def test_weights_that_are_not_there_are_missed(beside):
    (beside.parent / "weights" / "all.bin").unlink()
    refused(beside, "'weights/all.bin'", "no such file lies beside it")
    with pytest.raises(DataError, match="no such file"):
        MODEL.beside(beside)


def test_weights_that_were_cut_short_are_noticed(beside):
    weights = beside.parent / "weights" / "all.bin"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(beside, "'weights/all.bin' is truncated")


def placed(beside, **entries):
    """Say something else of where the first tensor lies; nothing at all where it is None."""
    model = onnx.load_model(beside, load_external_data=False)
    tensor = model.graph.initializer[0]
    said = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in said.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    beside.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"offset": "x"}, "the offset of the values of 'w0' is 'x'"),
        ({"offset": "-4"}, "the offset of the values of 'w0' is '-4'"),
        ({"length": "1e3"}, "the length of the values of 'w0' is '1e3'"),
        ({"length": ""}, "the length of the values of 'w0' is ''"),
        ({"location": None}, "does not say in which file the values of 'w0' lie"),
    ],
)
def test_a_place_of_weights_that_is_none_is_named(beside, entries, words):
    placed(beside, **entries)
    refused(beside, words)


def test_one_tensor_of_many_that_has_no_place_is_named(beside):
    """The others name the file, so that it is known."""
    model = onnx.load_model(beside, load_external_data=False)
    del model.graph.initializer[1].external_data[:]
    beside.write_bytes(model.SerializeToString())
    refused(beside, "does not say in which file the values of 'w1' lie")


@pytest.mark.parametrize("location", ["../stolen", "/etc/passwd", "a/../../b", ""])
def test_weights_elsewhere_on_the_machine_are_not_read(beside, location):
    model = onnx.load_model(beside, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    beside.write_bytes(model.SerializeToString())
    refused(beside, "outside of its directory")


def test_an_open_dimension_without_a_number_gets_its_remedy(text):
    refused(
        text,
        "the dimension 'seq' of input 'ids' has no number",
        f"--model '{text}(dims=\"seq=128\")'",
    )


def test_a_dimension_that_is_not_there_gets_the_nearest(text):
    refused(text, "no open dimension 'sec'; did you mean 'seq'?", dims="sec=3")


def test_a_graph_without_open_dimensions_says_so(conv):
    refused(conv, "no open dimension 'seq'; all are numbers", dims="seq=3")


def first_dimension(info, size):
    info.type.tensor_type.shape.dim[0].dim_value = size


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: first_dimension(g.input[0], 4), "takes 4 samples at a time"),
        (lambda g: g.input[1].type.tensor_type.shape.ClearField("dim"), "no dimension for the batch"),
        (
            lambda g: g.input[1].CopyFrom(
                helper.make_tensor_value_info("scale", TensorProto.STRING, ["N"])
            ),
            "input 'scale' holds string, which cannot be sent",
        ),
        (
            lambda g: g.input[1].CopyFrom(
                helper.make_tensor_sequence_value_info("scale", TensorProto.FLOAT, ["N"])
            ),
            "input 'scale' is of the kind sequence, not a tensor",
        ),
        (
            lambda g: g.output[0].CopyFrom(
                helper.make_tensor_value_info("logits", TensorProto.BFLOAT16, ["N", 5])
            ),
            "output 'logits' holds bfloat16",
        ),
        (
            lambda g: g.output[0].type.tensor_type.shape.ClearField("dim"),
            "notes 0 dimensions of its output 'logits', which has 2",
        ),
    ],
    ids=["batch of four", "scalar", "texts", "sequence", "bfloat16", "scalar output"],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(scaled, change, words):
    refused(edited(scaled, change), words)


def test_a_graph_that_reads_nothing_is_refused(tmp_path):
    node = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.ones((1, 2))))
    foreign._saved(tmp_path / "still.onnx", [node], [], [], [])
    path = edited(
        tmp_path / "still.onnx",
        lambda g: g.output.append(helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 2])),
    )
    refused(path, "has no inputs")


def test_a_model_of_no_file_is_refused():
    with pytest.raises(DataError, match=r"give its path: --model FILE\.onnx"):
        MODEL.build("default", Weights(kind="file"))


# --- options --------------------------------------------------------------------------------------

NAMES = st.text(st.characters(exclude_characters=", ", exclude_categories=("Z", "C")), min_size=1)


@given(st.dictionaries(NAMES, st.integers(1, 2**31 - 1)), st.sampled_from([" ", ",", ", ", "\n"]))
def test_sizes_are_read_as_written(wanted, between):
    assert plugin.sizes(between.join(f"{name}={size}" for name, size in wanted.items())) == wanted


@given(
    st.dictionaries(NAMES, st.tuples(st.integers(-(2**40), 2**40), st.floats(1e-3, 1e9))),
    st.sampled_from([" ", ","]),
)
def test_ranges_are_read_as_written(wanted, between):
    ranges = {name: (float(low), low + width) for name, (low, width) in wanted.items()}
    text = between.join(f"{name}={low!r}:{high!r}" for name, (low, high) in ranges.items())
    assert value_ranges(text) == ranges


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    for read_, shown in ((plugin.sizes, "dims"), (value_ranges, "ranges")):
        try:
            found = read_(text)
        except ValueError as error:
            assert str(error).startswith(f"{shown} are written")
        else:
            assert len(found) <= len(text.replace(",", " ").split())


@pytest.mark.parametrize(
    "text", ["seq", "seq=", "=3", "seq=0", "seq=-1", "seq=1.5", "s=9999999999"]
)
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        plugin.sizes(text)


@pytest.mark.parametrize(
    "text", ["x", "x=3", "x=3:", "x=3:1", "x=1:1", "x=0:inf", "=0:1", "x=nan:1"]
)
def test_ranges_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        value_ranges(text)


def test_options_as_they_are_written_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = (("dims", "seq=128"), ("labels", "answers.npy"), ("metric", "top1"))
    options = structure(MODEL.options, pairs, "m.onnx")
    # Whoever reads them later works in another directory.
    assert options == OnnxOptions(dims="seq=128", labels=tmp_path / "answers.npy", metric="top1")
    with pytest.raises(OptionError, match=r"m\.onnx: dims are written .*, not 'seq'"):
        structure(MODEL.options, (("dims", "seq"),), "m.onnx")
    with pytest.raises(OptionError, match=r"m\.onnx: metric must be auto or none or top1 or"):
        structure(MODEL.options, (("metric", "best"),), "m.onnx")


# --- random requests ------------------------------------------------------------------------------


def test_random_requests_fit_every_input(scaled):
    dataset = MODEL.inputs(scaled, OnnxOptions(), None)
    assert dataset.synthetic
    assert list(dataset.metrics()) == []
    sizes = {}
    for split in ("training", "calibration", "validation", "test"):
        found = requests(scaled, split=split)
        sizes[split] = len(found)
        assert {answer for _, answer in found} <= {0}
        for tensors, _ in found:
            assert {n: (a.dtype.name, a.shape) for n, a in tensors.items()} == {
                "x": ("float32", (3, 8, 8)),
                "scale": ("float32", (3,)),
            }
    assert sizes == {"training": 0, "calibration": 64, "validation": 16, "test": 256}


def test_random_requests_are_the_same_again_and_no_two_alike(scaled):
    dataset = MODEL.inputs(scaled, OnnxOptions(), None)
    payloads = [
        p for split in ("calibration", "validation", "test") for p, _ in dataset.samples(split, 7)
    ]
    assert len(set(payloads)) == len(payloads)
    again = MODEL.inputs(scaled, OnnxOptions(), None)
    assert [p for p, _ in again.samples("calibration", 7)] == payloads[:64]
    assert next(iter(again.samples("test", 8)))[0] != payloads[80]


def test_whole_numbers_are_drawn_below_the_upper_end(text):
    plain = np.stack([one["ids"] for one, _ in requests(text, dims="seq=16")])
    # All that the table has rows for.
    assert (plain.dtype, plain.min(), plain.max()) == (np.int64, 0, 99)
    ranged = np.stack([one["ids"] for one, _ in requests(text, dims="seq=16", range="ids=5:9")])
    assert set(ranged.ravel()) == {5, 6, 7, 8}


def test_floats_are_normal_or_spread_over_their_range(scaled):
    found = [one for one, _ in requests(scaled, range="scale=2:4")]
    x, scale = (np.stack([one[name] for one in found]) for name in ("x", "scale"))
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02
    assert 2 <= scale.min() < 2.1
    assert 3.9 < scale.max() <= 4


def typed(path, *kinds):
    """A file that reads numbers of many types."""
    nodes = [helper.make_node("Cast", [f"i{k}"], [f"o{k}"], to=TensorProto.FLOAT) for k in kinds]
    ends = [f"o{kind}" for kind in kinds], [f"i{kind}" for kind in kinds]
    graph = helper.make_graph(
        nodes,
        "types",
        [helper.make_tensor_value_info(f"i{k}", k, ["N", 4]) for k in kinds],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in ends[0]],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.save_model(made, path)
    return path


def test_every_type_is_drawn(tmp_path):
    kinds = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13]
    path = typed(tmp_path / "types.onnx", *kinds)
    specs = {spec.name: spec.dtype for spec in pipeline_of(path).inputs}
    (first, _), *_ = requests(path)
    assert {name: array.dtype.name for name, array in first.items()} == specs
    assert "bool" in specs.values()
    assert "uint64" in specs.values()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("i2=0:300", r"takes whole numbers from 0 to below 256, not 0:300"),
        ("i2=-1:3", r"takes whole numbers from 0 to below 256"),
        ("i2=0:1.5", r"takes whole numbers"),
        ("i9=0:3", r"takes whole numbers from 0 to below 2, not 0:3"),
        ("i3=0:3", r"has no input 'i3'; did you mean 'i"),
    ],
)
def test_a_range_that_no_value_can_have_is_refused(tmp_path, written, words):
    path = typed(tmp_path / "types.onnx", TensorProto.UINT8, TensorProto.BOOL)
    with pytest.raises(DataError, match=words):
        MODEL.inputs(path, OnnxOptions(range=written), None)


@pytest.mark.parametrize("options", [{"metric": "top1"}, {"labels": "answers.npy"}])
def test_random_requests_have_no_answers(conv, options):
    with pytest.raises(DataError, match=r"inputs of your own: --data PATH"):
        MODEL.inputs(conv, OnnxOptions(**options), None)


# --- a user's own requests ------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    """Two hundred requests for the file of two inputs, and their answers."""
    random = np.random.default_rng(2)
    return {
        "x": random.standard_normal((200, 3, 8, 8)).astype("f4"),
        "scale": random.standard_normal((200, 3)).astype("f4"),
        "labels": random.integers(0, 5, 200),
    }


def saved(path, own):
    np.savez(path, **own)
    return path


def numbers(requested, own):
    """Which of the user's requests these are."""
    first = own["x"][:, 0, 0, 0].tolist()
    return [first.index(float(tensors["x"][0, 0, 0])) for tensors, _ in requested]


def test_requests_of_ones_own_come_back_as_they_were(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    seen = []
    for split, count in (("calibration", 66), ("validation", 32), ("test", 102), ("training", 0)):
        found = requests(scaled, data, split, metric="top1")
        assert len(found) == count
        for number, (tensors, answer) in zip(numbers(found, own), found, strict=True):
            seen.append(number)
            np.testing.assert_array_equal(tensors["x"], own["x"][number])
            np.testing.assert_array_equal(tensors["scale"], own["scale"][number])
            assert answer == own["labels"][number]
    assert sorted(seen) == list(range(200))


def test_which_split_a_request_is_in_depends_on_itself_alone(scaled, own, tmp_path):
    order = np.random.default_rng(1).permutation(200)
    turned = {name: array[order] for name, array in own.items()}
    found = {}
    for name, held in (("straight", own), ("turned", turned)):
        data = saved(tmp_path / f"{name}.npz", held)
        found[name] = set(numbers(requests(scaled, data, "calibration", metric="top1"), own))
    assert found["straight"] == found["turned"]


def test_a_request_that_stands_twice_is_in_one_split(scaled, own, tmp_path):
    twice = {name: np.concatenate([array, array]) for name, array in own.items()}
    data = saved(tmp_path / "twice.npz", twice)
    dataset = MODEL.inputs(scaled, OnnxOptions(metric="top1"), data)
    place = tmp_path / "kept"
    place.mkdir()
    keep_splits(dataset, 7, place, lambda *_: None)
    counts = {
        split: len(open_split(place / split)) for split in ("calibration", "validation", "test")
    }
    assert counts == {"calibration": 66, "validation": 32, "test": 204}


def test_few_requests_leave_most_to_the_test(scaled, own, tmp_path):
    for count, wanted in ((1, (0, 0, 1)), (3, (1, 0, 2)), (12, (4, 2, 6))):
        data = saved(
            tmp_path / f"{count}.npz", {name: array[:count] for name, array in own.items()}
        )
        found = [
            len(requests(scaled, data, split, metric="top1"))
            for split in ("calibration", "validation", "test")
        ]
        assert tuple(found) == wanted


def test_labels_may_lie_in_a_file_of_their_own(scaled, own, tmp_path):
    answers = own.pop("labels")
    data = saved(tmp_path / "own.npz", own)
    np.save(tmp_path / "answers.npy", answers[::-1])
    found = requests(scaled, data, metric="top1", labels=tmp_path / "answers.npy")
    assert [answer for _, answer in found] == answers[::-1][numbers(found, own)].tolist()


def test_without_labels_there_is_no_figure_of_merit(scaled, own, tmp_path):
    del own["labels"]
    data = saved(tmp_path / "own.npz", own)
    dataset = MODEL.inputs(scaled, OnnxOptions(), data)
    assert list(dataset.metrics()) == []
    assert not dataset.synthetic
    assert {answer for _, answer in dataset.samples("test", 7)} == {0}


def test_one_array_serves_a_file_of_one_input(conv, tmp_path):
    array = np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype("f4")
    np.save(tmp_path / "own.npy", array)
    found = requests(conv, tmp_path / "own.npy")
    assert [list(tensors) for tensors, _ in found] == [["picture"]] * 6
    assert all((array == tensors["picture"]).all((1, 2, 3)).any() for tensors, _ in found)


def test_a_directory_holds_a_request_a_file(scaled, own, tmp_path):
    place = tmp_path / "own"
    place.mkdir()
    for number in range(12):
        saved(place / f"{number:02}.npz", {name: array[number] for name, array in own.items()})
    (place / "readme.txt").write_text("mine")
    found = requests(scaled, place, metric="top5")
    assert len(found) == 6
    assert [answer for _, answer in found] == own["labels"][numbers(found, own)].tolist()


@pytest.mark.parametrize("metric", ["top1", "top5", "accuracy"])
def test_each_metric_goes_by_its_name(scaled, own, tmp_path, metric):
    data = saved(tmp_path / "own.npz", own)
    (found,) = MODEL.inputs(scaled, OnnxOptions(metric=metric), data).metrics()
    assert found.name == metric
    scores = MODEL.postprocess({"logits": np.array([[0.1, 2, 0, 0, 0]], "f4")}, "")
    assert found.value(np.asarray(found.count(scores, 1), dtype=float)) == 1


def test_f1_is_of_two_classes(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    with pytest.raises(DataError, match="metric=f1 is F1 of class 1 of two, and .* has 5 classes"):
        MODEL.inputs(scaled, OnnxOptions(metric="f1"), data)
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["map"]),
        helper.make_node("Flatten", ["map"], ["logits"]),
    ]
    weights = foreign._drawn({"w0": (2, 3, 8, 8)})
    path = foreign._saved(
        tmp_path / "two.onnx", nodes, weights, [("x", ["N", 3, 8, 8])], [("logits", ["N", 2])]
    )
    data = saved(tmp_path / "two.npz", {"x": own["x"], "labels": own["labels"] % 2})
    (found,) = MODEL.inputs(path, OnnxOptions(metric="f1"), data).metrics()
    scores = MODEL.postprocess({"logits": np.array([[0.1, 2]], "f4")}, "")
    assert (found.name, found.count(scores, 1)) == ("f1", (1, 0, 0))


def masks(path):
    """A file that gives each pixel a score for each of four classes."""
    nodes = [helper.make_node("Conv", ["x", "w0"], ["scores"])]
    weights = foreign._drawn({"w0": (4, 3, 1, 1)})
    return foreign._saved(
        path, nodes, weights, [("x", ["N", 3, 8, 8])], [("scores", ["N", 4, 8, 8])]
    )


def test_masks_are_measured_by_the_class_that_scores_best(tmp_path):
    path = masks(tmp_path / "masks.onnx")
    labels = np.arange(64).reshape(1, 8, 8).repeat(12, 0) % 4
    pictures = np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype("f4")
    data = saved(tmp_path / "own.npz", {"x": pictures, "labels": labels})
    dataset = MODEL.inputs(path, OnnxOptions(metric="miou"), data)
    (metric,) = dataset.metrics()
    scores = {"scores": np.eye(4, dtype="f4")[labels[:1]].transpose(0, 3, 1, 2)}
    answer = next(iter(dataset.samples("test", 7)))[1]
    assert metric.name == "miou"
    counts = metric.count(MODEL.postprocess(scores, ""), answer)
    assert metric.value(np.asarray(counts)) == 1
    worse = metric.count(MODEL.postprocess({"scores": -scores["scores"]}, ""), answer)
    assert metric.value(np.asarray(worse)) < 0.5


def masks_with_classes_last(path, size):
    """The same, as exporters of channels-last models write it: as many classes as rows, or not."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "w0"], ["turned"]),
        helper.make_node("Transpose", ["turned"], ["scores"], perm=[0, 2, 3, 1]),
    ]
    weights = foreign._drawn({"w0": (4, 3, 1, 1)})
    ends = [("x", ["N", size, size, 3])], [("scores", ["N", size, size, 4])]
    return foreign._saved(path, nodes, weights, *ends)


@pytest.mark.parametrize("size", [4, 8])
def test_masks_are_measured_along_the_axis_that_is_said(tmp_path, size):
    path = masks_with_classes_last(tmp_path / "masks.onnx", size)
    labels = np.random.default_rng(0).integers(0, 4, (12, size, size))
    data = saved(tmp_path / "own.npz", {"x": np.zeros((12, size, size, 3), "f4"), "labels": labels})
    scores = MODEL.postprocess({"scores": np.eye(4, dtype="f4")[labels[:1]]}, "")
    (metric,) = MODEL.inputs(path, OnnxOptions(metric="miou", classes_axis="3"), data).metrics()
    assert metric.value(np.asarray(metric.count(scores, labels[0]))) == 1
    if size != 4:  # else the classes may as well be first
        with pytest.raises(DataError, match="of shape \\(8, 8\\) fit if .* say classes-axis=3"):
            MODEL.inputs(path, OnnxOptions(metric="miou"), data)
    else:
        assert MODEL.inputs(path, OnnxOptions(metric="miou"), data).metrics()


def unasked(own):
    del own["scale"]


def strange(own):
    own["extra"] = own["x"]


def wide(own):
    own["x"] = own["x"].astype("f8")


def small(own):
    own["x"] = own["x"][..., :7]


def short(own):
    own["scale"] = own["scale"][:199]


def few_labels(own):
    own["labels"] = own["labels"][:7]


def fractions(own):
    own["labels"] = own["labels"] * 0.7


def one_hot(own):
    own["labels"] = np.eye(5, dtype=int)[own["labels"]]


def objects(own):
    own["x"] = np.array([None] * 200)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unasked, "has no array 'scale'; the inputs are scale, x"),
        (strange, "its array 'extra' is no input; the inputs are scale, x"),
        (wide, r"input 'x' takes float32 of shape (samples, 3, 8, 8), and the array is float64"),
        (small, r"takes float32 of shape (samples, 3, 8, 8), and the array is float32 of shape (200, 3, 8, 7)"),
        (short, "as many samples of each array, not 200 of x, 199 of scale, 200 of labels"),
        (few_labels, "as many samples of each array"),
        (fractions, "must be class numbers of shape (samples), not float64 of shape (200,)"),
        (one_hot, "must be class numbers of shape (samples), not int64 of shape (200, 5)"),
        (objects, "is no .npz file of numbers"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named(scaled, own, tmp_path, change, words):
    change(own)
    data = saved(tmp_path / "own.npz", own)
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        requests(scaled, data, metric="top1")
    assert str(data) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: row | {"x": row["x"][:2]}, r"1.npz: input 'x' takes float32 of shape (3, 8, 8)"),
        (lambda row: {"x": row["x"], "labels": row["labels"]}, "1.npz has no array 'scale'"),
        (lambda row: {"x": row["x"], "scale": row["scale"]}, "must both hold labels, or neither"),
        (lambda row: row | {"extra": row["x"]}, "1.npz: its array 'extra' is no input"),
        (lambda row: row | {"labels": np.ones(3, int)}, "must be class numbers of shape (), not int64"),
    ],
)  # fmt: skip
def test_a_file_of_a_directory_that_does_not_fit_is_named(scaled, own, tmp_path, change, words):
    place = tmp_path / "own"
    place.mkdir()
    for number in range(3):
        row = {name: array[number] for name, array in own.items()}
        saved(place / f"{number}.npz", change(row) if number == 1 else row)
    with pytest.raises(DataError, match=re.escape(words)):
        requests(scaled, place, metric="top1")


@pytest.mark.parametrize("text", ["seq=64 seq=128", "x.2=3 x.2=3"])
def test_a_size_that_is_given_twice_is_refused(text):
    with pytest.raises(ValueError, match="dims gives '.*' twice"):
        plugin.sizes(text)


def test_a_range_that_is_given_twice_is_refused():
    with pytest.raises(ValueError, match="range gives 'x' twice"):
        value_ranges("x=0:1 x=0:2")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00", b"text"])
@pytest.mark.parametrize("name", ["own.npz", "own.npy"])
def test_a_damaged_file_of_inputs_is_refused(conv, tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} is no {name[3:]} file of numbers"):
        requests(conv, tmp_path / name)


def test_a_truncated_file_of_inputs_is_refused(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"own\.npz is no \.npz file of numbers"):
        requests(scaled, data)


def test_arrays_take_calibration_data_of_their_own(scaled, tmp_path):
    random = np.random.default_rng(4)
    many = {"x": random.random((30, 3, 8, 8), "f4"), "scale": random.random((30, 3), "f4")}
    np.savez(tmp_path / "own.npz", **many)
    # Five are the same as those that are scored, which lose them.
    few = {name: np.concatenate([array[:5], array[:5] + 1]) for name, array in many.items()}
    np.savez(tmp_path / "other.npz", **few)
    said = {"calibration": tmp_path / "other.npz"}
    splits = {
        split: {
            array["x"].tobytes()
            for array, _ in requests(scaled, tmp_path / "own.npz", split, **said)
        }
        for split in ("calibration", "validation", "test")
    }
    assert splits["calibration"] == {array.tobytes() for array in few["x"]}
    assert {name: len(found) for name, found in splits.items()} == {
        "calibration": 10, "validation": 4, "test": 21,
    }  # fmt: skip
    assert not splits["calibration"] & (splits["validation"] | splits["test"])


@pytest.mark.parametrize("said", [{"label": "y"}, {"seed": 3}, {"encoding": "cp1252"}])
def test_what_is_not_for_arrays_is_refused(scaled, own, tmp_path, said):
    np.savez(tmp_path / "own.npz", **own)
    with pytest.raises(DataError, match="is not used for the arrays in .*; leave it out"):
        requests(scaled, tmp_path / "own.npz", **said)


def test_inputs_that_are_not_there_are_refused(scaled, tmp_path):
    (tmp_path / "own.txt").write_text("1 2 3")
    (tmp_path / "empty").mkdir()
    for place, words in (
        ("nowhere.npz", r"nowhere\.npz is not there; give"),
        ("own.txt", r"own\.txt: no column is known to hold texts"),
        ("empty", "empty holds nothing; give"),
    ):
        with pytest.raises(DataError, match=words):
            requests(scaled, tmp_path / place)


def test_one_array_does_not_serve_two_inputs(scaled, own, tmp_path):
    np.save(tmp_path / "own.npy", own["x"])
    with pytest.raises(DataError, match="holds one array and there are 2 inputs"):
        requests(scaled, tmp_path / "own.npy")


def test_labels_and_a_metric_need_each_other(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    with pytest.raises(DataError, match=r"has labels, and no metric .* name one: metric=top1"):
        MODEL.inputs(scaled, OnnxOptions(), data)
    assert not MODEL.inputs(scaled, OnnxOptions(metric="none"), data).metrics()
    del own["labels"]
    saved(data, own)
    with pytest.raises(DataError, match=r"metric=top1 needs labels: an array 'labels' in"):
        MODEL.inputs(scaled, OnnxOptions(metric="top1"), data)


def test_labels_of_another_number_are_refused(scaled, own, tmp_path):
    answers = own.pop("labels")
    data = saved(tmp_path / "own.npz", own)
    np.save(tmp_path / "answers.npy", answers[:9])
    options = {"metric": "top1", "labels": str(tmp_path / "answers.npy")}
    with pytest.raises(DataError, match=r"answers\.npy holds 9 labels for the 200 requests"):
        requests(scaled, data, **options)
    (tmp_path / "answers.npy").unlink()
    with pytest.raises(DataError, match=r"answers\.npy is no \.npy file"):
        requests(scaled, data, **options)


def test_masks_need_scores_of_masks(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    with pytest.raises(
        DataError, match=r"metric=miou takes scores of shape \(classes, height, width\)"
    ):
        MODEL.inputs(scaled, OnnxOptions(metric="miou"), data)


def test_a_range_is_not_of_ones_own_inputs(scaled, own, tmp_path):
    data = saved(tmp_path / "own.npz", own)
    with pytest.raises(DataError, match="range is of random values"):
        MODEL.inputs(scaled, OnnxOptions(range="x=0:1", metric="top1"), data)


def test_names_that_python_reserves_are_names_of_inputs(tmp_path):
    """`numpy.savez` would take an input called `file` for the file to write."""
    nodes = [helper.make_node("Add", ["file", "a/b:0"], ["y"])]
    ends = [("file", ["N", 2]), ("a/b:0", ["N", 2])], [("y", ["N", 2])]
    path = foreign._saved(tmp_path / "named.onnx", nodes, [], *ends)
    (first, _), *_ = requests(path, range="a/b:0=5:6")
    assert set(first) == {"file", "a/b:0"}
    assert (first["a/b:0"] >= 5).all()


# --- the files of weights, found without a framework ----------------------------------------------


def test_locations_are_found_wherever_tensors_stand(tmp_path):
    """In branches, in constants, in sparse tensors and in functions, each once and in order."""
    names = iter("abcdefg")

    def tensor():
        return foreign._elsewhere("w", [1], next(names), 0, 4)

    branch = helper.make_graph([], "branch", [], [], [tensor()])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=branch),
        helper.make_node("Constant", [], ["k"], value=tensor()),
    ]
    graph = helper.make_graph(
        nodes, "g", [], [], [tensor(), foreign._elsewhere("v", [1], "a", 0, 4)]
    )
    sparse = onnx.SparseTensorProto(dims=[9])
    sparse.values.CopyFrom(tensor())
    sparse.indices.CopyFrom(tensor())
    graph.sparse_initializer.append(sparse)
    inside = foreign._elsewhere("u", [1], "not counted", 0, 4)
    inside.data_location = TensorProto.DEFAULT
    graph.initializer.append(inside)
    body = [helper.make_node("Constant", [], ["z"], value=tensor())]
    function = helper.make_function("own", "F", [], ["z"], body, [helper.make_opsetid("", 18)])
    made = helper.make_model(graph, functions=[function])
    path = tmp_path / "all.onnx"
    path.write_bytes(made.SerializeToString())
    for name in "abcdef":
        (tmp_path / name).write_bytes(b"1234")
    assert [one.name for one in find_external_files(path)] == list("abcdef")


@settings(max_examples=300)
@given(st.data())
def test_bytes_that_are_no_graph_do_no_harm(tmp_path_factory, data):
    """Cut off, overwritten or invented: what comes is a list of files or one clear line."""
    tensor = foreign._elsewhere("w", [1], "weights", 0, 4)
    graph = helper.make_graph([], "g", [], [], [tensor])
    whole = helper.make_model(graph).SerializeToString()
    content = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.integers(0, len(whole)).map(lambda end: whole[:end]),
            st.tuples(st.integers(0, len(whole) - 1), st.binary(max_size=5)).map(
                lambda change: whole[: change[0]] + change[1] + whole[change[0] + len(change[1]) :]
            ),
        )
    )
    place = tmp_path_factory.getbasetemp() / "bytes"
    place.mkdir(exist_ok=True)
    (place / "weights").write_bytes(b"1234")
    path = place / "some.onnx"
    path.write_bytes(content)
    try:
        found = find_external_files(path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert found in ([], [place / "weights"])


def test_neither_planning_nor_a_host_imports_a_framework(beside, python):
    code = (
        "import sys; from pathlib import Path; from edgebench_plugins.models import onnx as m; "
        "(model,) = m.edgebench_models(); assert len(model.beside(Path(sys.argv[1]))) == 1; "
        "assert not {'onnx', 'numpy', 'onnxruntime'} & set(sys.modules)"
    )
    python(code, beside, timeout=60)


def answer(pipeline, outputs):
    model = MODEL.bound("", pipeline.resources)
    return model.encode(model.postprocess(outputs, ""))


def test_the_answer_is_all_of_a_samples_output(conv):
    outputs = {"scores": np.array([[0.1, 0.7, 0.2]], "f4"), "other": np.zeros((1, 2))}
    answered = io.BytesIO(answer(pipeline_of(conv), outputs))
    for array in outputs.values():
        np.testing.assert_array_equal(np.load(answered), array[0])
    mask = answer(pipeline_of(conv), {"mask": np.ones((1, 4, 4), "i8")})
    assert np.load(io.BytesIO(mask)).shape == (4, 4)


def test_where_classes_are_measured_the_answer_is_one(conv):
    pipeline = pipeline_of(conv, metric="top1")
    scores = np.array([[0.1, 0.7, 0.2]], "f4")
    assert answer(pipeline, {"scores": scores}) == b'{"class": 1, "score": 0.7}'
    assert answer(pipeline, {"scores": scores, "more": scores}) == b'{"class": 1, "score": 0.7}'


def test_its_record_says_what_it_is():
    assert (MODEL.files, MODEL.format, MODEL.dataset) == (("*.onnx",), "onnx", "")
    assert [variant.weights for variant in MODEL.variants] == [("file",)]
    data = {field.name for field in attrs.fields(DataOptions)}
    assert {field.name for field in attrs.fields(OnnxOptions) if field.init} - data == {
        "dims", "fix", "state", "batch_axis", "classes_axis", "range", "labels", "metric",
        "preprocess",
    }  # fmt: skip
