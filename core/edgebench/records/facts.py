"""What is known of a case beside its blocks: its stages, its accuracy, how it agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from edgebench.records.freezing import freeze_mapping

STATUSES = ("ok", "partial", "skipped", "failed", "timeout")


@attrs.frozen(kw_only=True)
class Figure:
    """A figure of merit of a case, 0 to 1, and its loss against the untransformed pipeline."""

    metric: str
    value: float
    ci95: tuple[float, float]
    samples: int
    loss: float | None = None
    """The untransformed pipeline's figure less this one; None where there is nothing to compare."""
    loss_ci95: tuple[float, float] | None = None
    """Its paired interval; None too where it is not known what a wrong answer costs."""
    margin: float = 0.01
    """The loss that the study takes for none, 0 to 1."""
    labels_needed: int | None = None
    """How many samples with labels would settle on which side of the margin the loss lies, were it
    to stay as it is; None where it is settled, or where no number would."""
    left_out: int = 0
    """Samples with labels that were not scored because fewer were asked for."""


@attrs.frozen(kw_only=True)
class Agreement:
    """How near the outputs are to the untransformed pipeline's, on the same inputs."""

    max_abs_difference: float | None
    """None where no value is finite in both, or the shapes differ; so the next."""
    mean_abs_difference: float | None
    same_answer: float | None
    """Share of answers that are the same: of the places of the largest value along the classes, or
    of whole numbers; None where the first output has neither."""
    classes_axis: int | None = None
    """The axis of the classes, the samples being axis 0; None where there is none."""
    samples: int
    reference: str
    """The case that it was compared with, in words."""
    relative_difference: float | None = None
    """The largest difference over the largest value of the reference's output; of whole numbers,
    the share that differs. Of the output where it is largest."""
    output: str = ""
    """The name of that output."""
    values: int = 0
    """How many values were compared."""
    not_finite: int = 0
    """How many of them are NaN or infinite."""
    unlike: int = 0
    """How many are NaN or infinite in one alone, or otherwise in both."""
    other_shape: str = ""
    """Which output has another shape, or in how many samples, in words; these are not compared."""


@attrs.frozen(kw_only=True)
class RuntimeCheck:
    """How a backend computes the model untransformed, held against another runtime."""

    backend: str
    """As it is written."""
    whole: bool = False
    """Whether not the model was held but the case, with all that its chain does: the backend runs
    what others have loaded elsewhere."""
    agreement: Agreement | None = None
    """None where there was nothing to compare with."""
    why_not: str = ""
    """Why there was not, in words."""
    tolerance: float = 0.0
    """The relative difference that is rounding, by the coarser precision of the two."""
    trusted: bool = False
    """Whether it is the reference runtime: that another differs from it does not rule it out."""


@attrs.frozen(kw_only=True)
class StageFacts:
    """One stage of the pipeline that was measured."""

    tier: str
    format: str = ""
    precision: str = ""
    bytes: int | None = None
    """Of its files."""
    parameters: int | None = None
    operations: int | None = None
    """Multiply-accumulate operations a sample."""
    assignment: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=freeze_mapping)
    """By what runs them within the runtime, the names of its nodes, what was asked for first; empty
    where the runtime does not share them out, or does not tell."""


@attrs.frozen(kw_only=True)
class StepFacts:
    """What one step of preparing left: the model as built, one operator, or a conversion."""

    what: str
    """The operator as it is written; `built`; `to` and the formats that stages were converted to.
    """
    chain: str = ""
    """The operators up to this step, this one among them; empty for the model as it was built."""
    operator: bool = False
    """Whether it is one of the chain's operators."""
    artifact: str = ""
    """Key of the pipeline that it left."""
    formats: tuple[str, ...] = ()
    """Each once, in the order of the stages; so the precisions."""
    precisions: tuple[str, ...] = ()
    stages: int = 1
    pieces: int = 1
    bytes: int | None = None
    """Of the files of all its stages."""
    parameters: int | None = None
    """Of all stages; None where one of them is not counted. So the operations."""
    operations: int | None = None
    """Multiply-accumulate operations a sample, of all stages: what leaves early has fewer."""
    nodes: Mapping[str, int] = attrs.field(factory=dict, converter=freeze_mapping)
    """How many nodes, or layers, there are of each type; empty where a format cannot tell."""
    seconds: float | None = None
    """What it took when it was made; None where that is not known."""
    training_s: float | None = None
    """How much of that was training."""
    chosen: Mapping[str, Any] = attrs.field(factory=dict, converter=freeze_mapping)
    """What its operator decided by itself: the cut, the exit, the student."""
    doubts: tuple[str, ...] = ()
    """What it added to the reasons to doubt the result."""


@attrs.frozen(kw_only=True)
class Contribution:
    """What the last operator of a chain added, on the same samples, to the chain without it."""

    operator: str
    against: str
    """The chain without it, that was scored in the same run; empty where none was."""
    case: str = ""
    """The id of the case of that chain."""
    figures: tuple[Figure, ...] = ()
    """The figures of merit of the whole chain, their losses against the chain without it."""
    agreement: Agreement | None = None
    """With the outputs of the chain without it."""
    why_not: str = ""
    """Why there is nothing to compare with, in words."""


@attrs.frozen(kw_only=True)
class Predicted:
    """What a case was predicted to take before it was measured."""

    median_s: float
    ci95_s: tuple[float, float]
    """Of the median, by what differs between the blocks that it was predicted from."""
    kind: str
    """`links` or `cut`, as `predict` says."""
    base: str
    """The id of the case that it was predicted from."""
    basis: str
    """What it rests on, in words."""
    extrapolated: str = ""
    """What of it lies beyond what was measured; empty where nothing does."""


@attrs.frozen(kw_only=True)
class Facts:
    """What is known of a case beside its blocks, written when its last block is."""

    status: str = attrs.field(default="", validator=attrs.validators.in_(("", *STATUSES)))
    """Empty where the blocks tell."""
    reason: str = ""
    device: str = ""
    precision: str = ""
    artifact: str = ""
    """Key of the prepared pipeline."""
    content: str = ""
    """Digest of what the files of that hold, under whatever key; empty where none was taken."""
    score_key: str = ""
    copies: int = 1
    """How many copies of it were measured in each round: of an A/A run several."""
    figures: tuple[Figure, ...] = ()
    """The figures of merit, the one that decides first."""
    inputs: str = ""
    """What its requests were made of, in words: the dataset, and whether that is synthetic."""
    request_bytes: float | None = None
    """Mean bytes of the payloads of a request: what its input weighs where that travels."""
    no_accuracy: str = ""
    """Why there are no figures (`random weights`)."""
    agreement: Agreement | None = None
    """With the untransformed model on the reference runtime; of the reference itself, with another
    runtime, as nothing is checked by itself."""
    no_agreement: str = ""
    """Why there is none (`not checked against another runtime`)."""
    checks: tuple[RuntimeCheck, ...] = ()
    """How each of its backends computes the model untransformed."""
    stages: tuple[StageFacts, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    """The steps that led to them, in order."""
    contribution: Contribution | None = None
    """What the last operator of its chain added; None for a model that is untransformed."""
    exit_rates: Mapping[str, float] = attrs.field(factory=dict, converter=freeze_mapping)
    """Share of the scored samples that left at each stage with an exit, by stage number."""
    remarks: tuple[str, ...] | None = None
    """What its runtimes say of how they run its stages; None where they were not asked."""
    versions: Mapping[str, str] = attrs.field(factory=dict, converter=freeze_mapping)
    doubts: tuple[str, ...] = ()
    """Reasons to doubt the result that its blocks cannot tell, a sentence each."""
    imported: str = ""
    """How another program measured it, in words, where only that is known: no block of it says what
    differs between processes. Empty where blocks were measured as here."""
    preparing_s: float | None = None
    """Seconds in which its pipeline was prepared and compiled; few where that was in the store."""
    scoring_s: float | None = None
    """Seconds in which it was scored, its reference too where no case before had that scored."""
    stopped: str = ""
    """Which bound ended the measuring, in words."""
    beaten_by: tuple[str, ...] = ()
    """The ids of cases that are faster by more than the margin, where it was dropped for that."""
    prediction: Predicted | None = None
    """What it was predicted to take, where it was measured to verify that."""
