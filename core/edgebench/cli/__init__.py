"""The command line: one module a command, which declares its arguments and runs.

`edgebench` and `python -m edgebench` are the same, and so is `main` for programs.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from edgebench.cli.common import INTERRUPTED, MISTAKE, Common
from edgebench.cli.printing import print_error, print_out
from edgebench.parts.errors import EdgebenchError, UnknownName

COMMANDS: Mapping[str, str] = {
    "list": "list what there is: models, operators, backends, suites, ...",
    "show": "show everything known of one part, suite, hybrid, link or plugin",
    "init": "look at a model and its data, and write edgebench.toml for `run` beside them",
    "plan": "show the cases that `run` would measure, and why others are skipped",
    "run": "measure a suite, or the product of models, operators, placements, ...",
    "report": "lay out the results of a run",
    "recommend": "say which strategy to choose under bounds, and what that rests on",
    "predict": "say what strategies would take under other links, or cut elsewhere",
    "compare": "say what changed from one run to another, case by case; a gate for CI",
    "export": "write a measured strategy into a directory that runs without edgebench",
    "runs": "list what runs a database holds, or remove one",
    "history": "show a figure over runs, with the points where it changed",
    "import": "take in results of another database, or of another program",
    "logs": "show what the processes of a case printed",
    "store": "show or clean the artifact store",
    "plugins": "list, install, check and begin plugins",
    "completion": "print what makes a shell complete commands, options and names",
    "doctor": "say what this machine can do, and how to get what is missing",
    "measure-device": "measure how fast this machine is, and print it as a tier to paste",
}
"""What each command does, as `--help` says it."""
PLANNING = ("export", "init", "plan", "predict", "run")
"""The commands that need to know how fast tiers are, over this machine."""


EPILOG = """\
exit status:
  0    done, and every case that ran succeeded
  1    a case failed, nothing was measured, a gate was not met, or a check found something
  2    a mistake in what was asked for, said in one line on standard error
  130  interrupted: the first Ctrl-C ends after the block under way, the second now

environment variables:
  EDGEBENCH_DB     the results database, where --db does not name it (edgebench.db)
  EDGEBENCH_STORE  where models are kept once they are prepared
  EDGEBENCH_CACHE  where downloads are kept, what plugins were seen to offer, A/A figures, and how
                   fast this machine is
  XDG_CACHE_HOME   where both lie, in edgebench/, where they are not named (~/.cache)
  NO_COLOR         if set, nothing is coloured
  COLUMNS          how wide tables may be
"""


class _Version(argparse.Action):
    """Prints the version, which takes a while to look up, if it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print_out(f"edgebench {version('edgebench')}\n", sys.stdout)
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are the user's mistakes like any other: one line."""

    def error(self, message: str) -> NoReturn:
        raise EdgebenchError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, _: object = None) -> None:
        # Its own swallows what prevents printing.
        print_out(message, sys.stdout)

    @property
    def options(self) -> list[str]:
        """All options that it knows, as they are written."""
        return [option for action in self._actions for option in action.option_strings]

    def refuse(self, word: str, more: Iterable[str]) -> NoReturn:
        """Refuse an argument that it does not take; offer the nearest of its options and *more*."""
        known = [*self.options, *more] if word.startswith("-") else []
        close = get_close_matches(word.partition("=")[0], known, n=1, cutoff=0.7)
        offer = f"; did you mean {close[0]}?" if close else ""
        self.error(f"unrecognized arguments: {word}{offer}")


def import_command(name: str) -> ModuleType:
    """Import the module of a command: it has `configure(parser)` and `run(args, common) -> int`."""
    # A submodule called `list` would replace the builtin in this module; `import` is no name.
    word = f"{name}_" if name in ("import", "list") else name
    return import_module(f"edgebench.cli.{word.replace('-', '_')}")


def _make_parser(common: _Parser, words: Sequence[str]) -> _Parser:
    parser = _Parser(
        prog="edgebench",
        description="Choose, by measurement, how a model should be deployed at the edge.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", "-V", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(
        metavar="COMMAND", title="commands", required=True, parser_class=_Parser
    )
    for name, text in COMMANDS.items():
        made = commands.add_parser(
            name, help=text, epilog="The options of `edgebench --help` may stand here as well."
        )
        # Importing them all would take longer than `list` itself.
        if name in words:
            command = import_command(name)
            command.configure(made)
            made.set_defaults(run=command.run, parser=made)
    return parser


def parse_words(words: Sequence[str]) -> tuple[argparse.Namespace, Common]:
    """Return a command's own options, and those of every command, which stand where they like.

    Raises:
        EdgebenchError: They are not what a command takes.
        SystemExit: Help was asked for, and printed.
    """
    common = _Parser(add_help=False, allow_abbrev=False)
    Common.add_arguments(common)
    shared, rest = common.parse_known_args(words)
    if rest and not rest[0].startswith("-") and rest[0] not in COMMANDS:
        raise UnknownName.among("command", rest[0], COMMANDS)
    args, unknown = _make_parser(common, rest).parse_known_args(rest if words else ["--help"])
    if unknown:
        args.parser.refuse(unknown[0], common.options)
    _check_texts(vars(args).values())
    args.words = rest[1:]
    measures = bool(rest) and rest[0] in PLANNING
    return args, Common(**vars(shared), words=tuple(words), measures=measures)


def _check_texts(values: Iterable[object]) -> None:
    """Refuse bytes that are no text; names of files are kept as they are.

    Raises:
        EdgebenchError: They cannot be written into results.
    """
    for value in values:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise EdgebenchError(f"{text!r} is not UTF-8; write it in UTF-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status.

    0 done; 1 done, and a case failed or a check found something; 2 the user's mistake, said in one
    line on standard error; 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            args, common = parse_words(words)
        except SystemExit:
            return 0
        # What plugins print, while they are imported or asked, is no result.
        with redirect_stdout(sys.stderr):
            return int(args.run(args, common))
    except EdgebenchError as error:
        if "--verbose" in words:
            print_error(traceback.format_exc())
        print_error(f"edgebench: {' '.join(str(error).split())}\n")
        return MISTAKE
    except KeyboardInterrupt:
        print_error("edgebench: interrupted\n")
        return INTERRUPTED
