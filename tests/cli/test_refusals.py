"""What `run` would refuse is refused by `plan`, in the same words, where looking is cheap."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgebench.cli.plan import MANY

from .. import foreign

PRODUCT = ("--placement", "mobile", "--backend", "onnxruntime")


@pytest.fixture
def refused(here, mistaken):
    """Return the one line that a plan and a run of the same words both say."""

    def refuse(*words):
        lines = {mistaken(here(command, *words)) for command in ("plan", "run")}
        assert len(lines) == 1
        return lines.pop()

    return refuse


@pytest.fixture
def scaled(tmp_path):
    return foreign.scaled(tmp_path / "scaled.onnx")


def arrays(samples=40, **changes):
    right = {
        "x": np.ones((samples, 3, 8, 8), "f4"),
        "scale": np.ones((samples, 3), "f4"),
        "labels": np.zeros(samples, int),
    }
    return {name: array for name, array in (right | changes).items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"x": None}, "has no array 'x'; the inputs are scale, x"),
        ({"y": np.ones(40)}, "its array 'y' is no input"),
        ({"labels": None}, "metric=top1 needs labels"),
        ({"x": np.ones((40, 8, 8, 3), "f4")}, "the array is float32 of shape (40, 8, 8, 3)"),
        ({"x": np.ones((40, 3, 8, 8))}, "the array is float64 of shape (40, 3, 8, 8)"),
        ({"scale": np.ones((4, 3), "f4")}, "as many samples of each array, not 40 of x, 4 of"),
        ({"labels": np.zeros(40)}, "must be class numbers of shape (samples), not float64"),
        ({"scale": np.array([{}] * 40)}, "own.npz is no .npz file of numbers: it holds objects"),
    ],
)
def test_arrays_that_do_not_fit_a_file(refused, scaled, tmp_path, changes, line):
    np.savez(tmp_path / "own.npz", **arrays(**changes))
    words = ("--model", f"{scaled}(metric=top1)", "--input-data", "own.npz", *PRODUCT)
    assert line in refused(*words)


def test_labels_of_another_number_that_lie_in_a_file_beside(refused, scaled, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays(labels=None))
    np.save(tmp_path / "answers.npy", np.zeros(39, int))
    model = f"{scaled}(metric=top1,labels=answers.npy)"
    said = refused("--model", model, "--input-data", "own.npz", *PRODUCT)
    assert "answers.npy holds 39 labels for the 40 requests" in said


def test_a_directory_of_other_files(refused, scaled, tmp_path):
    own = tmp_path / "pictures"
    own.mkdir()
    (own / "one.jpg").write_bytes(b"\xff\xd8")
    words = ("--model", scaled, "--input-data", own, *PRODUCT)
    assert "pictures and no labels" in refused(*words)
    for name in ("two.npz", "three.npz"):  # more than pictures: these are what is meant
        np.savez(own / name, x=np.ones((3, 8, 9), "f4"), scale=np.ones(3, "f4"))
    assert "three.npz: input 'x' takes float32 of shape (3, 8, 8)" in refused(*words)


def test_a_checkpoint_of_another_size_without_what_it_is_built_in(refused, python, tmp_path):
    directory = tmp_path / "my bert"
    directory.mkdir()
    said = {"model_type": "bert", "num_hidden_layers": 2, "id2label": dict(enumerate("abc"))}
    (directory / "config.json").write_text(json.dumps(said))
    words = ("--model", "bert:base", "--weights", f"file:{directory}", *PRODUCT)
    assert "not of bert:base: num_hidden_layers is 2, not 12" in refused(*words)
    looked = python(
        "import sys; from edgebench.cli import main; main(sys.argv[1:]); print(*sys.modules)",
        *("plan", *words),
    )
    assert {"torch", "transformers"}.isdisjoint(looked.stdout.split())


@pytest.mark.parametrize("model", ["vgg:small", "bert:small"])
def test_a_file_that_holds_no_weights_by_its_name(refused, tmp_path, model):
    (tmp_path / "weights.txt").write_text("?")
    said = refused("--model", model, "--weights", "file:weights.txt", *PRODUCT)
    assert "weights.txt is no weight file by its name" in said


@pytest.mark.parametrize(
    ("chain", "placement", "line"),
    [
        (
            "sptq+sptq",
            "mobile",
            "sptq cannot be applied to onnx after sptq: it is in reduced precision already",
        ),
        (
            "fp16+sptq",
            "mobile",
            "sptq cannot be applied to onnx after fp16: it is in reduced precision already",
        ),
        (
            "sptq+identity+sptq",
            "mobile",
            "sptq cannot be applied to onnx after sptq: it is in reduced precision",
        ),
        (
            "partition+partition",
            "mobile-edge-cloud",
            "partition cannot be applied to onnx after partition: it is cut already; one partition(pi",
        ),
        (
            "partition+partition",
            "mobile",
            "partition cannot be applied to onnx after partition: it is cut already; one partition(pi",
        ),
    ],
)
def test_an_operator_that_does_again_what_is_done(refused, here, scaled, chain, placement, line):
    words = ("--model", scaled, "--operator", chain, "--placement", placement, *PRODUCT[2:])
    said = here("plan", "--json", *words).json
    assert said["cases"] == []
    assert [one["reason"][: len(line)] for one in said["skipped"]] == [line]
    assert line in here("run", *words).err


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        (
            "sptq+qat",
            "qat cannot be applied to resnet after sptq: it is in reduced precision already",
        ),
        (
            "qat+sptq",
            "sptq cannot be applied to resnet after qat: it is in reduced precision already",
        ),
        (
            "qat+qat",
            "qat cannot be applied to resnet after qat: it is in reduced precision already",
        ),
    ],
)
def test_training_for_int8_and_int8_exclude_each_other(here, chain, line):
    said = here("plan", "--json", "--model", "resnet:small", "--operator", chain, *PRODUCT[2:]).json
    assert said["cases"] == []
    assert [one["reason"] for one in said["skipped"]] == [line]


TINY = "resnet:tiny has no exit point that says what an exit for every sample leaves out"


@pytest.mark.parametrize(
    ("size", "chain", "line"),
    [
        ("tiny", "early-exit", TINY),
        ("small", "distill+prune+early-exit+sptq", TINY),
        ("small", "early-exit(at=nowhere)", "resnet:small has no exit point 'nowhere' of this kin"),
        ("small", "distill+early-exit(at=layer4.0,mode=dynamic)", "resnet:tiny has no exit point"),
        ("small", "early-exit+prune", None),
        # The student decides, whatever its teacher lacks.
        ("tiny", 'distill(student="resnet:small")+early-exit', None),
    ],
)
def test_exits_that_a_model_lacks_are_refused_before_anything_is_trained(here, size, chain, line):
    words = ("--model", f"resnet:{size}", "--operator", chain, *PRODUCT[2:])
    said = here("plan", "--json", *words).json
    reasons = [one["reason"] for one in said["skipped"]]
    if line is None:
        assert (len(said["cases"]), reasons) == (1, [])
    else:
        (reason,) = reasons
        assert reason.startswith(line)


@pytest.mark.process
def test_a_file_is_not_trained_and_what_would_be_is_said(here, scaled):
    said = here("plan", "--json", "--model", scaled, "--operator", "qat", *PRODUCT[2:]).json
    reason = (
        "qat trains, and onnx is a file, which is not trained; take a model of format torch-module"
    )
    assert [one["reason"] for one in said["skipped"]] == [reason]


@pytest.mark.process
def test_exits_of_a_file_are_refused_by_its_format(here, scaled):
    said = here("plan", "--json", "--model", scaled, "--operator", "early-exit", *PRODUCT[2:]).json
    reason = "no converter from onnx to torch-module, which early-exit reads"
    assert [one["reason"] for one in said["skipped"]] == [reason]


@pytest.mark.process
def test_a_file_that_is_quantized_is_not_quantized_again(here, tmp_path):
    path = foreign.scaled(tmp_path / "whole.onnx")
    import onnx

    model = onnx.load_model(path)
    constants = [
        onnx.helper.make_tensor("step", onnx.TensorProto.FLOAT, [], [0.1]),
        onnx.helper.make_tensor("zero", onnx.TensorProto.INT8, [], [0]),
    ]
    first = model.graph.node[0].input[0]
    nodes = [
        onnx.helper.make_node("QuantizeLinear", [first, "step", "zero"], ["q"]),
        onnx.helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["dq"]),
    ]
    model.graph.node[0].input[0] = "dq"
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    model.graph.initializer.extend(constants)
    onnx.save_model(model, path)
    said = here("plan", "--json", "--model", path, "--operator", "*", *PRODUCT).json
    reasons = {one["chain"]: one["reason"] for one in said["skipped"]}
    assert reasons["sptq"] == "sptq cannot be applied to onnx: it is in reduced precision already"
    # Whether there are exits to be fused shows only when the file is opened.
    assert [one["chain"] for one in said["cases"]] == ["fuse-exits", "identity"]


@pytest.mark.process
def test_a_batch_that_a_file_does_not_take(here, tmp_path):
    fixed, open_ = foreign.scaled(tmp_path / "fixed.onnx"), foreign.scaled(tmp_path / "open.onnx")
    import onnx

    model = onnx.load_model(fixed)
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save_model(model, fixed)
    words = ("--model", fixed, "--model", open_, "--batch", "4", *PRODUCT)
    said = here("plan", "--json", *words).json
    assert [one["reason"] for one in said["skipped"]] == [
        "onnx:fixed takes 1 sample a request, not 4"
    ]
    assert [one["variant"] for one in said["cases"]] == ["open"]
    assert "onnx:fixed takes 1 sample a request, not 4" in here("run", *words[:2], *words[4:]).err


@pytest.mark.process
def test_a_batch_that_shows_only_when_a_model_is_built(here, toy, tmp_path):
    lone = tmp_path / "lone.py"
    lone.write_text(
        "import attrs, numpy\n"
        "from edgebench import Model, Pipeline, Stage, TensorSpec, hookimpl\n"
        "def build(variant, weights):\n"
        "    ends = [TensorSpec(name=n, dtype='float32', shape=(1, w))\n"
        "            for n, w in (('input', 8), ('scores', 3))]\n"
        "    stage = Stage(format='toy-matrix', inputs=ends[:1], outputs=ends[1:],\n"
        "                  live=numpy.ones((8, 3), 'f4'))\n"
        "    return Pipeline(model='lone', variant=variant, stages=[stage], outputs=['scores'])\n"
        "@hookimpl\n"
        "def edgebench_models():\n"
        "    yield Model(name='lone', summary='Takes one.', build=build, format='toy-matrix')\n"
    )
    words = ("--plugin", toy, "--plugin", lone, "--model", "lone", "--backend", "toy-numpy")
    said = here("run", "--json", *words, "--batch", "2", "--blocks", "1", "--requests", "2")
    assert [(case["status"], case["reason"]) for case in said.json["cases"]] == [
        ("skipped", "lone:default takes 1 sample a request, not 2")
    ]


def test_what_is_the_users_own_is_looked_at_once(here, scaled, monkeypatch):
    """However many cases stand on a file, it is read as often as for one of them."""
    import onnx

    read = []
    load = onnx.load_model
    monkeypatch.setattr(onnx, "load_model", lambda *a, **k: read.append(a) or load(*a, **k))
    chains = ["sptq", *(f"sptq(samples={number})" for number in range(2, 12))]
    words = [word for chain in chains for word in ("--operator", f"{chain}+sptq")]
    said = here("plan", "--json", "--model", scaled, *words, *PRODUCT).json
    assert len(said["skipped"]) == len(chains) > MANY
    assert len(read) == 2  # for its inputs, and for the model


def test_nothing_is_trained_on_inputs_that_only_stand_in(here):
    """Their answers mean nothing to the classes of a model of a thousand."""
    said = here("plan", "--json", "--model", "resnet:wide50", "--operator", "distill", *PRODUCT)
    assert [one["reason"] for one in said.json["skipped"]] == [
        "distill trains, and imagenet has to be given for that: --data imagenet=DIR"
    ]
