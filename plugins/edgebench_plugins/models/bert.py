"""BERT (Devlin et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, hookimpl
from edgebench_kit.text.encoder_models import Family, large_size, small_size
from edgebench_kit.text.encoders import BERT
from edgebench_kit.text.vocabularies import WORDPIECE

WORDS = 30_522
FAMILY = Family(
    name="bert",
    kind=WORDPIECE,
    sizes=(
        small_size("small", BERT, parameters=2_446_082, student="tiny"),
        small_size("tiny", BERT, parameters=835_010),
        large_size("4x512", BERT, rows=WORDS, parameters=28_764_674),
        large_size("base", BERT, rows=WORDS, parameters=109_483_778, student="4x512"),
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
