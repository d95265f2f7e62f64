"""The cases of a run that a chain is held against: those of its beginnings, like it in all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from edgebench.cases.case import Case
from edgebench.parts.places import Placement

UNTRANSFORMED = str(attrs.fields(Case).chain.default)
"""The chain of a case to whose model nothing is done."""


def list_like(case: Case, chain: str, cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the cases of a chain whose scores compare with a case's: the one placed alike first.

    They have its model and its inputs, and run on its backend. Where its tiers have several, none
    of another placement has the same.
    """
    # What is another at a glance is most of a large run.
    found = [one for one in cases if one.chain == chain and _name(one) == _name(case)]
    like = attrs.evolve(case, chain=chain)
    yield from (one for one in found if one == like)
    own = set(case.backends)
    for one in found:
        if len(own) == 1 and set(one.backends) == own and one != like and one == _move(like, one):
            yield one


def _name(case: Case) -> tuple[str, str]:
    return case.model, case.variant


def say_unscored(
    case: Case, chain: str, pieces: int, reasons: Sequence[tuple[Case, str]] = ()
) -> str:
    """Say why nothing is known of a chain that a case begins with, and what would tell.

    Args:
        case: One that is longer.
        chain: The beginning.
        pieces: Into how many pieces that is divided.
        reasons: The cases of the run that are like it, each with why it was not measured.
    """
    said = next((why for _, why in reasons if why), "")
    known = any(len(one.placement.tiers) == pieces for one, _ in reasons)
    place = "" if known else _name_place(case, pieces)
    if said:
        return f"{chain!r} was not scored in this run: {said}" + f"; add{place}" * bool(place)
    if len(set(case.backends)) > 1 and pieces < len(case.placement.tiers):
        return f"not scored in this run: {case.placement} has several backends, {chain!r} needs one"
    return f"not scored in this run: add --operator {chain!r}{place}"


def _name_place(case: Case, pieces: int) -> str:
    """Return the option that places so many pieces, where a case's own tiers are more."""
    tiers = case.placement.tiers
    alike = pieces < len(tiers) and len(set(case.backends)) == 1
    return f" --placement {Placement(tiers[:pieces])}" if alike else ""


def _move(case: Case, other: Case) -> Case:
    """Return a case as it would be where another runs, and with its requests."""
    names = ("placement", "backends", "links", "route", "batch", "threads")
    return attrs.evolve(case, **{name: getattr(other, name) for name in names})
