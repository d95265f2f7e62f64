"""Figures of merit of models that give each word of a text a class.

Predictions are class numbers, integers of shape (tokens,); answers integers of shape (2, words):
the token that answers for each word, -1 where none does, and the word's class. Where fewer words
are in a text than in others, its answer is filled up with the class `FILLER`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgebench.parts.datasets import Metric
from edgebench.parts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FILLER = -100
"""The class of what is no word."""
OUTSIDE = "O"
"""The class of words that are in no entity."""


def word_accuracy() -> Metric:
    """Give the share of words whose class is the answer, over all texts together.

    A word that no token answers for, as one that was cut off, is wrong. The counts are the words
    that are right, and all words.
    """

    def count(prediction: Any, answer: Any) -> tuple[float, float]:
        said, true = _pair_words(prediction, answer)
        return float((said == true).sum()), float(len(true))

    def value(sums: NDArray[Any]) -> float:
        return float(sums[0] / sums[1]) if sums[1] else 0.0

    def wrong(counts: Sequence[float]) -> tuple[float, float]:
        return 0.0, counts[1]

    return Metric(name="word-accuracy", count=count, value=value, wrong=wrong)


def is_iob2(names: Sequence[str]) -> bool:
    """Say whether classes are `O`, and `B-...` and `I-...` of the same entities."""
    kinds = {side: {name[2:] for name in names if name.startswith(side)} for side in ("B-", "I-")}
    rest = [name for name in names if name[:2] not in kinds]
    return rest == [OUTSIDE] and bool(kinds["B-"]) and kinds["I-"] <= kinds["B-"]


def entity_f1(names: Sequence[str]) -> Metric:
    """Give F1 of the entities of classes in IOB2, 2 TP / (2 TP + FP + FN), named `entity-f1`.

    An entity is a word of `B-x` and the words of `I-x` that follow at once; an `I-x` that follows
    nothing of its kind is none. One is found if first word, last word and kind are right (Tjong Kim
    Sang and De Meulder, 2003). The counts are entities found, said wrongly, and missed, added over
    all texts; without any it is 0.
    """

    def count(prediction: Any, answer: Any) -> tuple[float, float, float]:
        said, true = (_list_entities(one, names) for one in _pair_words(prediction, answer))
        found = len(said & true)
        return float(found), float(len(said) - found), float(len(true) - found)

    def value(sums: NDArray[Any]) -> float:
        found, false, missed = (float(one) for one in sums)
        of = 2 * found + false + missed
        return 2 * found / of if of else 0.0

    def wrong(counts: Sequence[float]) -> tuple[float, float, float]:
        found, false, missed = counts
        return 0.0, false, found + missed

    return Metric(name="entity-f1", count=count, value=value, wrong=wrong)


def _pair_words(prediction: Any, answer: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the class that was said of each word, -1 where none was, and the one it has."""
    import numpy as np

    given, (places, true) = np.asarray(prediction), np.asarray(answer)
    if given.ndim != 1 or given.dtype.kind not in "iu" or places.max(initial=-1) >= len(given):
        raise DataError(
            "a prediction must be class numbers of an integer type and shape (tokens,), not "
            f"{given.dtype} of shape {given.shape}"
        )
    counted = true != FILLER
    places, true = places[counted], true[counted]
    return np.where(places < 0, -1, given[places]), true


def _list_entities(words: NDArray[Any], names: Sequence[str]) -> set[tuple[int, int, str]]:
    """Return the entities among words by their class numbers: first word, last word, kind."""
    found: list[tuple[int, int, str]] = []
    open_ = False
    for place, number in enumerate(words.tolist()):
        side, _, kind = (names[number] if number >= 0 else OUTSIDE).partition("-")
        if side == "B":
            found.append((place, place, kind))
        elif open_ and side == "I" and kind == found[-1][2]:
            found[-1] = (found[-1][0], place, kind)
        open_ = side == "B" or (open_ and side == "I" and found[-1][1] == place)
    return set(found)
