"""What a user may say of data of their own, in the brackets behind it."""

from __future__ import annotations

from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class DataOptions:
    """The options of data, which the options of a model of files inherit."""

    text: str = ""
    """The column of the texts, or two with a space between for pairs; known names without it.
    In a table without a header the number of the column, from 1."""
    label: str = ""
    """The column of the labels; known names without it."""
    calibration: Path | None = None
    """Data for calibration alone, in any form that the data may have."""
    encoding: str = ""
    """How texts are encoded, as `cp1252`; without it UTF-8, or what a byte order mark says."""
    classes: Path | None = None
    """A file with the names of the model's classes in its order, one a line."""
    training: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(0.7)]
    )
    """The share that may be trained on of data that has no splits of its own. It is tested on less
    then."""
    seed: int = 0
    """Which of the equally good splits by digest."""
