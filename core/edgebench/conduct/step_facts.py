"""What led to a case's pipeline and what is in it, as facts: step by step, and stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgebench.measure.stand.deployment import Deployment
from edgebench.parts.changes import Contents
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.prepare.provenance import add_known, read_provenance
from edgebench.prepare.steps import Base, Convert, Made, Operate
from edgebench.records.facts import StageFacts, StepFacts
from edgebench.store.artifacts import read_pipeline


def describe_steps(made: Iterable[Made]) -> Iterator[StepFacts]:
    """Yield the facts of steps that were made, in order."""
    written: list[str] = []
    doubted: tuple[str, ...] = ()
    for step, path in made:
        pipeline, provenance = read_pipeline(path), read_provenance(path)
        if isinstance(step, Operate):
            written.append(step.operation.written)
        counted = tuple(count_stages(pipeline, provenance.contents))
        yield StepFacts(
            what=_name(step),
            chain="+".join(written),
            operator=isinstance(step, Operate),
            artifact=path.name,
            formats=_distinct(stage.format for stage in pipeline.stages),
            precisions=_distinct(stage.precision for stage in pipeline.stages),
            stages=len(pipeline.stages),
            pieces=len(pipeline.pieces),
            bytes=add_known(stage.size for stage in pipeline.stages),
            parameters=add_known(one.parameters for one in counted),
            operations=add_known(one.operations for one in counted),
            nodes=_add_nodes(counted),
            seconds=provenance.seconds,
            training_s=provenance.training_s,
            chosen=provenance.chosen,
            doubts=tuple(doubt for doubt in pipeline.doubts if doubt not in doubted),
        )
        doubted = pipeline.doubts


def describe_stages(
    deployment: Deployment, assignments: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> Iterator[StageFacts]:
    """Yield the facts of the stages of a pipeline as it is deployed, in order.

    Their *assignments* are known by the number of the stage, of those that were told of.
    """
    pipeline = deployment.pipeline
    counted = list(count_stages(pipeline, read_provenance(deployment.artifact).contents))
    placed = zip(deployment.case.placement.tiers, pipeline.pieces, strict=True)
    for tier, number in ((tier, number) for tier, piece in placed for number in piece):
        stage = pipeline.stages[number]
        yield StageFacts(
            tier=tier,
            format=stage.format,
            precision=stage.precision,
            bytes=stage.size,
            parameters=counted[number].parameters,
            operations=counted[number].operations,
            assignment=assignments.get(str(number), {}),
        )


def count_stages(pipeline: Pipeline, contents: Sequence[Contents | None]) -> Iterator[Contents]:
    """Yield what is in each stage: as it was counted, else as the stage says of itself."""
    found = contents if len(contents) == len(pipeline.stages) else [None] * len(pipeline.stages)
    for stage, counted in zip(pipeline.stages, found, strict=True):
        yield _fill(stage, counted or Contents())


def _fill(stage: Stage, counted: Contents) -> Contents:
    """Return what was counted of a stage, and what it says itself of what was not."""
    known = {
        name: getattr(stage, name) if (found := getattr(counted, name)) is None else found
        for name in ("parameters", "operations")
    }
    return Contents(nodes=counted.nodes, **known)


def _name(step: Base | Operate | Convert) -> str:
    if isinstance(step, Base):
        return "built"
    if isinstance(step, Convert):
        return f"to {', '.join(_distinct(way[-1].target for way in step.ways if way))}"
    return step.operation.written


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _add_nodes(counted: Iterable[Contents]) -> dict[str, int]:
    nodes: dict[str, int] = {}
    for one in counted:
        for name, count in one.nodes.items():
            nodes[name] = nodes.get(name, 0) + count
    return nodes
