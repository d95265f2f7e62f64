"""The steps of a recipe: what they are, and going through them in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from edgebench.cases.case import Case
from edgebench.cases.operations import Operation
from edgebench.parts.changes import Converter
from edgebench.parts.pipeline import Profile

P = TypeVar("P", Path, Path | None)


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
    profiles: Mapping[str, Profile] = attrs.field(factory=dict)
    """By tier, how long its host takes over what is at *before*, if the operator needs that."""


@attrs.frozen(kw_only=True)
class Convert(_Step):
    """Convert each stage along its way of converters."""

    before: Path
    """The prepared pipeline that it starts from."""
    ways: tuple[tuple[Converter, ...], ...]
    """For each stage; empty for one that stays as it is."""


@attrs.frozen(kw_only=True)
class Measure(_Step):
    """Measure how long a tier's host takes over a pipeline: a step of the controller's.

    Its case has that one tier; what it leaves is no pipeline, but a profile.
    """

    before: Path
    """The prepared pipeline, converted for the tier's backend."""


Step = Base | Operate | Convert | Measure

Made = tuple[Base | Operate | Convert, Path]
"""A step that makes a pipeline, and where that lies."""
Steps = Generator[Step, Path, Path]
"""Yields steps, is sent where what each one made lies, and returns where the last pipeline does."""


def follow(steps: Steps, obtain: Callable[[Step], P]) -> P:
    """Obtain each step in turn; return where the last one's pipeline lies.

    None ends it: what follows cannot be known before that step is made.
    """
    path = obtain(next(steps))
    while path is not None:
        try:
            step = steps.send(path)
        except StopIteration:
            break
        path = obtain(step)
    return path
