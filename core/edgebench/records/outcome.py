"""What measuring gives: blocks, scores and what each case gave, immutable, raw samples included."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.errors import UnknownName
from edgebench.parts.pipeline import as_tuple
from edgebench.records.facts import STATUSES, Facts, Figure
from edgebench.records.freezing import freeze_array, freeze_arrays, freeze_mapping
from edgebench.records.quick import Quick

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINK_SHARE, LINK_S = 0.05, 0.5e-3
"""A link is what it claims if it is within this share or within these seconds, the larger."""


@attrs.frozen
class Deviation:
    """One figure of a link, in seconds: what was measured, what is claimed, what is allowed."""

    figure: str
    """`round trip`, of an empty message; `transfer`, of a whole one there and an empty one back."""
    measured_s: float
    claimed_s: float
    allowed_s: float
    """How far the one may lie from the other."""

    @classmethod
    def of(cls, figure: str, measured_s: float, claimed_s: float) -> Deviation:
        """Hold a figure against its claim."""
        return cls(figure, measured_s, claimed_s, max(LINK_SHARE * claimed_s, LINK_S))

    @property
    def by_s(self) -> float:
        """How far it lies from the claim."""
        return abs(self.measured_s - self.claimed_s)

    @property
    def ok(self) -> bool:
        """Whether that is no further than allowed."""
        return self.by_s <= self.allowed_s


@attrs.frozen(kw_only=True)
class LinkCheck:
    """One verified link, one way, at one message size."""

    source: str
    """The sending tier."""
    target: str
    """The receiving tier."""
    when: str
    """`before` or `after` the requests of the block."""
    message_bytes: int
    round_trip_s: float
    """Round trip of a message of a few bytes, both ways, delay included."""
    measured_s: float
    """One message of that size sent and a few bytes back."""
    expected_s: float
    """message_bytes x 8 / rate + 2 x delay: what the link claims, and nothing that was measured."""
    goodput_bit_s: float | None
    """message_bytes x 8 / (measured - round trip); None where that is too short to tell."""
    rate_bit_s: float
    """What the link claims."""
    delay_s: float
    """One-way delay that the link claims."""
    ok: bool
    """|measured - expected| and |round trip - 2 x delay| are at most 5 %, or 0.5 ms if larger."""

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """How far each of its two figures, round trip and transfer, lies from the claim."""
        return (
            Deviation.of("round trip", self.round_trip_s, 2 * self.delay_s),
            Deviation.of("transfer", self.measured_s, self.expected_s),
        )


@attrs.frozen(kw_only=True)
class TierCheck:
    """How fast a tier was found to be, against what it claims."""

    name: str
    claimed: float
    """Speed against this machine unlimited, on equal threads: as stated, else 1 / slow-down."""
    stated: float | None = None
    """The speed that the tier states; None where nobody does, and it ran as it could."""
    measured: float
    """Median time of a fixed computation unlimited, over that with the tier's limits."""
    measured_p95: float
    """The same of the 95th percentiles."""
    work_s: float
    """How long the fixed computation took unlimited."""
    enforced: Mapping[str, str] = attrs.field(converter=freeze_mapping)
    """How cpu, memory, bandwidth and delay are enforced, in words; `emulated` where they are."""
    threads: int
    processors: float | None = None
    """Processors' worth of time that the host's process had, quotas counted; None if not known."""
    busy_threads: int | None = None
    """How many threads ran its piece while it warmed up; None if not known."""
    accelerator: str = ""
    """What the tier has beside processors."""
    device: str = ""
    """What its piece was opened on; empty if not known."""
    ok: bool
    """measured is within 15 % of claimed."""


@attrs.frozen(kw_only=True)
class Block:
    """One uninterrupted stretch of measuring a case, in fresh processes."""

    number: int
    """Which block of its case, from 0."""
    order: int
    """Which block of the run, from 0, in the recorded random order."""
    resumption: int = 0
    """Which start of the run measured it, from 0: a run that is resumed begins another one."""
    status: str
    """`ok`, `failed` or `timeout`."""
    reason: str = ""
    started: str
    """UTC, ISO 8601."""
    duration_s: float = 0.0
    latency_s: NDArray[Any] | None = attrs.field(
        default=None, converter=attrs.converters.optional(freeze_array), eq=False, repr=False
    )
    """Seconds of each measured request, shape (requests,), float64."""
    phases_s: Mapping[str, NDArray[Any]] = attrs.field(
        factory=dict, converter=freeze_mapping, eq=False, repr=False
    )
    """Seconds of each phase of each measured request, by phase, shape (requests,), float64.
    A phase with several of its kind is numbered: `inference-0`, `transfer-0`."""
    inputs: NDArray[Any] | None = attrs.field(
        default=None, converter=attrs.converters.optional(freeze_array), eq=False, repr=False
    )
    """Which sample of the test split each request sent, shape (requests,), int64."""
    warmup_s: NDArray[Any] | None = attrs.field(
        default=None, converter=attrs.converters.optional(freeze_array), eq=False, repr=False
    )
    """Latency of each warm-up request, kept and left out of the figures."""
    warmup: str = ""
    """How the warm-up ended: `stable after 12` or `not stable after 50`."""
    cold_s: Mapping[str, Mapping[str, float]] = attrs.field(factory=dict, converter=freeze_mapping)
    """By tier: seconds of `start` (process), `import`, `load` (session), `first` (inference)."""
    bytes_out: Mapping[str, float] = attrs.field(factory=dict, converter=freeze_mapping)
    """Median bytes of what each tier sent towards the next (the mean where samples may leave early)
    and, as `answer`, back. Of what was not sent nothing is counted."""
    bytes_mean: Mapping[str, float] = attrs.field(factory=dict, converter=freeze_mapping)
    """The means of what `bytes_out` has the medians of; empty in a block of an older version."""
    exit_rates: Mapping[str, float] = attrs.field(factory=dict, converter=freeze_mapping)
    """Share of the samples that left at each stage with an exit, by stage number."""
    links: tuple[LinkCheck, ...] = ()
    tiers: tuple[TierCheck, ...] = ()
    peak_memory_bytes: Mapping[str, int] = attrs.field(factory=dict, converter=freeze_mapping)
    """Peak resident set of each host's process, by tier."""
    controller_cpu: float | None = None
    """CPU seconds that the controller used for each second from the warm-up to the last check."""
    machine: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze_mapping)
    """What the machine did meanwhile: load, steal, swap, frequency, null where not readable; and
    `foreign_messages`, how many messages of other programs each process refused, by its name."""
    logs: Mapping[str, str] = attrs.field(
        factory=dict, converter=freeze_mapping, eq=False, repr=False
    )
    """What each process printed, by role and tier, the last 64 KiB."""


@attrs.frozen(kw_only=True)
class Score:
    """Accuracy of one artifact on one backend and device: counts a sample and raw outputs."""

    key: str
    """Digest of artifact, backends, devices, options, versions and test split."""
    device: str = ""
    """What each stage's session was opened on, piece by piece."""
    counts: Mapping[str, NDArray[Any]] = attrs.field(
        factory=dict, converter=freeze_mapping, eq=False, repr=False
    )
    """By metric, the counts of each test sample, shape (samples, k)."""
    outputs: tuple[NDArray[Any], ...] = attrs.field(
        default=(), converter=freeze_arrays, eq=False, repr=False
    )
    """The pipeline's outputs for the first samples (at most 256), for agreement."""
    kept: tuple[int, ...] = attrs.field(default=(), converter=as_tuple)
    """Which samples those are; empty for all from the first on."""
    exit_rates: Mapping[str, float] = attrs.field(factory=dict, converter=freeze_mapping)
    samples: int = 0
    not_finite: int = 0
    """How many of them have a prediction that holds NaN or infinite values."""
    remarks: tuple[str, ...] | None = None
    """What its runtimes say of how they run its stages; None where they were not asked."""
    doubts: tuple[tuple[int, str], ...] = ()
    """What they say makes their figures other than what was asked for, with the stage's number."""
    assignments: Mapping[str, Mapping[str, tuple[str, ...]]] = attrs.field(
        factory=dict, converter=freeze_mapping
    )
    """By the number of a stage, the nodes that each part of its runtime got: `StageFacts`."""
    versions: Mapping[str, str] = attrs.field(factory=dict, converter=freeze_mapping)


@attrs.frozen(kw_only=True)
class Run:
    """One execution of a plan, and the machine it was made on."""

    id: str = ""
    """Empty until the database has given one."""
    started: str
    """UTC, ISO 8601."""
    finished: str | None = None
    """UTC, ISO 8601; None while it runs and after it was interrupted."""
    suite: str = ""
    seed: int = 0
    tag: str = ""
    arguments: tuple[str, ...] = ()
    registry_digest: str = ""
    plan_digest: str = ""
    """Digest of the cases and blocks that were planned; a run is resumed by it."""
    environment: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze_mapping)
    overheads_s: Mapping[str, float | None] = attrs.field(factory=dict, converter=freeze_mapping)
    """What the harness costs, in seconds, by what was measured."""
    aa_difference: float | None = None
    """95th percentile of the relative difference between equal measurements on this machine."""
    aa_blocks: int | None = None
    """From how many blocks each that is known."""
    aa_within: float | None = None
    """Standard deviation of the logarithms of block medians within a round, of equal cases."""
    aa_between: float | None = None
    """That of the rounds themselves: what the blocks of a round share."""
    max_blocks: int | None = None
    """How many blocks a case might have had, where they were added; None of a fixed count."""
    quick: Quick | None = None
    """How it was measured where that was quick, with what was known then of equal cases."""
    source: str = ""
    """Where results come from that were not measured here; empty for those that were."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What one case gave, as it is kept: nothing in it is computed from samples."""

    case: Case
    status: str = attrs.field(validator=attrs.validators.in_(STATUSES))
    reason: str = ""
    planned: int = 0
    """How many blocks were planned."""
    blocks: tuple[Block, ...] = ()
    """All of them in order, those that failed among them."""
    facts: Facts = attrs.field(factory=Facts)

    @property
    def measured(self) -> tuple[Block, ...]:
        """The blocks that count: those that ended well and hold requests."""
        return tuple(b for b in self.blocks if b.status == "ok" and b.latency_s is not None)

    @property
    def samples(self) -> int:
        """How many measured requests it holds."""
        return sum(len(b.latency_s) for b in self.measured if b.latency_s is not None)

    @property
    def figure(self) -> Figure | None:
        """The figure of merit that decides."""
        return self.facts.figures[0] if self.facts.figures else None

    @property
    def model_bytes(self) -> int | None:
        """The bytes of all its stages; None where one is not known."""
        sizes = [stage.bytes for stage in self.facts.stages]
        known = [size for size in sizes if size is not None]
        return sum(known) if known and len(known) == len(sizes) else None


def find_only(beginning: str, ids: Collection[str], run: str) -> str:
    """Return the one of the ids of a run's cases that begins so.

    Raises:
        UnknownName: None does, or more than one.
    """
    found = [one for one in ids if one.startswith(beginning)]
    if len(found) == 1 and beginning:
        return found[0]
    raise UnknownName.among(f"case of run {run}", beginning, found or ids)


@attrs.frozen(kw_only=True)
class RunOutcome:
    """A run with what each of its cases gave, in the order they were planned."""

    run: Run
    cases: tuple[Outcome, ...]
    path: Path
    """The database they came from."""
