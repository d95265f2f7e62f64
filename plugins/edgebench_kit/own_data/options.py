"""What a user may say of data of their own, in the brackets behind it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import attrs

from edgebench import DataError


def make_whole(path: str | Path) -> Path:
    """Return a path that means the same in every working directory."""
    return Path(path).resolve()


@attrs.frozen(kw_only=True)
class DataOptions:
    """The options of data, which the options of a model of files inherit."""

    text: str = ""
    """The column of the texts, or two with a space between for pairs; known names without it.
    In a table without a header the number of the column, from 1."""
    label: str = ""
    """The column of the labels; known names without it."""
    calibration: Path | None = attrs.field(
        default=None, converter=attrs.converters.optional(make_whole)
    )
    """Data for calibration alone, in any form that the data may have."""
    encoding: str = ""
    """How texts are encoded, as `cp1252`; without it UTF-8, or what a byte order mark says."""
    classes: Path | None = attrs.field(
        default=None, converter=attrs.converters.optional(make_whole)
    )
    """A file with the names of the model's classes in its order, one a line."""
    training: float = attrs.field(
        default=0.0, validator=[attrs.validators.ge(0), attrs.validators.le(0.7)]
    )
    """The share that may be trained on of data that has no splits of its own. It is tested on less
    then."""
    seed: int = 0
    """Which of the equally good splits by digest."""


READING = frozenset(("text", "label", "encoding"))
"""The options that say how data is read, of which each kind of source uses some."""


def refuse_options(options: DataOptions, why: str, names: Collection[str] | None = None) -> None:
    """Refuse what was said of data that the requests are not of: nothing is left out in silence.

    Args:
        options: What was said.
        why: What the requests are, as the end of a sentence that begins with an option's name.
        names: The options that are refused; all that data has without them.

    Raises:
        DataError: One of them was said.
    """
    usual = DataOptions()
    for name in attrs.fields_dict(DataOptions):
        said = getattr(options, name) != getattr(usual, name)
        if said and (names is None or name in names):
            raise DataError(f"{name} {why}; leave it out")
