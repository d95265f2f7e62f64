"""The steps of a recipe: each says what it makes, of what, and under which key it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgebench.cases.case import Case
from edgebench.cases.operations import Operation
from edgebench.parts.changes import Converter


@attrs.frozen(kw_only=True)
class _Step:
    """What every step has."""

    key: str
    what: str
    """In a few words, what it makes."""
    case: Case


@attrs.frozen(kw_only=True)
class Base(_Step):
    """Build the model, and train it where its weights are to be trained here."""


@attrs.frozen(kw_only=True)
class Operate(_Step):
    """Apply one operator."""

    before: Path
    """The prepared pipeline that it starts from."""
    operation: Operation
    seed: int
    companions: Mapping[tuple[str, str], Path]
    """The second models that the operator announced, prepared, by model and chain."""


@attrs.frozen(kw_only=True)
class Convert(_Step):
    """Convert each stage along its way of converters."""

    before: Path
    """The prepared pipeline that it starts from."""
    ways: tuple[tuple[Converter, ...], ...]
    """For each stage; empty for one that stays as it is."""


Step = Base | Operate | Convert
