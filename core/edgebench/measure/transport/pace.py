"""Pacing in user space: the receiver holds a message for as long as its link would take.

All hosts of one machine share the kernel's monotonic clock, so a message says when it was sent and
the receiver knows when it is due, however late it looks. A fabric whose hosts do not share a
kernel must shape its links itself.
"""

from __future__ import annotations

import time

import attrs

from edgebench.parts.places import Link

now = time.perf_counter_ns
"""Nanoseconds on the monotonic clock, the same in every process of one machine."""

SPIN_NS = 200_000
"""A sleep ends up to some 0.1 ms late, so the last stretch of a wait is spent looking."""


def wait_until(due: int) -> int:
    """Wait until *due*, sleeping at first and spinning at the end; return the time then."""
    current = now()
    if due - current > SPIN_NS:
        time.sleep((due - current - SPIN_NS) / 1e9)
        current = now()
    while current < due:
        current = now()
    return current


@attrs.define(kw_only=True)
class Pace:
    """One direction of a link, as a bucket that holds no token: one message after the other."""

    rate: float
    """Payload goodput in bit/s."""
    delay: float = 0.0
    """Added to each message, in seconds."""
    _free: int = attrs.field(default=0, init=False)

    @classmethod
    def of(cls, link: Link | None) -> Pace | None:
        """Return the pace of a link while it is idle; None if there is none to be paced."""
        return cls(rate=link.rate, delay=link.delay) if link else None

    def due(self, sent: int, size: int) -> int:
        """Return when a message of so many bytes is through, and keep the link busy until then.

        It starts when it was sent, or when the message before it has left the link; the delay
        comes on top and does not keep the link busy.
        """
        self._free = max(sent, self._free) + round(size * 8e9 / self.rate)
        return self._free + round(self.delay * 1e9)
