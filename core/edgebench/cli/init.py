"""`edgebench init [DIR]`: look at a model and its data, and write `edgebench.toml` beside them."""

from __future__ import annotations

import argparse
import os
import shlex
from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cli.asking import Asker, is_terminal
from edgebench.cli.common import DATABASE, Common
from edgebench.cli.numbers import margin
from edgebench.cli.project import FILE, Project
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.units import write_link
from edgebench.store.roots import write_at_once

if TYPE_CHECKING:
    from edgebench.cases.plan import Plan
    from edgebench.cli.wishes import Wishes


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("directory", nargs="?", type=Path, default=Path(), metavar="DIR",
                        help=f"where {FILE} is written (the working directory)")  # fmt: skip
    _declare_several(parser)
    parser.add_argument("--data", default="", metavar="PATH[(OPTIONS)]",
                        help="inputs with their answers (the model's own, or random ones)"
                        )  # fmt: skip
    parser.add_argument("--calibration", default="", metavar="PATH",
                        help="inputs to calibrate with (some of the data)")  # fmt: skip
    parser.add_argument("--margin", type=_margin, metavar="accuracy=POINTS",
                        help="a loss of less counts as none (accuracy=1)")  # fmt: skip
    parser.add_argument("--yes", action="store_true",
                        help="ask nothing: take what is said in brackets")  # fmt: skip
    parser.add_argument("--force", action="store_true",
                        help=f"write over the {FILE} that is there")  # fmt: skip


def _declare_several(parser: argparse.ArgumentParser) -> None:
    """Declare the options that repeat."""

    def declare(name: str, metavar: str, text: str) -> None:
        parser.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=text)

    declare("model", "M[:VARIANT]", "a model, or the path of one; repeats")
    declare("tier", "NAME=DEVICE",
            "a machine that may compute, as a device of the registry is, or a tier of it by NAME "
            "alone; the one that holds the input first; repeats (the registry's)")  # fmt: skip
    declare("link", "A-B=NETWORK",
            "what joins two tiers: a network of the registry, or RATE[,DELAY]; repeats (the "
            "registry's)")  # fmt: skip
    declare("operator", "CHAIN",
            "what is done to the model; repeats (nothing, and each that needs no training)"
            )  # fmt: skip
    declare("placement", "P", "which tiers compute; repeats (those that the operators can have)")
    declare("backend", "B", "what runs it; repeats (the one that runs the most)")
    declare("max", "FIGURE=VALUE",
            "a bound for `recommend`, as latency.p95=50ms; repeats (none)")  # fmt: skip


def _margin(text: str) -> str:
    margin(text)
    return text


def run(args: argparse.Namespace, common: Common) -> int:
    """Write the file, and say what was understood and what to do next."""
    # Imported here because `--help` need not load what reads chains.
    from edgebench.cli.possible import plan_project
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
        raise EdgebenchError(
            f"nothing of it can be run, so nothing is written: {'; '.join(reasons)}"
        )
    write_file(target, found.text, force=args.force)
    _say(target, found, plan, common)
    return 0


def write_file(target: Path, text: str, *, force: bool) -> None:
    """Write a text to a file, whole or not at all.

    Raises:
        EdgebenchError: It is there already, or cannot be written.
    """
    try:
        write_at_once(target, text, over=force)
    except FileExistsError as error:
        raise EdgebenchError(f"{target} is there; --force writes over it") from error
    except OSError as error:
        raise EdgebenchError(f"{target} cannot be written: {error.strerror}") from error


def _say(target: Path, found: Wishes, plan: Plan, common: Common) -> None:
    """Print what was written, what it comes to, and the commands with which to go on."""
    from edgebench.cli.estimates import describe_scoring, estimate_run
    from edgebench.cli.study import make_quick

    with chdir(target.parent):
        database = Path(os.environ.get(DATABASE) or "edgebench.db")
        estimate = estimate_run(plan, database, common.store)
        plan_quick = attrs.evolve(plan, study=make_quick(plan.study))
        rough = estimate_run(plan_quick, database, common.store)
    commands = list_next(target.parent, _spell_files(common, target.parent))
    if common.json:
        common.emit(
            {
                "file": str(target),
                "project": _describe(found.project),
                "tiers": [tier.name for tier in found.tiers],
                "links": [write_link(link) for link in found.links],
                "understood": list(plan.understood),
                "cases": len(plan.cases),
                "skipped": len(plan.skipped),
                **attrs.asdict(estimate),
                "quick_estimate_s": rough.estimate_s,
                "next": list(commands),
            }
        )
        return
    tiers = ", ".join(tier.name for tier in found.tiers)
    cases = f"{len(plan.cases)} case{'s' * (len(plan.cases) != 1)}"
    common.show(
        f"{target} is written: {cases} of {', '.join(found.project.models)} on {tiers}; "
        "with comments that say where the figures come from"
    )
    for reason, number in Counter(one.reason for one in plan.skipped).items():
        common.show(f"{number} skipped: {reason}")
    common.show(
        f"measuring takes about {estimate.estimate_s:.0f} s ({estimate.estimate_from}); "
        f"{estimate.describe_before(plan)}"
    )
    common.show(
        f"with --quick about {rough.estimate_s:.0f} s, and scoring "
        f"{describe_scoring(plan_quick)} comes on top"
    )
    width = max(map(len, commands))
    lines = [f"  {command:<{width}}  {said}" for command, said in commands.items()]
    common.print("\n".join(["", "Next:", "", *lines]))


def _spell_files(common: Common, directory: Path) -> str:
    """Return the options by which commands in a directory read the files that were given here."""
    given = {"registry": common.registries, "plugin": common.files}
    found = [(option, file) for option, files in given.items() for file in files]
    return "".join(
        f" --{option} {shlex.quote(os.path.relpath(file, directory))}" for option, file in found
    )


def list_next(directory: Path, files: str = "") -> dict[str, str]:
    """Return the commands with which to go on, and what each is for.

    *files* are options that they need, as they are written after a space.
    """
    go = f"cd {shlex.quote(str(directory))} && " if directory != Path() else ""
    return {
        f"{go}edgebench plan{files}": "what will be measured, and what is skipped",
        f"{go}edgebench run --quick{files}": "a rough ranking first",
        f"{go}edgebench run{files}": "measure it, and say which strategy is the best",
        f"{go}edgebench recommend": "which to choose under the bounds of the file",
    }


def _describe(project: Project) -> dict[str, Any]:
    """Return what a project says as its file has it."""
    said = attrs.asdict(project, filter=lambda _, value: value not in ("", (), None))
    return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}
