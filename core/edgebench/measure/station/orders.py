"""What the processes of a block are told when they start, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice
from edgebench.measure.transport.pace import Pacing

DRIVER = "driver"
"""What the controller calls the driver."""


@attrs.frozen(kw_only=True)
class Order:
    """What every process of a block is told."""

    name: str
    """What the controller calls it: `driver`, `host edge`."""
    tier: str
    control: str
    """Where the controller listens."""
    parent: int
    """The controller's process, without which this one must not live on."""
    spawned: int = 0
    """When it was started, in nanoseconds on the monotonic clock."""
    forward_phase: tuple[str, int] = ("uplink", 0)
    """The phase, and its index, that the way of what travels forward to it is counted as."""
    backward_phase: tuple[str, int] = ("downlink", 0)
    """The same for what travels backward to it."""
    forward_pacing: Pacing | None = None
    """How what travels forward to it is paced; None where it is not."""
    backward_pacing: Pacing | None = None
    """How what travels backward to it is paced."""
    last: bool = True
    """Whether nobody comes after it on the route."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object from which `from_json` makes an equal order."""
        return attrs.asdict(
            self, value_serializer=lambda _, __, v: str(v) if isinstance(v, Path) else v
        )

    def write(self, directory: Path) -> Path:
        """Write the order into a directory, and return the file."""
        file = directory / "order.json"
        file.write_text(json.dumps(self.to_json()))
        return file


def _common(document: Mapping[str, Any]) -> dict[str, Any]:
    """Make of JSON what every order has."""
    values = dict(document)
    for way in ("forward_pacing", "backward_pacing"):
        values[way] = Pacing(**values[way]) if values[way] else None
    for phase in ("forward_phase", "backward_phase"):
        values[phase] = tuple(values[phase])
    return values


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
    backend: BackendChoice
    threads: int
    slowdown: float = 1.0
    """How many times slower than this machine it pretends to be."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Work:
        """Make what `to_json` of an order wrote."""
        values = dict(document)
        return cls(backend=BackendChoice(**values.pop("backend")), **values)


@attrs.frozen(kw_only=True)
class HostOrder(Order):
    """What a host is told."""

    work: Work | None = None
    """None for one that only relays."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> HostOrder:
        """Make what `to_json` wrote."""
        values = _common(document)
        work = values.pop("work")
        return cls(work=Work.from_json(work) if work else None, **values)


@attrs.frozen(kw_only=True)
class DriverOrder(Order):
    """What the driver is told."""

    split: Path = attrs.field(converter=Path)
    """The test split, materialised, on the driver's host."""
    requests: int
    batch: int = 1
    seed: int = 0
    """Decides, with the number of the block, which inputs are sent, and in which order."""
    number: int = 0
    bound_s: float = 0.0
    """No request is begun after so many seconds, once there are enough; 0 for no bound."""
    source: Mapping[str, Any] = attrs.field(factory=dict)
    case: Mapping[str, Any] = attrs.field(factory=dict)
    """For scoring: the case, as JSON."""
    artifact: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    """For scoring: the prepared pipeline, on the driver's host."""
    scored: int | None = None
    """For scoring: so many samples will do; None for the whole split."""

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> DriverOrder:
        """Make what `to_json` wrote."""
        return cls(**_common(document))
