"""Weights beside a graph are written and read where the graph is, wherever one stands."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgebench_kit.onnx import graph_files, graphs
from edgebench_kit.onnx.sessions import open_session

from ... import foreign


@pytest.fixture
def model(tmp_path):
    return onnx.load_model(foreign.conv(tmp_path / "some.onnx"))


def test_weights_beside_a_graph_are_those_inside(model, tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "HEAVY", 64)
    monkeypatch.setattr(graph_files, "LARGEST", 0)
    elsewhere, directory = tmp_path / "elsewhere", tmp_path / "there"
    for name in (graph_files.FILE, graph_files.WEIGHTS, "weights"):
        (elsewhere / name).mkdir(parents=True)
    directory.mkdir()
    monkeypatch.chdir(elsewhere)
    names = graph_files.write_graph(model, directory)
    assert list(names) == [graph_files.FILE, graph_files.WEIGHTS]
    assert graph_files.read_graph(directory / names[0]) == model
    picture = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype("f4")
    inside = tmp_path / "inside.onnx"
    onnx.save_model(model, inside)
    for path in (directory / names[0], inside):
        (scores,) = open_session(path).run(None, {"picture": picture})
        np.testing.assert_array_equal(
            scores, open_session(inside).run(None, {"picture": picture})[0]
        )
