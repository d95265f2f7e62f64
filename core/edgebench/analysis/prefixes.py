"""The cases of a run that a chain is held against: those of its beginnings, like it in all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from edgebench.cases.case import Case

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


def say_unscored(chain: str, reason: str) -> str:
    """Say why nothing is known of a chain, by the reason of a case of it if there is one."""
    if reason:
        return f"{chain!r} was not scored in this run: {reason}"
    return f"not scored in this run: add --operator {chain!r}"


def _move(case: Case, other: Case) -> Case:
    """Return a case as it would be where another runs, and with its requests."""
    names = ("placement", "backends", "links", "route", "batch", "threads")
    return attrs.evolve(case, **{name: getattr(other, name) for name in names})
