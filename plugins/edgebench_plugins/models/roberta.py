"""RoBERTa (Liu et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters. The size `4x512` is the one that
was published as `haisongzhang/roberta-tiny-cased`: trained as RoBERTa, but to transformers a BERT,
with BERT's cased vocabulary and numbers for the sentences of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, hookimpl
from edgebench_kit.text.encoders import BERT, LONG, ROBERTA, SHORT, Family, Size, large, small
from edgebench_kit.text.vocabularies import BYTES, ENTRIES

POSITIONS = 2
"""Positions are counted from the number of the padding on, which is 1."""

FAMILY = Family(
    name="roberta",
    kind=BYTES,
    sizes=(
        Size(
            variant=small(
                "small",
                summary="4 layers, 256 wide, for 32 tokens.",
                parameters=2_446_338,
                student="tiny",
            ),
            network=ROBERTA,
            length=SHORT,
            layers=4,
            width=256,
            heads=4,
            inner=512,
            rows=ENTRIES,
            positions=SHORT + POSITIONS,
            dropout=0.0,
            spread=0.06,
        ),
        Size(
            variant=small(
                "tiny",
                summary="2 layers, 192 wide, for 32 tokens.",
                parameters=835_202,
            ),
            network=ROBERTA,
            length=SHORT,
            layers=2,
            width=192,
            heads=4,
            inner=384,
            rows=ENTRIES,
            positions=SHORT + POSITIONS,
            dropout=0.0,
            spread=0.06,
        ),
        Size(
            variant=large(
                "4x512",
                summary="4 layers, 512 wide, for 128 tokens; made as BERT, with 28,996 words.",
                parameters=27_983_362,
            ),
            network=BERT,
            length=LONG,
            layers=4,
            width=512,
            heads=8,
            inner=2048,
            rows=28_996,
            positions=512,
        ),
        Size(
            variant=large(
                "base",
                summary="12 layers, 768 wide, for 128 tokens.",
                parameters=124_647_170,
                student="4x512",
            ),
            network=ROBERTA,
            length=LONG,
            layers=12,
            width=768,
            heads=12,
            inner=3072,
            rows=50_265,
            positions=512 + POSITIONS,
        ),
    ),
)
MODEL = FAMILY.model(
    "BERT with a vocabulary of bytes, and no numbers for the sentences of a pair.",
    Budget(epochs=2, batch=32, learning_rate=7e-4, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the encoders."""
    yield MODEL
