"""What a session says its nodes take, where its backend tells times by node."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Tensors
from edgebench.parts.places import Session
from edgebench.sessions.state import StatefulSession, unwrap


def tells_nodes(session: Session) -> bool:
    """Say whether a session has the method `profile`."""
    return hasattr(unwrap(session), "profile")


def profile_session(session: Session, inputs: Tensors, runs: int) -> dict[str, float]:
    """Return the median seconds of each node of a session that has the method `profile`.

    Raises:
        CaseFailed: What it gives is no times by node.
    """
    if isinstance(session, StatefulSession):
        inputs = session.complete(inputs)
    asked: Any = unwrap(session)
    return check_times(asked.profile(inputs, runs))


def check_times(given: Any) -> dict[str, float]:
    """Return seconds by node as they were given.

    Raises:
        CaseFailed: They are not.
    """
    if not isinstance(given, Mapping):
        raise CaseFailed(f"its profile is a {type(given).__name__}, not seconds by node")
    for name, seconds in given.items():
        if not isinstance(name, str) or not name:
            raise CaseFailed(f"its profile names a node {name!r}, which is no name")
        if not _is_time(seconds):
            raise CaseFailed(f"its profile has {seconds!r} for the node {name!r}, not seconds")
    return {name: float(seconds) for name, seconds in given.items()}


def _is_time(value: Any) -> bool:
    try:
        return isfinite(value) and value >= 0
    except (TypeError, ValueError, OverflowError):
        return False
