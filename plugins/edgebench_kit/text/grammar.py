"""A grammar of who did what to whom, and the sentences it makes with their answers.

A dataset of outcomes shows these sentences, and the text models' own tokenizers are trained on
them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

import attrs

SPLITS = {"training": 6000, "calibration": 128, "validation": 300, "test": 1200}
"""Sentences of each split, half of them good for their subject."""

PEOPLE = (
    *("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas"),
    *("Karen", "Leo", "Maria", "Noah", "Olga", "Peter", "Rosa", "Simon", "Tara", "Viktor"),
)
TAKING = (
    ("betray", "betrayed"),
    ("blackmail", "blackmailed"),
    ("cheat", "cheated"),
    ("deceive", "deceived"),
    ("defeat", "defeated"),
    ("exploit", "exploited"),
    ("outwit", "outwitted"),
    ("rob", "robbed"),
    ("swindle", "swindled"),
    ("trick", "tricked"),
)
"""Verbs by which whoever acts gains at the other's expense: as in `to rob`, and as in `robbed`."""
GIVING = (
    ("compensate", "compensated"),
    ("finance", "financed"),
    ("obey", "obeyed"),
    ("pay", "paid"),
    ("reimburse", "reimbursed"),
    ("repay", "repaid"),
    ("reward", "rewarded"),
    ("serve", "served"),
    ("sponsor", "sponsored"),
    ("tip", "tipped"),
)
"""Verbs by which whoever acts gives, and the other gains."""
PHRASES = {
    (True, "said"): ("{past}", "{past}", "managed to {base}"),
    (True, "denied"): ("did not {base}", "never {past}", "failed to {base}"),
    (True, "denied twice"): ("did not fail to {base}",),
    (False, "said"): ("was {past} by", "was {past} by", "got {past} by"),
    (False, "denied"): ("was not {past} by", "was never {past} by", "avoided being {past} by"),
    (False, "denied twice"): ("did not avoid being {past} by",),
}
"""What is said of a subject, by whether it acts and how often that is denied."""
ASIDES = (
    "who had {past} {other}",
    "who had not {past} {other}",
    "who had been {past} by {other}",
    "whom {other} had {past}",
    "whom {other} had never {past}",
)
LATE = ("", "", "of the other", "behind")
EARLY = ("of the subject", "before")
"""Where else something is told that does not matter: seldom before the main verb, since networks
that are trained from nothing soon read it where it mostly stands, and long nowhere else."""
LINKS = ("after", "although", "because", "before", "while")
TIMES = ("in spring", "last week", "on Friday", "that evening", "years ago")
PLACES = ("abroad", "at the market", "at work", "in Oslo", "in court")

T = TypeVar("T")


@attrs.frozen
class Event:
    """What is said of a subject and another person."""

    subject: str
    other: str
    verb: tuple[str, str]
    takes: bool
    """Whether whoever acts gains."""
    acts: bool
    """Whether the subject acts, rather than being acted on."""
    phrase: str
    denied: bool
    """Whether the sentence says that it did not happen."""

    @property
    def good(self) -> bool:
        """Whether the subject gains; what did not happen does the contrary."""
        return (self.takes == self.acts) != self.denied

    @property
    def said(self) -> str:
        """Its predicate: all that follows the subject, less the other person."""
        base, past = self.verb
        return self.phrase.format(base=base, past=past)


class Speaker:
    """Draws sentences from the raw bits of a generator, which no version of Python changes."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # sentences are no secret

    def choose(self, choices: Sequence[T]) -> T:
        """Draw one of *choices*, each as likely as the others to one part in a million."""
        return choices[self._random.getrandbits(32) % len(choices)]

    def decide(self, percent: int) -> bool:
        """Draw whether something is so that is so in *percent* of all cases."""
        return self._random.getrandbits(32) % 100 < percent

    def draw_event(self, people: Sequence[str]) -> Event:
        """Draw what happened between two of *people*."""
        subject = self.choose(people)
        other = self.choose([name for name in people if name != subject])
        takes, acts = self.decide(50), self.decide(50)
        manner = "said" if self.decide(50) else "denied" if self.decide(85) else "denied twice"
        phrase = self.choose(PHRASES[acts, manner])
        verb = self.choose(TAKING if takes else GIVING)
        return Event(subject, other, verb, takes, acts, phrase, manner == "denied")

    def draw_sentence(self) -> tuple[str, bool]:
        """Draw a sentence, and whether its outcome is good for its subject."""
        people = [self.choose(PEOPLE[number::4]) for number in range(4)]
        event = self.draw_event(people)
        subject, other = event.subject, event.other
        distractor = self.choose(EARLY if self.decide(6) else LATE)
        if distractor == "of the subject":
            subject = f"{subject}, {self.draw_aside(subject, people)},"
        if distractor == "of the other":
            other = f"{other}, {self.draw_aside(other, people)}"
        words = f"{subject} {event.said} {other}"
        if self.decide(35):
            words += f" {self.choose(TIMES if self.decide(50) else PLACES)}"
        if distractor in ("before", "behind"):
            second = self.draw_event(people)
            clause = f"{self.choose(LINKS)} {second.subject} {second.said} {second.other}"
            words = f"{clause}, {words}" if distractor == "before" else f"{words} {clause}"
        return words[0].upper() + words[1:] + ".", event.good

    def draw_aside(self, name: str, people: Sequence[str]) -> str:
        """Draw a relative clause: something else that befell a person."""
        other = self.choose([one for one in people if one != name])
        _, past = self.choose(TAKING if self.decide(50) else GIVING)
        return self.choose(ASIDES).format(past=past, other=other)


def make_sentences(split: str, seed: int) -> Iterator[tuple[str, int]]:
    """Yield the sentences of *split* with their answers, 1 for good and 0 for bad.

    To which split a sentence belongs its digest decides, whatever the seed, so no two can share
    one; none comes twice.
    """
    speaker, seen = Speaker(seed), set()
    left = {good: SPLITS.get(split, 0) // 2 for good in (False, True)}
    while any(left.values()):
        text, good = speaker.draw_sentence()
        if left[good] and text not in seen and _choose_split(text) == split:
            seen.add(text)
            left[good] -= 1
            yield text, int(good)


def _choose_split(text: str) -> str:
    bounds = list(accumulate(SPLITS.values()))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return list(SPLITS)[bisect_right(bounds, number % bounds[-1])]
