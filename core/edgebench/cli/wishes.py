"""What `edgebench init` is to write: by options, by answers, or by what is offered otherwise."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.bounds import parse_bound
from edgebench.catalogue.rows import Product
from edgebench.cli.asking import Asker
from edgebench.cli.common import Common
from edgebench.cli.numbers import margin
from edgebench.cli.places import choose_links, choose_tiers, list_swept
from edgebench.cli.possible import Possible
from edgebench.cli.project import Project, refuse_twice
from edgebench.cli.project_text import write_project
from edgebench.cli.subject_choice import choose_subject
from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.catalogue.rows import TierRow
    from edgebench.parts.places import Link


@attrs.frozen(kw_only=True)
class Wishes:
    """What the file is to say."""

    project: Project
    tiers: tuple[TierRow, ...]
    links: tuple[Link, ...]
    text: str
    """The file."""


def settle(args: argparse.Namespace, common: Common, asker: Asker | None) -> Wishes:
    """Return what the file is to say.

    Args:
        args: The options of the command.
        common: Those of every command.
        asker: Who asks for what options leave open; None where nobody can be asked, or is to be.

    Raises:
        EdgebenchError: What cannot be guessed is neither said nor asked, or is not what it must be.
    """
    _refuse_unsaid(args, asker)
    refuse_twice(args.max, "--max")
    models, data, calibration = choose_subject(args, common, asker)
    tiers = choose_tiers(args.tier, common.registry, asker)
    links = choose_links(args.link, tiers, common.registry, asker)
    names = [tier.name for tier in tiers]
    start = Project(models=models, data=data, calibration=calibration, input_at=names[0])

    def survey(operators: Sequence[str]) -> Possible:
        asked = _survey(start, operators, args.placement or names, names, args.backend)
        return Possible.find(write_project(asked, tiers, links), args.directory, common)

    possible = survey(args.operator)
    backends = args.backend or possible.choose_backends(args.operator, asker)
    linked = bool(args.link or (asker and links)) and not args.placement
    operators = args.operator or possible.choose_operators(backends, asker, cuts=linked)
    if not args.operator and not possible.knows(operators):
        possible = survey(operators)
    placements = args.placement or possible.choose_placements(operators, backends, names)
    project = attrs.evolve(
        start,
        operators=tuple(operators),
        placements=tuple(placements),
        backends=tuple(backends),
        sweep=list_swept(args.link, common.registry),
        margin=args.margin or _ask_margin(asker),
        max=tuple(args.max) or _ask_bound(asker),
    )
    products = [
        Product(
            models=models, operators=tuple(some), placements=tuple(own), backends=project.backends
        )
        for some, own in possible.list_products(operators, placements, backends)
    ]
    text = write_project(project, tiers, links, possible.explain(operators, names), products)
    return Wishes(project=project, tiers=tiers, links=links, text=text)


def _refuse_unsaid(args: argparse.Namespace, asker: Asker | None) -> None:
    if asker is not None:
        return
    needed = [] if args.model else ["--model M"]
    if not (args.tier or args.yes):
        needed.append("--tier NAME=DEVICE (or --yes)")
    if needed:
        raise EdgebenchError(
            f"init asks on a terminal alone; give {' and '.join(needed)}, and what else "
            "edgebench init --help says"
        )


def _survey(
    start: Project,
    operators: Sequence[str],
    placements: Sequence[str],
    tiers: Sequence[str],
    backends: Sequence[str],
) -> Project:
    """Return a project of all that could be done, to see what can."""
    cut = [f"{tiers[0]}-{other}" for other in tiers[1:]]
    return attrs.evolve(
        start,
        operators=("*", *operators),
        placements=tuple(dict.fromkeys([*placements, *cut])),
        backends=tuple(backends),
    )


# --- what may be lost ----------------------------------------------------------------------------


def _ask_margin(asker: Asker | None) -> str:
    if asker is None:
        return "accuracy=1"
    return asker.ask_for("How many points of accuracy do you accept to lose?", _read_margin, "1")


def _read_margin(answer: str) -> str:
    said = answer if "=" in answer else f"accuracy={answer}"
    margin(said)
    return said


def _ask_bound(asker: Asker | None) -> tuple[str, ...]:
    if asker is None:
        return ()
    question = "How long may 95 of 100 requests take at most, as 50ms; nothing for any?"
    return asker.ask_for(question, _read_bound)


def _read_bound(answer: str) -> tuple[str, ...]:
    if not answer:
        return ()
    said = answer if "=" in answer else f"latency.p95={answer}"
    parse_bound(said)
    return (said,)
