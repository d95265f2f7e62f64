"""Importing packages on torch that say something of themselves when they are imported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

CHATTER = ("torchao", "torch.utils._pytree")
"""The loggers of what torchao cannot load on a processor, and of how it tells torch its types."""


@contextmanager
def importing_quietly() -> Iterator[None]:
    """Keep back such warnings while the context is open: what fails still raises."""
    loggers = [logging.getLogger(name) for name in CHATTER]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
