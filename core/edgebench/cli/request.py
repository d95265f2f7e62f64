"""The options that say what to run, shared by `plan` and `run`, and the request they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.cli.common import Common
from edgebench.components import Fabric
from edgebench.errors import EdgebenchError, UnknownName
from edgebench.registry import Product
from edgebench.units import parse_link

if TYPE_CHECKING:
    from edgebench.plan import Request

__all__ = ["declare", "request_of"]


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="a suite of the registry")
    what = parser.add_argument_group(
        "or the product of these, each of which repeats and takes globs"
    )
    for name, metavar, text in (
        ("model", "M[:VARIANT]", "a model, or a file that a model plugin claims"),
        ("operator", "CHAIN", "operators joined by +, with options in brackets"),
        ("placement", "P", "tiers joined by -, the first tier alone if not given"),
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
                     help="as 10mbit,20ms; several for one pair are measured in turn")  # fmt: skip
    how.add_argument("--weights", default="", metavar="KIND", help="trained, random, ...")
    how.add_argument("--batch", type=_count, default=1, metavar="N", help="samples a request")
    how.add_argument("--threads", type=_count, metavar="N", help="threads of each host")
    how.add_argument("--seed", type=int, default=0, metavar="N")
    how.add_argument("--blocks", type=_count, metavar="N", help="blocks a case")
    how.add_argument("--requests", type=_count, metavar="N", help="measured requests a block")
    how.add_argument("--db", type=Path, default=Path("edgebench.db"), metavar="FILE")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return number


_PRODUCT = ("model", "operator", "placement", "backend", "fabric", "scenario")


def request_of(args: argparse.Namespace, common: Common) -> Request:
    """Return the request that a command's options make.

    Raises:
        EdgebenchError: Neither a suite nor a model is named, or both are, or a name is unknown.
    """
    from edgebench.plan import Request

    if args.suite:
        request = _of_suite(args, common)
    elif args.model:
        request = Request(products=_products(args, common))
    else:
        suites = ", ".join(common.registry.suites)
        raise EdgebenchError(f"say what to run: a suite ({suites}), or --model and other options")
    chosen = {name: getattr(args, name) for name in ("blocks", "requests") if getattr(args, name)}
    return attrs.evolve(
        request,
        sweep=tuple(parse_link(text) for text in args.link),
        weights=args.weights,
        batch=args.batch,
        threads=args.threads,
        seed=args.seed,
        **chosen,
    )


def _of_suite(args: argparse.Namespace, common: Common) -> Request:
    from edgebench.plan import Request

    if given := [f"--{name}" for name in _PRODUCT if getattr(args, name)]:
        raise EdgebenchError(f"the suite {args.suite!r} says what to run; leave out {given[0]}")
    if args.suite not in common.registry.suites:
        raise UnknownName.among("suite", args.suite, common.registry.suites)
    return Request.of_suite(common.registry.suites[args.suite])


def _products(args: argparse.Namespace, common: Common) -> tuple[Product, ...]:
    fabrics = [
        name for text in args.fabric or [_default("fabric")] for name in _fabrics(text, common)
    ]
    scenarios = args.scenario or [_default("scenario")]
    return tuple(
        Product(
            models=tuple(args.model),
            operators=tuple(args.operator) or ("identity",),
            placements=tuple(args.placement),
            backends=tuple(args.backend),
            fabric=fabric,
            scenario=scenario,
        )
        for fabric in fabrics
        for scenario in scenarios
    )


def _default(field: str) -> str:
    return str(getattr(attrs.fields(Product), field).default)


def _fabrics(text: str, common: Common) -> list[str]:
    from edgebench.plan.expand import is_pattern, matching

    known = common.plugins.all(Fabric)
    return matching("fabric", text, known) if is_pattern(text) else [text]
