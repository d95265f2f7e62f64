"""One case: one model under one strategy and one scenario, as data that crosses processes.

`to_document` and `from_document` write and read it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.digest import digest
from edgebench.parts.documents import to_document
from edgebench.parts.pipeline import as_tuple
from edgebench.parts.places import Link, Placement
from edgebench.parts.subjects import Weights

CALIBRATION = "calibration"
"""What is said of data by an option of its own, `--calibration PATH`."""


def write_options(options: Iterable[tuple[str, str]]) -> str:
    """Return options as they are written, in brackets and sorted by key; empty if there are none.

    A value is quoted where what it holds would be read as something else.
    """
    pairs = ",".join(f"{key}={_quoted(value)}" for key, value in sorted(options))
    return f"({pairs})" if pairs else ""


def _quoted(value: str) -> str:
    return f'"{value}"' if set(value) & set(',()+"= ') or not value else value


def _drop_directory(value: str) -> str:
    return Path(value).name if value.startswith("/") else value


def _pairs(values: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    # A host's order brings them as the lists that JSON has.
    return tuple((key, value) for key, value in values)


@attrs.frozen
class BackendChoice:
    """A backend, a device of it and its options, written `npu:0(precision=bf16)`."""

    name: str
    device: str = ""
    """Empty for the backend's first device."""
    options: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)
    """Keys and values as they were written, sorted by key."""

    def __str__(self) -> str:
        """Return how it is written."""
        device = f":{self.device}" if self.device else ""
        return f"{self.name}{device}{write_options(self.options)}"


@attrs.frozen(kw_only=True)
class Case:
    """One model under one strategy and one scenario."""

    model: str
    variant: str
    weights: Weights = attrs.field(factory=Weights)
    options: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=as_tuple)
    """What was said of a model that is a file: keys and values as written, sorted by key."""
    dataset: str = ""
    data: Path | None = None
    """What the user gave for the inputs: the dataset's directory, or data for a file."""
    data_options: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=as_tuple)
    """What was said of that data, as `options`; `calibration` is a path of its own."""
    # Ids are made without these names: they stay, whatever the defaults of a registry are.
    chain: str = "identity"
    """The chain in its canonical form, hybrids expanded, options sorted."""
    placement: Placement
    backends: tuple[BackendChoice, ...] = attrs.field(converter=as_tuple)
    """One for each tier of the placement, in order."""
    links: tuple[Link, ...] = attrs.field(default=(), converter=as_tuple)
    """The links of the route from the first tier to the last that works, in order."""
    route: tuple[str, ...] = attrs.field(converter=as_tuple)
    """The tiers that a request passes, from the one that holds the input to the last that works;
    empty where no links lead that way, so that the case cannot be."""
    fabric: str = "process"
    scenario: str = "single-stream"
    batch: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    threads: int | None = None
    """Threads a host may use, where the user set it."""
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        """Refuse more or fewer backends than tiers."""
        tiers = len(self.placement.tiers)
        if len(self.backends) != tiers:
            raise ValueError(f"{self.placement} needs {tiers} backends, not {len(self.backends)}")

    @functools.cached_property
    def id(self) -> str:
        """Eight hexadecimal digits that stand for what makes this case another than the next.

        The same from run to run, so that runs can be compared case by case: the run's seed is no
        part of it, nor where the data lies, nor what a link's figures are taken from, nor what has
        its default.
        """
        return digest(self._identity())[:8]

    @functools.cached_property
    def id_anywhere(self) -> str:
        """As `id`, but for the directories in which files lie.

        A colleague's run of the same project has it in common, and so has another version of a
        file.
        """
        kept = self._identity()
        kept["weights"] = _drop_directory(self.weights.label.removeprefix("file:"))
        kept["options"] = [[key, _drop_directory(value)] for key, value in self.options]
        return digest(kept)[:8]

    def _identity(self) -> dict[str, Any]:
        # What has its default is left out, so that a field that comes later changes no id.
        kept: dict[str, Any] = to_document(self)
        for field in attrs.fields(Case):
            if field.name == "seed" or getattr(self, field.name) == field.default:
                del kept[field.name]
        # Where data lies says nothing; that a file has inputs of the user's own does.
        if kept.pop("data", None) and not self.dataset:
            kept["given"] = True
        if said := kept.pop("data_options", None):
            kept["said"] = [[key, _drop_directory(value)] for key, value in said]
        kept["weights"] = self.weights.label
        kept["links"] = [[*link.between, link.rate, link.delay] for link in self.links]
        return kept

    @property
    def backend(self) -> str:
        """The backends as written: one name where all tiers have the same."""
        if len(set(self.backends)) == 1:
            return str(self.backends[0])
        pairs = zip(self.placement.tiers, self.backends, strict=True)
        return ",".join(f"{tier}={choice}" for tier, choice in pairs)

    @property
    def own(self) -> tuple[Any, ...]:
        """What is the user's own in it, or may be: its model and its data, however deployed."""
        asked = self.weights, self.options, self.dataset, self.data, self.data_options
        return self.model, self.variant, *asked

    @property
    def calibration(self) -> Path | None:
        """What the user gave to calibrate with, if anything."""
        given = dict(self.data_options).get(CALIBRATION)
        return Path(given) if given else None

    @property
    def subject(self) -> str:
        """What is measured: the model, its variant, and what was said of it."""
        return f"{self.model}:{self.variant}{write_options(self.options)}"

    @property
    def label(self) -> str:
        """The case in one line, for people."""
        done = self.chain or "untransformed"
        return f"{self.subject} {done} on {self.placement} with {self.backend}"
