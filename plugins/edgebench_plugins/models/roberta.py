"""RoBERTa (Liu et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters. The size `4x512` is the one that
was published as `haisongzhang/roberta-tiny-cased`: trained as RoBERTa, but to transformers a BERT,
with BERT's cased vocabulary and numbers for the sentences of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, hookimpl
from edgebench_kit.text.encoder_models import Family, large_size, small_size
from edgebench_kit.text.encoders import BERT, ROBERTA
from edgebench_kit.text.vocabularies import BYTES

FAMILY = Family(
    name="roberta",
    kind=BYTES,
    sizes=(
        small_size("small", ROBERTA, parameters=2_446_338, student="tiny"),
        small_size("tiny", ROBERTA, parameters=835_202),
        large_size(
            "4x512",
            BERT,
            rows=28_996,
            parameters=27_983_362,
            remark="; made as BERT, with 28,996 words",
        ),
        large_size("base", ROBERTA, rows=50_265, parameters=124_647_170, student="4x512"),
    ),
)
MODEL = FAMILY.make_model(
    "BERT with a vocabulary of bytes, and no numbers for the sentences of a pair.",
    Budget(epochs=2, batch=32, learning_rate=7e-4, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the encoders."""
    yield MODEL
