"""Plain questions on a terminal: an answer, the number of a choice, or Enter for the default."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from edgebench.cli.printing import print_error
from edgebench.parts.errors import EdgebenchError

Read = TypeVar("Read")
Choice = tuple[str, str]
"""What is answered by a number, and what is said of it."""


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
        (answer,) = self.ask_several(question, (default,), choices, several=False)
        return answer

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
        while True:
            answer = self.ask(question, default, choices)
            try:
                return read(answer)
            except (EdgebenchError, ArgumentTypeError) as error:
                self.say(f"{error}\n")

    def ask_several(
        self,
        question: str,
        default: Sequence[str],
        choices: Sequence[Choice] = (),
        *,
        several: bool = True,
    ) -> tuple[str, ...]:
        """Return the answers to a question, which are separated by blanks or commas."""
        self.say(f"\n{question}\n")
        width = max((len(name) for name, _ in choices), default=0)
        for number, (name, said) in enumerate(choices, start=1):
            self.say(f"  {number:>2}  {name:<{width}}  {said}".rstrip() + "\n")
        numbers = {name: str(number) for number, (name, _) in enumerate(choices, start=1)}
        offered = " ".join(numbers.get(one, one) for one in default if one)
        while True:
            self.say(f"[{offered}] " if offered else "> ")
            line = self.hear()
            if not line:
                raise EdgebenchError(f"no answer to {question!r}; see edgebench init --help")
            given = line.strip()
            words = given.replace(",", " ").split() if several else [given] * bool(given)
            if wrong := [one for one in words if self._is_beyond(one, choices)]:
                self.say(f"there is no {wrong[0]}: 1 to {len(choices)}\n")
                continue
            if words or not any(default):
                return tuple(_pick(one, choices) for one in words) or tuple(default)
            return tuple(default)

    @staticmethod
    def _is_beyond(word: str, choices: Sequence[Choice]) -> bool:
        return bool(choices) and word.isdecimal() and not 1 <= int(word[:9]) <= len(choices)


def _pick(word: str, choices: Sequence[Choice]) -> str:
    return choices[int(word) - 1][0] if choices and word.isdecimal() else word
