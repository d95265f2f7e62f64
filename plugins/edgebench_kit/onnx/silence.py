"""Tools that quantize kept from talking: they log to the root of all loggers, and print."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def keep_silent(level: int = logging.WARNING) -> Iterator[None]:
    """Keep back what is printed, and what is logged up to *level* through any logger."""
    found = logging.root.manager.disable
    logging.disable(level)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(found)
