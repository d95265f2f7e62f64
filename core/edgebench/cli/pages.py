"""Pages that are printed again as they were, while all that they follow from is the same.

To list parts, the plugins that ship are imported, and hundreds of lines laid out: both take longer
than to find out that nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from edgebench.cli.common import Common
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import as_tuple
from edgebench.survey.installed import find_state
from edgebench.survey.kept import find_place, is_whole, write_file

COLOURS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES")
"""The environment variables by which what is laid out differs."""


@attrs.frozen
class Page:
    """What a command prints."""

    text: str
    faults: tuple[Sequence[str], ...] = attrs.field(default=(), converter=as_tuple)
    """What is wrong with plugins, each with its traceback."""


def keep_page(common: Common, what: Sequence[str], make: Callable[[], Page]) -> Page:
    """Return a page, which is made where none is kept of *what* for this state of things."""
    file = _find_file(common, what)
    if file is None:
        return make()
    if is_whole(file):
        return Page(**json.loads(file.read_text(encoding="utf-8")))
    page = make()
    write_file(file, json.dumps(attrs.asdict(page)))
    return page


def _find_file(common: Common, what: Sequence[str]) -> Path | None:
    """Return where a page is kept; None where it cannot be, or follows from a file of code."""
    if common.files:
        return None
    with suppress(EdgebenchError):
        state = [
            find_state(common.registry, common.offers),
            *("without", *common.without),
            *("what", *what, str(common.json)),
            *(str(os.environ.get(name)) for name in COLOURS),
            str(getattr(common.out, "encoding", "")),
            str(common.out.isatty() and shutil.get_terminal_size()),
        ]
        digest = hashlib.sha256("\0".join(state).encode(errors="surrogateescape")).hexdigest()
        return find_place() / f"page-{digest}.json"
    return None
