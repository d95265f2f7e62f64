"""The backend `oip` where a server does what none should: answers made up, a socket that is real."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import attrs
import numpy as np
import pytest

from edgebench import CaseFailed, Stage, TensorSpec
from edgebench.cases.chain import parse_backend, structure
from edgebench.parts.errors import OptionError
from edgebench_kit.servers import open_inference
from edgebench_plugins.backends import oip as plugin

(BACKEND,) = plugin.edgebench_backends()
STAGE = Stage(
    format="onnx",
    inputs=[TensorSpec(name="x", dtype="float32", shape=("batch", 2))],
    outputs=[TensorSpec(name="y", dtype="float32", shape=("batch", 2))],
)
GIVEN = {"x": np.array([[1.5, 2.5]], "f4")}


def tensor(**changed):
    return {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [3.0, 5.0], **changed}


@attrs.define
class Script:
    """What a server answers by path, and what it was asked."""

    answers: dict = attrs.field(factory=dict)
    asked: list = attrs.field(factory=list)
    connections: int = 0

    def __attrs_post_init__(self):
        self.answers = {
            "/v2": {"name": "made-up", "version": "1", "extensions": []},
            "/v2/models/net": {
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
            },
            "/v2/models/net/ready": b"",
            "/v2/models/net/infer": {"outputs": [tensor()]},
        } | self.answers


def write_handler(script, idle=None):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = idle

        def setup(self):
            super().setup()
            script.connections += 1

        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.path, dict(self.headers), body))
            answer = script.answers.get(self.path, (404, {"error": f"{self.path} is not here"}))
            if callable(answer):
                answer = answer(self)
            if answer is None:
                self.close_connection = True
                return
            status, said, *headers = answer if isinstance(answer, tuple) else (200, answer)
            said = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in [("Content-Length", len(said)), *headers]:
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET  # noqa: N815 (what the base class looks for)

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture
def opened(serving):
    """Open a session at a server that answers as it is told; give both."""

    @contextmanager
    def open_at(answers=None, idle=None, stage=STAGE, **options):
        script = Script(answers or {})
        with serving(write_handler(script, idle)) as server:
            url = f"http://127.0.0.1:{server.server_port}"
            asked = BACKEND.options(url=url, model="net", **options)
            with BACKEND.open(stage, "server", 1, asked) as session:
                yield session, script

    return open_at


def infer(answer):
    return {"/v2/models/net/infer": answer}


def test_it_asks_and_reads_what_comes(opened):
    with opened() as (session, script):
        np.testing.assert_array_equal(session.run(GIVEN)["y"], [[3, 5]])
        path, _, body = script.asked[-1]
        assert path == "/v2/models/net/infer"
        assert json.loads(body)["inputs"] == [
            {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, 2.5]}
        ]


def test_one_connection_serves_all_requests(opened):
    with opened() as (session, script):
        for _ in range(5):
            session.run(GIVEN)
        assert script.connections == 1


def test_bytes_travel_where_the_server_announces_them(opened):
    def answer(handler):
        length = int(handler.headers["Inference-Header-Content-Length"])
        _, _, body = script.asked[-1]
        asked = json.loads(body[:length])
        assert asked["inputs"][0]["parameters"] == {"binary_data_size": 8}
        assert asked["outputs"] == [{"name": "y", "parameters": {"binary_data": True}}]
        doubled = np.frombuffer(body[length:], "f4") * 2
        head = json.dumps({"outputs": [
            {"name": "y", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
        ]}).encode()  # fmt: skip
        return 200, head + doubled.tobytes(), ("Inference-Header-Content-Length", len(head))

    extensions = {"name": "made-up", "extensions": ["binary_tensor_data"]}
    with opened({"/v2": extensions, **infer(answer)}) as (session, script):
        got = session.run(GIVEN)["y"]
        np.testing.assert_array_equal(got, [[3, 5]])
        got += 1  # as what other runtimes give, it may be written to
    with opened({"/v2": extensions}, binary="no") as (session, script):
        session.run(GIVEN)
        assert json.loads(script.asked[-1][2])["inputs"][0]["data"] == [1.5, 2.5]


def test_text_for_bytes_is_taken_unless_bytes_were_asked_for(opened):
    extensions = {"/v2": {"name": "made-up", "extensions": ["binary_tensor_data"]}}
    with opened(extensions) as (session, _):
        np.testing.assert_array_equal(session.run(GIVEN)["y"], [[3, 5]])
    with (
        opened(binary="yes") as (session, _),
        pytest.raises(CaseFailed, match="^made-up 1 answers in JSON text, and binary=yes asks"),
    ):
        session.run(GIVEN)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {"error": "out of\nmemory"}), "answers 500 Internal Server Error: out of memory"),
        ((400, {"detail": "no such input"}), "answers 400 Bad Request: no such input"),
        ((502, b"<html>Bad Gateway</html>"), "answers 502 Bad Gateway"),
        ((500, b"Traceback (most recent call last):\n  File\nKeyError: 'x'\n"), "Error: KeyError: 'x'"),
        ((302, b"", ("Location", "http://127.0.0.1:1/elsewhere")), "answers 302 Found"),
        ((599, b"what?"), "answers 599: what?"),
        ((500, {"error": "x" * 5000}), "xxx..."),
        (b"not json", "answers no JSON object: not json"),
        (b'{"outputs": [', "answers no JSON object"),
        ([1], "answers no JSON object: [1]"),
        (b"\xff\xfe", "answers no JSON object"),
        ({}, "the server's answer lacks 'outputs'"),
        ({"outputs": None}, "the server's answer cannot be read"),
        ({"outputs": [1]}, "the server's answer cannot be read"),
        ({"outputs": [{"name": "y"}]}, "the server's answer lacks 'data'"),
        ({"outputs": [tensor(data=[3.0])]}, "an output has 1 values and the shape [1, 2]"),
        ({"outputs": [tensor(data=[[3.0], [5.0, 7.0]])]}, "cannot be read"),
        ({"outputs": [tensor(data=["a", "b"])]}, "an output of FP32 holds what are no such values"),
        ({"outputs": [tensor(data=["3.0", "5.0"])]}, "holds what are no such values"),
        ({"outputs": [tensor(data=[True, False])]}, "holds what are no such values"),
        ((200, b"\x1f\x8b", ("Content-Encoding", "gzip")), "its answer is compressed (gzip)"),
        ((200, {"outputs": [tensor()]}, ("Inference-Header-Content-Length", "-5")), "has '-5' for"),
        ((200, {"outputs": [tensor()]}, ("Inference-Header-Content-Length", "999")), "'999' for"),
        ({"outputs": [tensor(data=[None, 1.0])]}, "an output holds null, which is no number"),
        ({"outputs": [tensor(shape=[-1, -2])]}, "an output has 2 values and the shape [-1, -2]"),
        ({"outputs": [tensor(shape="12")]}, "cannot be read"),
        ({"outputs": [tensor(datatype="BF16")]}, "an output is BF16, which no stage has"),
        ({"outputs": [tensor(datatype="BYTES")]}, "an output is BYTES, which no stage has"),
        ({"outputs": [tensor(datatype="UINT8", data=[300, -1])]}, "cannot be read"),
        ({"outputs": [tensor(parameters={"binary_data_size": 8})]}, "an output has 0 values"),
        ({"outputs": [tensor(parameters={"binary_data_size": "8"})]}, "cannot be read"),
        (lambda _: None, "closes the connection and does not answer"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_one_line(opened, answer, said):
    with opened(infer(answer)) as (session, _), pytest.raises(CaseFailed) as caught:
        session.run(GIVEN)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_answer_without_end_is_not_read_to_it(opened, monkeypatch):
    monkeypatch.setattr(open_inference, "LARGEST", 2**20)
    with (
        opened(infer((200, b"7" * 2**21))) as (session, _),
        pytest.raises(CaseFailed, match="its answer has more than 1 MiB"),
    ):
        session.run(GIVEN)


def test_after_a_bad_answer_the_next_is_its_own(opened):
    answers = iter([(500, b"no"), {"outputs": [tensor()]}])
    with opened(infer(lambda _: next(answers))) as (session, _):
        with pytest.raises(CaseFailed, match="500"):
            session.run(GIVEN)
        np.testing.assert_array_equal(session.run(GIVEN)["y"], [[3, 5]])


def test_other_tensors_come_as_they_are_for_the_core_to_hold(opened):
    """What an output is named and has is held against the stage by whoever runs the session."""
    with opened(infer({"outputs": [tensor(name="z", datatype="INT64", data=[1, 2])]})) as (one, _):
        got = one.run(GIVEN)
    assert {name: array.dtype.name for name, array in got.items()} == {"z": "int64"}


def test_a_server_that_hangs_is_left_after_its_time(opened):
    over = threading.Event()
    try:
        with (
            opened(infer(lambda _: over.wait(20) and None), timeout=0.2) as (session, _),
            pytest.raises(CaseFailed, match="/infer sends no answer for 0.2 s"),
        ):
            session.run(GIVEN)
    finally:
        over.set()


def test_a_connection_that_idled_is_opened_again_and_doubted(opened):
    with opened(idle=0.1) as (session, script):
        while script.connections < 2:
            time.sleep(0.3)
            np.testing.assert_array_equal(session.run(GIVEN)["y"], [[3, 5]])
        assert session.doubts()[-1].startswith("the server closed the connection ")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"/v2": (404, b"")}, "/v2 answers 404 Not Found"),
        ({"/v2/models/net": (404, {"error": "no net"})}, "/v2/models/net answers 404 Not Found: no"),
        ({"/v2/models/net/ready": (503, b"")}, "/ready answers 503 Service Unavailable"),
        ({"/v2/models/net": {"inputs": 3}}, "reads what is no list of tensors: 3"),
        ({"/v2/models/net": {"inputs": [{"name": "x"}]}}, "reads what is no list of tensors"),
        ({"/v2/models/net": {"inputs": [{"name": "x", "datatype": "FP32", "shape": ["?", 2]}]}},
         "reads what is no list of tensors"),
        ({"/v2/models/net": {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1]}]}},
         "reads 'x' as BYTES (-1), and the stage as FP32 (batch, 2): it is another model"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_when_it_is_opened(opened, answers, said):
    with pytest.raises(CaseFailed) as caught, opened(answers):
        pass
    assert said in str(caught.value)


def test_a_server_that_is_not_there_is_one_line():
    options = BACKEND.options(url="http://127.0.0.1:1", model="net")
    with (
        pytest.raises(CaseFailed, match="^no server listens at http://127.0.0.1:1: start it, or"),
        BACKEND.open(STAGE, "server", 1, options),
    ):
        pass


def test_a_number_that_json_cannot_hold_is_not_sent(opened):
    with (
        opened() as (session, script),
        pytest.raises(CaseFailed, match="NaN or infinity, for which JSON has no word"),
    ):
        session.run({"x": np.array([[np.nan, 1]], "f4")})
    assert not [path for path, *_ in script.asked if path.endswith("infer")]


def test_a_header_is_sent_and_is_in_no_label(opened, monkeypatch):
    monkeypatch.setenv("TOKEN", "Authorization: Bearer s3cret")
    with opened(header="TOKEN") as (session, script):
        session.run(GIVEN)
        assert {headers["Authorization"] for _, headers, _ in script.asked} == {"Bearer s3cret"}
        assert "s3cret" not in repr(session.options) + " ".join(session.doubts())
    monkeypatch.setenv("TOKEN", "s3cret")
    with (
        pytest.raises(
            CaseFailed, match="^the variable TOKEN must hold the header to send, as NAME"
        ),
        opened(header="TOKEN"),
    ):
        pass


def test_a_path_before_the_protocol_and_odd_names_are_kept(serving):
    answers = {f"/team{path}": answer for path, answer in Script().answers.items()}
    odd = "/team/v2/models/a%2Fb%20c/versions/1"
    answers |= {odd: {}, f"{odd}/ready": b""}
    script = Script(answers)
    with serving(write_handler(script)) as server:
        url = f"http://127.0.0.1:{server.server_port}/team/"
        options = BACKEND.options(url=url, model="a/b c", version="1")
        with BACKEND.open(STAGE, "server", 1, options):
            assert [path for path, *_ in script.asked] == ["/team/v2", odd, f"{odd}/ready"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("oip(url=grpc://a:1,model=b)", "url must be http://HOST:PORT, not 'grpc://a:1'"),
        ("oip(url=a:8000,model=b)", "url must be http://HOST:PORT, not 'a:8000'"),
        ("oip(url=http://a,model=b)", "url must be http://HOST:PORT, not 'http://a'"),
        ("oip(url=http://a:b,model=c)", "url must be http://HOST:PORT, not 'http://a:b'"),
        ("oip(url=http://a:99999,model=c)", "url must be http://HOST:PORT, not 'http://a:99999'"),
        ("oip(url=http://a:1)", "a server is told by both, url=http://HOST:PORT and model=NAME"),
        ("oip(model=a)", "a server is told by both"),
        ("oip(url=http://me:pass@a:1,model=b)", "url must hold no password, as results keep it"),
        ("oip(url=http://a:1?x,model=b)", "url must end with the port or a path"),
        ("oip(url=http://a:1,model=b,timeout=0)", "timeout must be more than 0, not 0"),
        ("oip(url=http://a:1,model=b,binary=maybe)", "binary must be auto or yes or no"),
        ("oip(url=http://a:1,model=b,modle=c)", "has no option 'modle'"),
    ],
)  # fmt: skip
def test_what_names_no_server_is_refused_where_it_is_written(written, said):
    choice = parse_backend(written)
    with pytest.raises(OptionError) as caught:
        structure(BACKEND.options, choice.options, choice.name)
    assert said in str(caught.value)


def test_it_says_that_it_loads_nothing():
    assert not BACKEND.loads
    assert BACKEND.devices() == ("server",)
    assert BACKEND.precision(BACKEND.options(url="http://a:1", model="b", precision="f16")) == "f16"
    assert BACKEND.precision(BACKEND.options()) == "f32"


@pytest.mark.parametrize(("said", "doubts"), [({}, 1), ({"precision": "f32"}, 0)])
def test_a_precision_that_nobody_said_is_taken_on_trust_and_doubted(opened, said, doubts):
    with opened(**said) as (session, _):
        assert sum("f32 is taken on trust" in one for one in session.doubts()) == doubts
