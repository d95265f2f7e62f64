"""Messages of tensors between the programs of an export: read only once it is known what comes.

A message is four bytes that tell how long its head is, a head of JSON with the name, type and shape
of each tensor, and then their bytes. Whoever can reach an address may send them: nothing is
encrypted, and nobody is asked who they are.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import sys
from typing import Any

import numpy as np

MOST_HEAD, MOST_TENSORS = 65536, 256
AT_ONCE = 2**20
"""Bytes that are read at once."""
WAIT_S = 600
"""Seconds to wait for what the other side is about to say."""
TYPES = frozenset(
    [
        *("bool", "float16", "float32", "float64"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    ]
)


class Refused(Exception):
    """A message that is not what it must be, or that the other side has refused."""


def send(connection: socket.socket, head: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Send one message; the bytes of numbers are little-endian, whatever they were."""
    tensors = {n: a.astype(a.dtype.newbyteorder("<"), copy=False) for n, a in tensors.items()}
    named = [[name, array.dtype.name, list(array.shape)] for name, array in tensors.items()]
    written = json.dumps({**head, "tensors": named}).encode()
    connection.sendall(struct.pack("!I", len(written)) + written)
    for array in tensors.values():
        connection.sendall(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def receive(
    connection: socket.socket, specs: list[dict[str, Any]] | None, most: int
) -> dict[str, Any] | None:
    """Return the tensors of the next message, which must be as said; None where none comes.

    Nothing is read before it is known how large it is, and that it may be; room is made for what
    has come.
    """
    first = connection.recv(1)
    if not first:
        return None
    (length,) = struct.unpack("!I", first + read(connection, 3))
    if length > MOST_HEAD:
        raise Refused(f"its head has {length} bytes, of at most {MOST_HEAD}")
    try:
        head = json.loads(bytes(read(connection, length)))
        named = [(str(name), str(dtype), list(shape)) for name, dtype, shape in head["tensors"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused("its head is not what it must be") from error
    if head.get("error"):
        raise Refused(f"the other side says: {head['error']}")
    sizes = check(named, specs, most)
    return {
        name: np.ndarray(shape, np.dtype(dtype).newbyteorder("<"), read(connection, size))
        for (name, dtype, shape), size in zip(named, sizes, strict=True)
    }


def check(
    named: list[tuple[str, str, list[Any]]], specs: list[dict[str, Any]] | None, most: int
) -> list[int]:
    """Return the bytes of each tensor, if they are those that are expected, and not too many."""
    if len(named) > MOST_TENSORS:
        raise Refused(f"it has {len(named)} tensors, of at most {MOST_TENSORS}")
    for name, dtype, shape in named:
        whole = all(type(size) is int and 0 <= size <= most for size in shape)
        if dtype not in TYPES or len(shape) > 32 or not whole:
            raise Refused(f"the tensor {name[:80]!r} has a type or shape that none may have")
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in named]
    if sum(sizes) > most:
        raise Refused(f"its tensors have {sum(sizes)} bytes, of at most {most} (--most)")
    if specs is not None:
        check_specs(named, specs)
    return sizes


def check_specs(named: list[tuple[str, str, list[Any]]], specs: list[dict[str, Any]]) -> None:
    """Refuse tensors that are not those of some specifications, all of as many samples."""
    wanted = [spec["name"] for spec in specs]
    if [name for name, _, _ in named] != wanted:
        raise Refused(f"the tensors must be {wanted}")
    for (name, dtype, shape), spec in zip(named, specs, strict=True):
        fits = len(shape) == len(spec["shape"]) and all(
            isinstance(size, str) or size == came
            for size, came in zip(spec["shape"], shape, strict=True)
        )
        if dtype != spec["dtype"] or not fits:
            raise Refused(f"{name!r} must be {spec['dtype']} of shape {spec['shape']}")
    if len({shape[0] for _, _, shape in named if shape}) > 1:
        raise Refused("the tensors hold different numbers of samples")


def read(connection: socket.socket, length: int) -> bytearray:
    """Return so many bytes; room grows as they come, as what is announced may never."""
    held = bytearray()
    while len(held) < length:
        part = connection.recv(min(length - len(held), AT_ONCE))
        if not part:
            raise Refused("the other side has ended in the middle of a message")
        held += part
    return held


def is_over(connection: socket.socket) -> bool:
    """Return whether the other side has ended, or has said what it was not asked."""
    return bool(select.select([connection], [], [], 0)[0])


def connect(address: str) -> socket.socket:
    """Connect to an address written HOST:PORT."""
    connection = socket.create_connection(parse(address), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # An answer may take longer: requests of others are answered before.
    connection.settimeout(WAIT_S)
    return connection


def parse(address: str) -> tuple[str, int]:
    """Return the host and the port of an address; without a host it is this machine."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        sys.exit(f"an address is written HOST:PORT, not {address!r}")
    return host.strip("[]") or "127.0.0.1", int(port)
