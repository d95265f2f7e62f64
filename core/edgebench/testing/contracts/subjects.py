"""What a part is tried on: the smallest model that leads to it, and a case as a run would plan it.

Nothing is trained for it: the weights are random, and no figure of merit is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.inputs import choose_dataset
from edgebench.cases.routes import find_route
from edgebench.cases.ways import find_way, rank_readers
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Converter, Operator
from edgebench.parts.datasets import Dataset
from edgebench.parts.errors import CaseFailed, ChainError, EdgebenchError
from edgebench.parts.places import Backend, Fabric, Link, Placement, Tier
from edgebench.parts.subjects import Model, Variant, Weights
from edgebench.prepare.steps import follow
from edgebench.testing.contracts.bench import Bench

TRIES = 4
"""Models that are prepared until one comes through."""
KINDS_OF_WEIGHTS = ("random", "own", "trained")
"""Those that nothing must be downloaded for, the quickest first."""


def list_subjects(
    bench: Bench, reads: Sequence[str], wanted: str = ""
) -> Iterator[tuple[Model, Variant]]:
    """Yield the models that lead to what reads these formats, the smallest first.

    One that is *wanted* (`net:small`) is the only one. An empty *reads* stands for any format.

    Raises:
        EdgebenchError: The model that is wanted is not there.
    """
    plugins = bench.plugins
    if wanted:
        yield find_subject(plugins, wanted)
        return
    converters = plugins.all(Converter).values()
    pairs = [
        (model, variant)
        for model in plugins.all(Model).values()
        if model.from_file is None and find_way(converters, model.format, reads) is not None
        for variant in model.variants
        if set(KINDS_OF_WEIGHTS) & set(variant.weights) and _has_inputs(bench, model, variant)
    ]
    yield from sorted(pairs, key=lambda pair: (_size(pair[1]), pair[0].name))


def find_subject(plugins: Plugins, wanted: str) -> tuple[Model, Variant]:
    """Return the model and the variant that a text names (`net:small`).

    Raises:
        EdgebenchError: There is none of that name here.
    """
    name, _, variant = wanted.partition(":")
    model = plugins.get(Model, name)
    return model, model.variant(variant)


def _size(variant: Variant) -> float:
    return math.inf if variant.parameters is None else variant.parameters


def _has_inputs(bench: Bench, model: Model, variant: Variant) -> bool:
    try:
        name, _ = choose_dataset(model, variant.name, bench.plugins, {})
        return not name or bench.plugins.get(Dataset, name).samples is not None
    except EdgebenchError:
        return False


def make_case(
    bench: Bench,
    model: Model,
    variant: Variant,
    *,
    chain: str = "",
    pieces: int = 1,
    backend: str = "",
) -> Case:
    """Make a case of a model: a chain, one tier a piece, everywhere the same backend.

    Raises:
        EdgebenchError: There are fewer linked tiers than pieces, or nothing reads the model.
    """
    tiers, links = choose_route(bench, pieces)
    dataset, _ = choose_dataset(model, variant.name, bench.plugins, {})
    kind = next((one for one in KINDS_OF_WEIGHTS if one in variant.weights), variant.weights[0])
    return Case(
        model=model.name,
        variant=variant.name,
        weights=Weights(kind=kind),
        dataset=dataset,
        chain=chain,
        placement=Placement(tiers),
        backends=[BackendChoice(backend or _choose_any(bench, model.format))] * len(tiers),
        links=links,
        route=tiers,
        fabric=_choose_fabric(bench),
    )


def choose_backend(bench: Bench, form: str, others: Sequence[str] = ()) -> str:
    """Return the nearest backend that reads a format, or what converters make of it.

    None of the *others*; whether it is usable here is for whoever opens it to find out.

    Raises:
        EdgebenchError: There is none.
    """
    for reader in rank_readers(form, bench.plugins):
        if reader.backend.name not in others and reader.backend.formats:
            return reader.backend.name
    raise EdgebenchError(f"no backend reads {form}, or what a converter makes of it")


def _choose_any(bench: Bench, form: str) -> str:
    """Return the nearest backend of a format; any where there is none, for what runs nothing."""
    try:
        return choose_backend(bench, form)
    except EdgebenchError:
        return next(iter(bench.plugins.all(Backend)), "none")


def prepare_format(bench: Bench, form: str, wanted: str = "") -> tuple[Case, Path]:
    """Return where a small model lies in a format, converted if need be, and its case.

    Raises:
        EdgebenchError: No model leads there, or none of the first few can be prepared.
    """
    # The steps before an operator are those that lead to what it reads.
    reader = Operator(
        name="reader", summary="Reads the format.", apply=lambda given, _: given, reads=[form]
    )
    reasons = []
    for model, variant in islice(list_subjects(bench, [form], wanted), TRIES):
        case = make_case(bench, model, variant)
        try:
            return case, follow(bench.recipes.before(case, reader), bench.maker.make)
        except (CaseFailed, ChainError) as error:
            reasons.append(f"{describe_subject(model, variant)}: {error}")
    raise EdgebenchError(
        f"none of {len(reasons)} models can be prepared in {form}, the first: {reasons[0]}"
        if reasons
        else f"no model here leads to {form}"
    )


def _choose_fabric(bench: Bench) -> str:
    return bench.plugins.registry.defaults.fabric or next(iter(bench.plugins.all(Fabric)), "")


def choose_route(bench: Bench, pieces: int) -> tuple[tuple[str, ...], tuple[Link, ...]]:
    """Return the first tiers that links join one after another, and these links."""
    start = bench.plugins.registry.defaults.input_at or next(iter(bench.plugins.all(Tier)), "")
    tiers = [start]
    links = bench.plugins.registry.links
    while len(tiers) < pieces:
        near = [
            name
            for link in links
            if tiers[-1] in link.between
            for name in link.between
            if name not in tiers
        ]
        if not near:
            raise EdgebenchError(f"{pieces} tiers are needed, and {len(tiers)} are linked")
        tiers.append(near[0])
    route, passed = find_route(Placement(tiers), links, start)
    return route, passed


def describe_subject(model: Model, variant: Variant) -> str:
    """Return how a model and its variant are written."""
    return f"{model.name}:{variant.name}"
