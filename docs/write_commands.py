"""Write `docs/commands.md`: every command with all that it takes, as `--help` says it.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import groupby

from generated import keep, write_sentence, write_table

from edgebench import cli
from edgebench.cli.common import Common

HEAD = """\
# Commands and options

All that can be written on the command line, as `edgebench --help` and `edgebench COMMAND --help`
say it. [The command line](command-line.md) explains what the commands are for, and
[the documents](documents.md) what each prints with `--json`. In brackets stands what holds where an
option is not given.

This page is made from the sources by `python docs/write_commands.py`.
"""
WHOLE = """\
`edgebench COMMAND ...`; without a command it prints its help. The options of every command may
stand before the command's name or behind it."""


def main(words: list[str]) -> int:
    """Write the page, or hold it against the sources."""
    return keep("commands.md", write_page(), words)


def write_page() -> str:
    """Return the page as the sources have it."""
    common = cli._Parser(add_help=False, allow_abbrev=False)
    Common.add_arguments(common)
    # Nothing of a command is declared before it is named.
    parser = cli._make_parser(common, list(cli.COMMANDS))
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return "\n".join(
        [
            HEAD,
            *_write_parser("`edgebench`", parser, WHOLE),
            *(
                text
                for name, made in commands.choices.items()
                for text in _write_command(name, made)
            ),
            *_write_end(),
        ]
    )


def _write_command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from _write_parser(f"`edgebench {name}`", parser, write_sentence(cli.COMMANDS[name]))


def _write_parser(
    head: str, parser: argparse.ArgumentParser, text: str, level: int = 2
) -> Iterator[str]:
    yield f"{'#' * level} {head}\n"
    yield f"{text}\n"
    shown = [(_write_title(group), action) for group in parser._action_groups
             for action in group._group_actions if not _is_hidden(action)]  # fmt: skip
    for title, members in groupby(shown, key=lambda one: one[0]):
        if title:
            yield f"{title}:\n"
        yield write_table(["written", "means"], (_write_action(action) for _, action in members))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and level > 1 and head != "`edgebench`":
            yield from _write_actions(head.strip("`"), action, level + 1)


def _write_actions(
    head: str, found: argparse._SubParsersAction[argparse.ArgumentParser], level: int
) -> Iterator[str]:
    """Yield the commands of a command."""
    said = {action.dest: action.help or "" for action in found._choices_actions}
    for name, parser in found.choices.items():
        yield from _write_parser(
            f"`{head} {name}`", parser, write_sentence(said.get(name, "")), level
        )


def _write_title(group: argparse._ArgumentGroup) -> str:
    """Return what stands over a group, if it is not one that every command has."""
    title = (group.title or "").rstrip(":")
    plain = title in ("positional arguments", "options")
    return "" if plain else f"{title[:1].upper()}{title[1:]}"


def _is_hidden(action: argparse.Action) -> bool:
    kinds = (argparse._HelpAction, argparse._SubParsersAction)
    return isinstance(action, kinds) or action.help == argparse.SUPPRESS


def _write_action(action: argparse.Action) -> list[str]:
    name = _name_value(action)
    written = [f"`{option} {name}".rstrip() + "`" for option in action.option_strings]
    optional = action.nargs in ("?", "*") and not written
    shown = ", ".join(written) or (f"`[{name}]`" if optional else f"`{name}`")
    return [shown, (action.help or "") % {"default": action.default, "prog": "edgebench"}]


def _name_value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _write_end() -> Iterator[str]:
    """Yield exit statuses and environment variables, of which `--help` says the same."""
    heads = {"exit status": "status", "environment variables": "variable"}
    for title, body in re.findall(r"^(\w[\w ]+):\n((?:  .+\n)+)", cli.EPILOG, re.MULTILINE):
        yield f"## {title[:1].upper()}{title[1:]}\n"
        rows = re.findall(r"^  (\S+) +(.+)$", body, re.MULTILINE)
        yield write_table([heads[title], "means"], ((f"`{name}`", text) for name, text in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
