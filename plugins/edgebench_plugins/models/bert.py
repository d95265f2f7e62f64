"""BERT (Devlin et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.text.encoder_models import Family, describe_large_size, describe_small_size
from edgebench_kit.text.encoders import BERT
from edgebench_kit.text.kinds import WORDPIECE

WORDS = 30_522
FAMILY = Family(
    name="bert",
    kind=WORDPIECE,
    sizes=(
        describe_small_size(Variant(name="small", parameters=2_446_082, student="tiny"), BERT),
        describe_small_size(Variant(name="tiny", parameters=835_010), BERT),
        describe_large_size(Variant(name="4x512", parameters=28_764_674), BERT, rows=WORDS),
        describe_large_size(
            Variant(name="base", parameters=109_483_778, student="4x512"), BERT, rows=WORDS
        ),
    ),
)
MODEL = FAMILY.make_model(
    "Encoder of text, the words on both sides of each seen at once.",
    Budget(epochs=2, batch=32, learning_rate=7e-4, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the encoders."""
    yield MODEL
