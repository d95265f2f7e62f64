"""The command line: one module a command, which declares its arguments and runs.

`edgebench` and `python -m edgebench` are the same, and so is `main` for programs.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from edgebench.cli import doctor, list_, logs, plan, plugins, report, run, show, store
from edgebench.cli.common import Common
from edgebench.parts.errors import EdgebenchError, UnknownName

COMMANDS: tuple[ModuleType, ...] = (
    list_,
    show,
    plan,
    run,
    report,
    logs,
    store,
    plugins,
    doctor,
)
"""Each has `configure(commands)` and `run(args, common) -> int`."""

MISTAKE = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are the user's mistakes like any other: one line."""

    def error(self, message: str) -> NoReturn:
        raise EdgebenchError(f"{message}; see {self.prog} --help")


def _parsers() -> tuple[_Parser, _Parser]:
    common = _Parser(add_help=False, allow_abbrev=False)
    Common.arguments(common)
    parser = _Parser(
        prog="edgebench",
        description="Choose, by measurement, how a model should be deployed at the edge.",
        parents=[common],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(
        metavar="COMMAND", title="commands", required=True, parser_class=_Parser
    )
    for command in COMMANDS:
        made = command.configure(commands)
        made.set_defaults(run=command.run)
        made.epilog = "The options of `edgebench --help` may stand here as well."
    return common, parser


def _check_command(words: Sequence[str]) -> None:
    names = [command.__name__.rpartition(".")[2].strip("_") for command in COMMANDS]
    if words and not words[0].startswith("-") and words[0] not in names:
        raise UnknownName.among("command", words[0], names)


def _parsed(words: Sequence[str]) -> tuple[argparse.Namespace, Common]:
    """Return a command's own options, and those of every command, which stand where they like.

    Raises:
        EdgebenchError: They are not what a command takes.
        SystemExit: Help was asked for, and printed.
    """
    common, parser = _parsers()
    chosen, rest = common.parse_known_args(words)
    _check_command(rest)
    return parser.parse_args(rest if words else ["--help"]), Common.of(chosen, words)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit status.

    0 done; 1 done, and a case failed or a check found something; 2 the user's mistake, said in one
    line on standard error; 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            args, common = _parsed(words)
        except SystemExit:
            return 0
        return int(args.run(args, common))
    except EdgebenchError as error:
        if "--verbose" in words:
            traceback.print_exc()
        sys.stderr.write(f"edgebench: {' '.join(str(error).split())}\n")
        return MISTAKE
    except KeyboardInterrupt:
        sys.stderr.write("edgebench: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        return 0
