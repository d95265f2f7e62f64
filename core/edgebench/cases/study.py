"""What a user asks to have measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from edgebench.catalogue.rows import Suite
from edgebench.parts.places import Link


@attrs.frozen(kw_only=True)
class Study:
    """A suite, of the registry or of the command's own options, and how its cases are run."""

    suite: Suite
    """Without a name where the command's options say what to run."""
    sweep: tuple[Link, ...] = ()
    """Links that come before the suite's; several for one pair of tiers are measured in turn."""
    input_at: str = ""
    """The tier that holds the input; empty for that of the suite, else of the registry."""
    weights: str = ""
    """The kind of weights, `file:PATH` for a file; empty for each variant's first."""
    data: Mapping[str, Path] = attrs.field(factory=dict)
    """By dataset, the directory that the user gave for it."""
    input_data: Path | None = None
    """What the user gave to measure on without naming a dataset."""
    data_options: tuple[tuple[str, str], ...] = ()
    """What was said of that, in brackets."""
    calibration: Path | None = None
    """What the user gave to calibrate with."""
    batch: int = 1
    threads: int | None = None
    seed: int = 0
    score_limit: int | None = None
    """How many samples of a test split are scored; None for all."""
    bounded: bool = False
    """Whether a block of slow requests may have fewer."""
    precision: float | None = None
    """How far the interval of a case's median may reach, as a share of it, for no more blocks to be
    added; None where none are added for it."""
    copies: int = 1
    """How many times a case is measured in each round, to see what equal cases differ by."""
    quick: bool = False
    """Whether so few requests are measured that intervals are made from what is known already."""
