"""What `edgebench init` is to write: by options, by answers, or by what is offered otherwise."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.bounds import find_twice, parse_bound
from edgebench.cli.asking import Asker, Choice
from edgebench.cli.common import Common
from edgebench.cli.numbers import margin
from edgebench.cli.places import choose_links, choose_tiers
from edgebench.cli.possible import Possible
from edgebench.cli.project import FILE, Project
from edgebench.cli.project_text import write_project
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.subjects import Model

if TYPE_CHECKING:
    from edgebench.catalogue.rows import TierRow
    from edgebench.parts.places import Link

MANY = 9
"""As many choices at most, of what lies in a folder."""


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
    if twice := find_twice([parse_bound(one).figure for one in args.max]):
        raise EdgebenchError(f"--max bounds {twice} twice; leave one out")
    models, data, calibration = _choose_subject(args, common, asker)
    tiers = choose_tiers(args.tier, common.registry, asker)
    links = choose_links(args.link, tiers, common.registry, asker)
    names = [tier.name for tier in tiers]
    start = Project(models=models, data=data, calibration=calibration, input_at=names[0])
    survey = _survey(start, args.placement or names, names, args.backend)
    possible = Possible.find(write_project(survey, tiers, links), args.directory, common)
    backends = args.backend or possible.choose_backends(asker)
    operators = args.operator or possible.choose_operators(backends, asker)
    placements = args.placement or possible.choose_placements(operators, backends)
    project = attrs.evolve(
        start,
        operators=tuple(operators),
        placements=tuple(placements),
        backends=tuple(backends),
        margin=args.margin or _ask_margin(asker),
        max=tuple(args.max) or _ask_bound(asker),
    )
    text = write_project(project, tiers, links, possible.explain(operators, names))
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
    start: Project, placements: Sequence[str], tiers: Sequence[str], backends: Sequence[str]
) -> Project:
    """Return a project of all that could be done, to see what can."""
    cut = [f"{tiers[0]}-{other}" for other in tiers[1:]]
    return attrs.evolve(
        start,
        operators=("*",),
        placements=tuple(dict.fromkeys([*placements, *cut])),
        backends=tuple(backends),
    )


# --- the model and its data ----------------------------------------------------------------------


def _choose_subject(
    args: argparse.Namespace, common: Common, asker: Asker | None
) -> tuple[tuple[str, ...], str, str]:
    """Return the models, the data and the calibration data, as the file is to name them."""
    models, data = args.model, args.data
    if asker and not models:
        choices = [(name, "") for name in _list_files(args.directory, common)]
        models = [asker.ask("Which model: a path, or a name of `edgebench list models`?",
                            choices[0][0] if choices else "", choices)]  # fmt: skip
        if not models[0]:
            raise EdgebenchError("no model was named; see edgebench list models")
        # What was chosen lies beside the file, and not where the command was given.
        models = [_beside(one, args.directory, choices) for one in models]
    if asker and not data:
        data = asker.ask("Which data: a path; nothing for the model's own, or random inputs?",
                         choices=_list_data(args.directory, models))  # fmt: skip
        data = _beside(data, args.directory, _list_data(args.directory, models))
    known = common.plugins.all(Model)
    return (
        tuple(relocate(one, args.directory, known) for one in models),
        relocate(data, args.directory, common.plugins.all(Dataset)),
        relocate(args.calibration, args.directory),
    )


def _beside(text: str, directory: Path, choices: Sequence[Choice]) -> str:
    return str(directory / text) if text in dict(choices) else text


def _list_files(directory: Path, common: Common) -> list[str]:
    """Return the paths in a directory that models claim."""
    models = [line.part for line in common.plugins.listed(Model)]
    patterns = [one for model in models if isinstance(model, Model) for one in model.files]
    found = sorted({path for one in patterns for path in directory.glob(one)})
    # A model may claim a directory by a file in it.
    claimed = [path.parent if "/" in str(path.relative_to(directory)) else path for path in found]
    return [f"./{path.relative_to(directory)}" for path in dict.fromkeys(claimed)][:MANY]


def _list_data(directory: Path, models: Iterable[str]) -> list[Choice]:
    """Return what lies in a directory and could be data: folders, and files that are no model."""
    taken = {Path(one.partition("(")[0]).name for one in models} | {FILE}
    found = sorted(directory.iterdir(), key=lambda path: (path.is_file(), path.name))
    return [(path.name, "") for path in found
            if not path.name.startswith(".") and path.name not in taken][:MANY]  # fmt: skip


def relocate(text: str, directory: Path, known: Iterable[str] = ()) -> str:
    """Return a path with its options as it is to be written in a file in *directory*.

    Args:
        text: As it was given here: a path, `PATH(key=value)`, `NAME=DIR`, or a name.
        directory: Where the file lies.
        known: Names that no path goes before, and which one may follow in `NAME=DIR`.
    """
    name, equals, place = text.partition("=")
    if equals and name in known:
        return f"{name}={relocate(place, directory)}"
    pieces = re.split(r"""([(),="])""", text)
    whole = (text,) if Path(text).exists() else pieces
    return "".join(
        _rewrite(one, directory, known, first=number == 0) for number, one in enumerate(whole)
    )


def _rewrite(piece: str, directory: Path, known: Iterable[str], *, first: bool) -> str:
    path = Path(piece)
    plain = not ("/" in piece or "." in piece)
    # Within brackets a word is a word, whatever lies here.
    if not piece.strip() or piece in known or (plain and not first) or not path.exists():
        return piece
    if path.is_absolute():
        return piece
    found = os.path.relpath(path, directory)
    return found if found.startswith(os.pardir) else f"./{found}"


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
