"""A process that must not outlive the one that started it."""

from __future__ import annotations

import os
import signal

PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Tie this process's life to its parent's, which may be killed before it can end this one.

    Raises:
        ProcessLookupError: The parent is gone already.
    """
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.kill(parent, 0)
