"""What the sessions of a piece say of how they run it: asked when it was scored, never timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgebench.measure.station.piece import Piece
from edgebench.parts.errors import one_line
from edgebench.sessions.state import unwrap

Said = dict[str, Any]
"""What is said, as it crosses to the controller."""


def collect_remarks(piece: Piece) -> Said:
    """Return what its sessions say, by the number of the stage.

    Its `remarks` are None where none of them can remark anything; its `doubts` are pairs of the
    number and a clause; its `assignments` are those of the stages that have one. What a session
    fails to tell of the latter two is a doubt.
    """
    explained = list(_ask(piece, "explain", _read_clauses, "how it runs"))
    doubted = list(_ask(piece, "doubts", _read_clauses, "what to doubt"))
    assigned = list(_ask(piece, "assignment", _read_assignment, "what runs its nodes"))
    remarks = [f"stage {n}: {one}" for n, said, why in explained for one in said or why]
    return {
        "remarks": remarks if explained else None,
        "doubts": [
            *((number, one) for number, said, why in doubted for one in said or why),
            *((number, one) for number, _, why in assigned for one in why),
        ],
        "assignments": {str(number): shared for number, shared, _ in assigned if shared},
    }


def _ask(
    piece: Piece, method: str, read: Callable[[Any], Any], what: str
) -> Iterator[tuple[int, Any, Sequence[str]]]:
    """Yield of each session that has a method what it says, and why it does not where it fails."""
    for stage in piece.stages:
        if (asked := getattr(unwrap(stage.session), method, None)) is None:
            continue
        try:
            yield stage.number, read(asked()), ()
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and scored well
            yield stage.number, None, (f"it could not tell {what}: {one_line(error)}",)


def _read_clauses(said: Any) -> Sequence[str]:
    if isinstance(said, str):
        raise TypeError(f"{said!r} is one text, not a sequence of them")
    return [str(one) for one in said]


def _read_assignment(said: Mapping[Any, Any]) -> Mapping[str, Sequence[str]]:
    return {str(by): _read_clauses(nodes) for by, nodes in said.items()}
