"""The model and the data of a project: by options or by answers, looked at before all else."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import attrs

from edgebench.cases.case import write_options
from edgebench.cases.expand import expand_subjects, find_model, is_there, split_options
from edgebench.cli.asking import Asker, Choice
from edgebench.cli.common import Common
from edgebench.cli.possible import plan_project
from edgebench.cli.project import Project
from edgebench.cli.project_text import write_project
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.subjects import Model

MANY = 9
"""As many choices at most, of what lies in a folder."""
NO_DATA = (".", "__", "edgebench.")
"""How the name of none begins that is offered: hidden, of Python, or this program's own."""
HEAD = 1 << 16
"""Bytes of a file of JSON by which it is seen whether it can be data."""
REMEDY = re.compile(r"""\b([a-z_]+)=("[^"]*"|\w[\w.-]*)""")
"""How errors write an option that would mend them, each in full: `text=COLUMN`, `metric=top1`."""

Subject = tuple[tuple[str, ...], str, str]
"""The models, the data and the calibration data."""


def choose_subject(args: argparse.Namespace, common: Common, asker: Asker | None) -> Subject:
    """Return the models, the data and the calibration data, as the file is to name them.

    What is answered is looked at as `plan` does; where that is refused, it is asked again.

    Raises:
        EdgebenchError: No model is named, or what options say is refused and nothing can be asked.
    """
    if asker is None:
        return _relocate_all(args.model, args.data, args, common)
    models, data = asked = _ask_subject(args, common, asker)
    while True:
        try:
            found = _relocate_all(models, data, args, common)
            _look(found, args, common)
        except EdgebenchError as error:
            options = _find_options(asked[0], common)
            lacks = _find_lacks(str(error), options)
            given = bool(args.model and args.data)
            if given and not lacks:
                raise
            asker.say(f"\n{error}\n")
            answers = _ask_options(lacks, asker)
            if given and not answers:
                raise
            if answers:
                models, data = _add_answers(models, data, answers, options)
            else:
                before = asked[0] if options else ()
                models, data = asked = _ask_subject(args, common, asker, before)
        else:
            return found


def _ask_subject(
    args: argparse.Namespace, common: Common, asker: Asker, before: Sequence[str] = ()
) -> tuple[Sequence[str], str]:
    """Return the models and the data, asked for where no option says them; *before* is offered."""
    models, data = args.model, args.data
    if not models:
        choices = [(name, "") for name in _list_files(args.directory, common)]
        offered = [*before, *(name for name, _ in choices), ""][0]
        models = [asker.ask_for("Which model: a path, or a name of `edgebench list models`?",
                                _read_name, offered, choices)]  # fmt: skip
        # What was chosen lies beside the file, and not where the command was given.
        models = [_beside(one, args.directory, choices) for one in models]
    if not data:
        choices = _list_data(args.directory, models)
        data = asker.ask("Which data: a path; nothing for the model's own, or random inputs?",
                         choices=choices)  # fmt: skip
        data = _beside(data, args.directory, choices)
    return models, data


def _read_name(text: str) -> str:
    """Return the model that was named.

    Raises:
        EdgebenchError: None was.
    """
    if not text:
        raise EdgebenchError("no model was named; see edgebench list models")
    return text


def _relocate_all(
    models: Sequence[str], data: str, args: argparse.Namespace, common: Common
) -> Subject:
    known = common.plugins.all(Model)
    return (
        tuple(relocate(one, args.directory, known) for one in models),
        relocate(data, args.directory, common.plugins.all(Dataset)),
        relocate(args.calibration, args.directory),
    )


def _look(found: Subject, args: argparse.Namespace, common: Common) -> None:
    """Look at models and data as `plan` does, whatever they run on.

    Raises:
        EdgebenchError: They are not what they must be.
    """
    models, data, calibration = found
    nothing = (common.registry.defaults.operator,)
    project = Project(models=models, data=data, calibration=calibration, operators=nothing,
                      backends=tuple(args.backend))  # fmt: skip
    quiet = attrs.evolve(common, quiet=True)
    plan_project(write_project(project, (), ()), args.directory, quiet)


# --- what an error names -------------------------------------------------------------------------


def _find_options(models: Sequence[str], common: Common) -> Mapping[str, bool]:
    """Return the options that a model takes, and whether each is said of its data."""
    try:
        (found,) = (one for text in models for one in expand_subjects(text, common.plugins, "", 0))
    except (EdgebenchError, ValueError):
        # It is none, which was said, or several.
        return {}
    options = find_model(found.model, common.plugins).options
    # What `--calibration` fills in stands among what is said of data.
    owners = [
        one for one in options.__mro__ if "calibration" in vars(one).get("__annotations__", ())
    ]
    of_data = attrs.fields_dict(owners[0]) if owners else {}
    return {name: name in of_data for name in attrs.fields_dict(options)}


def _find_lacks(error: str, options: Iterable[str]) -> Mapping[str, list[str]]:
    """Return the options that an error names, each with what it says of its values."""
    found: dict[str, list[str]] = {}
    for name, value in REMEDY.findall(error):
        if name in options:
            found.setdefault(name, []).append(value.rstrip("."))
    return found


def _ask_options(lacks: Mapping[str, Sequence[str]], asker: Asker) -> dict[str, str]:
    """Return the options that are answered."""
    found = {}
    for name, values in lacks.items():
        # What is written in capitals stands for something, as FILE does; the rest can be chosen.
        choices = [(one, "") for one in dict.fromkeys(values) if one.islower()]
        others = [one for one in dict.fromkeys(values) if not one.islower()]
        what = f" ({' or '.join(others)})" if others else ""
        if answer := asker.ask(f"Which {name}{what}; nothing to leave it out?", choices=choices):
            found[name] = answer.strip('"')
    return found


def _add_answers(
    models: Sequence[str], data: str, answers: Mapping[str, str], options: Mapping[str, bool]
) -> tuple[Sequence[str], str]:
    """Return the models and the data with the options that are said of them."""
    of_data = {name: value for name, value in answers.items() if data and options[name]}
    own = {name: value for name, value in answers.items() if name not in of_data}
    return [_add_options(one, own) for one in models], _add_options(data, of_data)


def _add_options(text: str, options: Mapping[str, str]) -> str:
    """Return a path with its options and more."""
    path, said = split_options(text)
    return path + write_options({**dict(said), **options}.items())


# --- what lies in the folder ---------------------------------------------------------------------


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
    taken = {Path(split_options(one)[0]).name for one in models}
    found = sorted(directory.iterdir(), key=lambda path: (path.is_file(), path.name))
    return [(path.name, "") for path in found
            if not path.name.startswith(NO_DATA) and path.name not in taken
            and _may_hold_data(path)][:MANY]  # fmt: skip


def _may_hold_data(path: Path) -> bool:
    """Say whether a path may be data: of JSON a list, or a line for each sample."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return path.suffix.lower() != ".py"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD).strip()
        first, *more = head.splitlines() or [b""]
        return head.startswith(b"[") or bool(more and isinstance(json.loads(first), dict))
    except (OSError, ValueError):
        return False


def relocate(text: str, directory: Path, known: Iterable[str] = ()) -> str:
    """Return a path with its options as it is to be written in a file in *directory*.

    Args:
        text: As it was given here: a path, `PATH(key=value)`, `NAME=DIR`, or a name.
        directory: Where the file lies.
        known: Names that no path goes before, and which one may follow in `NAME=DIR`.
    """
    path, said = split_options(text)
    name, equals, place = path.partition("=")
    if equals and (name in known or not is_there(path)):
        return f"{name}={relocate(place + text[len(path) :], directory)}"
    # Within brackets a word is a word, whatever lies here.
    pairs = [(key, _rewrite(value, directory) if set(value) & set("./") else value)
             for key, value in said]  # fmt: skip
    return (path if path in known else _rewrite(path, directory)) + write_options(pairs)


def _rewrite(path: str, directory: Path) -> str:
    if not path.strip() or Path(path).is_absolute() or not is_there(path):
        return path
    found = os.path.relpath(path, directory)
    return found if found.startswith(os.pardir) else f"./{found}"
