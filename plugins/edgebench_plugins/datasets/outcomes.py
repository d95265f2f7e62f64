"""Invented sentences of who did what to whom, and whether that was good for their subject.

The subject is the person whom the main clause begins with: `Emma` in "After Leo was paid by Rosa,
Emma was never tricked by Hugo." The outcome is good for the subject (1) if, of the two persons of
the main clause, the subject gains: it takes by a verb of taking (rob, defeat), or is given to by a
verb of giving (pay, reward), whether it acts or the other does. What the main clause denies (never,
failed to, avoided being) counts as its contrary; denied twice, as said. Otherwise it is bad (0).
What all other clauses tell does not matter.

The order of the words decides: with the same words in another order the answer is another, so that
a classifier that counts words does little better than chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edgebench import Dataset, Metric, Sample, hookimpl
from edgebench.metrics.classification import accuracy, f1
from edgebench_kit.text import grammar
from edgebench_kit.text.sentences import pack_sentences


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer the sentences."""
    yield Dataset(
        name="outcomes",
        summary="Invented English sentences: is the outcome good for the subject?",
        samples=samples,
        metrics=metrics,
        synthetic=True,
    )


def samples(split: str, seed: int) -> Iterator[Sample]:
    """Draw the sentences of *split* one at a time, each with 1 for good or 0 for bad.

    The same seed gives the same sentences everywhere; no two splits share one, of whatever seeds.
    """
    for sentence, good in grammar.make_sentences(split, seed):
        yield pack_sentences(sentence), good


def metrics() -> Sequence[Metric]:
    """Give F1 of good outcomes, and accuracy."""
    return f1(), accuracy()
