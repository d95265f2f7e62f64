"""Orders: what the processes of a block are told when they start, as JSON files.

They are read by hand, not by `edgebench.parts.documents`: every process of every block reads one
before it says hello, and importing cattrs would cost each of them some 17 ms of processor time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs

from edgebench.cases.case import BackendChoice
from edgebench.parts.pipeline import as_tuple
from edgebench.parts.places import Link

DRIVER = "driver"
"""What the controller calls the driver."""
FILE = "order.json"


def _read_link(value: Link | Mapping[str, Any] | None) -> Link | None:
    return Link(**value) if isinstance(value, Mapping) else value


def _read_backend(value: BackendChoice | Mapping[str, Any]) -> BackendChoice:
    return BackendChoice(**value) if isinstance(value, Mapping) else value


def _read_work(value: Work | Mapping[str, Any] | None) -> Work | None:
    return Work(**value) if isinstance(value, Mapping) else value


def _read_own_work(value: Work | Mapping[str, Any]) -> Work:
    return Work(**value) if isinstance(value, Mapping) else value


@attrs.frozen(kw_only=True)
class Order:
    """What every process of a block is told."""

    name: str
    """What the controller calls it: `driver`, `host edge`."""
    tier: str
    controller: str
    """Where the controller listens."""
    parent: int
    """The controller's process, without which this one must not live on."""
    listen: str = "tcp://127.0.0.1:*"
    """Where a host listens for its previous neighbour; a `*` stands for any port."""
    secret: str = attrs.field(default="", repr=False)
    """What the processes of a block know each other by; empty where anyone is to be believed."""
    spawned: int = 0
    """When it was started, in nanoseconds on the monotonic clock."""
    backward_phase: tuple[str, int] = attrs.field(default=("downlink", 0), converter=as_tuple)
    """The phase, and its index, that the way of what travels backward to it is counted as."""
    backward_link: Link | None = attrs.field(default=None, converter=_read_link)
    """The link as which it paces what travels backward to it; None where it paces nothing."""

    @property
    def threads(self) -> int:
        """How many threads its libraries may start."""
        return 1

    def write(self, directory: Path) -> Path:
        """Write the order into a directory, and return the file."""
        file = directory / FILE
        file.write_text(json.dumps(attrs.asdict(self), default=os.fspath))
        return file

    @classmethod
    def read(cls, file: str | Path) -> Self:
        """Return the order that `write` wrote into a file.

        Raises:
            TypeError: The file holds another kind of order.
        """
        return cls(**json.loads(Path(file).read_text()))


@attrs.frozen(kw_only=True)
class Work:
    """What a host that computes must open, and how slow it must be."""

    source: Mapping[str, Any]
    """Where its plugins come from, as JSON."""
    artifact: Path = attrs.field(converter=Path)
    """The prepared pipeline, on the host."""
    compiled: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    """Where stages compiled on this host are kept."""
    piece: int
    """Which piece of the pipeline it runs."""
    model: str
    variant: str
    backend: BackendChoice = attrs.field(converter=_read_backend)
    threads: int
    code: str = ""
    """A digest of its backend's code, where that compiles."""
    chain: str = ""
    """What was done to the model."""
    slowdown: float = 1.0
    """How many times slower than this machine it pretends to be."""


@attrs.frozen(kw_only=True)
class HostOrder(Order):
    """What a host is told."""

    forward_phase: tuple[str, int] = attrs.field(default=("uplink", 0), converter=as_tuple)
    """As `backward_phase`, of what travels forward to it."""
    forward_link: Link | None = attrs.field(default=None, converter=_read_link)
    """As `backward_link`, for what travels forward to it."""
    last: bool = True
    """Whether nobody comes after it on the route."""
    work: Work | None = attrs.field(default=None, converter=_read_work)
    """None for one that only relays."""

    @property
    def threads(self) -> int:
        """As many as its stages use; one where it only relays."""
        return self.work.threads if self.work else 1


@attrs.frozen(kw_only=True)
class ProfilerOrder(Order):
    """What a process is told that profiles a pipeline on its host."""

    split: Path = attrs.field(converter=Path)
    """Inputs that may be empty: then some are drawn."""
    work: Work = attrs.field(converter=_read_own_work)

    @property
    def threads(self) -> int:
        """As many as its stages use."""
        return self.work.threads


@attrs.frozen(kw_only=True)
class SenderOrder(Order):
    """What a process is told that sends a split: the driver or the scorer."""

    MODULE: ClassVar[str]
    """What it runs."""
    split: Path = attrs.field(converter=Path)
    """The test split, materialised, on the first tier's host."""
    batch: int = 1
    bound_s: float = 0.0
    """No request is begun after so many seconds, once there are enough; 0 for no bound."""


@attrs.frozen(kw_only=True)
class DriverOrder(SenderOrder):
    """What the driver is told."""

    MODULE = "edgebench.measure.station.driver"
    requests: int
    seed: int = 0
    """Decides, with the number of the block, which inputs are sent, and in which order."""
    number: int = 0


@attrs.frozen(kw_only=True)
class ScorerOrder(SenderOrder):
    """What the scorer is told."""

    MODULE = "edgebench.measure.station.scorer"
    source: Mapping[str, Any]
    """Where its plugins come from, as JSON."""
    case: Mapping[str, Any]
    """The case, as JSON."""
    artifact: Path = attrs.field(converter=Path)
    """The prepared pipeline, on the first tier's host."""
    scored: int | None = None
    """So many samples will do, where there is no accuracy; None for all."""
    limit: int | None = None
    """So many samples of the split are scored, drawn at random; None for all."""
