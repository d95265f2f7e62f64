"""Real servers of the Open Inference Protocol for the tests, each in an environment of its own.

Neither installs beside what edgebench pins, so each has its own pins. KServe's is the protocol's own
reference and takes tensors as bytes; MLServer takes JSON text alone.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgebench.store.locks import hold_lock

PLACE = Path(__file__).parent / "plugins" / "backends" / "servers"
STARTS_S = 60


def install(name: str, place: Path) -> Path:
    """Return the interpreter of an environment that has a server, made once for all workers."""
    place.mkdir(parents=True, exist_ok=True)
    pins, root = PLACE / f"{name}.txt", place / name
    with hold_lock(place / f"{name}.lock"):
        done = root / "pins.txt"
        if not (done.is_file() and done.read_bytes() == pins.read_bytes()):
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", root], check=True)
            pip = [root / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps"]
            made = subprocess.run([*pip, "-r", pins], capture_output=True, text=True, check=False)
            if made.returncode and "CI" not in os.environ:
                pytest.skip(f"{name} cannot be installed here: {made.stderr.strip()[-200:]}")
            assert made.returncode == 0, made.stderr
            shutil.copy(pins, done)
    return root / "bin" / "python"


def find_ports(count: int) -> list[int]:
    """Return ports of this machine that nothing listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _write_kserve(python, ports, graphs, directory):
    pairs = [f"{name}={file}" for name, file in graphs.items()]
    return [python, PLACE / "kserve_graphs.py", str(ports[0]), *pairs]


def _write_mlserver(python, ports, graphs, directory):
    http, grpc, metrics = ports
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings["parallel_workers"] = 0
    (directory / "settings.json").write_text(json.dumps(settings))
    for name, file in graphs.items():
        (directory / name).mkdir()
        model = {
            "name": name,
            "implementation": "mlserver_graphs.Graph",
            "parameters": {"uri": str(file), "version": "1"},
        }
        (directory / name / "model-settings.json").write_text(json.dumps(model))
    return [python, "-m", "mlserver.cli.main", "start", directory]


WRITES = {"kserve": _write_kserve, "mlserver": _write_mlserver}


@contextmanager
def serve(name: str, place: Path, graphs: dict[str, Path], directory: Path, port: int = 0):
    """Serve ONNX files by their names, at a port if one is said; give the address, and end it."""
    python, ports = install(name, place), find_ports(3)
    ports[0] = port or ports[0]
    directory.mkdir()
    argv = WRITES[name](python, ports, graphs, directory)
    # Its own packages alone: what edgebench stands on is not for it to find.
    env = {**os.environ, "PYTHONPATH": str(PLACE)}
    log = directory / "log.txt"
    with log.open("w") as said, subprocess.Popen(argv, env=env, stdout=said, stderr=said) as server:
        try:
            url = f"http://127.0.0.1:{ports[0]}"
            _await(server, [f"{url}/v2/models/{one}/ready" for one in graphs], log)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _await(server: subprocess.Popen, asked: list[str], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + STARTS_S
    while asked:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            with opener.open(asked[-1], timeout=5):
                asked = asked[:-1]
        except OSError:
            time.sleep(0.1)
