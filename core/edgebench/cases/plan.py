"""The plan of a run: its cases in order, and what was left out and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.chain import parse_named
from edgebench.cases.expand import (
    Subject,
    backend_choices,
    chains,
    installed_backends,
    is_pattern,
    known_model,
    matching,
    subjects,
)
from edgebench.cases.given import check_data, check_used, given_inputs
from edgebench.cases.inputs import chosen
from edgebench.cases.reasons import Reasons
from edgebench.cases.routes import find_route, parse_placement, placements
from edgebench.cases.usable import Usability
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import BLOCKS, REQUESTS, Product, Skip, Suite
from edgebench.parts.digest import digest
from edgebench.parts.errors import ChainError, UnknownName
from edgebench.parts.places import Fabric, Link, Placement, Tier

SCENARIOS = ("single-stream",)
"""How requests may be offered; a hook of its own when there is a second."""

Backends = Mapping[str, BackendChoice] | BackendChoice


@attrs.frozen(kw_only=True)
class Request:
    """What a user asked to run: the products of a suite, or of the command's own options."""

    suite: str = ""
    products: tuple[Product, ...]
    skips: tuple[Skip, ...] = ()
    links: tuple[Link, ...] = ()
    """Links that come before the registry's."""
    sweep: tuple[Link, ...] = ()
    """Links given on the command line; several for one pair of tiers are measured in turn."""
    weights: str = ""
    data: Mapping[str, Path] = attrs.field(factory=dict)
    """By dataset, the directory that the user gave for it."""
    input_data: Path | None = None
    """What the user gave as inputs of a model that is a file."""
    batch: int = 1
    threads: int | None = None
    seed: int = 0
    blocks: int = BLOCKS
    requests: int = REQUESTS
    bounded: bool = False
    """Whether a block of slow requests may have fewer."""

    @classmethod
    def of_suite(cls, suite: Suite) -> Request:
        """Return the request that a suite stands for."""
        return cls(
            suite=suite.name,
            products=suite.products,
            skips=suite.skips,
            links=suite.links,
            blocks=suite.blocks,
            requests=suite.requests,
        )


@attrs.frozen(kw_only=True)
class Skipped:
    """A case that will not be measured, with the reason."""

    case: Case
    reason: str


@attrs.frozen(kw_only=True)
class Plan:
    """What a run will do."""

    request: Request
    cases: tuple[Case, ...]
    skipped: tuple[Skipped, ...]
    references: Mapping[str, Case]
    """By the id of each case, its model untransformed on the nearest backend, to compare with."""

    @property
    def digest(self) -> str:
        """What a resumed run must have in common with the one it resumes."""
        ids = [case.id for case in self.cases]
        asked = self.request
        return digest([ids, asked.blocks, asked.requests, asked.bounded, asked.seed])


def make_plan(request: Request, plugins: Plugins, registry: Registry) -> Plan:
    """Expand a request into cases, and find which of them cannot be.

    Raises:
        EdgebenchError: Something written in the request is unknown or malformed.
    """
    with ExitStack() as stack:
        asked: dict[str, Usability] = {}

        def usability(fabric: str) -> Usability:
            if fabric not in asked:
                asked[fabric] = _usability(fabric, plugins, registry, stack)
            return asked[fabric]

        reasons = Reasons(plugins, registry, usability)
        check_data(request.data, plugins)
        cases: dict[str, Case] = {}
        skipped: dict[str, Skipped] = {}
        for case, unlinked in _expanded(request, plugins, registry):
            why = _left_out(case, request.skips) or unlinked or reasons.why_not(case)
            if why:
                skipped[case.id] = Skipped(case=case, reason=why)
            else:
                cases[case.id] = case
        every = [*cases.values(), *(one.case for one in skipped.values())]
        check_used(request.data, request.input_data, every, plugins)
        references = {
            key: found for key, case in cases.items() if (found := reasons.reference(case))
        }
    return Plan(
        request=request,
        cases=tuple(cases.values()),
        skipped=tuple(skipped.values()),
        references=references,
    )


def _usability(name: str, plugins: Plugins, registry: Registry, stack: ExitStack) -> Usability:
    tiers = list(plugins.all(Tier).values())
    hosts = stack.enter_context(plugins.get(Fabric, name).open(tiers, registry.links))
    return Usability(plugins, {tier: host.facts() for tier, host in hosts.items()})


def _expanded(request: Request, plugins: Plugins, registry: Registry) -> Iterator[tuple[Case, str]]:
    """Yield every case of a request, and why no route leads to it, if none does."""
    for links in _link_settings(request, registry):
        for row in request.products:
            yield from _of_product(row, links, request, plugins, registry)


def _link_settings(request: Request, registry: Registry) -> Iterator[tuple[Link, ...]]:
    """Yield every combination of the swept links over the links that are known."""
    by_pair: dict[frozenset[str], list[Link]] = {}
    for link in request.sweep:
        by_pair.setdefault(frozenset(link.between), []).append(link)
    for setting in product(*by_pair.values()):
        yield _overlaid(_overlaid(registry.links, request.links), setting)


def _overlaid(known: Sequence[Link], newer: Sequence[Link]) -> tuple[Link, ...]:
    """Return the links with the newer ones in place of those between the same tiers.

    The newer one keeps the older one's direction: links are written from the input outwards.
    """
    links = list(known)
    for new in newer:
        same = [i for i, old in enumerate(links) if old.joins(*new.between)]
        if same:
            links[same[0]] = attrs.evolve(new, between=links[same[0]].between)
        else:
            links.append(new)
    return tuple(links)


def _of_product(
    row: Product, links: tuple[Link, ...], request: Request, plugins: Plugins, registry: Registry
) -> Iterator[tuple[Case, str]]:
    scenario = str(parse_named(row.scenario, "scenario"))
    if scenario not in SCENARIOS:
        raise UnknownName.among("scenario", row.scenario, SCENARIOS)
    plugins.get(Fabric, row.fabric)
    combinations = product(
        [s for text in row.models for s in subjects(text, plugins, request.weights, request.seed)],
        [c for text in row.operators for c in chains(text, plugins, registry.hybrids)],
        [p for text in row.placements or ("mobile",) for p in _placements(text, plugins, links)],
        [
            b
            for text in row.backends or installed_backends(plugins)
            for b in backend_choices(text, plugins)
        ],
    )
    for subject, chain, placement, backends in combinations:
        yield _case(row, subject, chain, placement, backends, links, request, plugins)


def _placements(text: str, plugins: Plugins, links: Sequence[Link]) -> list[Placement]:
    tiers = sorted(plugins.all(Tier).values(), key=lambda tier: (tier.cpus, tier.name))
    names = [tier.name for tier in tiers]
    wanted = matching("placement", text, placements(names)) if is_pattern(text) else [text]
    return [parse_placement(each, names) for each in wanted]


def _case(
    row: Product,
    subject: Subject,
    chain: str,
    placement: Placement,
    backends: Backends,
    links: tuple[Link, ...],
    request: Request,
    plugins: Plugins,
) -> tuple[Case, str]:
    unlinked = ""
    model = known_model(subject.model, plugins)
    dataset, data = chosen(model, subject.variant, plugins, request.data)
    try:
        route, passed = find_route(placement, links)
    except ChainError as error:
        route, passed, unlinked = placement.tiers, (), str(error)
    case = Case(
        model=subject.model,
        variant=subject.variant,
        weights=subject.weights,
        options=subject.options,
        dataset=dataset,
        data=given_inputs(model, data, request.input_data),
        chain=chain,
        placement=placement,
        backends=[_chosen(backends, tier) for tier in placement.tiers],
        links=passed,
        route=route,
        fabric=row.fabric,
        scenario=row.scenario,
        batch=request.batch,
        threads=request.threads,
        seed=request.seed,
    )
    return case, unlinked


def _chosen(backends: Backends, tier: str) -> BackendChoice:
    if isinstance(backends, BackendChoice):
        return backends
    if tier not in backends:
        raise ChainError(f"no backend is given for the tier {tier}; write {tier}=BACKEND as well")
    return backends[tier]


def _left_out(case: Case, skips: Sequence[Skip]) -> str:
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
