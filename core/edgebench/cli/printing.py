"""What everything that is printed passes through: nothing but text reaches a terminal.

Texts of users, plugins and measured processes are shown in reports, tables, logs and errors. A
control character among them could clear the screen, move the cursor, or name the window; here each
is written as it would be escaped in a source. What the command line itself draws, colours and
progress, is no such text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from edgebench.parts.errors import EdgebenchError

if TYPE_CHECKING:
    from rich.console import Console

_CONTROLS = re.compile(r"(?!\n|\t|\r\n)[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 but line ends and tabs, what else breaks or turns lines, and what no encoding has."""


def escape_controls(text: str) -> str:
    r"""Write each control character of a text as `\x1b`: what a terminal shows, and does not do."""
    return _CONTROLS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def print_out(text: str, out: IO[str]) -> None:
    """Print a text on standard output, *out*.

    Raises:
        EdgebenchError: It cannot be written.
    """
    with explain_output(out):
        out.write(escape_controls(text))


def print_error(text: str) -> None:
    """Print a text on standard error; where that cannot be written, nobody can be told."""
    shown = escape_controls(text)
    try:
        try:
            sys.stderr.write(shown)
            sys.stderr.flush()
        except RuntimeError:
            # A signal came while something was being written, and its handler has a word to say:
            # the buffer takes no second writer, what lies below it does.
            os.write(sys.stderr.fileno(), shown.encode(errors="backslashreplace"))
    except (OSError, ValueError):
        _discard(sys.stderr)


@contextmanager
def explain_output(out: IO[str]) -> Iterator[None]:
    """Say what prevents printing; a reader who has seen enough does not.

    Raises:
        EdgebenchError: Standard output cannot be written.
    """
    try:
        yield
        # What is still held back when the program ends could no longer be explained.
        out.flush()
    except BrokenPipeError:
        _discard(out)
    except OSError as error:
        _discard(out)
        raise EdgebenchError(
            f"standard output cannot be written: {error.strerror or error}; "
            "make room, or send it elsewhere"
        ) from error


def _discard(stream: IO[str]) -> None:
    """Let go of what a stream still holds, which the end of the program would try to write."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def make_console(file: IO[str] | None = None, width: int | None = None, **options: Any) -> Console:
    """Return where things are laid out for people: *file*, or standard output."""
    from rich.console import Console
    from rich.segment import Segment
    from rich.text import Text

    class Plain(Console):
        """A console that shows control characters, whoever laid out what holds them."""

        def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
            """Return what to print, segment by segment."""
            if isinstance(renderable, Text) and _CONTROLS.search(renderable.plain):
                # Here, while it is not yet folded into lines.
                renderable = Text(escape_controls(renderable.plain), style=renderable.style)
            for one in super().render(renderable, options):
                # Nested parts pass here once a level: nearly all as they are.
                safe = one.control or not _CONTROLS.search(one.text)
                yield one if safe else Segment(escape_controls(one.text), one.style)

        def on_broken_pipe(self) -> None:
            """Leave it to whoever prints: rich would end the program."""
            raise BrokenPipeError

    return Plain(file=file, width=width, highlight=False, **options)
