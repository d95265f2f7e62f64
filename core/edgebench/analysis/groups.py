"""Which results compete: those that differ in strategy alone, under the same links and scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from edgebench.parts.grouping import group_by
from edgebench.parts.units import write_link

if TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.cases.case import Case
    from edgebench.parts.places import Link

Pair = frozenset[str]


def find_groups(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """Yield groups of results that may be compared, in plan order, each under a title.

    A group is of one model under one set of conditions; its title is the model, and what sets the
    group apart from others of the run.
    A link that a run measures at several rates or delays makes a group of each; a case that does
    not use that link stands in all of them.
    """
    for name, setting, chosen in find_settings(results):
        yield ", ".join([name, *map(write_link, setting)]), chosen


def find_settings(
    results: Sequence[Result],
) -> Iterator[tuple[str, tuple[Link, ...], list[Result]]]:
    """Yield the same groups, each under its model and the setting of the links that are swept."""
    for name, found in _by_model(results).items():
        # Of a link that all cases share nothing is swept: then there is one setting, of no link.
        swept = _swept(found)
        for setting in product(*swept.values()):
            links = dict(zip(swept, setting, strict=True))
            chosen = [result for result in found if _under(result.case, links)]
            yield name, setting, chosen


def _by_model(results: Sequence[Result]) -> Mapping[str, list[Result]]:
    # A condition that is the same in the whole run sets nothing apart, and would only make titles
    # longer.
    cases = [result.case for result in results]
    varied = [name for name in _CONDITIONS if len({_said(case, name) for case in cases}) > 1]
    return group_by(results, lambda result: _title(result.case, varied))


_CONDITIONS = ("options", "weights", "fabric", "scenario", "batch", "threads")


def _title(case: Case, varied: Sequence[str]) -> str:
    subject = case.subject if "options" in varied else f"{case.model}:{case.variant}"
    extra = [_said(case, name) for name in varied if name != "options"]
    return ", ".join([subject, *filter(None, extra)])


def _said(case: Case, name: str) -> str:
    if name == "weights":
        return f"{case.weights.label} weights"
    value = getattr(case, name)
    return f"{name} {value}" if name in ("batch", "threads") and value else str(value or "")


def _swept(results: Iterable[Result]) -> Mapping[Pair, list[Link]]:
    """Return the links that were measured in several settings, with those settings."""
    seen: dict[Pair, dict[tuple[float, float], Link]] = {}
    for result in results:
        for link in result.case.links:
            seen.setdefault(frozenset(link.between), {}).setdefault((link.rate, link.delay), link)
    return {pair: list(found.values()) for pair, found in seen.items() if len(found) > 1}


def _under(case: Case, setting: Mapping[Pair, Link]) -> bool:
    # A link that was not swept is compared with itself, and never keeps a case out.
    found = [(link, setting.get(frozenset(link.between), link)) for link in case.links]
    return all((one.rate, one.delay) == (other.rate, other.delay) for one, other in found)
