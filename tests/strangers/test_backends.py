"""What a vendor's backends and a stranger's models may be, each a plugin file."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

VENDOR = """
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, Converter, Format, hookimpl

    class Session:
        def __init__(self, blob, stage):
            self.blob, self.stage = blob, stage

        def run(self, inputs):
            read, written = self.stage.inputs[0].inside, self.stage.outputs[0].inside
            return {written: inputs[read] @ self.blob}

    @contextmanager
    def open_blob(stage, device, threads, options):
        import numpy as np

        yield Session(np.frombuffer(stage.file.read_bytes(), np.float32).reshape(-1, 3), stage)

    def save(stage, directory):
        (directory / "model.blob").write_bytes(stage.live.tobytes())
        return ["model.blob"]

    def to_blob(stage, examples):
        assert len(examples["input"]) > 1
        return attrs.evolve(stage.changed(stage.live), format="vendor-blob")

    @hookimpl
    def edgebench_formats():
        yield Format(name="vendor-blob", summary="Bytes.", save=save, load=lambda s, r: None)

    @hookimpl
    def edgebench_converters():
        yield Converter(name="to-blob", summary="Flatten.", source="toy-matrix",
                        target="vendor-blob", convert=to_blob)

    @hookimpl
    def edgebench_backends():
        yield Backend(name="vendor", summary="A chip.", open=open_blob, formats=["vendor-blob"])
"""


def test_a_backend_with_a_private_format_its_format_and_converter(measured):
    case = measured(VENDOR, "--model", "toy", "--backend", "vendor")["identity mobile vendor"]
    assert case["status"] == "ok"
    assert case["model_bytes"] == 8 * 3 * 4
    assert case["agreement"]["max_abs_difference"] < 1e-5
    assert case["accuracy"]["accuracy"] > 0.9


def test_without_its_converter_the_reason_names_both_formats(cli, toy, tmp_path):
    from textwrap import dedent

    file = tmp_path / "vendor.py"
    file.write_text(dedent(VENDOR).replace('source="toy-matrix"', 'source="elsewhere"'))
    said = cli("run", "--plugin", toy, "--plugin", file, "--model", "toy", "--backend", "vendor")
    assert said.status == 2
    assert said.err == (
        "edgebench: no case can be run: no converter from toy-matrix to vendor-blob, "
        "which vendor reads\n"
    )


ONE_TIER = """
    from edgebench import Backend, hookimpl

    def usable(facts, device):
        return facts.tier == "edge" or f"its board is not in the {facts.tier}"

    def open_nothing(stage, device, threads, options):
        raise AssertionError("only asked, never opened")

    @hookimpl
    def edgebench_backends():
        yield Backend(name="board", summary="On the edge only.", open=open_nothing,
                      formats=["toy-matrix"], usable=usable)
"""


def test_a_backend_usable_on_one_tier_only(cli, toy, tmp_path):
    from textwrap import dedent

    file = tmp_path / "board.py"
    file.write_text(dedent(ONE_TIER))
    said = cli(
        "plan", "--plugin", toy, "--plugin", file, "--model", "toy", "--backend", "board",
        "--placement", "mobile", "--placement", "edge", "--placement", "cloud", "--json",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert [case["placement"] for case in said.json["cases"]] == ["edge"]
    assert {one["placement"]: one["reason"] for one in said.json["skipped"]} == {
        "mobile": "board: its board is not in the mobile",
        "cloud": "board: its board is not in the cloud",
    }


COMPILES = """
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, hookimpl

    class Session:
        def __init__(self, matrix):
            self.matrix = matrix

        def run(self, inputs):
            return {"scores": inputs["input"] @ self.matrix.T}

    def compile_stage(stage, device, threads, options, directory):
        import numpy as np

        print("compiling")
        np.save(directory / "transposed.npy", np.load(stage.file).T)
        return attrs.evolve(stage, files=["transposed.npy"], directory=directory)

    @contextmanager
    def open_compiled(stage, device, threads, options):
        import numpy as np

        assert stage.files == ("transposed.npy",), "what was compiled must be what is opened"
        yield Session(np.load(stage.file))

    @hookimpl
    def edgebench_backends():
        yield Backend(name="compiler", summary="Compiles.", open=open_compiled,
                      formats=["toy-matrix"], compile=compile_stage)
"""


def test_a_backend_that_must_compile_on_the_host(measured):
    case = measured(COMPILES, "--model", "toy", "--backend", "compiler")["identity mobile compiler"]
    assert case["status"] == "ok"
    assert case["agreement"]["max_abs_difference"] < 1e-5
    assert case["cold_s"]["mobile"]["compile"] > 0


ON_A_CHIP = (
    COMPILES.replace('print("compiling")', "note(device)").replace(
        "compile=compile_stage)", "compile=compile_stage, versions=versions)"
    )
    + """
    from pathlib import Path

    BESIDE = Path(__file__).parent

    def note(device):
        with (BESIDE / "compiled").open("a") as file:
            file.write((BESIDE / "chip").read_text() + " ")

    def versions():
        return {"compiler": "1", "chip": (BESIDE / "chip").read_text()}
"""
)


def test_what_was_compiled_is_found_on_the_same_chip_and_made_anew_for_another(measured, tmp_path):
    """The device is called the same on both: only what the backend tells of it differs."""
    one, other = (f"{letter}-{secrets.token_hex(8)}" for letter in "ab")
    for chip in (one, one, other, one):
        (tmp_path / "chip").write_text(chip)
        cases = measured(ON_A_CHIP, "--model", "toy", "--backend", "compiler")
        assert cases["identity mobile compiler"]["status"] == "ok"
    assert (tmp_path / "compiled").read_text().split() == [one, other]


def test_what_other_code_compiled_is_made_anew(measured, tmp_path):
    """Whoever mends how a stage is compiled must not measure what the code before it made."""
    (tmp_path / "chip").write_text(secrets.token_hex(8))
    for code in (ON_A_CHIP, ON_A_CHIP, ON_A_CHIP + "\n    MENDED = True\n"):
        cases = measured(code, "--model", "toy", "--backend", "compiler")
        assert cases["identity mobile compiler"]["status"] == "ok"
    assert len((tmp_path / "compiled").read_text().split()) == 2


FILE_MODEL = """
    from edgebench import Model, Pipeline, Stage, TensorSpec, hookimpl

    def from_file(path, options):
        import numpy as np

        matrix = np.loadtxt(path, delimiter=",", dtype=np.float32)
        specs = [TensorSpec(name=n, dtype="float32", shape=("batch", size))
                 for n, size in zip(("signal", "levels"), matrix.shape)]
        stage = Stage(format="toy-matrix", inputs=specs[:1], outputs=specs[1:], live=matrix)
        return Pipeline(model="table", variant="default", stages=[stage], outputs=["levels"])

    def build(variant, weights):
        raise AssertionError("it has a file")

    @hookimpl
    def edgebench_models():
        yield Model(name="table", summary="Any table of numbers.", build=build,
                    files=["*.csv"], from_file=from_file, format="toy-matrix")
"""


def test_a_model_that_claims_a_kind_of_file(measured, tmp_path):
    np.savetxt(tmp_path / "mine.csv", np.arange(10.0).reshape(5, 2), delimiter=",")
    cases = measured(FILE_MODEL, "--model", "mine.csv", "--backend", "toy-numpy")
    case = cases["identity mobile toy-numpy"]
    assert case["status"] == "ok"
    assert case["accuracy"] == {}
    assert (case["agreement"], case["no_agreement"]) == (
        None, "not checked against another runtime",
    )  # fmt: skip


def test_a_file_that_is_not_there_is_one_clear_line(cli, toy, tmp_path):
    from textwrap import dedent

    file = tmp_path / "table.py"
    file.write_text(dedent(FILE_MODEL))
    said = cli("run", "--plugin", toy, "--plugin", file, "--model", "nowhere.csv")
    assert said.status == 2
    assert (
        said.err
        == "edgebench: there is no file or directory 'nowhere.csv'; give the path of a model\n"
    )


CHIPS = """
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, hookimpl

    class Session:
        def __init__(self, runtime, names):
            self.runtime, self.names = runtime, names

        def run(self, inputs):
            return dict(zip(self.names, self.runtime.run(self.names, dict(inputs))))

    def sealed(vendor):
        def compile_stage(stage, device, threads, options, directory):
            (directory / "sealed").write_bytes(vendor.encode() + stage.file.read_bytes())
            return attrs.evolve(stage, files=["sealed"], directory=directory)
        return compile_stage

    def opening(vendor):
        @contextmanager
        def open_session(stage, device, threads, options):
            import onnxruntime
            if device != "npu":
                raise RuntimeError(f"{vendor} has no {device}")
            blob = stage.file.read_bytes()
            if not blob.startswith(vendor.encode()):
                raise RuntimeError(f"{vendor} opens only what it compiled")
            graph = blob.removeprefix(vendor.encode())
            runtime = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
            yield Session(runtime, [spec.inside for spec in stage.outputs])
        return open_session

    @contextmanager
    def refuse(stage, device, threads, options):
        raise RuntimeError("opened, though it is in no case")

    @hookimpl
    def edgebench_backends():
        common = dict(summary="A stranger's.", formats=["onnx"])
        yield Backend(name="aaa", open=refuse, **common)
        yield Backend(name="aab", open=refuse, usable=lambda facts, device: "no chip", **common)
        for vendor in ("chip-a", "chip-b"):
            yield Backend(name=vendor, open=opening(vendor), compile=sealed(vendor),
                          devices=lambda: ["npu"], **common)
"""


@pytest.fixture
def graph_file(tmp_path):
    """Write a graph of two layers that can be cut between them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).standard_normal((8, 8)).astype("f4")
    names = ["x", "a", "b", "y"]
    nodes = [helper.make_node("MatMul", [names[at], "w"], [names[at + 1]]) for at in range(3)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in "xy"]
    graph = helper.make_graph(
        nodes, "layers", ends[:1], ends[1:], [numpy_helper.from_array(weight, "w")]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, tmp_path / "layers.onnx")
    return tmp_path / "layers.onnx"


def test_a_graph_is_cut_for_two_vendors_who_open_only_what_they_compiled(measured, graph_file):
    cases = measured(
        CHIPS, "--model", graph_file, "--operator", "partition", "--placement", "mobile-edge",
        "--backend", "mobile=chip-a,edge=chip-b", "--backend", "chip-a",
        "--backend", "mobile=onnxruntime,edge=chip-b",
    )  # fmt: skip
    assert len(cases) == 3
    for case in cases.values():
        assert case["status"] == "ok", case["reason"]
        assert not [doubt for doubt in case["doubts"] if "partition" in doubt]
        assert len(case["stages"]) == 2


def test_a_vendor_who_cannot_open_the_whole_is_doubted_and_measured(measured, graph_file):
    # A chip for the end of a graph only: it reads what crosses, and never the input.
    plugin = CHIPS.replace(
        "graph = blob", 'assert vendor == "chip-a" or stage.inputs[0].name != "x"; graph = blob'
    )
    (case,) = measured(
        plugin, "--model", graph_file, "--operator", "partition", "--placement", "mobile-edge",
        "--backend", "mobile=chip-a,edge=chip-b",
    ).values()  # fmt: skip
    assert case["status"] == "ok", case["reason"]
    (doubt,) = [doubt for doubt in case["doubts"] if "partition" in doubt]
    assert doubt.startswith(
        "partition: the parts were not compared with the whole but on chip-a: the whole does not "
        "run on made-up inputs: backend chip-b ("
    )


SHARES = """
    from contextlib import contextmanager
    from edgebench import Backend, hookimpl

    class Session:
        def __init__(self, matrix):
            self.matrix = matrix

        def run(self, inputs):
            return {"scores": inputs["input"] @ self.matrix}

        def doubts(self):
            return ["its threads are limited by affinity, not by the runtime"]

        def assignment(self):
            return {"accelerator": ["matmul (MatMul)"], "processor": ["softmax (Softmax)"]}

    @contextmanager
    def open_shared(stage, device, threads, options):
        import numpy as np

        yield Session(np.load(stage.file))

    @hookimpl
    def edgebench_backends():
        yield Backend(name="sharing", summary="A chip and a processor.", open=open_shared,
                      formats=["toy-matrix"])
"""


def test_what_a_session_doubts_and_what_runs_its_nodes_is_in_result_and_reports(
    cli, measured, tmp_path
):
    case = measured(SHARES, "--model", "toy", "--backend", "sharing")["identity mobile sharing"]
    assert case["status"] == "ok"
    left = "1 of 2 nodes runs on processor, not on accelerator: softmax (Softmax)"
    assert "its threads are limited by affinity, not by the runtime" in case["doubts"]
    assert left in case["doubts"]
    (stage,) = case["stages"]
    assert stage["assignment"] == [
        {"by": "accelerator", "count": 1, "nodes": ["matmul (MatMul)"]},
        {"by": "processor", "count": 1, "nodes": ["softmax (Softmax)"]},
    ]
    shown = "with sharing: 1 node on accelerator; 1 node on processor (softmax (Softmax))"
    assert shown in " ".join(cli("report", "--verbose").out.split())
    assert "What runs the nodes" not in cli("report").out
    assert (
        r"1 node on accelerator; 1 node on processor" in cli("report", "--format", "markdown").out
    )
