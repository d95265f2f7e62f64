"""Samples of which a model leaves something out."""

from __future__ import annotations

from itertools import islice

from edgebench.parts.subjects import Model
from edgebench.store.splits import Payloads

LOOKED_AT = 200
"""Samples: enough to see whether it is a rule or an exception."""


def describe_shortened(samples: Payloads, model: Model, variant: str) -> str:
    """Say in one sentence how many samples the model shortens; empty if none of those looked at."""
    if model.shortens is None:
        return ""
    looked = [
        model.shortens(model.decode(payload, variant), variant)
        for payload, _ in islice(samples, LOOKED_AT)
    ]
    if not any(looked):
        return ""
    first = "the first " if len(looked) < len(samples) else ""
    which = f"{sum(looked)} of {first}{len(looked)}"
    return f"{which} samples are longer than {model.name}:{variant} takes and were shortened"
