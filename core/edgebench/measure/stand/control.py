"""The socket through which the controller and the processes of a block talk."""

from __future__ import annotations

import json
import secrets
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import zmq

from edgebench.store.scratch import PREFIX, find_short_place, open_scratch, remove_leftovers


@attrs.define(kw_only=True, eq=False)
class Control:
    """The controller's end; other programs of this user can reach it too, and are not believed."""

    socket: zmq.Socket[bytes]
    private: Path
    """A directory of sockets, which no other user can enter."""
    secret: str = attrs.field(factory=lambda: secrets.token_hex(16), repr=False)
    """What the processes of a block know each other by."""
    foreign: int = 0
    """How many messages came from strangers."""

    @classmethod
    @contextmanager
    def open(cls) -> Iterator[Control]:
        """Listen in a directory of its own.

        Raises:
            EdgebenchError: No directory that can be written has a path short enough for sockets.
        """
        place = find_short_place()
        remove_leftovers(place, PREFIX)
        with (
            open_scratch(place) as private,
            zmq.Context() as context,
            context.socket(zmq.ROUTER) as socket,
        ):
            control = cls(socket=socket, private=private)
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(control.endpoint)
            yield control

    @property
    def endpoint(self) -> str:
        """Where the controller listens."""
        return f"ipc://{self.private}/control"

    def tell(self, name: str, values: Mapping[str, Any]) -> None:
        """Send a process a command."""
        peer = f"{self.secret}{name}".encode()
        self.socket.send_multipart([peer, json.dumps(values).encode()])

    def take(self, names: Container[str]) -> tuple[str, Sequence[bytes]]:
        """Take the next message: which of the names sent it, and its frames.

        Both are empty for a message of a stranger, which is counted.
        """
        peer, *frames = self.socket.recv_multipart()
        said = peer.decode(errors="replace")
        name = said.removeprefix(self.secret)
        if said.startswith(self.secret) and name in names:
            return name, frames
        self.foreign += 1
        return "", ()
