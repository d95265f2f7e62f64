"""No process of a run reaches beyond this machine, nor asks where something beyond it is."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

SILENT = ("ORT_DISABLE_TELEMETRY", "TF_BUILD", "CI", "JENKINS_URL")
"""Variables by which libraries here keep silent; a build may have them set."""
TRACER = shutil.which("strace")
# A name is looked up by what its service is asked, or by what the resolver's own file says.
CALLS = "connect,sendto,sendmsg,sendmmsg,openat"
REACHED = re.compile(r"sa_family=AF_INET6?\b")
HERE = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
LOOKED_UP = re.compile(r"/etc/resolv\.conf|htons\(53\)|io\.systemd\.Resolve|openat.*/etc/hosts\"")


def write_model(path):
    """Write a graph of one node, for every runtime that reads such files."""
    onnx = pytest.importorskip("onnx")
    rows = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 4])
        for name in ("x", "y")
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", rows[:1], rows[1:]
    )
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def is_beyond(call):
    """Say whether a traced call reaches, or looks for, what is not on this machine."""
    return bool(LOOKED_UP.search(call) or (REACHED.search(call) and not HERE.search(call)))


@pytest.mark.parametrize(
    ("call", "beyond"),
    [
        (
            'connect(7, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")}',
            True,
        ),
        (
            'connect(7, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("8.8.8.8")}',
            True,
        ),
        (
            'connect(7, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}',
            True,
        ),
        ('openat(AT_FDCWD, "/etc/resolv.conf", O_RDONLY|O_CLOEXEC) = 7', True),
        (
            'connect(7, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.0.1")}',
            False,
        ),
        ('connect(9, {sa_family=AF_UNIX, sun_path="/tmp/x/control"}, 47) = 0', False),
    ],
)
def test_what_is_beyond_this_machine_is_recognised(call, beyond):
    assert is_beyond(call) is beyond


@pytest.mark.skipif(TRACER is None, reason="strace is not installed here")
def test_no_process_of_a_run_reaches_beyond_this_machine(tmp_path, process):
    for name in ("onnxruntime", "openvino"):
        pytest.importorskip(name)
    write_model(tmp_path / "relu.onnx")
    trace = tmp_path / "trace"
    words = ["--model", "relu.onnx", "--backend", "onnxruntime", "--backend", "openvino"]
    words += ["--operator", "identity", "--operator", "sptq", "--blocks", "1", "--requests", "3"]
    # It reports each quantization; a graph of one node it leaves as it is, which is skipped.
    words += ["--operator", "nncf"] if importlib.util.find_spec("nncf") else []
    # What silences libraries must come from what ships, not from whoever runs this.
    env = {name: value for name, value in os.environ.items() if name not in SILENT}
    trace_into = [TRACER, "-f", "--seccomp-bpf", "-e", f"trace={CALLS}", "-o", trace]
    done = subprocess.run(
        [*trace_into, sys.executable, "-m", "edgebench", "run", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
        timeout=280,
        check=False,
    )
    if "PTRACE" in done.stderr and not trace.stat().st_size:
        pytest.skip(f"strace may not trace here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    calls = trace.read_text(errors="replace").splitlines()
    assert any("AF_UNIX" in call for call in calls), done.stderr
    assert [call for call in calls if is_beyond(call)] == []
