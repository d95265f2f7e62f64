"""What studies concluded, as rows of the registry, and what the data at hand says of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.analysis.accuracy import judge_loss
from edgebench.analysis.agreement import is_refuted
from edgebench.analysis.group_tests import NONE, Versus, compare_all, write_ms
from edgebench.analysis.groups import find_groups
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.analysis.questions import write_change
from edgebench.parts.grouping import group_by
from edgebench.toml.tables import Table

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.verdicts import Verdicts
    from edgebench.catalogue.registry import Registry

AGREES, DISAGREES, OPEN = "agrees", "disagrees", "cannot decide"
"""What the data says of a conclusion."""
FASTER, MORE_ACCURATE = "faster", "more accurate"
KEEPS, LOSES = "keeps accuracy", "loses accuracy"
RELATIONS = (FASTER, MORE_ACCURATE, KEEPS, LOSES)
"""What a conclusion says of its strategies: against every other one, or, of accuracy that is kept
or lost, against the untransformed model."""
_PLURAL = {AGREES: "agree", DISAGREES: "disagree", OPEN: "cannot decide"}
SAME = "="
"""In another strategy, the chain of the first."""


def _is_relation(_: object, __: object, value: str) -> None:
    if value not in RELATIONS:
        raise ValueError(f"must be one of {', '.join(RELATIONS)}, not {value!r}")


def _are_strategies(_: object, __: object, values: Sequence[str]) -> None:
    for value in values:
        if not re.fullmatch(r"\S+ on \S+", value):
            raise ValueError(f"a strategy is written `CHAIN on PLACEMENT`, not {value!r}")


@attrs.frozen(kw_only=True)
class Conclusion:
    """One conclusion of a study, in a form that data can be held against."""

    name: str
    study: str
    """The study that drew it, in a word."""
    source: str
    """Where it stands."""
    words: str
    """What it says."""
    models: tuple[str, ...]
    """Patterns of `model:variant`."""
    relation: str = attrs.field(validator=_is_relation)
    strategies: tuple[str, ...] = attrs.field(validator=_are_strategies)
    """Patterns, `CHAIN on PLACEMENT`."""
    others: tuple[str, ...] = attrs.field(default=(), validator=_are_strategies)
    """Those that each of them is held against; `=` stands for the same chain."""


def read_conclusions(registry: Registry) -> tuple[Conclusion, ...]:
    """Read the rows `[conclusions.NAME]` of all files of a registry, a later row for an earlier.

    Raises:
        RegistryError: One is malformed, with its file, line and key.
    """
    found: dict[str, Conclusion] = {}
    for path in registry.paths:
        table = Table.parse(path).table("conclusions")
        for name in table.values:
            found[name] = table.table(name).row(Conclusion, name=name)
    return tuple(found.values())


@attrs.frozen(kw_only=True)
class Finding:
    """What the data of one model says of a conclusion."""

    subject: str
    verdict: str
    """`AGREES`, `DISAGREES` or `OPEN`."""
    words: str
    """On what grounds."""


@attrs.frozen(kw_only=True)
class Held:
    """A conclusion, held against data."""

    conclusion: Conclusion
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """What all findings say: one that disagrees is enough; agreeing takes one that decides."""
        verdicts = {one.verdict for one in self.findings}
        return next((one for one in (DISAGREES, AGREES) if one in verdicts), OPEN)

    @property
    def summary(self) -> str:
        """The verdict, and in how many of the models."""
        if not self.findings:
            models = ", ".join(self.conclusion.models)
            return f"{OPEN}: no strategy of {models} was measured"
        counts = Counter(one.verdict for one in self.findings)
        total = f"{counts.pop(self.verdict)} of {len(self.findings)}"
        rest = "".join(f", {count} {_PLURAL[verdict]}" for verdict, count in counts.items())
        return f"{self.verdict} in {total}{rest}"


def hold_all(
    conclusions: Sequence[Conclusion], results: Sequence[Result], verdicts: Verdicts
) -> tuple[Held, ...]:
    """Hold conclusions against measured results, model by model and backend by backend."""
    measured = [one for one in results if one.latency and not is_refuted(one.facts)]
    groups = [
        (f"{subject} with {backend}" if several else subject, alike)
        for subject, group in find_groups(measured)
        for several in [len({one.case.backend for one in group}) > 1]
        for backend, alike in group_by(group, lambda one: one.case.backend).items()
    ]
    return tuple(
        Held(
            conclusion=one,
            findings=tuple(
                _hold(one, subject, group, verdicts)
                for subject, group in groups
                if _is_about(one, group[0])
            ),
        )
        for one in conclusions
    )


def _is_about(conclusion: Conclusion, result: Result) -> bool:
    name = f"{result.case.model}:{result.case.variant}"
    return any(fnmatchcase(name, pattern) for pattern in conclusion.models)


def _hold(
    conclusion: Conclusion, subject: str, group: Sequence[Result], verdicts: Verdicts
) -> Finding:
    found = list(_hold_each(conclusion, group, verdicts))
    verdict = next(
        (v for v in (DISAGREES, OPEN, AGREES) if any(v == one for one, _ in found)), OPEN
    )
    # What speaks against it is what a reader wants to see; else all that was found.
    words = [said for one, said in found if one == verdict] or ["nothing to hold it against"]
    return Finding(subject=subject, verdict=verdict, words="; ".join(dict.fromkeys(words)))


Said = tuple[str, str]
"""A verdict, and on what grounds."""


def _hold_each(
    conclusion: Conclusion, group: Sequence[Result], verdicts: Verdicts
) -> Iterator[Said]:
    for pattern in conclusion.strategies:
        chosen = _match(pattern, group)
        if not chosen:
            yield OPEN, f"{pattern} was not measured"
        if conclusion.relation in (KEEPS, LOSES):
            # Accuracy does not depend on the placement: the first tells.
            yield from (_hold_loss(conclusion, one) for one in chosen[:1])
            continue
        for one in chosen:
            others, missing = _find_others(conclusion, one, group)
            # A pattern is of what was measured; what is named by itself is missed.
            named = "*" not in pattern
            yield from ((OPEN, f"{each} was not measured") for each in missing if named)
            if not others:
                continue
            if conclusion.relation == MORE_ACCURATE:
                yield from (_compare_losses(one, other) for other in others)
            else:
                yield from _compare_latencies(one, others, verdicts)


def _match(pattern: str, group: Sequence[Result]) -> list[Result]:
    chain, _, placement = pattern.rpartition(" on ")
    return [
        one
        for one in group
        if fnmatchcase(one.case.chain, chain) and fnmatchcase(str(one.case.placement), placement)
    ]


def _find_others(
    conclusion: Conclusion, one: Result, group: Sequence[Result]
) -> tuple[list[Result], list[str]]:
    """Return the strategies that one is held against, and those that are not there."""
    chain = one.case.chain
    # What is done to a model that nothing was done to is a chain of its own.
    beginning = "" if chain == UNTRANSFORMED else f"{chain}+"
    wanted = [
        pattern.replace(f"{SAME}+", beginning).replace(f"{SAME} ", f"{chain} ")
        for pattern in conclusion.others
    ]
    found = {pattern: [r for r in _match(pattern, group) if r is not one] for pattern in wanted}
    others = {r.case.id: r for matched in found.values() for r in matched}
    return list(others.values()), [pattern for pattern in wanted if not found[pattern]]


# --- latency -------------------------------------------------------------------------------------


def _compare_latencies(one: Result, others: Sequence[Result], verdicts: Verdicts) -> Iterator[Said]:
    test = compare_all([one, *others], verdicts)
    if test.mode == NONE:
        yield OPEN, f"{_name(one)}: {test.why_not}"
    stands = [found for other in others if (found := test.find(one, other))]
    for verdict, alike in group_by(stands, lambda found: found.verdict).items():
        said = {"faster": AGREES, "undecided": OPEN}.get(verdict, DISAGREES)
        yield said, f"{_name(one)} ({write_ms(one.median)}) is {_say_stand(verdict, alike)}"


def _name(result: Result) -> str:
    return f"{result.case.chain} on {result.case.placement}"


def _say_stand(verdict: str, alike: Sequence[Versus]) -> str:
    words = {"equal": "equal to", "undecided": "not told from"}.get(verdict, f"{verdict} than")
    names = [
        f"{_name(found.second)} ({write_ms(found.second.median)}, {found.ratio:.3g} times"
        + (f", delta {found.tested.delta:+.2f})" if found.tested else ", dropped early)")
        for found in alike
    ]
    return f"{words} {', '.join(names)}"


# --- accuracy ------------------------------------------------------------------------------------


def _hold_loss(conclusion: Conclusion, result: Result) -> Said:
    figure = result.figure
    if figure is None or figure.loss is None:
        return OPEN, _say_unknown(result)
    holds: dict[str, Any] = {KEEPS: "shown", LOSES: "lost"}
    verdict = judge_loss(figure)
    if verdict not in holds.values():
        said = OPEN
    else:
        said = AGREES if verdict == holds[conclusion.relation] else DISAGREES
    return said, f"{result.case.chain}: {write_change(result)}"


def _say_unknown(result: Result) -> str:
    return f"accuracy of {result.case.chain}: n/a ({result.facts.no_accuracy or 'not scored'})"


def _compare_losses(one: Result, other: Result) -> Said:
    """Compare by whether the 95 % intervals of the two losses lie apart."""
    ends = [each.figure.loss_ci95 if each.figure else None for each in (one, other)]
    if ends[0] is None or ends[1] is None:
        return OPEN, _say_unknown(one if ends[0] is None else other)
    said = f"{one.case.chain} {write_change(one)}, {other.case.chain} {write_change(other)}"
    if ends[0][1] < ends[1][0]:
        return AGREES, said
    return (DISAGREES if ends[1][1] < ends[0][0] else OPEN), said
