"""Weights of the kind hub: a pinned file of a registry of one's own, from a server that is here."""

from __future__ import annotations

import hashlib
import io
import socket
from http.server import BaseHTTPRequestHandler
from textwrap import dedent

import numpy as np
import pytest

from edgebench.records.database import Database

PINNED = """
    from edgebench import Model, Pipeline, Stage, TensorSpec, Variant, hookimpl

    def build(variant, weights):
        import numpy as np

        matrix = np.loadtxt(weights.path, dtype=np.float32)
        stage = Stage(format="toy-matrix", live=matrix,
                      inputs=[TensorSpec(name="input", dtype="float32", shape=("batch", 8))],
                      outputs=[TensorSpec(name="scores", dtype="float32", shape=("batch", 3))])
        return Pipeline(model="pinned", variant=variant, stages=[stage], outputs=["scores"])

    @hookimpl
    def edgebench_models():
        variants = [Variant(name=name, weights=["hub"], asset=f"pinned-{name}")
                    for name in ("small", "large")]
        yield Model(name="pinned", summary="One matrix.", build=build, variants=variants,
                    dataset="toy-points", format="toy-matrix")
"""
ROW = """
[assets.pinned-{name}]
summary = "One matrix."
url = "{url}/pinned-{name}.txt"
sha256 = "{sha256}"
licence = "MIT"
"""


def weights():
    text = io.BytesIO()
    np.savetxt(text, np.ones((8, 3)))
    return text.getvalue()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Print nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()
        if self.server.status == 200:
            self.wfile.write(weights())


@pytest.fixture
def server(serving):
    with serving(Handler) as server:
        server.asked, server.status = [], 200
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server


@pytest.fixture
def run(cli, toy, tmp_path):
    """Run pinned models over a cache of their own; rows of the registry are by variant."""
    (tmp_path / "pinned.py").write_text(dedent(PINNED))

    def start(url, *words, rows=("small", "large"), store="store"):
        sha256 = hashlib.sha256(weights()).hexdigest()
        text = "".join(ROW.format(name=name, url=url, sha256=sha256) for name in rows)
        (tmp_path / "mine.toml").write_text(text)
        own = {"EDGEBENCH_STORE": str(tmp_path / store), "EDGEBENCH_CACHE": str(tmp_path / "cache")}
        return cli("run", "--registry", "mine.toml", "--plugin", toy, "--plugin", "pinned.py",
                   "--backend", "toy-numpy", "--blocks", "1", "--requests", "3", "--json", *words,
                   no_proxy="*", **own)  # fmt: skip

    return start


@pytest.fixture
def refused(tmp_path):
    """Check that a run ended in one line before anything was measured, and return the line."""

    def check(said):
        assert (said.status, said.out, said.err.count("\n")) == (2, "", 1), said
        with Database.open(tmp_path / "edgebench.db") as database:
            assert database.read_runs() == ()
        return said.err

    return check


def test_pinned_weights_are_downloaded_once_and_measured(run, server, tmp_path):
    said = run(server.url, "--model", "pinned:small")
    assert said.status == 0, said.err
    (case,) = said.json["cases"]
    assert (case["status"], case["weights"], case["samples"]) == ("ok", "hub", 3)
    kept = [file for file in (tmp_path / "cache").iterdir() if file.suffix == ".txt"]
    assert [file.read_bytes() for file in kept] == [weights()]
    # Over another store the model is built anew, of the file in the cache.
    again = run(server.url, "--model", "pinned:small", store="other")
    assert again.json["cases"][0]["artifact"] == case["artifact"]
    assert server.asked == ["/pinned-small.txt"]


def test_a_model_without_a_row_is_one_clear_line(run, server, refused):
    said = refused(run(server.url, "--model", "pinned:*", rows=["large"]))
    assert said == (
        "edgebench: pinned:small has no weights to download: the registry has no row "
        "[assets.pinned-small]; give a file with --weights file:PATH\n"
    )
    assert server.asked == []


def test_a_server_that_is_not_there_is_one_clear_line(run, refused):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    said = refused(run(f"http://{address}", "--model", "pinned:small"))
    assert f"the asset pinned-small cannot be downloaded from {address}: " in said
    assert said.endswith("by hand and use --weights file:PATH\n")


def test_a_server_that_fails_is_asked_once_for_all_cases(run, server, refused):
    server.status = 503
    chains = ("--operator", "identity", "--operator", "toy-round")
    said = refused(run(server.url, "--model", "pinned:*", *chains))
    assert "HTTP 503" in said
    assert len(server.asked) == 1
