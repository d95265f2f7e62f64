"""Plain questions on a terminal: an answer, the number of a choice, or Enter for the default."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import attrs

from edgebench.cli.printing import print_error
from edgebench.parts.errors import EdgebenchError

Read = TypeVar("Read")
Choice = tuple[str, str]
"""What is answered by a number, and what is said of it."""
SEPARATOR = re.compile(r"[\s,]+(?![^()]*\))")
"""Blanks or commas that do not stand within brackets."""


def is_terminal() -> bool:
    """Say whether there is someone to ask."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


@attrs.frozen(kw_only=True)
class Asker:
    """Asks on standard error and reads standard input."""

    say: Callable[[str], None] = print_error
    hear: Callable[[], str] = attrs.field(factory=lambda: sys.stdin.readline)

    def ask(self, question: str, default: str = "", choices: Sequence[Choice] = ()) -> str:
        """Return the answer to a question; what is offered where it is empty.

        A number stands for that choice; any other answer is taken as it is.

        Raises:
            EdgebenchError: Standard input ended.
        """
        return self.ask_for(question, str, default, choices)

    def ask_for(
        self,
        question: str,
        read: Callable[[str], Read],
        default: str = "",
        choices: Sequence[Choice] = (),
    ) -> Read:
        """Return what a reader makes of the answer; where it refuses one, ask again.

        Raises:
            EdgebenchError: Standard input ended.
        """
        return self._ask(
            question, [default], choices, lambda line: [line], lambda answers: read(answers[0])
        )

    def ask_several(
        self,
        question: str,
        default: Sequence[str],
        choices: Sequence[Choice] = (),
        read: Callable[[Sequence[str]], list[str]] = list,
    ) -> list[str]:
        """Return what a reader makes of the answers, which blanks or commas separate.

        What stands in brackets is of one answer: `shrink(by=2,seed=1), identity` is two.

        Raises:
            EdgebenchError: Standard input ended.
        """
        return self._ask(question, default, choices, SEPARATOR.split, read)

    def _ask(
        self,
        question: str,
        default: Sequence[str],
        choices: Sequence[Choice],
        split: Callable[[str], list[str]],
        read: Callable[[Sequence[str]], Read],
    ) -> Read:
        width = max((len(name) for name, _ in choices), default=0)
        numbered = {str(number): name for number, (name, _) in enumerate(choices, start=1)}
        numbers = {name: number for number, name in numbered.items()}
        offered = " ".join(numbers.get(one, one) for one in default if one)
        while True:
            self.say(f"\n{question}\n")
            for number, (name, said) in enumerate(choices, start=1):
                self.say(f"  {number:>2}  {name:<{width}}  {said}".rstrip() + "\n")
            self.say(f"[{offered}] " if offered else "> ")
            line = self.hear()
            if not line:
                raise EdgebenchError(f"no answer to {question!r}; see edgebench init --help")
            words = [one for one in split(line.strip()) if one]
            try:
                return read([_pick(one, numbered) for one in words] or default)
            except (EdgebenchError, ArgumentTypeError) as error:
                self.say(f"{error}\n")


def _pick(word: str, numbered: Mapping[str, str]) -> str:
    """Return what a number stands for where there are choices, and any other word as it is."""
    if numbered and word.isdecimal() and word not in numbered:
        raise EdgebenchError(f"there is no {word}: 1 to {len(numbered)}")
    return numbered.get(word, word)
