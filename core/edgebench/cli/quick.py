"""What the command line says of a quick run: what it rests on, how long the sound one takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.quick import FAR, describe_quick, is_measured
from edgebench.cli.estimates import describe_scoring, estimate_run
from edgebench.cli.project import fill
from edgebench.cli.study import make_study
from edgebench.conduct.settings import describe_settings
from edgebench.conduct.turns import adds_blocks, count_blocks
from edgebench.prepare.keys import Keys
from edgebench.records.equal_cases import find_quick, list_unreadable

if TYPE_CHECKING:
    from edgebench.cases.plan import Plan
    from edgebench.cli.common import Common


def describe_ahead(plan: Plan, common: Common) -> str:
    """Say what a quick run of a plan would rest on."""
    ahead = find_quick(describe_settings(plan.cases, Keys(common.plugins)))
    found = ahead.spread
    unless = (
        f" (nothing is called faster among cases of which the shortest takes more than {FAR:g} "
        "times as long, or as little)"
        if found and found.median_s and any(is_measured(case, ahead) for case in plan.cases)
        else ""
    )
    said = f"{describe_quick(ahead)}{unless}"
    return f"{said}; {plan.study.score_limit} samples are scored"


def note_unreadable(common: Common) -> None:
    """Say which files of equal cases are passed over."""
    for said in list_unreadable():
        common.note(f"edgebench: {said}")


def describe_sound(plan: Plan, args: argparse.Namespace, common: Common) -> str:
    """Say how long the same run takes without `--quick`, by what was measured so far."""
    study = make_study(_leave_out_quick(args), common)
    sound = attrs.evolve(plan, study=study)
    found = estimate_run(sound, args.db, common.store)
    most = " at most" * adds_blocks(study)
    return (
        f"the sound run, without --quick: {count_blocks(study)} blocks a case{most} of "
        f"{study.suite.requests} requests; measuring takes about {found.estimate_s:.0f} s "
        f"({found.estimate_from}), and scoring {describe_scoring(sound)} comes on top"
    )


def _leave_out_quick(args: argparse.Namespace) -> argparse.Namespace:
    """Return a command's options as they would be without `--quick`."""
    # As it is written, or shortened: a quick run leaves out how many blocks a file asks for.
    words = [one for one in args.words if not (len(one) > 2 and "--quick".startswith(one))]
    plain = argparse.Namespace(**{**vars(args), "words": words, "quick": False})
    return fill(plain, args.project.project)[0] if args.project else plain
