"""Write `docs/shipped.md`: the models, datasets, operators, backends and all else that ships.

With `--check` nothing is written, and the status is 1 if the page is not what it would be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import attrs
from generated import keep, write_sentence, write_table

from edgebench import Registry
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import KINDS
from edgebench.cli.describe import _describe_options
from edgebench.cli.needs import list_needs_with
from edgebench.parts.part import Part

HEAD = """\
# What ships

Every model, dataset, operator, backend and all else that comes with edgebench, as its plugins say
it. `edgebench list` shows the same with what is installed of it here, and `edgebench show KIND
NAME` all that is known of one. In the last column stands the command that brings what a part needs;
where none stands it needs nothing more. [Installing](install.md) says what the extras hold.

This page is made from the registry and the records by `python docs/write_shipped.py`.
"""
OURS = "edgebench_plugins."


@attrs.frozen
class Shipped:
    """The rows that ship, and what their modules yield."""

    registry: Registry
    plugins: Plugins

    @classmethod
    def read(cls) -> Shipped:
        """Load what ships, whether or not what it stands on is installed here."""
        registry = Registry.read()
        ours = {n: row for n, row in registry.plugins.items() if row.module.startswith(OURS)}
        rows = {name: attrs.evolve(row, requires=()) for name, row in ours.items()}
        complete = attrs.evolve(registry, plugins=rows)
        return cls(registry, Plugins.load(complete))

    def get(self, kind: str) -> Iterator[Part]:
        """Yield the parts of a kind."""
        for line in self.plugins.listed(KINDS[kind]):
            yield self.plugins.get(KINDS[kind], line.name)

    def brought_by(self, kind: str, name: str) -> str:
        """Return the command that brings what a part stands on."""
        install = self.registry.plugins[self.plugins.owner(KINDS[kind], name).name].install
        return f"`{install}`" if install else ""


def main(words: list[str]) -> int:
    """Write the page, or hold it against what ships."""
    return keep("shipped.md", write_page(Shipped.read()), words)


def write_page(shipped: Shipped) -> str:
    """Return the page as rows and records have it."""
    parts = [HEAD]
    for kind, write in WRITERS.items():
        if rows := list(shipped.get(kind)):
            parts += [f"## {kind[:1].upper()}{kind[1:]}s\n", *write(shipped, rows)]
    return "\n".join([*parts, *_write_rows(shipped.registry)])


def _write_models(shipped: Shipped, models: Sequence[Part]) -> Iterator[str]:
    yield "[Models and data of your own](models.md) says what their weights may be.\n"
    rows = []
    for model in models:
        sizes = ", ".join(_write_size(one) for one in model.variants)
        data = {model.dataset_of(one.name) for one in model.variants} - {""}
        rows.append([f"`{model.name}`", write_sentence(model.summary), sizes,
                     ", ".join(f"`{one}`" for one in sorted(data)),
                     shipped.brought_by("model", model.name)])  # fmt: skip
    yield write_table(["name", "is", "sizes (parameters)", "data", "needs"], rows)


def _write_size(variant: Part) -> str:
    count = variant.parameters
    if count is None:
        return f"`{variant.name}`"
    return (
        f"`{variant.name}` ({count / 1e6:.3g} M)"
        if count >= 1e6
        else f"`{variant.name}` ({count / 1e3:.3g} k)"
    )


def _write_datasets(shipped: Shipped, datasets: Sequence[Part]) -> Iterator[str]:
    rows = []
    for one in datasets:
        made = "made here, synthetic" if one.synthetic else "made here"
        source = made if one.samples is not None else f"`--data {one.name}=DIR`"
        metrics = ", ".join(f"`{metric.name}`" for metric in one.metrics())
        rows.append([f"`{one.name}`", write_sentence(one.summary), source, metrics,
                     shipped.brought_by("dataset", one.name)])  # fmt: skip
    yield write_table(["name", "is", "inputs", "metrics", "needs"], rows)


def _write_operators(shipped: Shipped, operators: Sequence[Part]) -> Iterator[str]:
    yield "[Operators](operators.md) says what follows what, and has a page for each.\n"
    rows = []
    for one in operators:
        needs = [_name_all(sorted(one.needed(one.options())))]
        needs += [
            f"with `{more['option']}={more['value']}` {_name_all(more['needs'])}"
            for more in list_needs_with(one)
        ]
        rows.append([f"`{one.name}`", write_sentence(one.summary), _name_all(one.reads),
                     one.writes and f"`{one.writes}`", "; ".join(filter(None, needs)),
                     shipped.brought_by("operator", one.name)])  # fmt: skip
    yield write_table(["name", "does", "reads", "writes", "is given", "needs"], rows)
    yield from _write_options(operators)


def _write_backends(shipped: Shipped, backends: Sequence[Part]) -> Iterator[str]:
    rows = []
    for one in backends:
        liked = one.quantization
        kind = f"{liked.activation} activations, {liked.weight} weights"
        more = [*["symmetric"] * liked.symmetric_activation, *["per channel"] * liked.per_channel]
        rows.append([f"`{one.name}`", write_sentence(one.summary), _name_all(one.formats),
                     ", ".join([kind, *more]), "yes" if one.program else "no",
                     shipped.brought_by("backend", one.name)])  # fmt: skip
    yield write_table(
        ["name", "is", "opens", "prefers quantized graphs of", "can be exported", "needs"], rows
    )
    yield from _write_options(backends)


def _write_options(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the options of each part that has any."""
    for one in parts:
        if options := _describe_options(one.options):
            yield f"### Options of `{one.name}`\n"
            rows = [[f"`{each['name'].replace('_', '-')}`", f"`{_write_default(each['default'])}`",
                     write_sentence(each["doc"])] for each in options]  # fmt: skip
            yield write_table(["option", "default", "means"], rows)


def _write_default(value: object) -> str:
    words = {True: "true", False: "false", None: "none"}
    plain = isinstance(value, bool) or value is None
    return words[value] if plain else str(value) or '""'  # type: ignore[index]


def _write_ways(shipped: Shipped, converters: Sequence[Part]) -> Iterator[str]:
    rows = [[f"`{one.name}`", write_sentence(one.summary), f"`{one.source}`", f"`{one.target}`",
             shipped.brought_by("converter", one.name)] for one in converters]  # fmt: skip
    yield write_table(["name", "does", "from", "to", "needs"], rows)


def _write_tiers(shipped: Shipped, tiers: Sequence[Part]) -> Iterator[str]:
    rows = [[f"`{one.name}`", write_sentence(one.summary), str(one.cpus), str(one.threads),
             f"{one.memory / 2**30:g} GiB", "" if one.speed is None else f"{one.speed:g}",
             one.accelerator, one.source] for one in tiers]  # fmt: skip
    heads = ["name", "is", "processors", "threads", "memory", "speed", "accelerator", "source"]
    yield write_table(heads, rows)


def _write_plainly(kind: str, shipped: Shipped, parts: Sequence[Part]) -> Iterator[str]:
    rows = [[f"`{one.name}`", write_sentence(one.summary), shipped.brought_by(kind, one.name)]
            for one in parts]  # fmt: skip
    yield write_table(["name", "is", "needs"], rows)


def _name_all(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _write_rows(registry: Registry) -> Iterator[str]:
    """Yield what the registry alone holds."""
    yield "## Links\n"
    rows = [[f"`{'-'.join(one.between)}`", f"{one.rate / 1e6:g} Mbit/s", f"{one.delay * 1e3:g} ms",
             one.source] for one in registry.links]  # fmt: skip
    yield write_table(["between", "rate", "delay", "source"], rows)
    yield "## Hybrids\n"
    yield write_table(["name", "is"], ([f"`{n}`", f"`{c}`"] for n, c in registry.hybrids.items()))
    yield "## Suites\n"
    yield "[Reproduce the studies](howto/studies.md) says what they ask.\n"
    suites = [[f"`{one.name}`", write_sentence(one.summary), str(one.blocks), str(one.requests)]
              for one in registry.suites.values()]  # fmt: skip
    yield write_table(["name", "asks", "blocks", "requests a block"], suites)
    yield "## Pinned files\n"
    yield "What weights of the kind `hub` are: none is in the package, they are downloaded.\n"
    files = [[f"`{one.name}`", write_sentence(one.summary), one.licence,
              "" if one.score is None else f"{one.score:.3f}"]
             for one in registry.assets.values()]  # fmt: skip
    yield write_table(["name", "is", "licence", "score"], files)
    others = [row for row in registry.plugins.values() if not row.module.startswith(OURS)]
    if others:
        yield "## Of others\n"
        yield "Known, and not ours: [plugins](plugins.md) says how they are installed.\n"
        rows = [[f"`{one.name}`", "; ".join(f"{kind}: {_name_all(names)}"
                                            for kind, names in one.offers.items()),
                 f"`{one.install}`" if one.install else ""] for one in others]  # fmt: skip
        yield write_table(["name", "offers", "comes by"], rows)


WRITERS: dict[str, Callable[[Shipped, Sequence[Part]], Iterator[str]]] = {
    kind: partial(_write_plainly, kind) for kind in KINDS
} | {
    "model": _write_models,
    "dataset": _write_datasets,
    "operator": _write_operators,
    "backend": _write_backends,
    "converter": _write_ways,
    "tier": _write_tiers,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
