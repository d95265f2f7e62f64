"""What must be done to prepare a case, step by step: what each makes, of what, under which key.

Finding the steps needs no framework: each depends on what the one before it left in the store.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import repeat
from pathlib import Path

import attrs

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.chain import structure
from edgebench.cases.inputs import choose_dataset
from edgebench.cases.operations import Chains, Operation
from edgebench.cases.ways import find_way, say_no_way
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Converter, Operator
from edgebench.parts.digest import digest
from edgebench.parts.errors import (
    CaseFailed,
    CaseSkipped,
    ChainError,
    Missing,
    OptionError,
    UnknownName,
)
from edgebench.parts.places import Backend, Placement
from edgebench.parts.subjects import Model, Variant, Weights
from edgebench.prepare.keys import Keys
from edgebench.prepare.profile_files import read_profile
from edgebench.prepare.steps import Base, Convert, Made, Measure, Operate, Step, Steps, follow
from edgebench.store.artifacts import Store, digest_content, read_pipeline


@attrs.frozen(slots=False)
class Recipes:
    """Finds the steps of cases, from the parts that are installed."""

    plugins: Plugins
    store: Store
    chains: Chains = attrs.field(
        default=attrs.Factory(lambda self: Chains(self.plugins), takes_self=True), eq=False
    )
    """Reads the chains of cases; a plan's, where there is one, has read them already."""

    @cached_property
    def keys(self) -> Keys:
        """Writes the keys of what the steps make."""
        return Keys(self.plugins)

    def base(self, case: Case) -> Steps:
        """Go through the one step that builds a case's model, untransformed."""
        return self.steps(attrs.evolve(case, chain=""), for_backends=False)

    def before(self, case: Case, operator: Operator) -> Steps:
        """Go through the steps of a case, and on to a format that an operator reads."""
        path = yield from self.steps(case, for_backends=False)
        path = yield from self._convert(case, path, repeat(operator.reads), operator.name)
        return path

    def steps(
        self, case: Case, *, for_backends: bool = True, within: tuple[Case, ...] = ()
    ) -> Steps:
        """Go through the steps of a case, and those of the second models that it needs.

        Raises:
            CaseSkipped: No converter leads where the next step or a backend needs it to.
            ChainError: Its operators need each other's second models in a circle.
        """
        if case in within:
            raise ChainError(f"{case.model} {case.chain} needs itself prepared first")
        what = f"{case.model}:{case.variant} {case.weights.label}"
        path = yield Base(key=self.keys.base(case), what=what, case=case)
        # Whose model is in the pipeline: its own until an operator puts another in its place.
        reached = case
        for operation in self.chains.of(case.chain):
            operator = operation.operator
            path = yield from self._convert(case, path, repeat(operator.reads), operator.name)
            companions: dict[tuple[str, str], Path] = {}
            seconds = self._list_companions(case, operation, reached, path)
            for pair, second in seconds:
                companions[pair] = yield from self.steps(
                    second, for_backends=False, within=(*within, case)
                )
            if operator.replaces:
                reached = seconds[-1][1]
            profiled: Mapping[str, Path] = {}
            if "profile" in operation.needs:
                profiled = yield from self._profile(case, path)
            path = yield self._operate(case, operation, path, companions, profiled)
        if for_backends:
            path = yield from self._convert(case, path, self._readers(case, path), case.backend)
        return path

    def trace(self, case: Case, find: Callable[[Step], Path | None]) -> tuple[Made, ...]:
        """Return the steps of a case that *find* finds, without those of second models."""
        made: list[Made] = []

        def note(step: Step) -> Path | None:
            path = find(step)
            if path and step.case is case and not isinstance(step, Measure):
                made.append((step, path))
            return path

        follow(self.steps(case), note)
        return tuple(made)

    def find_precision(self, choice: BackendChoice) -> str:
        """Return the precision in which a backend computes what a stage keeps as `f32`."""
        backend = self.plugins.get(Backend, choice.name)
        with blame(self.plugins, Backend, choice.name):
            return backend.precision(structure(backend.options, choice.options, choice.name))

    def _profile(self, case: Case, path: Path) -> Generator[Step, Path, Mapping[str, Path]]:
        """Go through the steps that profile a pipeline; return by tier where each profile lies."""
        converted: dict[str, tuple[Case, Path]] = {}
        for tier, choice in zip(case.placement.tiers, case.backends, strict=True):
            alone = attrs.evolve(
                case, placement=Placement((tier,)), backends=[choice], route=(tier,), links=()
            )
            readers = repeat(self.plugins.get(Backend, choice.name).formats)
            converted[tier] = alone, (yield from self._convert(alone, path, readers, str(choice)))
        profiled = {}
        # After all conversions, so that no worker is begun anew for each tier.
        for tier, (alone, before) in converted.items():
            pipeline = read_pipeline(before)
            profiled[tier] = yield Measure(
                key=self.keys.profile(alone, digest_content(before, doubts=False), pipeline),
                what=f"{case.model}:{case.variant} profiled on {tier} with {alone.backend}",
                case=alone,
                before=before,
            )
        return profiled

    def _operate(
        self,
        case: Case,
        operation: Operation,
        path: Path,
        companions: Mapping[tuple[str, str], Path],
        profiled: Mapping[str, Path],
    ) -> Operate:
        paths = [path, *companions.values()]
        given = [*map(digest_content, [*paths, *profiled.values()])]
        seed = int(digest([case.seed, operation.operator.name])[:8], 16)
        return Operate(
            key=self.keys.operate(case, operation, seed, given, [*map(read_pipeline, paths)]),
            what=f"{case.model}:{case.variant} {operation.written}",
            case=case,
            before=path,
            operation=operation,
            seed=seed,
            companions=companions,
            profiles={tier: read_profile(place) for tier, place in profiled.items()},
        )

    def _convert(
        self, case: Case, path: Path, readers: Iterable[tuple[str, ...]], whom: str
    ) -> Steps:
        """Convert each stage to a format that its reader takes, if any of them must be."""
        pipeline = read_pipeline(path)
        converters = self.plugins.all(Converter).values()
        ways = []
        for stage, formats in zip(pipeline.stages, readers, strict=False):
            way = find_way(converters, stage.format, formats)
            if way is None:
                raise CaseSkipped(say_no_way(stage.format, formats, whom))
            ways.append(way)
        if not any(ways):
            return path
        targets = sorted({way[-1].target for way in ways if way})
        made = yield Convert(
            key=self.keys.convert(case, ways, digest_content(path), pipeline),
            what=f"{case.model}:{case.variant} to {', '.join(targets)}",
            case=case,
            before=path,
            ways=tuple(ways),
        )
        return made

    def _readers(self, case: Case, path: Path) -> Iterator[tuple[str, ...]]:
        """Return, for each stage, the formats that its tier's backend reads."""
        pieces, tiers = read_pipeline(path).pieces, len(case.placement.tiers)
        if len(pieces) != tiers:
            raise CaseSkipped(
                f"{case.placement} needs {tiers} pieces, {case.chain} gives {len(pieces)}"
            )
        for piece, choice in zip(pieces, case.backends, strict=True):
            yield from repeat(self.plugins.get(Backend, choice.name).formats, len(piece))

    def _list_companions(
        self, case: Case, operation: Operation, reached: Case, path: Path
    ) -> list[tuple[tuple[str, str], Case]]:
        """Return the second models that an operator announces, each with its case.

        It is asked of the model of the case *reached*, as it is in the pipeline at *path*.

        Raises:
            CaseFailed: One of them is unknown, or its chain is.
        """
        operator, found = operation.operator, []
        with blame(self.plugins, Operator, operator.name):
            configuration = read_pipeline(path).stages[0].configuration
            own = self.plugins.get(Model, reached.model).known(reached.variant, configuration)
            for pair in operator.companions(operation.options, own, own.variant(reached.variant)):
                try:
                    model, chain = pair
                    second = self._second(case, model, chain)
                    self.chains.of(chain)
                except (UnknownName, Missing, OptionError, ChainError) as error:
                    raise CaseFailed(f"its companions name {model!r} {chain!r}: {error}") from error
                found.append(((model, chain), second))
        return found

    def _second(self, case: Case, model: str, chain: str) -> Case:
        """Return the case of a second model, its weights of the same kind where it has them."""
        name, _, wanted = model.partition(":")
        found = self.plugins.get(Model, name)
        variant = found.variant(wanted)
        if (name, variant.name) == (case.model, case.variant):
            return attrs.evolve(case, chain=chain)
        if found.from_file is not None and name == case.model:
            said = (*case.options, ("student", variant.name))
            return attrs.evolve(case, variant=variant.name, options=said, chain=chain)
        given = {case.dataset: case.data} if case.data else {}
        dataset, data = choose_dataset(found, variant.name, self.plugins, given)
        return attrs.evolve(
            case,
            model=name,
            variant=variant.name,
            weights=_choose_weights(case, variant),
            options=(),
            dataset=dataset,
            data=data,
            data_options=case.data_options if data else (),
            chain=chain,
        )


def _choose_weights(case: Case, variant: Variant) -> Weights:
    """Return the weights of another network than the case's.

    A file holds the weights of one network only; for another those that come by themselves do.
    """
    kinds = [kind for kind in (case.weights.kind, *variant.weights) if kind != "file"]
    kind = next((kind for kind in kinds if kind in variant.weights), variant.weights[0])
    return Weights(kind=kind, seed=case.weights.seed)
