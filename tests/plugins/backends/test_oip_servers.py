"""The backend `oip` against real servers of the protocol, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import attrs
import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgebench import CaseFailed, TensorSpec
from edgebench.testing.checking.check import Checking
from edgebench.testing.checking.orders import Trial
from edgebench.testing.contracts.bench import find_source
from edgebench_plugins.backends import oip as plugin

from ... import oip_servers
from .conftest import make_convolutions, make_two_by_two, stage

(BACKEND,) = plugin.edgebench_backends()
CUT = "partition(choose=balanced-bytes)"
SUBJECT = ("--model", "resnet:small", "--weights", "random", "--requests", "5", "--blocks", "1")


def make_kinds(directory):
    """A graph with an element type of each sort, also one that JSON text cannot hold for some."""
    directory.mkdir()
    spec = lambda name, dtype: TensorSpec(name=name, dtype=dtype, shape=("batch", 3))  # noqa: E731
    nodes = [
        helper.make_node("Add", ["half", "half"], ["doubled"]),
        helper.make_node("Not", ["flag"], ["turned"]),
        helper.make_node("Mul", ["whole", "whole"], ["squared"]),
    ]
    inputs = (spec("half", "float16"), spec("flag", "bool"), spec("whole", "int64"))
    outputs = (spec("doubled", "float16"), spec("turned", "bool"), spec("squared", "int64"))
    return stage(directory, nodes, inputs, outputs)


def run_edgebench(*words, store):
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "EDGEBENCH_STORE": str(store)},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@attrs.frozen(kw_only=True)
class World:
    """A server, and what it holds by name."""

    name: str
    url: str
    stages: dict

    def options(self, model, **more):
        return BACKEND.options(url=self.url, model=model, **more)

    def open(self, model, stage=None, **more):
        return BACKEND.open(stage or self.stages[model], "server", 1, self.options(model, **more))


@pytest.fixture(scope="module")
def servers(shared_store):
    return shared_store.with_name(f"{shared_store.name}-servers")


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    place = tmp_path_factory.mktemp("stages")
    (place / "one").mkdir()
    return {
        "convolutions": make_convolutions(place / "one"),
        "two": make_two_by_two(place / "two"),
        "kinds": make_kinds(place / "kinds"),
    }


@pytest.fixture(scope="module", params=["kserve", "mlserver"])
def world(request, servers, stages, tmp_path_factory, process):
    """Each of the two servers."""
    graphs = {name: one.file for name, one in stages.items()}
    if request.param == "kserve":
        graphs["silent"] = stages["two"].file
    place = tmp_path_factory.mktemp(request.param) / "served"
    with oip_servers.serve(request.param, servers, graphs, place) as url:
        yield World(name=request.param, url=url, stages=stages)


def ways_of(world):
    """How tensors may travel to a server."""
    return ["no", "yes", "auto"] if world.name == "kserve" else ["no", "auto"]


def test_it_computes_what_the_server_holds(world, images):
    from onnx.reference import ReferenceEvaluator

    graph = ReferenceEvaluator(str(world.stages["convolutions"].file))
    reference = graph.run(None, {"pixels": images})[0]
    for binary in ways_of(world):
        with world.open("convolutions", binary=binary) as session:
            for batch in (1, 4):
                got = session.run({"pixels": images[:batch]})
                assert list(got) == ["out"]
                assert got["out"].dtype == np.float32
                np.testing.assert_allclose(got["out"], reference[:batch], atol=1e-5)


def test_tensors_go_by_name(world):
    given = {"y": np.full((1, 4), 2, "f4"), "x": np.full((1, 4), 5, "f4")}
    turned = attrs.evolve(world.stages["two"], inputs=world.stages["two"].inputs[::-1])
    for one in (world.stages["two"], turned):
        with world.open("two", one) as session:
            got = session.run(given)
        assert {name: float(array[0, 0]) for name, array in got.items()} == {"less": 3, "more": 7}


def test_numbers_arrive_to_the_last_bit(world):
    numbers = np.array([[1 / 3, np.float32(1e-45), 3.4e38, -0.0]], "f4")
    for binary in ways_of(world):
        with world.open("two", binary=binary) as session:
            got = session.run({"x": numbers, "y": np.zeros_like(numbers)})["more"]
        assert got.tobytes() == (numbers + 0).tobytes()


def test_halves_flags_and_whole_numbers_pass(world):
    given = {
        "half": np.array([[0.1, 2, 6e4]], "f2") / 2,
        "flag": np.array([[True, False, True]]),
        "whole": np.array([[-3, 2**31, 7]]),
    }
    with world.open("kinds", binary="yes" if world.name == "kserve" else "no") as session:
        got = session.run(given)
    assert {name: array.dtype.name for name, array in got.items()} == {
        "doubled": "float16", "turned": "bool", "squared": "int64",
    }  # fmt: skip
    np.testing.assert_array_equal(got["doubled"], given["half"] * 2)
    np.testing.assert_array_equal(got["turned"], ~given["flag"])
    np.testing.assert_array_equal(got["squared"], given["whole"] ** 2)


def test_what_a_server_refuses_is_said_in_its_words(world):
    refuse(world.open("absent", world.stages["two"]), "answers 404 Not Found: ", "absent")
    with (
        world.open("two") as session,
        pytest.raises(CaseFailed, match="/v2/models/two/infer answers 500 ") as caught,
    ):
        session.run({"x": np.zeros((1, 3), "f4"), "y": np.zeros((1, 4), "f4")})
    assert "InvalidArgument" in str(caught.value) or "INVALID_ARGUMENT" in str(caught.value)
    assert "\n" not in str(caught.value)


def refuse(opened, *words):
    with pytest.raises(CaseFailed) as caught, opened:
        pass
    for one in words:
        assert one in str(caught.value)


def test_another_model_is_told_by_its_tensors(world):
    two, ours = world.stages["two"], world.stages["convolutions"]
    refuse(
        world.open("two", ours),
        f"the model 'two' at {world.url} reads x, y, and the stage pixels: it is another model",
    )
    whole = attrs.evolve(two.inputs[0], dtype="int64")
    refuse(
        world.open("two", attrs.evolve(two, inputs=[whole, two.inputs[1]])),
        "reads 'x' as FP32 (-1, 4), and the stage as INT64 (batch, 4): it is another model",
    )
    wide = attrs.evolve(two.outputs[1], shape=("batch", 5))
    refuse(
        world.open("two", attrs.evolve(two, outputs=[two.outputs[0], wide])),
        "writes 'more' as FP32 (-1, 4), and the stage as FP32 (batch, 5)",
    )


def test_what_is_not_known_here_is_a_doubt(world):
    with world.open("two") as session:
        first, second, *_ = session.doubts()
    assert f"{world.name} " in first
    assert f" at {world.url} ran 'two', which others loaded there" in first
    assert "travel as JSON text" in second


def test_bytes_are_had_or_refused(world):
    given = {name: np.zeros((1, 4), "f4") for name in ("x", "y")}
    with world.open("two", binary="yes") as session:
        if world.name == "kserve":
            assert set(session.run(given)) == {"less", "more"}
            assert "travel as bytes" in session.doubts()[1]
        else:
            with pytest.raises(CaseFailed, match="/v2/models/two/infer answers "):
                session.run(given)


def test_a_server_that_tells_no_tensors_is_asked_and_doubted(world):
    # MLServer's settings tell them always.
    name = "silent" if world.name == "kserve" else "two"
    with world.open(name, world.stages["two"]) as session:
        session.run({name: np.zeros((1, 4), "f4") for name in ("x", "y")})
        assert [name for one in session.doubts() if f"not tell the tensors of {name!r}" in one] == [
            one for one in [name] if one == "silent"
        ]


def test_a_version_is_the_one_that_is_asked_for(world):
    if world.name == "kserve":
        refuse(world.open("two", version="1"), "/v2/models/two/versions/1 answers 501 ")
        return
    with world.open("two", version="1") as session:
        assert set(session.run({n: np.zeros((2, 4), "f4") for n in ("x", "y")})) == {"less", "more"}
    refuse(world.open("two", version="7"), "404 Not Found: Model two with version 7 not found")


def test_no_proxy_is_asked(world, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with world.open("two") as session:
        assert session.run({n: np.zeros((1, 4), "f4") for n in ("x", "y")})


# --- from the command line ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(shared_store, tmp_path_factory, process):
    """Files of resnet:small as `edgebench export` gives them: whole, in two, quantized, wrong."""
    place = tmp_path_factory.mktemp("exported")
    database = ("--db", place / "made.db")
    made = [
        json.loads(run_edgebench("run", *SUBJECT, "--backend", "onnxruntime", *words, *database,
                                 "--json", store=shared_store))
        for words in (
            ("--operator", "identity", "--operator", "dynamic-quantization"),
            ("--operator", CUT, "--placement", "mobile-edge"),
        )
    ]  # fmt: skip
    found = {}
    for case in [case for document in made for case in document["cases"]]:
        name = case["chain"].partition("(")[0]
        words = ("export", case["id"], *database, "-o", place / name)
        run_edgebench(*words, store=shared_store)
        files = sorted((place / name).glob("*/stage_*/model.onnx"))
        found |= {f"{name}-{number}": file for number, file in enumerate(files)}
    found["wrong"] = turn_weights(found["identity-0"], place / "wrong.onnx")
    return found


def turn_weights(file, target):
    """Write a graph of the same inputs and outputs that computes something else."""
    import onnx

    model = onnx.load(file)
    weights = next(one for one in model.graph.initializer if len(one.dims) > 1)
    turned = -numpy_helper.to_array(weights)
    weights.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(turned), weights.name))
    onnx.save(model, target)
    return target


@pytest.fixture
def served(servers, exported, tmp_path):
    """Serve some of them with KServe, each by a name that is asked for."""

    def serve(place="served", port=0, **names):
        graphs = {name: exported[file] for name, file in names.items()}
        return oip_servers.serve("kserve", servers, graphs, tmp_path / place, port)

    return serve


def find_disagreeing(document):
    return {
        case["chain"]: [doubt for doubt in case["doubts"] if "does not agree" in doubt]
        for case in document["cases"]
    }


def test_what_was_exported_agrees_and_what_is_served_instead_does_not(cli, served):
    """At one address under one name, so that nothing but the answers tells them apart."""
    (port,), found = oip_servers.find_ports(1), []
    for file in ("identity-0", "wrong"):
        with served(file, port, net=file) as url:
            done = cli(
                "run", *SUBJECT, "--backend", f"oip(url={url},model=net,binary=yes)", "--json"
            )
        assert done.status == 0, done.err
        (case,) = done.json["cases"]
        assert case["status"] == "ok"
        found.append(find_disagreeing(done.json)["identity"])
    assert found[0] == []
    assert "does not agree with resnet:small untransformed with" in found[1][0]


def test_a_transformed_model_is_held_against_itself(cli, served):
    chains = ("--operator", "dynamic-quantization")
    with served(right="dynamic-quantization-0", wrong="wrong") as url:
        done = cli("run", *SUBJECT, *chains, "--json",
                   *("--backend", f"oip(url={url},model=right)"),
                   *("--backend", f"oip(url={url},model=wrong)"))  # fmt: skip
    right, wrong = done.json["cases"]
    assert not any("agree" in doubt for doubt in right["doubts"])
    (said,) = [doubt for doubt in wrong["doubts"] if "agree" in doubt]
    assert "does not agree with resnet:small dynamic-quantization with onnxruntime" in said


def test_a_piece_may_be_on_a_server(cli, served):
    with served(rest="partition-1") as url:
        done = cli("run", *SUBJECT, "--operator", CUT, "--placement", "mobile-edge", "--json",
                   "--backend", f"mobile=onnxruntime,edge=oip(url={url},model=rest,binary=yes)")  # fmt: skip
    assert done.status == 0, done.err
    (case,) = done.json["cases"]
    assert case["status"] == "ok", case
    assert case["latency_s"]
    assert not any("does not agree" in doubt for doubt in case["doubts"])


def test_it_keeps_the_promises_of_a_backend(served):
    """What does not load the stages that it is given is checked where it is said what has them."""
    with served(net="identity-0") as url:
        options = f"url={url},model=net,binary=yes"
        trial = Trial(model="resnet:small", options=[options])
        checking = Checking(source=find_source([]), trial=trial, limit_s=240)
        (part,) = checking.find("backend:oip")
        verdicts = checking.check(part).verdicts
    assert {one.promise: one.why for one in verdicts if one.status == "not held"} == {}
    unchecked = [one.why for one in verdicts if one.status == "not checked"]
    assert unchecked == ["it opens no file: it runs what others have loaded"]
