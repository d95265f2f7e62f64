"""Graphs of LiteRT that were written by hand: no converter has to be installed for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

import attrs
import numpy as np
import pytest

from edgebench import CaseFailed, NoOptions, Stage, TensorSpec
from edgebench_kit.torch import tflite_graphs
from edgebench_plugins.backends import litert as plugin
from edgebench_plugins.formats import tflite

pytestmark = pytest.mark.skipif(
    not find_spec("ai_edge_litert"), reason="ai-edge-litert is not installed"
)

(BACKEND,) = plugin.edgebench_backends()
(FORMAT,) = tflite.edgebench_formats()
WEIGHTS = np.random.default_rng(0).standard_normal((256, 48)).astype("f4")


def write_layers(path, layers=1):
    """Write a graph of fully connected layers, x to scores, its signature with our names."""
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name, shape, buffer=0):
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, np.array(shape, np.int32), buffer
        made.type, made.hasRank = schema.TensorType.FLOAT32, True
        if not buffer:
            made.shapeSignature = np.array([-1, *shape[1:]], np.int32)
        return made

    def end(name, place):
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, place
        return made

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    sizes = [WEIGHTS.shape, *[(256, 256)] * (layers - 1)]
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.operatorCodes = 3, [code]
    model.buffers = [schema.BufferT() for _ in range(layers + 1)]
    graph.tensors, graph.operators = [tensor("x", [1, 48])], []
    for number, size in enumerate(sizes, 1):
        weights = WEIGHTS if number == 1 else np.eye(256, dtype="f4")
        model.buffers[number].data = np.frombuffer(weights.tobytes(), np.uint8)
        graph.tensors += [tensor(f"w{number}", size, number), tensor(f"y{number}", [1, size[0]])]
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs = [2 * number - 2, 2 * number - 1, -1]
        operator.outputs = [2 * number]
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], [2 * layers]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [end("rows", 0)], [end("scores", 2 * layers)]
    model.subgraphs, model.signatureDefs = [graph], [signature]
    (path / "model.tflite").write_bytes(tflite_graphs.write_graph(model))
    return Stage(
        format="tflite", directory=path, files=["model.tflite"],
        inputs=[TensorSpec(name="input", port="rows", dtype="float32", shape=("batch", 48))],
        outputs=[TensorSpec(name="scores", dtype="float32", shape=("batch", 256))],
    )  # fmt: skip


@pytest.fixture
def stage(tmp_path):
    return write_layers(tmp_path)


@pytest.fixture
def rows():
    return np.random.default_rng(1).standard_normal((9, 48)).astype("f4")


@pytest.fixture
def session(stage):
    with BACKEND.open(stage, "cpu", 1, NoOptions()) as opened:
        yield opened


@pytest.mark.parametrize("count", [1, 3, 9])
def test_it_computes_what_was_written_by_name_for_any_batch(session, rows, count):
    got = session.run({"rows": rows[:count]})
    assert list(got) == ["scores"]
    assert (got["scores"].dtype, got["scores"].shape) == (np.float32, (count, 256))
    np.testing.assert_allclose(got["scores"], rows[:count] @ WEIGHTS.T, atol=1e-4)


def test_batches_may_change_from_request_to_request(session, rows):
    for count in (4, 1, 1, 9, 2):
        got = session.run({"rows": rows[:count]})["scores"]
        np.testing.assert_allclose(got, rows[:count] @ WEIGHTS.T, atol=1e-4)


@pytest.mark.parametrize("exported", [False, True])
def test_sizes_that_are_refused_leave_it_ready_for_the_next_request(
    session, stage, rows, tmp_path, exported
):
    run, refusal = session.run, CaseFailed
    if exported:
        defined = {}
        exec(BACKEND.program(stage, "cpu", 1, NoOptions(), tmp_path), defined)  # noqa: S102
        run, refusal = defined["open_stage"](stage.directory), RuntimeError
    for _ in range(2):
        np.testing.assert_allclose(run({"rows": rows})["scores"], rows @ WEIGHTS.T, atol=1e-4)
        with pytest.raises(refusal):
            run({"rows": np.ones((9, 40), "f4")})


def test_what_is_refused_is_one_reason(session, rows):
    with pytest.raises(CaseFailed, match="^LiteRT cannot run the graph: "):
        session.run({"rows": rows.astype("f8")})


def test_what_it_gave_outlives_the_next_request_and_none_is_kept(session, rows):
    first = session.run({"rows": rows[:1]})["scores"]
    before = first.copy()
    other = session.run({"rows": rows[1:2]})["scores"]
    np.testing.assert_array_equal(first, before)
    assert np.abs(other - before).max() > 0.1


def test_what_came_off_the_wire_is_taken(session, rows):
    array = np.frombuffer(rows.tobytes(), "f4").reshape(rows.shape)
    assert session.run({"rows": array})["scores"].shape == (9, 256)


def test_a_name_that_the_graph_has_not_is_refused(stage):
    strange = attrs.evolve(stage, outputs=[attrs.evolve(stage.outputs[0], port="logits")])
    with (
        pytest.raises(CaseFailed, match=r"model\.tflite has no 'logits'; it has scores"),
        BACKEND.open(strange, "cpu", 1, NoOptions()),
    ):
        pass


@pytest.mark.parametrize("keep", [0, 300])
def test_a_damaged_file_is_refused(stage, keep):
    stage.file.write_bytes(stage.file.read_bytes()[:keep])
    with (
        pytest.raises(CaseFailed, match=r"LiteRT cannot open .*model\.tflite"),
        BACKEND.open(stage, "cpu", 1, NoOptions()),
    ):
        pass


BUSY = """\
import json, os, sys
import numpy as np
from pathlib import Path
from edgebench import NoOptions, Stage, TensorSpec
from edgebench_plugins.backends import litert as plugin

def times():
    found = {}
    for task in os.listdir("/proc/self/task"):
        fields = Path(f"/proc/self/task/{task}/stat").read_text().rsplit(")", 1)[1].split()
        found[task] = int(fields[11]) + int(fields[12])
    return found

(backend,) = plugin.edgebench_backends()
spec = lambda name, size: TensorSpec(name=name, dtype="float32", shape=("batch", size))
stage = Stage(
    format="tflite", directory=Path(sys.argv[1]), files=["model.tflite"],
    inputs=[spec("rows", 48)], outputs=[spec("scores", 256)],
)
with backend.open(stage, "cpu", int(sys.argv[2]), NoOptions()) as session:
    given = {"rows": np.ones((512, 48), "f4")}
    session.run(given)
    before = times()
    while sum(times().values()) - sum(before.values()) < 100:
        for _ in range(5):
            session.run(given)
    print(json.dumps(sum(now - before.get(task, 0) > 10 for task, now in times().items())))
"""


@pytest.mark.process
@pytest.mark.parametrize("threads", [1, 2])
def test_as_many_threads_as_asked_for_use_processor_time(tmp_path, threads):
    write_layers(tmp_path, layers=8)
    words = [sys.executable, "-c", BUSY, str(tmp_path), str(threads)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert json.loads(done.stdout.splitlines()[-1]) == threads


@pytest.mark.process
def test_a_program_of_a_few_lines_opens_it_without_edgebench(stage, rows, session, tmp_path):
    (tmp_path / "opens.py").write_text(BACKEND.program(stage, "cpu", 1, NoOptions(), tmp_path))
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "use.py").write_text(
        "import sys, pathlib, numpy\n"
        "from opens import open_stage\n"
        "run, rows = open_stage(pathlib.Path('.')), numpy.load('rows.npy')\n"
        "run({'rows': rows[:1]})\n"
        "numpy.save('got.npy', run({'rows': rows})['scores'])\n"
        "assert not any(name.startswith(('edgebench', 'torch')) for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "use.py"], cwd=tmp_path, capture_output=True, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "got.npy"), session.run({"rows": rows})["scores"])  # fmt: skip


def test_an_unknown_device_is_refused(stage, facts):
    with (
        pytest.raises(CaseFailed, match="no device 'npu' here; it has cpu"),
        BACKEND.open(stage, "npu", 1, NoOptions()),
    ):
        pass
    assert BACKEND.usable(facts, "npu") == "no device 'npu' here; it has cpu"
    assert BACKEND.usable(facts, "cpu") is True


def test_it_is_not_usable_where_it_is_not_installed(facts, monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert BACKEND.usable(facts, "cpu") == "ai-edge-litert is not installed"
    assert BACKEND.devices() == ()


def test_it_tells_its_version():
    assert BACKEND.versions() == {"ai-edge-litert": version("ai-edge-litert")}
