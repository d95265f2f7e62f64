"""`edgebench completion bash`: what makes a shell complete commands, options and names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from edgebench.cli.common import Common

FILES = ("DIR", "FILE", "PATH")
"""What the placeholders of options hold whose values are files or directories."""
KINDS: Mapping[str, str] = {
    "--model": "models",
    "--operator": "operators",
    "--placement": "tiers",
    "--backend": "backends",
    "--fabric": "fabrics",
    "--format": "reporters",
    "--without": "plugins",
}
"""The options whose values are names, and what `list` calls these."""
SCRIPT = """\
# Completes `edgebench`; made by `edgebench completion bash`.
_edgebench_names() {{
    edgebench list "$1" --json --quiet 2>/dev/null |
        sed -n 's/^      "name": "\\(.*\\)",$/\\1/p'
}}

_edgebench() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="" word words=""
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$word" in {commands}) command="$word"; break ;; esac
    done
    case "$previous" in
{values}
        *) case "$command" in
{options}
        esac
        [[ "$command $previous" == "show "* ]] && words+=" $(_edgebench_names "${{previous}}s")" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}

complete -o bashdefault -o default -F _edgebench edgebench
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("shell", choices=["bash"], metavar="bash", help="the one shell yet")


def run(args: argparse.Namespace, common: Common) -> int:
    """Print the script."""
    script = write_script()
    if common.json:
        common.emit({"shell": args.shell, "script": script})
    else:
        common.print(script)
    return 0


def write_script() -> str:
    """Write the script for what all commands declare."""
    from edgebench.cli import COMMANDS, import_command

    shared = argparse.ArgumentParser(add_help=False)
    Common.add_arguments(shared)
    parsers = {"": argparse.ArgumentParser(parents=[shared])}
    parsers[""].add_argument("command", choices=list(COMMANDS))
    for name in COMMANDS:
        parsers[name] = argparse.ArgumentParser(parents=[shared])
        import_command(name).configure(parsers[name])
    options = (_write_words(name, parser) for name, parser in parsers.items())
    return SCRIPT.format(
        commands="|".join(COMMANDS),
        values="\n".join(sorted(set(_write_values(parsers)))),
        options="\n".join(options),
    )


def _write_words(name: str, parser: argparse.ArgumentParser) -> str:
    """Write what a command's words may be: its options, and the values that it lists itself."""
    from edgebench.cli.kinds import LISTED

    options = (option for action in _list_actions(parser) for option in action.option_strings)
    words = list(dict.fromkeys(options))
    for action in _list_actions(parser):
        if not action.option_strings:
            words += map(str, action.choices or ())
    words += {"list": LISTED, "show": [kind.removesuffix("s") for kind in LISTED]}.get(name, ())
    suites = " $(_edgebench_names suites)" if name in ("plan", "run") else ""
    return f'            "{name}") words="{" ".join(words)}{suites}" ;;'


def _write_values(parsers: Mapping[str, argparse.ArgumentParser]) -> Iterator[str]:
    """Write what the values of options may be; of a free text, nothing."""
    for action in (each for parser in parsers.values() for each in _list_actions(parser)):
        if not action.option_strings or action.nargs == 0:
            continue
        names = [KINDS[option] for option in action.option_strings if option in KINDS]
        patterns = "|".join(action.option_strings)
        if names:
            yield f'        {patterns}) words="$(_edgebench_names {names[0]})" ;;'
        elif not any(word in str(action.metavar) for word in FILES):
            yield f"        {patterns}) return ;;"
        else:
            yield f'        {patterns}) COMPREPLY=($(compgen -f -- "$current")); return ;;'


def _list_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options and words of a parser, and of the actions that it has itself."""
    # Argparse tells what was declared in no other way.
    found = list(parser._actions)  # noqa: SLF001
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in dict.fromkeys(action.choices.values()):
                found += _list_actions(below)
    return found
