"""The text of `edgebench.toml`, with comments that say what each part is, and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from edgebench.catalogue.rows import Product, TierRow
from edgebench.cli.project import FILE, Project
from edgebench.parts.places import Link
from edgebench.parts.units import write_delay, write_rate
from edgebench.toml.writing import Value, write_comment, write_pairs

HEAD = f"""\
What `edgebench run` and `edgebench plan` do in this folder: change what you like, and keep it with
the rest. Options of the command line go before it. Paths are relative to this file. `{FILE}` names
no plugin and nothing else that is imported or loaded: what others have written is safe to run.
"""
EXPLAINED: Mapping[str, str] = {
    "models": "Models by name, or files and folders by path.",
    "data": "Inputs with their answers: a folder or a file, or NAME=DIR for a known dataset.",
    "calibration": "Inputs to calibrate with, in place of some of the data.",
    "suite": "What is measured: the combinations of the suite below.",
    "weights": "Where the weights come from: trained, random, file:PATH or hub.",
    "operators": "What is done to the model, chains joined by `+`.",
    "placements": "Which tiers compute: one, or several joined by `-` for a model that is cut.",
    "backends": "What runs it. Options that name a file or a server stand on the command line.",
    "input_at": "The tier that holds the input.",
    "sweep": "Links that are measured in turn.",
    "margin": "What you accept to lose: a loss of fewer points counts as none.",
    "max": "Bounds that `edgebench recommend` keeps to.",
}
SUITE = "mine"
"""What the suite of a project is called."""
PRODUCT = ("models", "operators", "placements", "backends")
"""The keys of which every combination is measured."""
SUITED = """\
Each [[suites.mine.cases]] is measured in every combination of what it lists. A model that is cut
needs a tier for each piece, joined by `-`, and one that is whole a single tier: so they are apart,
and no combination is skipped. To leave one out, delete its table. What they list is changed here,
and not by options of the command line."""
OPEN: Mapping[str, str] = {
    "data": 'data = "PATH"',
    "calibration": 'calibration = "PATH"',
    "sweep": 'sweep = ["A-B=4mbit,50ms", "A-B=100mbit,5ms"]',
    "max": 'max = ["latency.p95=50ms", "memory=500MB"]',
}
"""What is offered as a comment where it is not said."""
SPEED = """\
Tiers are emulated on this machine, which can be slowed and not sped up. `gflops` is what one
thread does in a product of float32 matrices, in 10^9 operations a second: on the machine itself
`edgebench measure-device` prints it. `speed` in its place is a share of this machine's."""


def write_project(
    project: Project,
    tiers: Sequence[TierRow],
    links: Sequence[Link],
    also: Mapping[str, Sequence[str]] | None = None,
    products: Sequence[Product] = (),
) -> str:
    """Return the text of a file that says a project, its tiers and its links.

    Args:
        project: What is asked for.
        tiers: As the file is to say them.
        links: Likewise; a source is kept.
        also: By key of the project, sentences more for its comment.
        products: What is measured where it is no one product: the file then has a suite of them.
    """
    also = dict(also or {})
    suite: list[str] = []
    if len(products) > 1:
        suite = list(_write_suite(products, also))
        project = attrs.evolve(
            project, suite=SUITE, models=(), operators=(), placements=(), backends=()
        )
    lines = [*write_comment(HEAD), "", "[project]", *_write_keys(project, also), *suite]
    if tiers:
        lines += ["", *write_comment(SPEED)]
    for tier in tiers:
        lines += ["", f"[tiers.{tier.name}]", *write_pairs(_list_facts(tier))]
    for link in links:
        lines += ["", "[[links]]", *write_pairs(_describe_link(link))]
    return "\n".join(lines) + "\n"


def _write_keys(project: Project, also: Mapping[str, Sequence[str]]) -> Iterator[str]:
    first = True
    for field in attrs.fields(Project):
        key, value = field.name, getattr(project, field.name)
        if not value and key not in OPEN:
            continue
        if not first:
            yield ""
        first = False
        for text in filter(None, (EXPLAINED.get(key), *also.get(key, ()))):
            yield from write_comment(text)
        yield from write_pairs({key: value}) if value else [f"# {OPEN[key]}"]


def _write_suite(products: Sequence[Product], also: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield ""
    for text in (SUITED, *also.get("operators", ())):
        yield from write_comment(text)
    yield from (f"[suites.{SUITE}]", *write_pairs({"summary": "What is measured in this folder."}))
    for product in products:
        yield from ("", f"[[suites.{SUITE}.cases]]")
        yield from write_pairs({key: getattr(product, key) for key in PRODUCT})


def _list_facts(tier: TierRow) -> dict[str, Value]:
    # A speed beside it is one that this machine made of it.
    left_out = ("name", "file", *(["speed"] if tier.gflops else []))
    facts = attrs.asdict(tier, filter=lambda field, _: field.name not in left_out)
    return {key: value for key, value in facts.items() if value not in (None, "")}


def _describe_link(link: Link) -> dict[str, Value]:
    delay = {"delay": write_delay(link.delay)} if link.delay else {}
    facts = {"between": link.between, "rate": write_rate(link.rate), **delay}
    price = getattr(link, "price_per_gb", None)
    return {**facts, **({} if price is None else {"price_per_gb": price}), "source": link.source}
