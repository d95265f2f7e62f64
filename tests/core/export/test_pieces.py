"""The program of a piece, on stages of numpy alone: exits, states, and messages of strangers."""

from __future__ import annotations

import ast
import hashlib
import json
import socket
import struct
import subprocess
import sys
import time
import tracemalloc
from contextlib import ExitStack, suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.export.programs import messages
from edgebench.export.programs.piece import MOST_CONNECTIONS
from edgebench.export.source import write_program

from ...exported import command, listening, load

FIRST = """
def open_stage(directory):
    return lambda tensors: {"double": 2 * tensors["x"], "sure": tensors["x"].max(axis=1)}
"""
SECOND = """
def open_stage(directory):
    def run(tensors):
        total = tensors["double"] + tensors["carried"]
        return {"answer": total + 100, "carry": total}
    return run
"""


def spec(name, *shape):
    return {"name": name, "dtype": "float32", "shape": ["batch", *shape]}


def write_piece(place, number, text, **known):
    """Write the folder of a piece of one stage."""
    place.mkdir()
    (place / f"stage_{number}").mkdir()
    source = place / f"stage_{number}.py"
    source.write_text(text)
    digests = {source.name: hashlib.sha256(source.read_bytes()).hexdigest()}
    known = {"outputs": [spec("answer", 3)], "sha256": digests, **known}
    (place / "piece.json").write_text(json.dumps(known))
    (place / "piece.py").write_text(write_program())
    return place / "piece.py"


@pytest.fixture
def front(tmp_path):
    """A stage after which samples leave whose largest value is at least 5, doubled."""
    leaves = {"condition": "sure", "answer": ["double"], "threshold": 5.0}
    stage = {"number": 0, "feeds": [["x", "x"]], "gives": [["double", "double"], ["sure", "sure"]],
             "exit": leaves, "states": []}  # fmt: skip
    return write_piece(tmp_path / "front", 0, FIRST, reads=[spec("x", 3)], sends=["double"],
                       last=False, stages=[stage])  # fmt: skip


@pytest.fixture
def back(tmp_path):
    """A stage that adds to what it is given what it gave for the request before."""
    state = {"inside": "carried", "dtype": "float32", "shape": ["batch", 3], "written": "carry"}
    stage = {"number": 1, "feeds": [["double", "double"]], "gives": [["answer", "answer"]],
             "exit": None, "states": [state]}  # fmt: skip
    return write_piece(tmp_path / "back", 1, SECOND, reads=[spec("double", 3)], sends=[],
                       last=True, stages=[stage])  # fmt: skip


@pytest.fixture
def stateless(tmp_path):
    """A stage that adds a hundred."""
    text = SECOND.replace('tensors["carried"]', "0")
    stage = {"number": 1, "feeds": [["double", "double"]], "gives": [["answer", "answer"]],
             "exit": None, "states": []}  # fmt: skip
    return write_piece(tmp_path / "stateless", 1, text, reads=[spec("double", 3)], sends=[],
                       last=True, stages=[stage])  # fmt: skip


def converse(address, *requests):
    """Return the answers to requests of one connection."""
    with messages.connect(address) as connection:
        return [exchange(connection, one)["answer"] for one in requests]


def exchange(connection, tensors):
    messages.send(connection, {}, tensors)
    return messages.receive(connection, None, 2**20)


def ask(address, tensors):
    with messages.connect(address) as connection:
        return exchange(connection, tensors)


def test_it_is_one_file_of_numpy_and_the_standard_library():
    tree = ast.parse(write_program())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else
                     [alias.name for alias in node.names])
    }  # fmt: skip
    assert imported - sys.stdlib_module_names == {"numpy"}


def test_samples_leave_are_sent_on_and_come_back_in_their_order(front, back, process):
    rows = np.array([[1, 2, 3], [4, 5, 6], [0, 1, 2], [7, 0, 0]], np.float32)
    with listening(back) as last, listening(front, "--next", last) as first:
        found, again, others = converse(first, {"x": rows}, {"x": rows}, {"x": rows[1:2]})
    stayed, gone = [0, 2], [1, 3]
    assert np.array_equal(found[stayed], 2 * rows[stayed] + 100)
    assert np.array_equal(found[gone], 2 * rows[gone])
    # Of the request before, what the stage had written for those that stayed.
    assert np.array_equal(again[stayed], 4 * rows[stayed] + 100)
    assert np.array_equal(others, 2 * rows[1:2])


def test_once_on_a_file(front, back, tmp_path, process):
    rows = np.array([[1, 2, 3]], np.float32)
    np.savez(tmp_path / "in.npz", x=rows, unused=rows)
    with listening(back) as last:
        words = ("--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz", "--next", last)
        done = subprocess.run(command(front, *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "answer: float32 of shape (1, 3)\n"
    assert np.array_equal(load(tmp_path / "out.npz")["answer"], 2 * rows + 100)


@pytest.mark.parametrize("words", [[], ["--listen", "127.0.0.1:0", "--inputs", "x"]])
def test_it_says_what_is_to_be_done(front, words, process):
    done = subprocess.run(command(front, *words), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--inputs FILE, or --listen" in done.stderr


def test_a_file_that_was_changed_is_not_opened(front, tmp_path, process):
    (front.parent / "stage_0.py").write_text(FIRST + "# and more\n")
    done = subprocess.run(command(front, "--listen", "127.0.0.1:0"), capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert "stage_0.py is not the file that was exported" in done.stderr


def test_a_next_piece_that_is_not_there_is_said_and_found_once_it_is(front, back, process):
    rows = np.array([[1, 2, 3]], np.float32)
    with socket.create_server(("127.0.0.1", 0)) as held:
        nowhere = f"127.0.0.1:{held.getsockname()[1]}"
    with listening(front, "--next", nowhere) as first:
        with pytest.raises(messages.Refused, match=f"the next piece at {nowhere}"):
            ask(first, {"x": rows})
        gone = np.array([[9, 9, 9]], np.float32)
        assert np.array_equal(ask(first, {"x": gone})["answer"], 2 * gone)


def head(*tensors, **more):
    written = json.dumps({"tensors": tensors, **more}).encode()
    return struct.pack("!I", len(written)) + written


HOSTILE = {
    "a long head": struct.pack("!I", 2**31),
    "no JSON": struct.pack("!I", 3) + b"\xff{[",
    "no tensors": struct.pack("!I", 2) + b"[]",
    "too large": head(["double", "float32", [2**40, 3]]),
    "large together": head(["double", "float32", [2**20, 3]], ["x", "float32", [2**20, 3]]),
    "negative": head(["double", "float32", [-1, 3]]),
    "no whole number": head(["double", "float32", [1.5, 3]]),
    "a truth": head(["double", "float32", [True, 3]]),
    "an object": head(["double", "object", [1, 3]]),
    "another type": head(["double", "float64", [1, 3]]),
    "another shape": head(["double", "float32", [1, 4]]),
    "another name": head(["single", "float32", [1, 3]]),
    "too many": head(*[["double", "float32", [1, 3]]] * 300),
    "too many dimensions": head(["double", "float32", [1] * 40]),
    "deep": struct.pack("!I", 60000) + b"[" * 60000,
}


@pytest.fixture
def waiting(back, process):
    with listening(back, "--most", "1000000") as address:
        yield address


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_of_a_stranger_is_refused_and_the_next_answered(waiting, name):
    with messages.connect(waiting) as connection:
        connection.sendall(HOSTILE[name])
        with pytest.raises(messages.Refused, match="the other side says"):
            messages.receive(connection, None, 2**20)
    with messages.connect(waiting) as connection:
        connection.sendall(head(["double", "float32", [1, 3]]) + b"123")
    rows = np.ones((1, 3), np.float32)
    assert np.array_equal(ask(waiting, {"double": rows})["answer"], rows + 100)


NAMED = st.tuples(
    st.text(max_size=5),
    st.sampled_from(["float32", "int8", "object", "U4", ""]),
    st.lists(st.one_of(st.integers(-3, 2**70), st.none(), st.booleans(), st.text(max_size=2)),
             max_size=4),
)  # fmt: skip


@given(st.lists(NAMED, max_size=4), st.integers(0, 10_000))
def test_what_is_made_room_for_is_never_more_than_was_said(named, most):
    try:
        sizes = messages.check(named, None, most)
    except messages.Refused:
        return
    assert 0 <= sum(sizes) <= most


@pytest.mark.parametrize(
    "array",
    [np.zeros((0, 3), np.float32), np.ones((2, 2), bool), np.arange(6, dtype=np.int64)[::2],
     np.array(3.5), np.ones((3, 2), np.float16).T],
)  # fmt: skip
def test_arrays_arrive_as_they_were(array):
    one, other = socket.socketpair()
    with one, other:
        messages.send(one, {}, {"file": array})
        found = messages.receive(other, None, 1000)
        one.close()
        assert messages.receive(other, None, 1000) is None
    assert found["file"].dtype == array.dtype
    assert np.array_equal(found["file"], array)


@pytest.mark.parametrize("address", ["9000", ":9000", "127.0.0.1:9000"])
def test_an_address_without_a_host_is_this_machine_alone(address):
    assert messages.parse(address) == ("127.0.0.1", 9000)
    assert messages.parse("[::1]:9000") == ("::1", 9000)
    with pytest.raises(SystemExit, match="HOST:PORT"):
        messages.parse("here")


def test_big_endian_numbers_arrive_as_the_numbers_they_are(front, tmp_path, process):
    rows = np.array([[7, 2, 3]], ">f4")
    one, other = socket.socketpair()
    with one, other:
        messages.send(one, {}, {"x": rows})
        found = messages.receive(other, None, 1000)["x"]
    assert np.array_equal(found, rows)
    np.savez(tmp_path / "in.npz", x=rows)
    with listening(front) as first:
        words = (
            "--send",
            first,
            "--inputs",
            tmp_path / "in.npz",
            "--outputs",
            tmp_path / "out.npz",
        )
        done = subprocess.run(command(front, *words), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(load(tmp_path / "out.npz")["answer"], 2 * rows)


def test_a_side_that_ends_without_an_answer_is_an_error(front, tmp_path, process):
    np.savez(tmp_path / "in.npz", x=np.ones((1, 3), np.float32))
    out = tmp_path / "out.npz"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        words = command(front, "--send", address, "--inputs", tmp_path / "in.npz",
                        "--outputs", out)  # fmt: skip
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as running:
            connection, _ = server.accept()
            with connection:
                assert messages.receive(connection, None, 1000) is not None
            said = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert said == f"piece.py: the piece at {address} has ended without an answer\n"
    assert not out.exists()


def test_a_pause_loses_no_request(front, stateless, process):
    """The next piece ends what is idle, and the piece before it connects anew."""
    rows = np.array([[1, 2, 3]], np.float32)
    with listening(stateless, "--idle", "0.2") as last, listening(front, "--next", last) as first:
        with messages.connect(first) as connection:
            for _ in range(2):
                assert np.array_equal(exchange(connection, {"x": rows})["answer"], 2 * rows + 100)
                time.sleep(0.8)
        with messages.connect(last) as connection:
            assert messages.receive(connection, None, 1000) is None  # an end, and no error


def test_states_outlast_a_pause(back, process):
    rows = np.ones((1, 3), np.float32)
    with listening(back, "--idle", "0.2") as address, messages.connect(address) as connection:
        for count in (1, 2):
            found = exchange(connection, {"double": rows})["answer"]
            assert np.array_equal(found, count * rows + 100)
            time.sleep(0.8)


def test_each_connection_has_states_of_its_own(front, back, process):
    one, other = (np.full((1, 3), value, np.float32) for value in (1, 2))
    with ExitStack() as stack:
        last = stack.enter_context(listening(back))
        first = stack.enter_context(listening(front, "--next", last))
        both = [stack.enter_context(messages.connect(first)) for _ in range(2)]
        for count in (1, 2, 3):
            for connection, rows in zip(both, (one, other), strict=True):
                found = exchange(connection, {"x": rows})["answer"]
                assert np.array_equal(found, 2 * count * rows + 100)


def test_more_connections_than_are_answered_are_refused_until_one_ends(waiting):
    rows = np.ones((1, 3), np.float32)
    with ExitStack() as stack:
        held = [stack.enter_context(messages.connect(waiting)) for _ in range(MOST_CONNECTIONS)]
        assert exchange(held[-1], {"double": rows})["answer"].shape == (1, 3)
        more = stack.enter_context(messages.connect(waiting))
        with pytest.raises(messages.Refused, match=f"{MOST_CONNECTIONS} connections already"):
            messages.receive(more, None, 1000)
    found = None
    for _ in range(100):
        with suppress(messages.Refused, OSError):
            found = found or ask(waiting, {"double": rows})
        time.sleep(0 if found else 0.05)
    assert np.array_equal(found["answer"], rows + 100)


def test_what_is_announced_and_does_not_come_takes_no_room():
    one, other = socket.socketpair()
    with one, other:
        one.sendall(head(["x", "float32", [2**26]]) + b"1234")
        one.shutdown(socket.SHUT_WR)
        tracemalloc.start()
        try:
            with pytest.raises(messages.Refused, match="in the middle"):
                messages.receive(other, None, 2**28)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 2**23


def test_an_answer_may_take_longer_than_to_connect(waiting):
    with messages.connect(waiting) as connection:
        assert connection.gettimeout() == messages.WAIT_S > 60
