"""What a key is made of: the code behind the parts, and all else that determines what they make.

A step is keyed by the *content* of what it starts from, not by how that came about: two chains that
have come to the same bytes share everything that follows. So each key names all code that may run
in its step itself: what came before may have been made by other code, to the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.inputs import read_model_options
from edgebench.cases.operations import Operation
from edgebench.cases.ways import find_way
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Asset
from edgebench.parts.changes import Converter, Format, Operator, Trainer
from edgebench.parts.datasets import Dataset
from edgebench.parts.digest import digest
from edgebench.parts.errors import ChainError, DataError
from edgebench.parts.part import Part
from edgebench.parts.pipeline import Pipeline
from edgebench.parts.places import Backend, Fabric, Quantization, Tier
from edgebench.parts.subjects import Model
from edgebench.prepare.makers import identify_maker
from edgebench.prepare.named_files import find_files
from edgebench.prepare.reference import list_references
from edgebench.store.digests import content_digest, describe_options, listing_digest

# Splits are part of what a dataset is; a run's own seed must not move samples between them.
SPLIT_SEED = 0
# To be raised when the core itself comes to make something else of the same parts.
MAKING = 2
# A release of the core's own that makes something else of the same parts raises `MAKING`; where the
# core lies in a checkout its version says nothing.


@attrs.frozen
class Keys:
    """Writes keys, from the parts that are installed."""

    plugins: Plugins
    _listings: dict[Path, str] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def maker(self, kind: type[Part], name: str) -> dict[str, Any]:
        """Return what identifies the code behind a part: its source and its requirements."""
        return identify_maker(self.plugins, kind, name)

    def inputs(self, case: Case) -> str:
        """Return the key of the kept splits that a case's samples are taken from.

        Those of its dataset, of the file that its model is, or random ones drawn to fit it.
        """
        given = self._listing(case.data) if case.data else None
        if case.dataset and case.calibration:
            given = f"{given} {self._listing(case.calibration)}"
        if self.plugins.get(Model, case.model).inputs is not None and case.weights.path:
            return _write_key("requests", base=self.base(case), data=given, seed=SPLIT_SEED)
        if not case.dataset:
            return _write_key("drawn", base=self.base(case), seed=SPLIT_SEED)
        by = self.maker(Dataset, case.dataset)
        return _write_key("splits", dataset=case.dataset, data=given, seed=SPLIT_SEED, by=by)

    def base(self, case: Case) -> str:
        """Return the key of a case's model, built and perhaps trained."""
        form = self.plugins.get(Model, case.model).format
        trained = case.weights.kind == "trained"
        return _write_key(
            "base",
            model=[case.model, case.variant, self.maker(Model, case.model)],
            weights=self._weights(case),
            options=describe_options(read_model_options(case, self.plugins)),
            dataset=self.inputs(case) if trained and case.dataset else None,
            trainers=self._trainers([form]) if trained else None,
            formats=self._formats([form] if form else self.plugins.all(Format)),
        )

    def subject(self, case: Case) -> str:
        """Return the digest of what a case's model is, wherever its files lie: weights, options.

        Whatever code reads them, and whatever seed weights are drawn with that no file holds: that
        says nothing of how long they take.
        """
        options = describe_options(read_model_options(case, self.plugins))
        weights = self._weights(case) if case.weights.brought else case.weights.kind
        return digest([case.model, case.variant, weights, options])

    def asset(self, case: Case) -> Asset:
        """Return the file from elsewhere that holds the weights of a case.

        Raises:
            ChainError: The registry has no row for it.
        """
        name = self.plugins.get(Model, case.model).variant(case.variant).asset
        if name not in self.plugins.registry.assets:
            raise ChainError(
                f"{case.model}:{case.variant} has no weights to download: the registry has no row "
                f"[assets.{name or case.model}]; give a file with --weights file:PATH"
            )
        return self.plugins.registry.assets[name]

    def _weights(self, case: Case) -> list[Any]:
        """Return what a case's weights are: their kind, and what is in the files that hold them."""
        weights = case.weights
        if weights.kind == "hub":
            return [weights.kind, self.asset(case).sha256]
        if weights.path is None:
            return [weights.kind, weights.seed]
        # The file itself first: where it is gone, what belongs to it cannot be asked. Of a
        # directory what belongs to the model counts: the rest may be data, or older weights.
        found = []
        if not (weights.path.is_dir() and self.plugins.get(Model, case.model).beside):
            found = [[weights.path.name, content_digest(weights.path)]]
        found += [[file.name, content_digest(file)] for file in self._beside(case, weights.path)]
        return [weights.kind, found]

    def _beside(self, case: Case, path: Path) -> Sequence[Path]:
        """Return the other files that belong to a model that is a file.

        Raises:
            DataError: It cannot be read.
        """
        beside = self.plugins.get(Model, case.model).beside
        try:
            return beside(path) if beside else ()
        except OSError as error:
            raise DataError(
                f"{error.filename or path} cannot be read: {error.strerror or error}"
            ) from error

    def _listing(self, directory: Path) -> str:
        # Walked once: a dataset may have a million files, and each case asks several times.
        if directory not in self._listings:
            self._listings[directory] = listing_digest(directory)
        return self._listings[directory]

    def operate(
        self,
        case: Case,
        operation: Operation,
        seed: int,
        after: list[str],
        pipelines: list[Pipeline],
    ) -> str:
        """Return the key of an operator applied to a pipeline, which its companions follow.

        *after* are the digests of all that it is given, profiles included.
        """
        operator = operation.operator
        formats = _list_formats(pipelines) | ({operator.writes} if operator.writes else set())
        return _write_key(
            "operate",
            after=after,
            operator=[operator.name, self.maker(Operator, operator.name)],
            options=describe_options(operation.options),
            # Where it may not, that it changed something was seen to when it was made.
            may_keep=operator.may_keep,
            seed=seed,
            needs=self._find_needs(case, operation.needs, formats),
            around=self._around(case, pipelines),
            formats=self._formats(formats),
        )

    def convert(
        self, case: Case, ways: Sequence[tuple[Converter, ...]], after: str, pipeline: Pipeline
    ) -> str:
        """Return the key of a pipeline whose stages go along their ways."""
        converters = [converter for way in ways for converter in way]
        pairs = zip(pipeline.stages, ways, strict=True)
        made = [way[-1].target if way else stage.format for stage, way in pairs]
        return _write_key(
            "convert",
            after=after,
            ways=[[converter.name for converter in way] for way in ways],
            by={each.name: self.maker(Converter, each.name) for each in converters},
            # Converters are given real inputs, and may keep something of them.
            examples=self.inputs(case),
            # Those of later stages are what the stages before them give.
            run={form: self._scorers(case, form) for form in sorted(set(made[:-1]))},
            around=self._around(case, [pipeline]),
            formats=self._formats({each.target for each in converters} | _list_formats([pipeline])),
        )

    def profile(self, case: Case, after: str, pipeline: Pipeline) -> str:
        """Return the key of how long a case's one tier takes; the machine is for who measures."""
        (tier,), (choice,) = case.placement.tiers, case.backends
        facts = self.plugins.get(Tier, tier)
        return _write_key(
            "profile",
            after=after,
            tier=[tier, facts.speed, facts.threads, facts.accelerator],
            threads=case.threads,
            fabric=[case.fabric, self.maker(Fabric, case.fabric)],
            backend=[*self._written(choice), self.maker(Backend, choice.name)],
            inputs=self.inputs(case),
            around=self._around(case, [pipeline]),
        )

    def target(self, case: Case) -> Quantization:
        """Return what the backends of a case prefer.

        Raises:
            ChainError: They prefer different things.
        """
        wishes = {self.plugins.get(Backend, choice.name).quantization for choice in case.backends}
        if len(wishes) > 1:
            raise ChainError(f"the backends {case.backend} prefer differently quantized graphs")
        return wishes.pop()

    def _find_needs(self, case: Case, needs: frozenset[str], formats: set[str]) -> dict[str, Any]:
        """Return what an operator declared a need for."""
        # An operator is refused what it did not declare, so nothing else can have come into it.
        needed: dict[str, Any] = {}
        if needs & {"calibration", "training", "validation"}:
            needed["dataset"] = self.inputs(case)
        if needs & {"placement", "profile"}:
            needed["placement"] = str(case.placement)
        if "links" in needs:
            needed["links"] = [[*link.between, link.rate, link.delay] for link in case.links]
        if "target" in needs:
            needed["target"] = attrs.asdict(self.target(case))
        if "training" in needs:
            needed["trainers"] = self._trainers(formats)
        if "validation" in needs:
            needed["scored by"] = {form: self._scorers(case, form) for form in sorted(formats)}
        if "run" in needs:
            needed["run by"] = {form: self._runners(case, form) for form in sorted(formats)}
        return needed

    def _scorers(self, case: Case, form: str) -> list[Any]:
        """Return what runs stages of a format where they are scored."""
        if references := list_references(form, self.plugins):
            # The first alone, whichever of them are usable: what else runs is noted as a doubt.
            return self._opening(BackendChoice(references[0].backend.name), form)
        return self._runners(case, form)

    def _runners(self, case: Case, form: str) -> list[Any]:
        """Return what runs stages of a format as they will be deployed."""
        backends = case.backends[:1] if len(set(case.backends)) == 1 else case.backends
        return [self._opening(choice, form) for choice in backends]

    def _opening(self, choice: BackendChoice, form: str) -> list[Any]:
        """Return a backend, and what converts a format to one that it reads."""
        backend, converters = self.plugins.get(Backend, choice.name), self.plugins.all(Converter)
        way = find_way(converters.values(), form, backend.formats) or ()
        made = {each.name: self.maker(Converter, each.name) for each in way}
        return [*self._written(choice), self.maker(Backend, choice.name), made]

    def _written(self, choice: BackendChoice) -> list[Any]:
        return [str(choice), *find_files(choice, self.plugins)]

    def _around(self, case: Case, pipelines: Iterable[Pipeline]) -> dict[str, Any]:
        """Return what else may run in a step: its models, and the operators of edits made again."""
        stages = [stage for pipeline in pipelines for stage in pipeline.stages]
        models = {case.model, *(stage.model for stage in stages if stage.model)}
        editors = {edit.operator for stage in stages for edit in stage.edits}
        return {
            "case": [case.model, case.variant],
            "models": {name: self.maker(Model, name) for name in models},
            "editors": {name: self.maker(Operator, name) for name in editors},
        }

    def _trainers(self, formats: Iterable[str]) -> dict[str, Any]:
        """Return the makers of the trainers of formats; of all where the formats are not known."""
        wanted = set(formats) - {""}
        trainers = self.plugins.all(Trainer).values()
        names = [each.name for each in trainers if not wanted or each.format in wanted]
        return {name: self.maker(Trainer, name) for name in names}

    def _formats(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.maker(Format, name) for name in names}


def _write_key(step: str, **document: Any) -> str:
    return digest({"step": step, "making": MAKING, **document})


def _list_formats(pipelines: Iterable[Pipeline]) -> set[str]:
    return {stage.format for pipeline in pipelines for stage in pipeline.stages}
