"""What a measured process does to itself and reads of itself: processors, life, peak memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from edgebench.measure.station.orders import Order
from edgebench.store.lifeline import die_with


def bind_process(order: Order, cpus: Sequence[int]) -> None:
    """Bind this process to its processors, and its life to the controller's.

    Raises:
        ProcessLookupError: The controller is gone already.
    """
    # The controller lets interrupts wait while it starts a process, which takes that over.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    die_with(order.parent)
    # Before any thread is started, because threads take this over from the one that starts them.
    os.sched_setaffinity(0, cpus)


def first_cpu() -> Sequence[int]:
    """Return the processor for those that only carry."""
    return sorted(os.sched_getaffinity(0))[:1]


def last_cpus(count: int) -> Sequence[int]:
    """Return so many processors for those that compute, as far as possible from the others."""
    return sorted(os.sched_getaffinity(0))[-count:]


def read_peak_memory() -> int | None:
    """Return the peak resident set of this process in bytes; None where it cannot be read.

    `getrusage` is of no use here: it begins with the resident set of the process that spawned this
    one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
