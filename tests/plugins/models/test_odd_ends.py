"""Files whose ends are not one row a sample: batches found or asked for, values fixed, states fed.

What comes out is held against ONNX Runtime on the file as it lies, one sample at a time.
"""

from __future__ import annotations

from itertools import chain, islice

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edgebench import DataError
from edgebench.cases.case import BackendChoice
from edgebench.sessions.opening import Opening
from edgebench_plugins.backends import onnxruntime as ort
from edgebench_plugins.backends import openvino
from edgebench_plugins.formats import onnx as form
from edgebench_plugins.models import onnx as plugin
from edgebench_plugins.models.onnx import OnnxOptions

from ... import odd_ends

(MODEL,) = plugin.edgebench_models()
(FORM,) = form.edgebench_formats()
(ORT,) = ort.edgebench_backends()
(OPENVINO,) = openvino.edgebench_backends()


def pipeline_of(path, **options):
    return MODEL.from_file(path, OnnxOptions(**options))


def shapes(pipeline):
    return {spec.name: spec.shape for spec in (*pipeline.inputs, *pipeline.stages[0].outputs)}


def requests(path, count=3, data=None, **options):
    """The first requests of a file, as the tensors of a batch of one."""
    found = MODEL.inputs(path, OnnxOptions(**options), data).samples("test", 7)
    return [MODEL.preprocess(MODEL.decode(p, ""), "") for p, _ in islice(found, count)]


def answers(pipeline, samples, scratch, backend=ORT):
    """What the stage gives for each sample, the batch taken off as an answer is made."""
    (stage,) = pipeline.stages
    if stage.directory is None:
        stage = attrs.evolve(stage, directory=scratch, files=FORM.save(stage, scratch))
    with Opening.of(backend, BackendChoice(backend.name), 1).session(stage) as session:
        outputs = [session.run(one) for one in samples]
    return [
        {name: array.copy() for name, array in one.items() if name in pipeline.outputs}
        for one in outputs
    ]


def as_it_lies(path, feeds):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return [dict(zip(names, session.run(None, one), strict=True)) for one in feeds]


def same(found, wanted):
    assert found.keys() <= wanted.keys()
    for name, array in found.items():
        assert array.dtype == wanted[name].dtype
        np.testing.assert_allclose(array, wanted[name], rtol=1e-4, atol=1e-5)


BOTH = pytest.mark.parametrize("backend", [ORT, OPENVINO], ids=lambda one: one.name)


# --- the batch ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        (ORT, {}),
        (OPENVINO, {}),
        (ORT, {"batch": 1}),
        (OPENVINO, {"batch": 1}),
        (ORT, {"opaque": True}),  # the other takes no shape whose rank it cannot infer
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_an_output_that_has_its_steps_first_is_answered_whole(tmp_path, backend, options):
    path = odd_ends.reader(tmp_path / "reader.onnx", **options)
    pipeline, samples = pipeline_of(path), requests(path)
    first = 1 if "batch" in options else "batch"
    assert shapes(pipeline)["y"][0] == first
    for found, wanted in zip(
        answers(pipeline, samples, tmp_path, backend), as_it_lies(path, samples), strict=True
    ):
        same({"y": found["y"]}, {"y": wanted["y"].transpose(1, 0, 2)})
        sent = MODEL.encode(MODEL.postprocess(found, ""))
        assert len(sent) == 20 * 11 * 4 + 128  # of the head that numpy writes


def test_a_batch_that_is_not_first_is_that_of_many_samples(tmp_path):
    path = odd_ends.reader(tmp_path / "reader.onnx")
    samples = requests(path, 3)
    many = {"x": np.concatenate([one["x"] for one in samples])}
    (found,) = answers(pipeline_of(path), [many], tmp_path)
    for row, wanted in zip(found["y"], as_it_lies(path, samples), strict=True):
        np.testing.assert_allclose(row, wanted["y"][:, 0], rtol=1e-4, atol=1e-5)


def test_what_is_first_and_open_is_used_as_it_lies(tmp_path):
    path = odd_ends.doubles(tmp_path / "doubles.onnx")
    (stage,) = pipeline_of(path).stages
    assert (stage.live, stage.inputs[0].dtype) == (None, "float64")
    same(
        answers(pipeline_of(path), requests(path), tmp_path)[0], as_it_lies(path, requests(path))[0]
    )


@BOTH
@pytest.mark.parametrize("kind", ["initializer", "constant", "mean", "rows that vary"])
def test_an_output_without_a_row_for_each_sample_is_answered_whole(tmp_path, backend, kind):
    path = odd_ends.anchored(tmp_path / "anchored.onnx", kind=kind)
    pipeline, samples = pipeline_of(path), requests(path)
    assert {shape[0] for shape in shapes(pipeline).values()} == {1}
    found = answers(pipeline, samples, tmp_path, backend)
    for one, wanted in zip(found, as_it_lies(path, samples), strict=True):
        same(one, {"y": wanted["y"], "more": wanted["more"][None]})


@BOTH
@pytest.mark.parametrize("batch", ["N", 1])
def test_boxes_that_are_chosen_are_as_many_as_there_are(tmp_path, backend, batch):
    path = odd_ends.detector(tmp_path / "detector.onnx", batch=batch)
    pipeline, samples = pipeline_of(path), requests(path)
    found = answers(pipeline, samples, tmp_path, backend)
    wanted = as_it_lies(path, samples)
    assert len({one["chosen"].shape for one in wanted}) > 1
    for one, whole in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.pop("chosen"), whole["chosen"][None])
        same(one, whole)


def product(path, dims, *, ends=("x", "z"), outs=("N", "M")):
    """How alike the samples of two inputs are, each with each: (N, M)."""
    nodes = [
        odd_ends.node("Transpose", [ends[1]], "turned", perm=[1, 0]),
        odd_ends.node("MatMul", [ends[0], "turned"], "alike"),
    ]
    ins = [(name, odd_ends.F, dims) for name in dict.fromkeys(ends)]
    return odd_ends.save(path, nodes, ins, [("alike", odd_ends.F, list(outs))])


def test_what_cannot_be_found_is_asked_for(tmp_path):
    path = product(tmp_path / "alike.onnx", ["N", 6])
    with pytest.raises(
        DataError, match=r"which axis of output 'alike'.*batch-axis=\"alike=0\".*none"
    ):
        pipeline_of(path)
    assert shapes(pipeline_of(path, batch_axis="alike=none"))["alike"] == (1, "N", "M")
    assert shapes(pipeline_of(path, batch_axis="alike=1"))["alike"] == ("batch", "N")


@pytest.mark.parametrize(
    ("dims", "said", "words"),
    [
        (["seq", "batch", 4], "", r"which axis of input 'x' is the batch, 'seq' or 'batch'"),
        ([2, 3, 4], "", r"takes 2 samples at a time.*batch-axis=.*state=.*fix="),
        ([], "", r"no dimension for the batch.*fix=\"x=16000\".*batch-axis=\"x=none\""),
        (["N", 4], "x=1", r"axis 1 of input 'x' of .* is of 4, not open or 1"),
        (["N", 4], "x=7", r"input 'x' of .* has 2 dimensions"),
        (["N", 4], "y=7", r"output 'y' of .* has 2 dimensions"),
        (["N", 4], "q=0", r"batch-axis: .* has no input or output 'q'; there are x, y"),
    ],
)
def test_a_batch_that_an_input_does_not_tell_is_asked_for(tmp_path, dims, said, words):
    path = odd_ends.save(
        tmp_path / "same.onnx",
        [odd_ends.node("Neg", ["x"], "y")],
        [("x", odd_ends.F, dims)],
        [("y", odd_ends.F, dims)],
    )
    with pytest.raises(DataError, match=words):
        pipeline_of(path, batch_axis=said)


@pytest.mark.parametrize("said", ["x=1", "x=none"])
def test_the_batch_of_an_input_may_be_said(tmp_path, said):
    dims = ["seq", "batch", 4] if said == "x=1" else ["seq", 3, 4]
    path = odd_ends.save(
        tmp_path / "same.onnx",
        [odd_ends.node("Neg", ["x"], "y")],
        [("x", odd_ends.F, dims)],
        [("y", odd_ends.F, dims)],
    )
    options = {"batch_axis": said, "dims": "seq=5"}
    pipeline, samples = pipeline_of(path, **options), requests(path, **options)
    assert shapes(pipeline)["x"][1:] == ((5, 4) if said == "x=1" else (5, 3, 4))
    for sample, found in zip(samples, answers(pipeline, samples, tmp_path), strict=True):
        np.testing.assert_array_equal(found["y"], -sample["x"])


def test_an_end_that_stands_twice_is_refused(tmp_path):
    path = odd_ends.doubles(tmp_path / "doubles.onnx")
    model = onnx.load_model(path)
    model.graph.output.append(model.graph.output[0])
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="output 'y' twice"):
        MODEL.inputs(path, OnnxOptions(), None)


# --- classes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said", "axis"),
    [
        (odd_ends.reader, "", None),
        (odd_ends.reader, "0", 1),  # the steps lie behind the batch
        (odd_ends.reader, "2", 2),
        (odd_ends.reader, "none", 0),
        (odd_ends.doubles, "1", 1),
    ],
)
def test_the_classes_are_where_the_file_counts_them(tmp_path, make, said, axis):
    assert pipeline_of(make(tmp_path / "some.onnx"), classes_axis=said).classes == axis


@pytest.mark.parametrize(
    ("said", "words"), [("1", "which is the batch"), ("3", "has 3 dimensions")]
)
def test_an_axis_that_holds_no_classes_is_refused(tmp_path, said, words):
    path = odd_ends.reader(tmp_path / "reader.onnx")
    with pytest.raises(DataError, match=words):
        pipeline_of(path, classes_axis=said)


# --- what is fixed, and what is fed back ----------------------------------------------------------


@BOTH
def test_a_state_goes_from_request_to_request(tmp_path, backend):
    path = odd_ends.listener(tmp_path / "listener.onnx")
    options = {"fix": "sr=16000", "state": "state=stateN"}
    pipeline, samples = pipeline_of(path, **options), requests(path, 4, **options)
    assert shapes(pipeline) == {"sound": ("batch", 64), "voice": ("batch", 1)}
    state, wanted = np.zeros((2, 1, 8), "f4"), []
    for sample in samples:
        fed = {**sample, "sr": np.array(16000), "state": state}
        (one,) = as_it_lies(path, [fed])
        state = one.pop("stateN")
        wanted.append(one)
    for found, whole in zip(answers(pipeline, samples, tmp_path, backend), wanted, strict=True):
        same(found, whole)
    # Without its state the last would be another.
    alone = answers(pipeline, samples[-1:], tmp_path, backend)[0]["voice"]
    assert abs(alone - wanted[-1]["voice"]).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fix": "rate=1"}, r"fix: .* has no input 'rate'"),
        ({"state": "state=out"}, r"state: .* has no output 'out'; there are stateN, voice"),
        ({"fix": "sr=0.5"}, r"'sr' of .* is int64 and takes whole numbers"),
        ({"fix": "sr=1:2"}, r"has 1 elements, and 2 values are given"),
        ({"fix": "sr=1 state=0", "state": "state=stateN"}, r"either fixed or a state"),
        ({"fix": "sr=1 state=0"}, r"the dimension 'N' of input 'state'.*dims=\"state\.1=1\""),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, options, words):
    path = odd_ends.listener(tmp_path / "listener.onnx")
    with pytest.raises(DataError, match=words):
        pipeline_of(path, **options)


def test_a_file_of_which_all_is_fixed_has_nothing_to_request(tmp_path):
    with pytest.raises(DataError, match="no other input tells how many"):
        pipeline_of(odd_ends.doubles(tmp_path / "doubles.onnx"), fix="x=0")


@pytest.mark.parametrize("samples", [1, 3])
def test_a_fixed_input_has_as_many_rows_as_there_are_samples(tmp_path, samples):
    path = odd_ends.words(tmp_path / "words.onnx")
    options = {"dims": "seq=6", "fix": "token_type_ids=1"}
    pipeline = pipeline_of(path, **options)
    assert [spec.name for spec in pipeline.inputs] == ["input_ids", "attention_mask"]
    taken = requests(path, samples, **options)
    many = {name: np.concatenate([one[name] for one in taken]) for name in taken[0]}
    (found,) = answers(pipeline, [many], tmp_path)
    (wanted,) = as_it_lies(path, [{**many, "token_type_ids": np.ones((samples, 6), "i8")}])
    same(found, wanted)


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["?", "", "None", "N"])
def test_two_open_dimensions_that_share_a_name_get_a_size_each(tmp_path, word):
    dims = [word, 3, word, word]
    path = odd_ends.save(
        tmp_path / "same.onnx",
        [odd_ends.node("Neg", ["x"], "y")],
        [("x", odd_ends.F, dims)],
        [("y", odd_ends.F, dims)],
    )
    with pytest.raises(DataError, match=r'dims="x\.2=128 x\.3=128"'):
        pipeline_of(path)
    found = pipeline_of(path, dims="x.2=48 x.3=192")
    assert found.inputs[0].shape == ("batch", 3, 48, 192)


# --- random requests ------------------------------------------------------------------------------


def drawn(path, **options):
    dataset = MODEL.inputs(path, OnnxOptions(**options), None)
    return {s: [p for p, _ in dataset.samples(s, 7)] for s in ("calibration", "validation", "test")}


@pytest.mark.parametrize(
    ("users", "items", "sizes"), [(943, 40, [64, 16, 256]), (10, 4, [7, 1, 32])]
)
def test_few_different_requests_are_all_different(tmp_path, users, items, sizes):
    path = odd_ends.recommender(tmp_path / "recommender.onnx", users, items)
    splits = drawn(path)
    assert [len(payloads) for payloads in splits.values()] == sizes
    payloads = [*chain(*splits.values())]
    assert len(set(payloads)) == len(payloads)
    user, item = (
        np.array([MODEL.decode(payload, "")[name] for payload in payloads])
        for name in ("user", "item")
    )
    assert 0 <= user.min() < users / 4 < 3 * users / 4 < user.max() < users
    assert (item.min(), item.max()) == (0, items - 1)


def test_too_few_requests_to_draw_from_are_counted(tmp_path):
    path = odd_ends.recommender(tmp_path / "recommender.onnx", 3, 4)
    words = r"has 12 different inputs in all \(user 0:3, item 0:4\).*--input-data"
    with pytest.raises(DataError, match=words):
        MODEL.inputs(path, OnnxOptions(), None)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (TensorProto.UINT8, (0, 255)),
        (TensorProto.INT8, (-128, 127)),
        (TensorProto.BOOL, (False, True)),
        (TensorProto.INT32, (0, 1)),
    ],
)
@pytest.mark.parametrize("width", [8, 500])
def test_numbers_are_drawn_from_what_their_type_holds(tmp_path, kind, ends, width):
    path = odd_ends.save(
        tmp_path / "cast.onnx",
        [helper.make_node("Cast", ["x"], ["y"], to=odd_ends.F)],
        [("x", kind, ["N", width])],
        [("y", odd_ends.F, ["N", width])],
    )
    payloads = [*chain(*drawn(path).values())]
    assert len(set(payloads)) == len(payloads)
    values = np.stack([MODEL.decode(payload, "")["x"] for payload in payloads])
    assert abs(int(values.min()) - int(ends[0])) <= 4
    assert abs(int(values.max()) - int(ends[1])) <= 4


# --- what a request is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "kind", "told"),
    [
        ([3, 224, 224], TensorProto.FLOAT, "602.1 kB"),
        ([224, 224, 3], TensorProto.UINT8, "150.5 kB"),
        ([1, 64, 64], TensorProto.FLOAT, "16.38 kB"),
        ([3, 8, 8], TensorProto.FLOAT, ""),
        ([12, 64, 64], TensorProto.FLOAT, ""),
        ([4096], TensorProto.FLOAT, ""),
        ([3, 64, 64], TensorProto.INT64, ""),
    ],
)
def test_tensors_that_are_shaped_like_pictures_are_doubted(tmp_path, dims, kind, told):
    path = odd_ends.save(
        tmp_path / "same.onnx",
        [odd_ends.node("Identity", ["x"], "y")],
        [("x", kind, ["N", *dims])],
        [("y", kind, ["N", *dims])],
    )
    dataset = MODEL.inputs(path, OnnxOptions(), None)
    assert dataset.payloads == "raw tensors"
    assert (told in dataset.doubt) if told else not dataset.doubt
