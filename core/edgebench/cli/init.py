"""`edgebench init [DIR]`: look at a model and its data, and write `edgebench.toml` beside them."""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.asking import Asker, is_terminal
from edgebench.cli.common import DATABASE, Common
from edgebench.cli.numbers import margin
from edgebench.cli.project import FILE, Project, ProjectFile, list_words, refuse_harm
from edgebench.cli.project_text import write_project
from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from edgebench.cases.plan import Plan
    from edgebench.cli.wishes import Wishes


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("directory", nargs="?", type=Path, default=Path(), metavar="DIR",
                        help=f"where {FILE} is written (the working directory)")  # fmt: skip
    for name, metavar, text in (
        ("model", "M[:VARIANT]", "a model, or the path of one; repeats"),
        ("tier", "NAME[=DEVICE]", "a machine that may compute, the one that holds the input first, "
                                  "as a device of the registry is; repeats (its own tiers)"),
        ("link", "A-B=NETWORK", "what joins two tiers: a network of the registry, or "
                                "RATE[,DELAY]; repeats (the registry's links)"),
        ("operator", "CHAIN", "what is done to the model; repeats (nothing, and each that needs "
                              "no training)"),
        ("placement", "P", "which tiers compute; repeats (each alone)"),
        ("backend", "B", "what runs it; repeats (the one that runs the most)"),
        ("max", "FIGURE=VALUE", "a bound for `recommend`, as latency.p95=50ms; repeats (none)"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=text)
    parser.add_argument("--data", default="", metavar="PATH",
                        help="inputs with their answers (the model's own, or random ones)"
                        )  # fmt: skip
    parser.add_argument("--calibration", default="", metavar="PATH",
                        help="inputs to calibrate with (some of the data)")  # fmt: skip
    parser.add_argument("--margin", default="", type=_margin, metavar="accuracy=POINTS",
                        help="a loss of less counts as none (accuracy=1)")  # fmt: skip
    parser.add_argument("--yes", action="store_true",
                        help="ask nothing: take what is said in brackets")  # fmt: skip
    parser.add_argument("--force", action="store_true",
                        help=f"write over the {FILE} that is there")  # fmt: skip


def _margin(text: str) -> str:
    margin(text)
    return text


def run(args: argparse.Namespace, common: Common) -> int:
    """Write the file, and say what was understood and what to do next."""
    # Imported here because `--help` need not load what reads chains.
    from edgebench.cli.wishes import settle

    target = args.directory / FILE
    if os.path.lexists(target) and not args.force:
        raise EdgebenchError(f"{target} is there; --force writes over it")
    if not args.directory.is_dir():
        raise EdgebenchError(f"{args.directory} is no directory; make it first")
    asks = is_terminal() and not (args.yes or common.json)
    # What stands on the command line lies where it is given, and the file elsewhere.
    common = attrs.evolve(common, registries=[one.resolve() for one in common.registries],
                          files=[one.resolve() for one in common.files])  # fmt: skip
    found = settle(args, common, Asker() if asks else None)
    plan = plan_project(found.text, args.directory, common)
    if not plan.cases:
        reasons = dict.fromkeys(one.reason for one in plan.skipped)
        raise EdgebenchError(f"nothing of it can be run, so nothing is written: {'; '.join(reasons)}")
    write_file(target, found.text, force=args.force)
    _say(target, found, plan, common)
    return 0


def plan_project(text: str, directory: Path, common: Common) -> Plan:
    """Plan what a project's text says, as `plan` will in its directory.

    Raises:
        EdgebenchError: Something of it is unknown, or what the user gave is not what it must be.
    """
    from edgebench.cli import parse_words
    from edgebench.cli.study import plan_study

    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        path = Path(scratch).resolve() / FILE
        path.write_text(text, encoding="utf-8")
        file = ProjectFile.read(path)
        common = attrs.evolve(common, registries=(path, *common.registries))
        refuse_harm(file, common)
        with chdir(directory):
            args, _ = parse_words(["plan", *file.project.write_words()])
            return plan_study(args, common)


def write_file(target: Path, text: str, *, force: bool) -> None:
    """Write a text to a file, whole or not at all.

    Raises:
        EdgebenchError: It is there already, or cannot be written.
    """
    try:
        if not force:
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
            return
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{FILE}-", delete=False
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)
    except FileExistsError as error:
        raise EdgebenchError(f"{target} is there; --force writes over it") from error
    except OSError as error:
        raise EdgebenchError(f"{target} cannot be written: {error.strerror}") from error
