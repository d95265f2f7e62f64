"""Tiers that have another speed than when a case was measured are told, all of them, once."""

from __future__ import annotations

from edgebench.cli.common import Common
from edgebench.cli.speeds import note_other_speeds
from edgebench.records.database import Database
from edgebench.records.outcome import Run
from edgebench.testing.results import block_of, case_of


def test_the_tiers_of_every_placement_are_held_against_those_of_now(tmp_path, capsys):
    """Blocks that are made up state a speed of 0.5, which of the shipped tiers `edge` has."""
    new = case_of("new", "mobile")
    kept = [case_of("plain", "edge"), case_of("plain", "mobile"), case_of("plain", "cloud")]
    with Database.open(tmp_path / "r.db", write=True) as database:
        run = database.begin_run(Run(started="2026-01-02T03:04:05+00:00"))
        database.add_cases(run, kept, blocks=1)
        for case in kept:
            database.save_block(run, case.id, block_of(case))
        note_other_speeds([new, *kept], database, Common())
    assert capsys.readouterr().err == (
        "edgebench: tier mobile is 0.25 times as fast as this machine, and was 0.5 times, "
        "tier cloud is 1 times as fast as this machine, and was 0.5 times: another speed than in "
        f"run {run}, which measured it\n"
    )
