"""The plan of a run: its cases in order, and what was left out and why."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import product

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.chain import parse_named
from edgebench.cases.expand import (
    Subject,
    expand_backends,
    expand_chains,
    expand_subjects,
    is_pattern,
    match_names,
)
from edgebench.cases.inputs import check_data, check_used, choose_data, forget_data
from edgebench.cases.operations import Chains
from edgebench.cases.reasons import Reasons
from edgebench.cases.routes import check_links_used, find_route, list_placements, parse_placement
from edgebench.cases.study import Study
from edgebench.cases.usable import Ask
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import overlay_links
from edgebench.catalogue.rows import Product, Skip
from edgebench.parts.digest import digest
from edgebench.parts.errors import ChainError, OptionError, UnknownName
from edgebench.parts.grouping import group_by
from edgebench.parts.places import Backend, Fabric, Link, Placement, Tier

SCENARIOS = ("single-stream",)
"""How requests may be offered; a hook of its own when there is a second."""

Backends = Mapping[str, BackendChoice] | BackendChoice
"""One for each tier that is named, or one for all tiers."""


@attrs.frozen(kw_only=True)
class Skipped:
    """A case that will not be measured, with the reason."""

    case: Case
    reason: str


@attrs.frozen(kw_only=True)
class Plan:
    """What a run will do."""

    study: Study
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...]
    references: Mapping[str, Case]
    """By the id of each case, its model untransformed on the nearest backend, to compare with."""
    chains: Chains = attrs.field(eq=False, repr=False)
    """What read the chains of the cases, so that a run need not read them again."""
    peers: Mapping[str, Sequence[Case]] = attrs.field(factory=dict)
    """By the id of each reference, the same on other backends that read the model as it is."""
    understood: tuple[str, ...] = ()
    """What was understood of the data that the user gave, in lines for people."""

    @property
    def digest(self) -> str:
        """What a resumed run must have in common with the one it resumes."""
        ids = [case.id for case in self.cases]
        study, suite = self.study, self.study.suite
        how = [suite.accuracy_margin, study.bounded, study.seed, study.score_limit]
        more = [suite.until, suite.max_blocks, study.precision, study.copies]
        more += ["quick"] * study.quick
        return digest([ids, suite.blocks, suite.requests, *how, *more])


def make_plan(study: Study, plugins: Plugins, ask: Ask) -> Plan:
    """Expand a study into cases, and find which of them cannot be.

    Args:
        study: What is to be measured.
        plugins: What the cases are made of; their registry has the links and the hybrids.
        ask: How backends are asked whether they are usable.

    Raises:
        EdgebenchError: Something written in the study is unknown or malformed.
    """
    forget_data()
    check_data(study.data, plugins)
    chains = Chains(plugins)
    with Reasons.open(plugins, chains, ask) as reasons:
        found = list(_explain(_Expansion(study, plugins, chains).cases(), study, reasons))
        # By id: what two products or two patterns name alike is measured once.
        cases = {case.id: case for case, why in found if not why}
        skipped = {case.id: Skipped(case=case, reason=why) for case, why in found if why}
        every = [*cases.values(), *(one.case for one in skipped.values())]
        check_used(study, every, plugins)
        check_links_used(study.sweep, every)
        return _compose(study, cases.values(), skipped.values(), reasons)


def plan_again(study: Study, cases: Sequence[Case], plugins: Plugins, ask: Ask) -> Plan:
    """Plan cases as they are, with what they are compared with; *study* says how."""
    forget_data()
    with Reasons.open(plugins, Chains(plugins), ask) as reasons:
        reasons.ask_backends(cases)
        return _compose(study, cases, [], reasons)


def _compose(
    study: Study, cases: Iterable[Case], skipped: Iterable[Skipped], reasons: Reasons
) -> Plan:
    references, peers = reasons.find_compared(cases)
    return Plan(
        study=study,
        cases=tuple(cases),
        skipped=tuple(skipped),
        references=references,
        peers=peers,
        understood=reasons.list_understood(),
        chains=reasons.chains,
    )


def _explain(
    expanded: Iterable[tuple[Case, str]], study: Study, reasons: Reasons
) -> Iterator[tuple[Case, str]]:
    """Yield every case with the reason why it cannot be, empty if it can."""
    found = [
        (case, _leave_out(case, study.suite.skips) or unlinked or reasons.why_impossible(case))
        for case, unlinked in expanded
    ]
    # A backend takes seconds to answer, so all that are needed are asked together.
    reasons.ask_backends(case for case, why in found if not why)
    for case, why in found:
        yield case, why or reasons.why_unusable(case) or ""


@attrs.frozen(eq=False)
class _Expansion:
    """Makes the cases of a study from the texts of its suite."""

    study: Study
    plugins: Plugins
    chains: Chains

    def cases(self) -> Iterator[tuple[Case, str]]:
        """Yield every case, and why no route leads to it, if none does."""
        with self._place(None, unless=self.study.input_at):
            _ = self._input_tiers
        for links in self._link_settings():
            for number, row in enumerate(self.study.suite.products):
                complete = self.plugins.registry.defaults.complete(row)
                with self._place(number, unless=self.study.weights):
                    yield from self._of_product(complete, links)

    @contextmanager
    def _place(self, number: int | None, unless: str) -> Iterator[None]:
        """Say of what is wrong with a named suite where that stands.

        Args:
            number: Of its product that is read; None for where its input is.
            unless: What the command line says, which may be what is wrong.
        """
        try:
            yield
        except (UnknownName, OptionError, ChainError) as error:
            if unless or not self.study.suite.name:
                raise
            raise self.plugins.registry.place(error, self.study.suite.name, number) from error

    @functools.cached_property
    def _input_tiers(self) -> tuple[str, str]:
        """The tier that is said to hold the input, and the one that does by default, or empty."""
        tiers = self.plugins.all(Tier)
        said = self.study.input_at or self.study.suite.input_at
        if said and said not in tiers:
            raise UnknownName.among("tier", said, tiers)
        default = self.plugins.registry.defaults.input_at
        return said, default if default in tiers else ""

    def _link_settings(self) -> Iterator[tuple[Link, ...]]:
        """Yield every combination of the swept links over the links that are known."""
        # A link is the same both ways, however it is written.
        by_pair = group_by(self.study.sweep, lambda link: frozenset(link.between))
        known = overlay_links(self.plugins.registry.links, self.study.suite.links)
        for setting in product(*by_pair.values()):
            yield overlay_links(known, setting)

    def _of_product(self, row: Product, links: Sequence[Link]) -> Iterator[tuple[Case, str]]:
        scenario = str(parse_named(row.scenario, "scenario"))
        if scenario not in SCENARIOS:
            raise UnknownName.among("scenario", row.scenario, SCENARIOS)
        self.plugins.get(Fabric, row.fabric)
        backends = row.backends or tuple(self.plugins.all(Backend))
        # The order of cases, and so of rounds and reports: models outermost, backends innermost.
        combinations = product(
            [each for text in row.models for each in self._subjects(text)],
            [each for text in row.operators for each in expand_chains(text, self.chains)],
            [each for text in row.placements for each in self._placements(text)],
            [each for text in backends for each in expand_backends(text, self.plugins)],
        )
        for combination in combinations:
            yield self._case(row, links, *combination)

    def _subjects(self, text: str) -> Iterator[Subject]:
        """Yield the subjects that a text stands for, with the inputs that each is measured on."""
        study, plugins = self.study, self.plugins
        for subject in expand_subjects(text, plugins, study.weights, study.seed):
            yield choose_data(subject, study, plugins)

    def _placements(self, text: str) -> list[Placement]:
        tiers = sorted(self.plugins.all(Tier).values(), key=lambda tier: (tier.cpus, tier.name))
        names = [tier.name for tier in tiers]
        wanted = [text]
        if is_pattern(text):
            wanted = match_names("placement", text, list_placements(names))
        return [parse_placement(each, names) for each in wanted]

    def _case(
        self,
        row: Product,
        links: Sequence[Link],
        subject: Subject,
        chain: str,
        placement: Placement,
        backends: Backends,
    ) -> tuple[Case, str]:
        study, unlinked = self.study, ""
        try:
            route, passed = find_route(placement, links, *self._input_tiers)
        except ChainError as error:
            route, passed, unlinked = (), (), str(error)
        case = Case(
            **attrs.asdict(subject, recurse=False),
            chain=chain,
            placement=placement,
            backends=[_choose_backend(backends, tier) for tier in placement.tiers],
            links=passed,
            route=route,
            fabric=row.fabric,
            scenario=row.scenario,
            batch=study.batch,
            threads=study.threads,
            seed=study.seed,
        )
        return case, unlinked


def _choose_backend(backends: Backends, tier: str) -> BackendChoice:
    if isinstance(backends, BackendChoice):
        return backends
    if tier not in backends:
        raise ChainError(f"no backend is given for the tier {tier}; write {tier}=BACKEND as well")
    return backends[tier]


def _leave_out(case: Case, skips: Sequence[Skip]) -> str:
    """Return why a suite's own skip rows leave a case out; empty if they do not."""
    for skip in skips:
        pairs = (
            (skip.models, f"{case.model}:{case.variant}"),
            (skip.operators, case.chain),
            (skip.placements, str(case.placement)),
            (skip.backends, case.backend),
        )
        if all(
            not patterns or any(fnmatchcase(value, p) for p in patterns)
            for patterns, value in pairs
        ):
            return skip.why
    return ""
