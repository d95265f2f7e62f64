"""Finds what a run measured under several settings of a link, and where the best changes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from edgebench_kit.reports.figures import Case

CONDITIONS = ("subject", "weights", "fabric", "scenario", "batch", "threads")
Setting = tuple[float, float]
"""The rate of a link in bits a second, and its delay in seconds."""
STRATEGY = ("chain", "placement", "backend")


@attrs.frozen
class Line:
    """A strategy under the settings of a sweep."""

    cases: tuple[Case, ...]
    """The case measured at each setting: the same at all, where it does not use the link."""

    @property
    def seconds(self) -> list[float]:
        """Its median latency at each setting."""
        return [case["latency_s"]["median"] for case in self.cases]


@attrs.frozen
class Crossing:
    """Where one strategy takes over from another as the fastest."""

    at: float
    """The setting: bits a second, or seconds of delay; between two that were measured."""
    seconds: float
    before: Line
    """The fastest at lower settings."""
    after: Line


@attrs.frozen(kw_only=True)
class Sweep:
    """The strategies of a model under several rates, or delays, of one link."""

    subject: str
    link: str
    rates: bool
    """Whether the rate varies, and not the delay."""
    fixed: float
    """The other of the two."""
    settings: tuple[float, ...]
    """Bits a second, or seconds, rising."""
    lines: tuple[Line, ...]

    def place(self, setting: float) -> float:
        """Return a setting on the scale on which latency is a straight line.

        A message of `b` bits takes `b / rate` beside what does not depend on it, and each of its
        ways the delay: latency is linear in the inverse of the rate, and in the delay.
        """
        return 1 / setting if self.rates else setting

    def write(self, setting: float) -> str:
        """Return a setting as people write it."""
        return f"{setting / 1e6:.3g} Mbit/s" if self.rates else f"{setting * 1e3:.3g} ms"


def write_network(case: Case, among: Collection[str] | None = None) -> list[str]:
    """Return each link of a case as people write it; only some, where names are given."""
    named = [("-".join(link["between"]), link) for link in case["network"]]
    return [
        f"{name} {link['rate_bit_s'] / 1e6:g} Mbit/s {link['delay_s'] * 1e3:g} ms"
        for name, link in named
        if among is None or name in among
    ]


def find_sweeps(cases: Sequence[Case]) -> Iterator[Sweep]:
    """Yield the sweeps of a run: of each model and link, and of each fixed rate or delay."""
    groups: dict[tuple[Any, ...], list[Case]] = defaultdict(list)
    for case in cases:
        if case["latency_s"] and not case["refuted"]:
            groups[tuple(str(case[one]) for one in CONDITIONS)].append(case)
    for (subject, *_), found in groups.items():
        for between in dict.fromkeys(
            tuple(link["between"]) for case in found for link in case["network"]
        ):
            yield from _sweep(subject, between, found)


def _sweep(subject: str, between: tuple[str, ...], cases: Sequence[Case]) -> Iterator[Sweep]:
    measured = list(_list_measured(cases, between))
    seen = {one for at in measured for one in at if one is not None}
    for fixed_at in (1, 0):
        for fixed in sorted({one[fixed_at] for one in seen}):
            if settings := _choose_settings(measured, fixed_at, fixed):
                yield Sweep(
                    subject=subject,
                    link="-".join(between),
                    rates=fixed_at == 1,
                    fixed=fixed,
                    settings=tuple(one[1 - fixed_at] for one in settings),
                    lines=tuple(_list_lines(measured, settings)),
                )


def _list_measured(
    cases: Sequence[Case], between: tuple[str, ...]
) -> Iterator[Mapping[Setting | None, Case]]:
    """Yield the cases of each strategy by how a link was set: by None where it does not use it.

    Where other links vary too, they stay as they are in the first case of a strategy.
    """
    by_strategy: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        by_strategy[tuple(case[one] for one in STRATEGY)].append(case)
    for found in by_strategy.values():
        others = _find_others(found[0], between)
        alike = [case for case in found if _find_others(case, between) == others]
        yield {_find_setting(case, between): case for case in reversed(alike)}


def _find_setting(case: Case, between: tuple[str, ...]) -> Setting | None:
    found = (link for link in case["network"] if tuple(link["between"]) == between)
    return next(((link["rate_bit_s"], link["delay_s"]) for link in found), None)


def _choose_settings(
    measured: Iterable[Mapping[Setting | None, Case]], fixed_at: int, fixed: float
) -> list[Setting]:
    """Return the settings, rising, at which the most was measured of strategies that have them all.

    One of the two figures of a setting, by its place, is fixed. Empty where no strategy has two.
    """
    kept = [frozenset(one for one in at if one and one[fixed_at] == fixed) for at in measured]
    several = {one for one in kept if len(one) > 1}

    def weigh(settings: frozenset[Setting]) -> tuple[int, int, list[Setting]]:
        count = sum(settings <= other for other in kept)
        return count * len(settings), len(settings), sorted(settings)

    chosen: frozenset[Setting] = max(several, key=weigh, default=frozenset())
    return sorted(chosen)


def _list_lines(
    measured: Iterable[Mapping[Setting | None, Case]], settings: Sequence[Setting]
) -> Iterator[Line]:
    """Yield the strategies that were measured at all settings, or do not use the link."""
    for at in measured:
        if None in at:
            yield Line((at[None],) * len(settings))
        elif set(settings) <= set(at):
            yield Line(tuple(at[one] for one in settings))


def _find_others(case: Case, between: tuple[str, ...]) -> list[Mapping[str, Any]]:
    return [link for link in case["network"] if tuple(link["between"]) != between]


def find_crossings(sweep: Sweep, lines: Sequence[Line]) -> Iterator[Crossing]:
    """Yield where the fastest of some lines changes, from the lowest setting to the highest.

    Between two settings that were measured, each line is taken for straight on the scale of
    `Sweep.place`; of those that cross the fastest, the first to do so takes over.
    """
    pairs = zip(sweep.settings, sweep.settings[1:], strict=False)
    for number, (low, high) in enumerate(pairs):
        ends = sweep.place(low), sweep.place(high)
        spans = [(line, line.seconds[number], line.seconds[number + 1]) for line in lines]
        best, share = min(spans, key=lambda one: (one[1], one[2])), 0.0
        while True:
            met = [(at, one) for one in spans if (at := _meet(best, one, share)) is not None]
            if not met:
                break
            share, after = min(met, key=lambda one: (one[0], one[1][2]))
            where = ends[0] + share * (ends[1] - ends[0])
            seconds = best[1] + share * (best[2] - best[1])
            at = 1 / where if sweep.rates else where
            yield Crossing(at, seconds, best[0], after[0])
            best = after


def _meet(
    best: tuple[Line, float, float], other: tuple[Line, float, float], beyond: float
) -> float | None:
    """Return at which share of a span another line falls below the best, if beyond a share."""
    gap_first, gap_last = other[1] - best[1], other[2] - best[2]
    if other is best or gap_last >= 0 or gap_first <= gap_last:
        return None
    share = gap_first / (gap_first - gap_last)
    return share if share >= beyond else None
