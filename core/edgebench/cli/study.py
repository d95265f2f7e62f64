"""The options that say what to run, shared by `plan` and `run`, and the study that they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.analysis.repeatability import COPIES
from edgebench.analysis.verdicts import FIRST_LOOK
from edgebench.cases.study import Study
from edgebench.catalogue.rows import MAX_BLOCKS, SCENARIO, Product, Suite
from edgebench.cli.common import Common, add_database
from edgebench.cli.given import find_path, note_directories, point_to_file, read_data
from edgebench.cli.named_links import read_link
from edgebench.cli.numbers import count, margin, natural, share
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.parts.places import Backend, Fabric, Link, Tier
from edgebench.records import quick

if TYPE_CHECKING:
    from edgebench.cases.plan import Plan


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.set_defaults(project=None)
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a suite of the registry")
    what = parser.add_argument_group(
        "or the product of these, each of which repeats and takes globs"
    )
    for name, metavar, text in (
        ("model", "M[:VARIANT]", "a model, or a file that a model plugin claims"),
        ("operator", "CHAIN", "operators joined by +, with options in brackets"),
        ("placement", "P", "tiers joined by -; that of the registry's defaults if not given"),
        (
            "backend",
            "B[:DEVICE][(OPTIONS)]",
            "a backend, or TIER=B,TIER=B; all usable if not given",
        ),
        ("fabric", "F", "what makes tiers and links real"),
        ("scenario", "S", "how requests are offered"),
    ):
        what.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=text)
    how = parser.add_argument_group("how")
    how.add_argument("--link", action="append", default=[], metavar="A-B=RATE[,DELAY]",
                     help="as 10mbit,20ms, or a network's name, as 4g; several for one pair are "
                          "measured in turn")  # fmt: skip
    how.add_argument("--input-at", default="", metavar="TIER",
                     help="the tier that holds the input (the suite's or registry's)")  # fmt: skip
    how.add_argument("--weights", default="", metavar="KIND",
                     help="trained, random, file:PATH or hub (each model's own)")  # fmt: skip
    how.add_argument("--data", action="append", default=[], metavar="PATH[(OPTIONS)] or NAME=DIR",
                     help="data of your own: a folder or file of pictures, texts or arrays; or the "
                          "directory of a dataset that its owner ships, which repeats")  # fmt: skip
    how.add_argument("--input-data", type=Path, metavar="PATH",
                     help="as --data PATH")  # fmt: skip
    how.add_argument("--calibration", type=Path, metavar="PATH",
                     help="data of your own to calibrate with (some of --data)")  # fmt: skip
    how.add_argument("--batch", type=count, default=1, metavar="N", help="samples a request (1)")
    how.add_argument("--threads", type=count, metavar="N",
                     help="threads of each host (as many as its tier is given)")  # fmt: skip
    how.add_argument("--seed", type=natural, default=0, metavar="N",
                     help="what training, orders and drawn inputs follow from (0)")  # fmt: skip
    how.add_argument("--score-limit", type=count, metavar="N",
                     help="samples of each test split that are scored (all)")  # fmt: skip
    _declare_blocks(how)
    add_database(how)


def _declare_blocks(how: argparse._ArgumentGroup) -> None:
    """Declare the options that say how long a case is measured, and what counts as lost."""
    how.add_argument("--blocks", type=count, metavar="N", help="blocks a case (the suite's, or 5)")
    how.add_argument("--requests", type=count, metavar="N",
                     help="measured requests a block (the suite's, or 100 within 5 s)")  # fmt: skip
    how.add_argument("--until", choices=["decided"],
                     help="add blocks to what is not told from the best of its model, and drop "
                          "what is beaten (a fixed count of blocks)")  # fmt: skip
    how.add_argument("--precision", type=share, metavar="P",
                     help="add blocks until each median is known to so much, as 2%%")  # fmt: skip
    how.add_argument("--max-blocks", type=count, metavar="N",
                     help=f"so many at most, where blocks are added ({MAX_BLOCKS})")  # fmt: skip
    how.add_argument("--aa", action="store_true",
                     help=f"measure {COPIES} copies of the first case, to see what equal cases "
                          "differ by on this machine")  # fmt: skip
    how.add_argument("--quick", action="store_true",
                     help=f"a rough ranking: {quick.BLOCKS} blocks of {quick.REQUESTS} requests a "
                          f"case, {quick.SCORED} samples scored, and the spread of what --aa kept "
                          "of this machine")  # fmt: skip
    how.add_argument("--margin", dest="accuracy_margin", type=margin, metavar="accuracy=POINTS",
                     help="a loss of less counts as none (the suite's, or 1)")  # fmt: skip


HOW = (
    "link", "input_at", "weights", "data", "input_data", "calibration", "threads", "seed", "until",
    "precision", "max_blocks", "aa", "quick",
)  # fmt: skip
"""Other options that say what is measured, all empty by default."""
PRODUCT = ("model", "operator", "placement", "backend", "fabric", "scenario")
"""The options whose product is measured where no suite is named."""

GIVEN = ("blocks", "requests", "accuracy_margin", "until", "max_blocks")
"""The options that go before what a suite says."""


def make_study(args: argparse.Namespace, common: Common) -> Study:
    """Return the study that a command's options make.

    Raises:
        EdgebenchError: Neither a suite nor a model is named, or both are, or a name is unknown.
    """
    if args.suite:
        suite = _find_suite(args, common)
    elif args.model:
        suite = Suite(name="", summary="", products=_make_products(args, common))
    else:
        suites = ", ".join(common.registry.suites)
        raise EdgebenchError(
            f"say what to run: a suite ({suites}), or --model and other options; "
            "or say it once for this folder: edgebench init"
        )
    given = {name: getattr(args, name) for name in GIVEN if getattr(args, name)}
    suite = attrs.evolve(suite, **given)
    _check_blocks(suite, args)
    named, own, said = read_data(args, common)
    study = Study(
        suite=attrs.evolve(suite, until="") if args.aa else suite,
        precision=args.precision,
        copies=COPIES if args.aa else 1,
        sweep=tuple(_parse_link(text, common) for text in args.link),
        input_at=args.input_at,
        weights=args.weights,
        data=named,
        input_data=own,
        data_options=said,
        calibration=find_path(args.calibration, "--calibration") if args.calibration else None,
        batch=args.batch,
        threads=args.threads,
        seed=args.seed,
        score_limit=args.score_limit,
        bounded=not args.requests and _leaves_requests(args),
    )
    return make_quick(study) if args.quick else study


def make_quick(study: Study) -> Study:
    """Return a study as `--quick` has it."""
    few = attrs.evolve(study.suite, until="", blocks=quick.BLOCKS, requests=quick.REQUESTS)
    return attrs.evolve(
        study,
        suite=few,
        score_limit=study.score_limit or quick.SCORED,
        # Fewer requests than what equal cases differ by was taken from would say less.
        bounded=False,
        quick=True,
    )


def _leaves_requests(args: argparse.Namespace) -> bool:
    """Say whether nobody says how many requests a block has: no suite, or one of a project."""
    if not args.suite or not args.project:
        return not args.suite
    own = args.project.root.values.get("suites", {}).get(args.suite)
    return own is not None and "requests" not in own


def _check_blocks(suite: Suite, args: argparse.Namespace) -> None:
    """Refuse options of how many blocks are measured that do not go together."""
    if args.quick:
        _refuse_beside_quick(args)
        return
    if args.aa and (args.until or args.precision or args.max_blocks):
        raise EdgebenchError("--aa measures a fixed count of blocks; leave out what adds blocks")
    if args.aa and suite.blocks < FIRST_LOOK:
        raise EdgebenchError(f"--aa needs at least {FIRST_LOOK} blocks of each copy; give --blocks")
    if args.aa:
        return
    if args.blocks and suite.until:
        raise EdgebenchError("--blocks is a fixed count; with --until decided give --max-blocks")
    if args.max_blocks and not (suite.until or args.precision):
        raise EdgebenchError("--max-blocks bounds added blocks; give --until or --precision too")
    least = args.blocks or FIRST_LOOK
    if (suite.until or args.precision) and suite.max_blocks < least:
        raise EdgebenchError(f"--max-blocks must be at least {least}, not {suite.max_blocks}")


def _refuse_beside_quick(args: argparse.Namespace) -> None:
    names = ("aa", "blocks", "requests", "until", "precision", "max_blocks")
    if given := [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]:
        raise EdgebenchError(
            f"--quick is {quick.BLOCKS} blocks of {quick.REQUESTS} requests a case; leave out "
            f"{given[0]}, or --quick"
        )


def plan_study(args: argparse.Namespace, common: Common) -> Plan:
    """Plan what a command's options make, and name the plugins that do not work.

    Raises:
        EdgebenchError: What is asked for is unknown or malformed, or a file that was given as a
            plugin is broken.
    """
    from edgebench.cases.plan import make_plan
    from edgebench.sessions.asking import ask_in_processes

    common.refuse_faults()
    # What is wrong with a name may be wrong in the file that a study was read from.
    with args.project.blame(args.words) if args.project else point_to_file():
        plan = make_plan(make_study(args, common), common.plugins, ask_in_processes)
    if not plan.cases and not plan.skipped:
        # Where none is named every backend is taken.
        lacks = [line.why_not for line in common.plugins.listed(Backend) if line.why_not]
        raise EdgebenchError(f"no backend is installed: {'; '.join(lacks) or 'none is known'}")
    if plan.study.copies > 1:
        plan = attrs.evolve(plan, cases=plan.cases[:1], skipped=plan.skipped * (not plan.cases))
    # Planning has asked for more than whether they load.
    common.refuse_faults()
    note_directories(args.model, common)
    for line in plan.understood:
        common.note(f"edgebench: {line}")
    for fault in common.plugins.faults:
        common.note_fault(fault)
    return plan


def refuse_empty(plan: Plan) -> None:
    """Say why nothing of a plan can be measured, where that is so.

    Raises:
        EdgebenchError: No case of it can be run.
    """
    if not plan.cases:
        reasons = dict.fromkeys(one.reason for one in plan.skipped)
        raise EdgebenchError(f"no case can be run: {'; '.join(reasons)}")


def _parse_link(text: str, common: Common) -> Link:
    link, tiers = read_link(text, common.registry.networks), common.plugins.all(Tier)
    for name in link.between:
        if name not in tiers:
            raise UnknownName.among("tier", name, tiers)
    return link


def _find_suite(args: argparse.Namespace, common: Common) -> Suite:
    if given := [f"--{name}" for name in PRODUCT if getattr(args, name)]:
        raise EdgebenchError(f"the suite {args.suite!r} says what to run; leave out {given[0]}")
    if args.suite not in common.registry.suites:
        raise UnknownName.among("suite", args.suite, common.registry.suites)
    return common.registry.suites[args.suite]


def _make_products(args: argparse.Namespace, common: Common) -> tuple[Product, ...]:
    fabrics = [name for text in args.fabric for name in _match_fabrics(text, common)]
    return tuple(
        Product(
            models=tuple(args.model),
            operators=tuple(args.operator),
            placements=tuple(args.placement),
            backends=tuple(args.backend),
            fabric=fabric,
            scenario=scenario,
        )
        for fabric in fabrics or [""]
        for scenario in args.scenario or [SCENARIO]
    )


def _match_fabrics(text: str, common: Common) -> list[str]:
    from edgebench.cases.expand import is_pattern, match_names

    known = common.plugins.all(Fabric)
    return match_names("fabric", text, known) if is_pattern(text) else [text]
