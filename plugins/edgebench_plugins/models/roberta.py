"""RoBERTa (Liu et al., 2019) as a classifier of a sentence or a pair: transformers' own network.

Its checkpoints fit, and have the published numbers of parameters. The size `4x512` is the one that
was published as `haisongzhang/roberta-tiny-cased`: trained as RoBERTa, but to transformers a BERT,
with BERT's cased vocabulary and numbers for the sentences of a pair.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.text.encoder_models import Family, describe_large_size, describe_small_size
from edgebench_kit.text.encoders import BERT, ROBERTA
from edgebench_kit.text.kinds import BYTES

FAMILY = Family(
    name="roberta",
    kind=BYTES,
    sizes=(
        describe_small_size(Variant(name="small", parameters=2_446_338, student="tiny"), ROBERTA),
        describe_small_size(Variant(name="tiny", parameters=835_202), ROBERTA),
        describe_large_size(
            Variant(name="4x512", parameters=27_983_362),
            BERT,
            rows=28_996,
            remark="; made as BERT, with 28,996 words",
        ),
        describe_large_size(
            Variant(name="base", parameters=124_647_170, student="4x512"), ROBERTA, rows=50_265
        ),
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
