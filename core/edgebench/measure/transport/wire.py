"""What travels between hosts: a small header, the shapes of tensors, and raw bytes.

A message is a list of frames: a header; for tensors a frame that says what they are; then the
body, one frame a payload, a tensor or an answer. Everything that is announced is checked against
what came before anything is made of it. No framework and no array library is needed to pass a
message on, so a host that only relays imports none.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs

from edgebench.parts.pipeline import ITEM_BYTES

MAGIC = b"EDGB"
VERSION = 1
# Little-endian without padding: the time of sending has a fixed place, where `stamp` overwrites it.
HEADER = struct.Struct("<4sBB?xQqIHHQQ")
INSTANT = struct.Struct("<q")
SENT_AT = struct.calcsize("<4sBB?xQ")
MARK = struct.Struct("<BHq")
SHAPE = struct.Struct("<BBH")
DIMENSION = struct.Struct("<Q")

MAX_FRAME = 2**30
"""Bytes of one frame; sockets refuse more before they make room for it."""
MAX_FRAMES = 4096
MAX_MARKS = 1024
MAX_DIMENSIONS = 16

# The place of a type in this list is its code on the wire.
ITEM_TYPES = tuple(ITEM_BYTES)

PHASES = (
    "encode",
    "uplink",
    "queue",
    "decode",
    "preprocess",
    "inference",
    "serialise",
    "transfer",
    "postprocess",
    "downlink",
    "local-hop",
    "emulated-wait",
    "exited",
)
"""What a mark may say; all but the last are durations, that one a number of samples."""
CODES: Mapping[str, int] = MappingProxyType({name: code for code, name in enumerate(PHASES)})
NUMBERED = frozenset(["inference", "serialise", "transfer", "exited"])
"""Phases of which a request has several, told apart by an index."""


class WireError(ValueError):
    """A message that is not what it must be, or not what it announces."""


class Kind(IntEnum):
    """What a message is."""

    REQUEST = 1
    """Payloads in the wire form of the dataset, one frame a sample."""
    TENSORS = 2
    """Tensors on the way to the next piece, or raw outputs on the way back."""
    ANSWER = 3
    """Answers in the wire form of the model, one frame a sample."""
    ERROR = 4
    """One line of text: what went wrong, and where."""
    PROBE = 5
    """Bytes without meaning, to be answered with as many as are wanted."""
    ECHO = 6
    """The answer to a probe."""


class Mark(NamedTuple):
    """What a host notes about a request: a phase, which of its kind, and nanoseconds.

    For `exited` the value is a number of samples.
    """

    code: int
    number: int
    value: int

    @property
    def name(self) -> str:
        """The phase by name, numbered where there may be several."""
        name = PHASES[self.code]
        return f"{name}-{self.number}" if name in NUMBERED else name


class Shaped(NamedTuple):
    """What a frame of raw bytes is as a tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@attrs.frozen(kw_only=True)
class Message:
    """One message, its body not copied."""

    kind: Kind
    request: int = 0
    """The number of the request, the same on the whole way and back."""
    raw: bool = False
    """Whether the outputs themselves are wanted, not answers made of them."""
    samples: int = 0
    """How many samples it carries."""
    wanted: int = 0
    """For a probe: how many bytes to answer with."""
    sent: int = 0
    """When it was sent, on the monotonic clock that all hosts on one kernel share; nanoseconds."""
    marks: Sequence[Mark] = ()
    """What the hosts on its way noted."""
    tensors: Sequence[Shaped] = ()
    """What the frames of the body are, for tensors."""
    body: Sequence[Any] = ()
    """Frames: anything that has the buffer interface."""
    size: int = attrs.field()
    """Bytes of the body: what the goodput of a link is counted in."""

    @size.default
    def _size(self) -> int:
        return sum(memoryview(frame).nbytes for frame in self.body)

    def with_mark(self, mark: Mark) -> Message:
        """Return this message with one more mark."""
        return attrs.evolve(self, marks=[*self.marks, mark])


def pack(message: Message) -> list[Any]:
    """Return the frames of a message; its `sent` is set by `stamp`, at the last moment.

    Raises:
        WireError: It has more marks than `unpack` takes.
    """
    if len(message.marks) > MAX_MARKS:
        raise WireError(f"a message with {len(message.marks)} marks; at most {MAX_MARKS}")
    header = bytearray(HEADER.size + MARK.size * len(message.marks))
    HEADER.pack_into(
        header, 0, MAGIC, VERSION, message.kind, message.raw, message.request, message.sent,
        message.samples, len(message.body), len(message.marks), message.size, message.wanted,
    )  # fmt: skip
    at = HEADER.size
    for mark in message.marks:
        MARK.pack_into(header, at, *mark)
        at += MARK.size
    if message.kind is Kind.TENSORS:
        return [header, _describe(message.tensors), *message.body]
    return [header, *message.body]


def stamp(frames: Sequence[Any], now: int, since: int | None = None) -> None:
    """Write into the header that `pack` made when the message is sent.

    A phase that began at *since* ends with the sending: it is the last mark, and now completed.
    """
    header = frames[0]
    INSTANT.pack_into(header, SENT_AT, now)
    if since is not None:
        INSTANT.pack_into(header, len(header) - INSTANT.size, now - since)


def _describe(tensors: Sequence[Shaped]) -> bytes:
    parts = []
    for name, dtype, shape in tensors:
        text = name.encode()
        parts += [SHAPE.pack(ITEM_TYPES.index(dtype), len(shape), len(text)), text]
        parts += [DIMENSION.pack(dimension) for dimension in shape]
    return b"".join(parts)


def unpack(frames: Sequence[Any]) -> Message:
    """Read a message from its frames, each of which has the buffer interface.

    Raises:
        WireError: It is not one of ours, of another version, truncated, longer than announced, or
            its tensors are not as large as their shapes say.
    """
    views = [memoryview(frame) for frame in frames]
    if not views or views[0].nbytes < HEADER.size:
        raise WireError("a message without a header")
    magic, version, kind, raw, request, sent, samples, count, marks, size, wanted = (
        HEADER.unpack_from(views[0])
    )
    if magic != MAGIC:
        raise WireError(f"a message that begins with {bytes(magic)!r}, not {MAGIC!r}")
    if version != VERSION:
        raise WireError(f"a message of version {version}; this is {VERSION}")
    if kind not in Kind.__members__.values():
        raise WireError(f"a message of the unknown kind {kind}")
    if wanted > MAX_FRAME:
        raise WireError(f"a probe that wants {wanted} bytes; at most {MAX_FRAME}")
    body = views[2:] if kind == Kind.TENSORS else views[1:]
    if sent < 0:
        raise WireError(f"a message that was sent at {sent}, before the clock began")
    _check_body(body, count, size)
    return Message(
        kind=Kind(kind),
        request=request,
        raw=raw,
        samples=samples,
        wanted=wanted,
        sent=sent,
        marks=_read_marks(views[0], marks),
        tensors=_read_tensors(views[1:2], body) if kind == Kind.TENSORS else (),
        body=body,
        size=size,
    )


def _check_body(body: Sequence[memoryview], count: int, size: int) -> None:
    if len(body) != count or count > MAX_FRAMES:
        raise WireError(f"{len(body)} frames in place of the {count} announced")
    came = sum(view.nbytes for view in body)
    if came != size:
        raise WireError(f"a body of {came} bytes in place of the {size} announced")


def _read_marks(header: memoryview, count: int) -> list[Mark]:
    if count > MAX_MARKS or header.nbytes != HEADER.size + count * MARK.size:
        raise WireError(f"a header of {header.nbytes} bytes for {count} marks")
    marks = [Mark._make(values) for values in MARK.iter_unpack(header[HEADER.size :])]
    if any(mark.code >= len(PHASES) for mark in marks):
        raise WireError("a mark of an unknown phase")
    return marks


def _read_tensors(described: Sequence[memoryview], body: Sequence[memoryview]) -> list[Shaped]:
    if not described:
        raise WireError("tensors that are not described")
    try:
        shaped = list(_read_shapes(described[0], len(body)))
    except (struct.error, UnicodeDecodeError) as error:
        raise WireError(f"tensors whose description is truncated or garbled: {error}") from error
    for tensor, view in zip(shaped, body, strict=True):
        if tensor.size != view.nbytes:
            raise WireError(
                f"the tensor {tensor.name!r} of shape {tensor.shape} and type {tensor.dtype} "
                f"takes {tensor.size} bytes, not {view.nbytes}"
            )
    return shaped


def _read_shapes(view: memoryview, count: int) -> list[Shaped]:
    shaped = []
    at = 0
    for _ in range(count):
        code, dimensions, length = SHAPE.unpack_from(view, at)
        at += SHAPE.size
        name = str(view[at : at + length], "utf-8")
        at += length
        if code >= len(ITEM_TYPES):
            raise WireError(f"the tensor {name!r} is of an unknown type, {code}")
        if dimensions > MAX_DIMENSIONS:
            raise WireError(f"the tensor {name!r} has {dimensions} dimensions")
        shape = struct.unpack_from(f"<{dimensions}Q", view, at)
        at += dimensions * DIMENSION.size
        shaped.append(Shaped(name, ITEM_TYPES[code], shape))
    if at != view.nbytes:
        raise WireError("the description of tensors is longer than announced")
    return shaped
