"""`edgebench report [RUN]`: the results of a run, laid out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import attrs

from edgebench.analysis.conclusions import read_conclusions
from edgebench.analysis.results import RunResults
from edgebench.catalogue.blame import blame
from edgebench.cli.common import Common, add_database
from edgebench.cli.printing import explain_output, make_console
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.places import Reporter
from edgebench.records.database import Database
from edgebench.records.sqlitefile import is_database


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("run_id", nargs="?", default="latest", metavar="RUN",
                        help="the id of a run, or how it begins (the latest)")  # fmt: skip
    parser.add_argument("--format", metavar="NAME",
                        help="a reporter of `list reporters` (the registry's)")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="write the report there instead of printing it")  # fmt: skip
    parser.add_argument("--operators", action="store_true",
                        help="what each operator of a chain did, step by step")  # fmt: skip
    parser.add_argument("--questions", action="store_true",
                        help="what the studies asked and concluded, of this run")  # fmt: skip
    add_database(parser)


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the report, or write it to a file."""
    reporter = common.find_reporter(args.format)
    _check_shows(reporter, args, common)
    with Database.open(args.db) as database:
        results = RunResults.of(database.read_run(args.run_id))
    results = attrs.evolve(results, by_operator=args.operators)
    if args.questions:
        results = attrs.evolve(results, conclusions=read_conclusions(common.registry))
    print_results(results, reporter, args.output, common)
    return 0


def _check_shows(reporter: Reporter, args: argparse.Namespace, common: Common) -> None:
    """Refuse to ask a reporter for what it would leave out without a word.

    Raises:
        EdgebenchError: It does not show what an option asks for.
    """
    for name in ("operators", "questions"):
        if getattr(args, name) and name not in reporter.shows:
            others = [
                one.name for one in common.plugins.all(Reporter).values() if name in one.shows
            ]
            raise EdgebenchError(
                f"reporter {reporter.name} does not show what --{name} asks for; "
                f"--format {' or '.join(sorted(others))} does"
            )


def print_results(
    results: RunResults, reporter: Reporter, output: Path | None, common: Common
) -> None:
    """Lay results out with a reporter, and print them or write them to a file."""
    with blame(common.plugins, Reporter, reporter.name):
        laid = reporter.render(attrs.evolve(results, in_full=common.verbose))
    print_laid(laid, output, common)


def print_laid(laid: Any, output: Path | None, common: Common) -> None:
    """Print what is laid out, a text or a renderable, or write it to a file."""
    if output is not None:
        _write(laid, output)
    elif isinstance(laid, bytes):
        _print_bytes(laid, common)
    elif isinstance(laid, str):
        common.print(laid)
    else:
        common.show(laid)


def _print_bytes(laid: bytes, common: Common) -> None:
    """Send on what is no text, unless a terminal would show it.

    Raises:
        EdgebenchError: It would.
    """
    # What stands in for standard output may take texts alone.
    binary = getattr(common.out, "buffer", None)
    if binary is None or common.out.isatty():
        raise EdgebenchError("a report of this format is no text; write it to a file with -o FILE")
    with explain_output(common.out):
        binary.write(laid)


def _write(laid: Any, output: Path) -> None:
    try:
        if is_database(output):
            raise EdgebenchError(f"{output} is a database; give the report another file with -o")
        if isinstance(laid, bytes):
            output.write_bytes(laid)
            return
        # In one encoding everywhere; what has no place in it is written as it would be escaped.
        with output.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            if isinstance(laid, str):
                file.write(laid)
            else:
                make_console(file, width=120).print(laid)
    except OSError as error:
        raise EdgebenchError(f"cannot write {output}: {error.strerror}") from error
