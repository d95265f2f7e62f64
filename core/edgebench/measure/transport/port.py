"""One end of a connection between two hosts: what comes in is paced, what goes out is stamped."""

from __future__ import annotations

from typing import Any

import attrs
import zmq

from edgebench.measure.transport.pace import Pace, now, wait_until
from edgebench.measure.transport.wire import (
    CODES,
    MAX_FRAME,
    Mark,
    Message,
    WireError,
    pack,
    stamp,
    unpack,
)
from edgebench.parts.places import Link

ZERO_COPY_BYTES = 512 * 1024
"""Below this, copying a frame is cheaper than having the library say when it is done with it."""


@attrs.frozen
class Arrival:
    """A message that came in, at the time at which its link let it through."""

    message: Message
    delivered: int
    """Nanoseconds on the monotonic clock."""
    peer: bytes = b""
    """Who sent it, to answer to."""


class Refused(WireError):
    """A malformed message, with the peer that sent it."""

    def __init__(self, said: WireError, peer: bytes) -> None:
        """Take what is wrong, and with whom."""
        super().__init__(str(said))
        self.peer = peer


class Foreign(Refused):
    """A message of somebody who is none of the neighbours."""


@attrs.frozen(kw_only=True)
class Port:
    """A socket that bears messages, and the link that what comes in has passed."""

    socket: zmq.Socket[bytes]
    phase: tuple[str, int]
    """The phase, and its index, that the way of what comes in is counted as."""
    pace: Pace | None = None
    """None where the link is real, or there is none."""
    neighbour: bytes = b""
    """Where many may be connected, the only one whose messages are taken; empty for anyone."""
    routed: bool = attrs.field(init=False)
    """Whether many peers may be connected, so that messages bear who sent them."""

    @routed.default
    def _is_routed(self) -> bool:
        return self.socket.type == zmq.ROUTER

    def receive(self, ready: int) -> Arrival:
        """Take the next message, and return when its link has let it through: this may sleep.

        Where the link is paced here, the caller sleeps until the message is due. *ready* is when
        the caller began to wait: a message that was due before has waited in its queue since.

        Raises:
            Foreign: It is of somebody else than the neighbour.
            Refused: It is malformed; the next may be received all the same.
        """
        frames = self.socket.recv_multipart(copy=False)
        peer = frames.pop(0).bytes if self.routed else b""
        if self.neighbour and peer != self.neighbour:
            raise Foreign(WireError("a message of a stranger"), peer)
        try:
            message = unpack([frame.buffer for frame in frames])
        except WireError as error:
            raise Refused(error, peer) from error
        return Arrival(message, self._wait_out_link(message, ready, peer), peer)

    def _wait_out_link(self, message: Message, ready: int, peer: bytes) -> int:
        """Sleep until a message is due, and return when it was there to be read."""
        if self.pace is None:
            return message.sent if message.sent < ready else now()
        if message.sent > now():
            # Held until then, it would stop everything behind it.
            raise Refused(WireError("a message that was sent in the future"), peer)
        due = self.pace.due(message.sent, message.size)
        return due if due < ready else wait_until(due)

    def send(self, message: Message, peer: bytes = b"", since: int | None = None) -> int:
        """Send a message, and return when, in nanoseconds.

        Its last mark, if it began at *since*, lasts until then, packing included.
        """
        frames = pack(message)
        # Frames that are not copied are read later, when a session may have written over them.
        copy = message.raw or message.size < ZERO_COPY_BYTES
        sent = now()
        stamp(frames, sent, since)
        self.socket.send_multipart([peer, *frames] if self.routed else frames, copy=copy)
        return sent

    def mark_way(self, arrival: Arrival) -> Mark:
        """Return the mark of how long a message was on its way here."""
        name, number = self.phase
        return Mark(CODES[name], number, arrival.delivered - arrival.message.sent)


def socket(context: zmq.Context[Any], kind: int) -> zmq.Socket[bytes]:
    """Open a socket that refuses what is too large before it makes room for it."""
    opened: zmq.Socket[bytes] = context.socket(kind)
    opened.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
    opened.setsockopt(zmq.LINGER, 0)
    return opened


def connect(
    context: zmq.Context[Any],
    endpoint: str,
    phase: tuple[str, int],
    link: Link | None = None,
    secret: str = "",
) -> Port:
    """Connect to a host, as its neighbour by a secret that both were told.

    What comes back is counted as *phase*, and paced as *link* if given.
    """
    opened = socket(context, zmq.DEALER)
    if secret:
        opened.setsockopt(zmq.ROUTING_ID, secret.encode())
    opened.connect(endpoint)
    return Port(socket=opened, phase=phase, pace=Pace.of(link))
