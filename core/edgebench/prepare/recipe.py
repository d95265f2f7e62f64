"""What must be done to prepare a case, step by step, and the key of each step's artifact.

The key of a step is the digest of the key before it and of everything that determines what the
step makes: names, options, seeds, what its operator declared a need for, and the versions of the
plugins and frameworks that do it. Finding the steps needs no framework: each depends on the formats
that the one before it left in the store.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs

from edgebench.artifacts import Store, file_digest
from edgebench.case import BackendChoice, Case, digest
from edgebench.chain import option_values, parse_chain, structure
from edgebench.components import (
    Backend,
    Component,
    Converter,
    Dataset,
    Format,
    Model,
    Operator,
    Quantization,
    Trainer,
)
from edgebench.errors import CaseSkipped, ChainError
from edgebench.pipeline import Pipeline
from edgebench.plugins import Plugins
from edgebench.prepare.ways import find_way
from edgebench.registry import Registry

__all__ = ["Base", "Convert", "Operate", "Recipes", "Step"]

# Splits are part of what a dataset is; a run's own seed must not move samples between them.
SPLIT_SEED = 0


@attrs.frozen(kw_only=True)
class Base:
    """Build the model, and train it where its weights are to be trained here."""

    key: str
    what: str


@attrs.frozen(kw_only=True)
class Operate:
    """Apply one operator."""

    key: str
    what: str
    operator: Operator
    options: Any
    seed: int


@attrs.frozen(kw_only=True)
class Convert:
    """Convert each stage along its way of converters."""

    key: str
    what: str
    ways: tuple[tuple[Converter, ...], ...]


Step = Base | Operate | Convert


@attrs.frozen
class Recipes:
    """Finds the steps of cases, from the parts that are installed."""

    plugins: Plugins
    registry: Registry
    store: Store

    def dataset_key(self, name: str) -> str:
        """Return the key of a dataset's kept splits."""
        return digest({"dataset": name, "seed": SPLIT_SEED, "by": self.maker(Dataset, name)})

    def inputs_key(self, case: Case) -> str:
        """Return the key of what a case's requests send: its dataset, or inputs drawn for it."""
        if case.dataset:
            return self.dataset_key(case.dataset)
        return digest({"drawn for": self.base(case).key, "seed": SPLIT_SEED})

    def base(self, case: Case) -> Base:
        """Return the first step of a case: its model, built and perhaps trained."""
        model = self.plugins.get(Model, case.model)
        weights = case.weights
        document = {
            "step": "base",
            "model": case.model,
            "variant": case.variant,
            "weights": weights.kind,
            "file": file_digest(weights.path) if weights.path else None,
            "seed": weights.seed,
            "by": self.maker(Model, case.model),
        }
        if weights.kind == "trained" and model.loss is not None:
            document["dataset"] = self.dataset_key(case.dataset)
            document["trainers"] = self._makers(Trainer)
        document["formats"] = (
            self._makers(Format) if not model.format else self.maker(Format, model.format)
        )
        return Base(key=digest(document), what=f"{case.model}:{case.variant} {weights.label}")

    def operations(self, case: Case) -> Iterator[tuple[Operator, Any, str]]:
        """Yield each operator of a case's chain, its options, and how the two are written."""
        for part in parse_chain(case.chain, self.registry.hybrids):
            operator = self.plugins.get(Operator, part.name)
            yield operator, structure(operator.options, part.options, part.name), str(part)

    def next_step(
        self, case: Case, done: int, key: str, pipeline: Pipeline
    ) -> tuple[Step | None, int]:
        """Return what comes after the step *key* that left *pipeline*, and the operators then done.

        None when nothing is left to do.

        Raises:
            CaseSkipped: No converter leads where the next step or a backend needs it to.
        """
        operations = list(self.operations(case))
        if done < len(operations):
            operator, options, written = operations[done]
            ways = self._ways(pipeline, [operator.reads] * len(pipeline.stages), operator.name)
            if any(ways):
                return self._convert(key, ways, pipeline), done
            return self._operate(key, case, operator, options, written), done + 1
        ways = self._ways(pipeline, self._wanted(case, pipeline), case.backend)
        return (self._convert(key, ways, pipeline) if any(ways) else None), done

    def target(self, case: Case) -> Quantization:
        """Return what the backends of a case prefer.

        Raises:
            ChainError: They prefer different things.
        """
        wishes = {self.plugins.get(Backend, choice.name).quantization for choice in case.backends}
        if len(wishes) > 1:
            raise ChainError(f"the backends {case.backend} prefer differently quantized graphs")
        return wishes.pop()

    def computing(self, choice: BackendChoice) -> str:
        """Return the precision in which a backend computes what a stage keeps as `f32`."""
        backend = self.plugins.get(Backend, choice.name)
        return backend.precision(structure(backend.options, choice.options, choice.name))

    def _wanted(self, case: Case, pipeline: Pipeline) -> list[tuple[str, ...]]:
        """Return, for each stage, the formats that its tier's backend reads."""
        pieces, tiers = len(pipeline.pieces), len(case.placement.tiers)
        if pieces != tiers:
            raise CaseSkipped(f"{case.placement} needs {tiers} pieces, {case.chain} gives {pieces}")
        wanted: list[tuple[str, ...]] = []
        for piece, choice in zip(pipeline.pieces, case.backends, strict=True):
            wanted += [self.plugins.get(Backend, choice.name).formats] * len(piece)
        return wanted

    def _ways(
        self, pipeline: Pipeline, wanted: list[tuple[str, ...]], whom: str
    ) -> tuple[tuple[Converter, ...], ...]:
        converters = self.plugins.all(Converter).values()
        ways = []
        for stage, targets in zip(pipeline.stages, wanted, strict=True):
            way = find_way(converters, stage.format, targets)
            if way is None:
                raise CaseSkipped(no_way(stage.format, targets, whom))
            ways.append(way)
        return tuple(ways)

    def _convert(
        self, key: str, ways: tuple[tuple[Converter, ...], ...], pipeline: Pipeline
    ) -> Convert:
        names = [[converter.name for converter in way] for way in ways]
        makers = {name: self.maker(Converter, name) for way in names for name in way}
        formats = {c.target: self.maker(Format, c.target) for way in ways for c in way}
        document = {
            "step": "convert",
            "after": key,
            "ways": names,
            "by": makers,
            "formats": formats,
        }
        targets = sorted({way[-1].target for way in ways if way})
        what = f"{pipeline.model}:{pipeline.variant} to {', '.join(targets)}"
        return Convert(key=digest(document), what=what, ways=ways)

    def _operate(
        self, key: str, case: Case, operator: Operator, options: Any, written: str
    ) -> Operate:
        seed = int(digest([case.seed, operator.name])[:8], 16)
        document = {
            "step": "operate",
            "after": key,
            "operator": operator.name,
            "options": option_values(options),
            "seed": seed,
            "needs": self._needed(case, operator),
            "companions": [
                self._companion(case, model, chain)
                for model, chain in operator.companions(options, case.model, case.variant)
            ],
            "by": self.maker(Operator, operator.name),
        }
        what = f"{case.model}:{case.variant} {written}"
        return Operate(
            key=digest(document), what=what, operator=operator, options=options, seed=seed
        )

    def _needed(self, case: Case, operator: Operator) -> dict[str, Any]:
        """Return what an operator declared a need for, as it enters the key."""
        needed: dict[str, Any] = {}
        if operator.needs & {"calibration", "training", "validation"}:
            needed["dataset"] = self.dataset_key(case.dataset)
        if "placement" in operator.needs:
            needed["placement"] = str(case.placement)
        if "links" in operator.needs:
            needed["links"] = [[*link.between, link.rate, link.delay] for link in case.links]
        if "target" in operator.needs:
            needed["target"] = attrs.asdict(self.target(case))
        if "training" in operator.needs:
            needed["trainers"] = self._makers(Trainer)
        return needed

    def _companion(self, case: Case, model: str, chain: str) -> list[Any]:
        other = companion_case(self.plugins, case, model, chain)
        operations = [
            [
                op.name,
                option_values(options),
                self._needed(other, op),
                self.maker(Operator, op.name),
            ]
            for op, options, _ in self.operations(other)
        ]
        return [self.base(other).key, operations]

    def _makers(self, kind: type[Component]) -> dict[str, Any]:
        return {name: self.maker(kind, name) for name in sorted(self.plugins.all(kind))}

    def maker(self, kind: type[Component], name: str) -> dict[str, Any]:
        """Return what identifies the code behind a part: its source and its requirements."""
        owner = self.plugins.owner(kind, name)
        row = self.registry.plugins.get(owner.plugin)
        needed = row.requires if row else ()
        return {
            "source": owner.digest,
            "versions": {name: installed_version(name) for name in needed},
        }


def no_way(source: str, targets: tuple[str, ...], whom: str) -> str:
    """Say that nothing converts a format to one that somebody reads."""
    wanted = " or ".join(targets)
    return f"no converter from {source} to {wanted}, which {whom} reads"


def companion_case(plugins: Plugins, case: Case, model: str, chain: str) -> Case:
    """Return the case that stands for a second model, prepared as *case* is."""
    name, _, wanted = model.partition(":")
    found = plugins.get(Model, name)
    variant = found.variant(wanted).name
    return attrs.evolve(
        case, model=name, variant=variant, dataset=found.dataset_of(variant), chain=chain
    )


@functools.lru_cache(maxsize=256)
def installed_version(module: str) -> str:
    """Return the version of the distribution that brings a module; empty if it cannot be told."""
    try:
        return version(module)
    except PackageNotFoundError:
        from importlib.metadata import packages_distributions

        found = packages_distributions().get(module.partition(".")[0], [])
        return version(found[0]) if found else ""
