"""What the sessions of a piece say of how they run it: asked when it was scored, never timed."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.measure.station.piece import Piece
from edgebench.parts.errors import one_line


def collect_remarks(piece: Piece) -> Sequence[str] | None:
    """Return what its sessions remark, by the number of the stage; None where none of them can."""
    remarks = []
    able = [(one.number, e) for one in piece.stages if (e := getattr(one.session, "explain", None))]
    for number, explain in able:
        try:
            said = list(explain())
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and scored well
            said = [f"it could not tell how it runs: {one_line(error)}"]
        remarks += [f"stage {number}: {one}" for one in said]
    return remarks if able else None
