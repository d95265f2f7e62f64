"""What `list` says of a part beside its name, as JSON."""

from __future__ import annotations

from typing import Any

from edgebench.parts.datasets import Dataset
from edgebench.parts.part import Part
from edgebench.parts.subjects import Model, Variant


def describe_part(part: Part) -> dict[str, Any]:
    """Return what `list` says of a part: its summary, and what its kind has."""
    item: dict[str, Any] = {"summary": part.summary}
    if isinstance(part, Model):
        item["variants"] = [_describe_variant(part, one) for one in part.variants]
    if isinstance(part, Dataset):
        item |= {"synthetic": part.synthetic, "given": part.samples is None}
    return item


def describe_size(model: Model, variant: Variant) -> dict[str, Any]:
    """Return how large a variant of a model is, with what weights, and on what it is measured."""
    return {
        "parameters": variant.parameters,
        "weights": list(variant.weights),
        "dataset": model.dataset_of(variant.name) or None,
    }


def _describe_variant(model: Model, variant: Variant) -> dict[str, Any]:
    said = {"name": variant.name, "summary": variant.summary or model.summary}
    return said | describe_size(model, variant)
