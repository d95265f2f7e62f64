"""Runs one piece of a pipeline, and sends on what the next piece is to do.

    python piece.py --inputs ../input.npz --outputs out.npz    once, on tensors of a file
    python piece.py --listen 127.0.0.1:9000                    for others, until it is ended
    python piece.py --send 127.0.0.1:9000 --inputs ../input.npz --outputs out.npz

Where the next piece listens is said with --next.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import socket
import socketserver
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.export.programs.messages import (
    WAIT_S,
    Refused,
    check,
    connect,
    is_over,
    parse,
    receive,
    send,
)

HERE = Path(__file__).resolve().parent
MOST_CONNECTIONS = 16
"""Connections that are answered at once: what each may send is held in memory."""


class Stage:
    """One stage, opened: what it reads and writes, and where samples may leave."""

    def __init__(self, known: dict[str, Any]) -> None:
        name = f"stage_{known['number']}"
        found = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        if found is None or found.loader is None:
            sys.exit(f"piece.py: there is no {name}.py beside it")
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        self.known = known
        self.call = module.open_stage(HERE / name)

    def run(self, tensors: dict[str, Any], kept: dict[tuple[int, str], Any]) -> dict[str, Any]:
        """Return what it writes, by the names of the pipeline; states are *kept* for the next."""
        number = self.known["number"]
        feeds: dict[str, Any] = {
            inside: np.ascontiguousarray(tensors[name]) for name, inside in self.known["feeds"]
        }
        samples = len(next(iter(feeds.values())))
        for state in self.known["states"]:
            shape = tuple(samples if isinstance(one, str) else one for one in state["shape"])
            last: Any = kept.get((number, state["inside"]))
            fits = last is not None and last.shape == shape
            feeds[state["inside"]] = last if fits else np.zeros(shape, state["dtype"])
        given = self.call(feeds)
        for state in self.known["states"]:
            kept[number, state["inside"]] = np.array(given[state["written"]])
        return {name: given[inside] for name, inside in self.known["gives"]}


class Piece:
    """All stages of this piece, and the way to the next."""

    def __init__(self, following: str, most: int) -> None:
        self.known = json.loads((HERE / "piece.json").read_text(encoding="utf-8"))
        for name, digest in self.known["sha256"].items():
            if hashlib.sha256((HERE / name).read_bytes()).hexdigest() != digest:
                sys.exit(f"piece.py: {name} is not the file that was exported")
        self.stages = [Stage(one) for one in self.known["stages"]]
        self.following, self.most = following, most
        self.has_states = any(stage.known["states"] for stage in self.stages)
        self.one_at_a_time = threading.Lock()


class Conversation:
    """What one connection asks: the states of its stages, and its own way to the next piece.

    States are of a sequence of inputs, and the sequences of two that ask are two.
    """

    def __init__(self, piece: Piece) -> None:
        self.piece, self.known = piece, piece.known
        self.kept: dict[tuple[int, str], Any] = {}
        self.connection: socket.socket | None = None

    def answer(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Return the outputs of the pipeline for a batch of samples."""
        with self.piece.one_at_a_time:
            return self._answer(tensors)

    def _answer(self, tensors: dict[str, Any]) -> dict[str, Any]:
        tensors = dict(tensors)
        left = np.arange(len(next(iter(tensors.values()))))
        answers: dict[int, list[Any]] = {}
        for stage in self.piece.stages:
            tensors.update(stage.run(tensors, self.kept))
            leaves = stage.known["exit"]
            if leaves is None:
                continue
            gone = tensors[leaves["condition"]].reshape(len(left)) >= leaves["threshold"]
            for place in np.flatnonzero(gone).tolist():
                answers[int(left[place])] = [
                    tensors[n][place : place + 1] for n in leaves["answer"]
                ]
            left = left[~gone]
            tensors = {name: array[~gone] for name, array in tensors.items()}
            if not len(left):
                break
        if len(left):
            last = self._finish(tensors)
            for place, sample in enumerate(left.tolist()):
                answers[sample] = [array[place : place + 1] for array in last]
        ordered = [answers[sample] for sample in sorted(answers)]
        names = [spec["name"] for spec in self.known["outputs"]]
        return {n: np.concatenate([one[k] for one in ordered]) for k, n in enumerate(names)}

    def _finish(self, tensors: dict[str, Any]) -> list[Any]:
        """Return the outputs of what no exit has let out: of this piece, or of those after it."""
        if self.known["last"]:
            return [tensors[spec["name"]] for spec in self.known["outputs"]]
        sent = {name: tensors[name] for name in self.known["sends"]}
        following = self.piece.following
        # One that was kept since the request before may have ended meanwhile.
        if self.connection is not None and is_over(self.connection):
            self.hang_up()
        try:
            self.connection = self.connection or connect(following)
            send(self.connection, {}, sent)
            given = receive(self.connection, self.known["outputs"], self.piece.most)
        except OSError as error:
            self.hang_up()
            raise Refused(f"the next piece at {following}: {error}") from error
        except Refused:
            self.hang_up()
            raise
        if given is None:
            self.hang_up()
            raise Refused(f"the next piece at {following} has ended")
        return list(given.values())

    def hang_up(self) -> None:
        """End the connection to the next piece, if there is one."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Server(socketserver.ThreadingTCPServer):
    """Answers whoever connects, one request at a time, and so many connections at once."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self, address: tuple[str, int], piece: Piece, idle: float) -> None:
        self.piece = piece
        # Whose states are kept here is not sent away: with them it would start anew.
        self.idle = None if piece.has_states else idle
        self.free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, or say that there are too many."""
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            send(request, {"error": f"there are {MOST_CONNECTIONS} connections already"}, {})
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()


class Handler(socketserver.BaseRequestHandler):
    """One connection, message after message."""

    server: Server

    def handle(self) -> None:
        """Answer until the other side ends, or sends what is no message."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        piece = self.server.piece
        conversation = Conversation(piece)
        try:
            while self._is_asked():
                given = receive(self.request, piece.known["reads"], piece.most)
                send(self.request, {}, conversation.answer(given or {}))
        # Whatever went wrong is told to whoever asked; the next may ask all the same.
        except Exception as error:  # noqa: BLE001 - and so it is no end
            with suppress(OSError):
                send(self.request, {"error": f"{type(error).__name__}: {error}"[:1000]}, {})
        finally:
            conversation.hang_up()

    def _is_asked(self) -> bool:
        """Wait for the next message; that none comes is an end, and no error."""
        self.request.settimeout(self.server.idle)
        try:
            return bool(self.request.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            return False
        finally:
            self.request.settimeout(WAIT_S)


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(description="Run one piece of a pipeline.")
    parser.add_argument("--inputs", type=Path, help="tensors to run it on, an .npz file")
    parser.add_argument("--outputs", type=Path, help="where to write the outputs, an .npz file")
    parser.add_argument("--listen", help="where to listen, HOST:PORT (this machine alone)")
    parser.add_argument("--next", default="127.0.0.1:9001", help="where the next piece listens")
    parser.add_argument("--send", help="send the inputs to a piece that listens, HOST:PORT")
    parser.add_argument("--idle", type=float, default=600.0,
                        help="seconds without a request after which a connection is ended, unless "
                             "states are kept for it")  # fmt: skip
    parser.add_argument("--most", type=int, default=2**28, help="bytes of a message, at most")
    args = parser.parse_args()
    if bool(args.inputs) == bool(args.listen):
        parser.error("say --inputs FILE, or --listen HOST:PORT")
    try:
        run_once(args) if args.inputs else listen(args)
    except (Refused, OSError, KeyError) as error:
        sys.exit(f"piece.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def run_once(args: argparse.Namespace) -> None:
    """Run on the tensors of a file, here or where they are sent."""
    with np.load(args.inputs, allow_pickle=False) as held:
        tensors = {name: held[name] for name in held.files}
    if args.send:
        with connect(args.send) as connection:
            send(connection, {}, tensors)
            outputs = receive(connection, None, args.most)
        if outputs is None:
            raise Refused(f"the piece at {args.send} has ended without an answer")
    else:
        piece = Piece(args.next, args.most)
        tensors = {spec["name"]: tensors[spec["name"]] for spec in piece.known["reads"]}
        check([(n, a.dtype.name, list(a.shape)) for n, a in tensors.items()],
              piece.known["reads"], args.most)  # fmt: skip
        outputs = Conversation(piece).answer(tensors)
    for name, array in outputs.items():
        sys.stdout.write(f"{name}: {array.dtype} of shape {array.shape}\n")
    if args.outputs:
        # `np.savez` takes names as keywords, and would lose one called `file`.
        with zipfile.ZipFile(args.outputs, "w") as archive:
            for name, array in outputs.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


def listen(args: argparse.Namespace) -> None:
    """Answer until this is ended."""
    piece = Piece(args.next, args.most)
    with Server(parse(args.listen), piece, args.idle) as server:
        host, port = server.server_address[:2]
        sys.stdout.write(f"listening on {host!s}:{port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
