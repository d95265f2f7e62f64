"""`edgebench compare RUN_A RUN_B`: what changed from one run to another; a gate for CI."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.cli.common import Common, add_database
from edgebench.cli.report import print_laid

if TYPE_CHECKING:
    from edgebench.analysis.comparison import Comparison
    from edgebench.analysis.gates import Passage
    from edgebench.analysis.results import RunResults

FORMATS = ("terminal", "markdown", "junit", "json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    for name, text in (("before", "the earlier run"), ("after", "the later run")):
        parser.add_argument(name, metavar="RUN_A" if name == "before" else "RUN_B",
                            help=f"{text}: its id, how it begins, latest, or FILE.db:RUN of "
                                 "another database")  # fmt: skip
    parser.add_argument("--fail-if", action="append", default=[], metavar="BOUND",
                        help='status 1 if this is shown of a case, as "latency.p95 > +5%%"; '
                             "repeats")  # fmt: skip
    parser.add_argument("--strict", action="store_true",
                        help="status 1 too where there is not enough data to tell")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, metavar="|".join(FORMATS),
                        help="how to lay it out (terminal)")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="write it there instead of printing it")  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Compare, print, and return 1 if a bound is shown to be passed."""
    from edgebench.analysis.comparison import Comparison
    from edgebench.analysis.gates import Gate, judge_gates

    gates = [Gate.parse(text) for text in args.fail_if]
    comparison = Comparison.of(*(_read(one, args.db) for one in (args.before, args.after)))
    passages = judge_gates(gates, comparison)
    failing = {"failed", "open"} if args.strict else {"failed"}
    status = int(any(one.verdict in failing for one in passages))
    laid = _lay_out(comparison, passages, status, args, common)
    print_laid(laid, args.output, common)
    return status


def _read(text: str, database: Path) -> RunResults:
    """Return a run by its id, of the database or of the one that its text names."""
    from edgebench.analysis.results import RunResults
    from edgebench.records.database import Database

    file, colon, name = text.rpartition(":")
    with Database.open(Path(file) if colon else database) as opened:
        return RunResults.of(opened.read_run(name or "latest"))


def _lay_out(
    comparison: Comparison,
    passages: list[Passage],
    status: int,
    args: argparse.Namespace,
    common: Common,
) -> Any:
    from edgebench.analysis.comparison_document import describe_comparison
    from edgebench.cli import comparison_layouts as layouts

    if common.json or args.format == "json":
        document = describe_comparison(comparison, passages, status=status)
        return json.dumps(document, indent=2, allow_nan=False)
    if args.format in ("markdown", "junit"):
        write = {"markdown": layouts.write_markdown, "junit": layouts.write_junit}[args.format]
        return write(comparison, passages, strict=args.strict)
    return layouts.lay_out(comparison, passages, strict=args.strict, in_full=common.verbose)
