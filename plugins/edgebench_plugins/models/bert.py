"""BERT (Devlin et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, hookimpl
from edgebench_kit.text.encoders import BERT, LONG, SHORT, Family, Size, large, small
from edgebench_kit.text.vocabularies import ENTRIES, WORDPIECE

FAMILY = Family(
    name="bert",
    kind=WORDPIECE,
    sizes=(
        Size(
            variant=small(
                "small",
                summary="4 layers, 256 wide, for 32 tokens.",
                parameters=2_446_082,
                student="tiny",
            ),
            network=BERT,
            length=SHORT,
            layers=4,
            width=256,
            heads=4,
            inner=512,
            rows=ENTRIES,
            positions=SHORT,
            dropout=0.0,
            spread=0.06,
        ),
        Size(
            variant=small(
                "tiny",
                summary="2 layers, 192 wide, for 32 tokens.",
                parameters=835_010,
            ),
            network=BERT,
            length=SHORT,
            layers=2,
            width=192,
            heads=4,
            inner=384,
            rows=ENTRIES,
            positions=SHORT,
            dropout=0.0,
            spread=0.06,
        ),
        Size(
            variant=large(
                "4x512",
                summary="4 layers, 512 wide, for 128 tokens.",
                parameters=28_764_674,
            ),
            network=BERT,
            length=LONG,
            layers=4,
            width=512,
            heads=8,
            inner=2048,
            rows=30_522,
            positions=512,
        ),
        Size(
            variant=large(
                "base",
                summary="12 layers, 768 wide, for 128 tokens.",
                parameters=109_483_778,
                student="4x512",
            ),
            network=BERT,
            length=LONG,
            layers=12,
            width=768,
            heads=12,
            inner=3072,
            rows=30_522,
            positions=512,
        ),
    ),
)
MODEL = FAMILY.model(
    "Encoder of text, the words on both sides of each seen at once.",
    Budget(epochs=2, batch=32, learning_rate=7e-4, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the encoders."""
    yield MODEL
