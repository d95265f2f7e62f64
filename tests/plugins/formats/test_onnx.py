from __future__ import annotations

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from edgebench import Contents, Stage, TensorSpec
from edgebench_kit.onnx import graph_files, graphs
from edgebench_plugins.formats import onnx as form

(FORMAT,) = form.edgebench_formats()


@pytest.fixture
def stage():
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 64]) for n in "xy"]
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype("f4")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        ends[:1],
        ends[1:],
        [numpy_helper.from_array(weight, "w")],
    )
    specs = [TensorSpec(name=name, dtype="float32", shape=("batch", 64)) for name in "xy"]
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return Stage(format="onnx", live=made, inputs=specs[:1], outputs=specs[1:])


def kept(stage, directory):
    files = tuple(FORMAT.save(stage, directory))
    return attrs.evolve(stage, live=None, directory=directory, files=files)


def no_model():
    raise AssertionError("a graph is whole, it needs no model to be built")


def test_what_is_saved_is_loaded(stage, tmp_path):
    there = kept(stage, tmp_path)
    assert there.files == ("model.onnx",)
    assert FORMAT.load(there, no_model) == stage.live


def test_the_same_graph_is_the_same_bytes(stage, tmp_path):
    places = [tmp_path / name for name in "ab"]
    for place in places:
        place.mkdir()
        kept(stage, place)
    one, other = ((place / "model.onnx").read_bytes() for place in places)
    assert one == other


def test_weights_too_large_for_one_file_lie_beside_it(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(graph_files, "LARGEST", 1000)
    monkeypatch.setattr(graphs, "HEAVY", 1000)
    before = onnx.ModelProto()
    before.CopyFrom(stage.live)
    there = kept(stage, tmp_path)
    assert there.files == ("model.onnx", "model.onnx.data")
    assert {path.name for path in tmp_path.iterdir()} == set(there.files)
    assert (tmp_path / "model.onnx").stat().st_size < 1000
    assert there.size > 64 * 64 * 4
    loaded = FORMAT.load(there, no_model)
    for one in (loaded, stage.live):  # the object that was saved still has its weights
        assert one.graph.initializer[0].raw_data == before.graph.initializer[0].raw_data


def test_weights_in_branches_count(stage, monkeypatch):
    branch = onnx.GraphProto()
    branch.CopyFrom(stage.live.graph)
    whole = graphs.count_weight_bytes(stage.live)
    node = stage.live.graph.node.add(op_type="If", output=["z"], input=["c"])
    node.attribute.append(helper.make_attribute("then_branch", branch))
    assert graphs.count_weight_bytes(stage.live) == 2 * whole == 2 * 64 * 64 * 4


def test_a_damaged_file_is_not_taken_for_a_graph(stage, tmp_path):
    there = kept(stage, tmp_path)
    there.file.write_bytes(there.file.read_bytes()[:100])
    with pytest.raises(Exception, match="pars"):
        FORMAT.load(there, no_model)


def test_weights_with_other_links_are_read(stage, tmp_path, monkeypatch):
    """The store links files; onnx's own reader takes that for an attack."""
    monkeypatch.setattr(graph_files, "LARGEST", 1000)
    monkeypatch.setattr(graphs, "HEAVY", 1000)
    there = kept(stage, tmp_path)
    (tmp_path / "again").hardlink_to(tmp_path / there.files[1])
    with pytest.raises(onnx.checker.ValidationError, match="hard links"):
        onnx.load_model(there.file)
    loaded = FORMAT.load(there, no_model)
    assert loaded.graph.initializer[0].raw_data == stage.live.graph.initializer[0].raw_data


@pytest.mark.parametrize("kind", ["numbers", "bytes"])
def test_weights_beside_are_the_same_however_they_are_kept(stage, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(graph_files, "LARGEST", 1000)
    monkeypatch.setattr(graphs, "HEAVY", 1000)
    (tensor,) = stage.live.graph.initializer
    weight = numpy_helper.to_array(tensor).astype("f2")
    tensor.CopyFrom(
        helper.make_tensor("w", TensorProto.FLOAT16, weight.shape, weight.ravel())
        if kind == "numbers"
        else numpy_helper.from_array(weight, "w")
    )
    there = kept(stage, tmp_path)
    assert len(there.files) == 2
    (loaded,) = FORMAT.load(there, no_model).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(loaded), weight)


def test_heavy_weights_of_a_branch_lie_beside_too(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(graph_files, "LARGEST", 1000)
    monkeypatch.setattr(graphs, "HEAVY", 1000)
    branch = onnx.GraphProto()
    branch.CopyFrom(stage.live.graph)
    node = stage.live.graph.node.add(op_type="If", output=["z"], input=["c"])
    node.attribute.append(helper.make_attribute("then_branch", branch))
    there = kept(stage, tmp_path)
    assert there.file.stat().st_size < 1000
    assert FORMAT.load(there, no_model) == stage.live


def test_what_is_in_a_graph_is_counted():
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> agraph (float[N,2] x) => (float[N,3] y) '
        "<float[2,3] w = {1,2,3,4,5,6}> { h = MatMul(x, w) y = Relu(h) }"
    )
    found = FORMAT.describe(Stage(format="onnx", inputs=[], outputs=[], live=model))
    assert found == Contents(nodes={"MatMul": 1, "Relu": 1}, parameters=6, operations=6)
