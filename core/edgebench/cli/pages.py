"""Pages that are printed again as they were, while all that they follow from is the same.

To list parts, the plugins that ship are imported, and hundreds of lines laid out: both take longer
than to find out that nothing has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.cli.common import Common
from edgebench.parts.errors import EdgebenchError
from edgebench.survey.installed import find_state
from edgebench.survey.kept import find_place, keep_longer, read_file, remove_old, write_file

if TYPE_CHECKING:
    from edgebench.catalogue.plugin import Fault

COLOURS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES")
"""The environment variables by which what is laid out differs."""


def keep_page(
    common: Common, what: Sequence[str], make: Callable[[], str]
) -> tuple[str, Sequence[Fault]]:
    """Return a page, which is made where none is kept of *what* for this state of things.

    With it comes what is wrong with plugins: that may be the moment's fault, so where anything is,
    nothing is kept.
    """
    file = _find_file(common, what)
    if file is not None and isinstance(text := read_file(file), str):
        keep_longer(file)
        return text, ()
    text, faults = make(), common.plugins.faults
    if file is not None and not faults:
        remove_old(file.parent)
        with suppress(EdgebenchError):
            write_file(file, text)
    return text, faults


def _find_file(common: Common, what: Sequence[str]) -> Path | None:
    """Return where a page is kept; None where it cannot be, or follows from a file of code."""
    if common.files:
        return None
    state = [
        find_state(common.registry, common.offers),
        *("without", *common.without),
        *("what", *what, str(common.json)),
        *(str(os.environ.get(name)) for name in COLOURS),
        str(getattr(common.out, "encoding", "")),
        str(common.out.isatty() and shutil.get_terminal_size()),
    ]
    digest = hashlib.sha256("\0".join(state).encode(errors="surrogateescape")).hexdigest()
    with suppress(EdgebenchError):
        return find_place() / f"page-{digest}.json"
    return None
