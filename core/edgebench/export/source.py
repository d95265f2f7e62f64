"""The program of a piece, as one file."""

from __future__ import annotations

import inspect
from types import ModuleType

from edgebench.export.programs import messages, piece

_FUTURE = "from __future__ import annotations\n"
_IMPORT = f"from {messages.__name__} import "


def write_program() -> str:
    """Return the source of the program, with what it takes from its messages put in."""
    before, _, after = _read(piece).partition(_IMPORT)
    # The import is one line, or a list in brackets.
    end = ")\n" if after.startswith("(") else "\n"
    return before + _read(messages).partition(_FUTURE)[2] + after.partition(end)[2]


def _read(module: ModuleType) -> str:
    return inspect.getsource(module)
