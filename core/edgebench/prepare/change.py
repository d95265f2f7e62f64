"""Whether what an operator did is in what it gave back.

A stage that still has its files is kept by them: whatever became of its live object is lost. So one
that was changed in place, or given to a stage without letting the files go, would be measured as if
nothing had been done.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from edgebench.parts.changes import Operator
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.prepare.stages import Stages
from edgebench.store.artifacts import read_pipeline
from edgebench.store.digests import content_digest


def check_change(
    operator: Operator, before: Pipeline, after: Pipeline, stages: Stages
) -> Iterator[str]:
    """Yield doubts as to whether an operator's work is in the pipeline that it gave back.

    Raises:
        CaseFailed: It is not, or there was none and the operator does not declare that it may.
    """
    if not isinstance(after, Pipeline):
        raise CaseFailed(f"it gave back {type(after).__name__}, not a Pipeline")
    for number, stage in enumerate(after.stages):
        lost = _is_lost(stage, stages)
        if lost:
            raise CaseFailed(
                f"it changed the live object of stage {number} and gave the stage back with the "
                "files that it had, which are what is measured: change a copy, and give it to "
                "`stage.changed(...)`"
            )
        if lost is None:
            yield (
                f"{operator.name}: whether it changed stage {number} in place cannot be told, as "
                f"{stage.format} writes the same object differently each time"
            )
    if not operator.may_keep and attrs.evolve(after, doubts=before.doubts) == before:
        raise CaseFailed(
            "it changed nothing: it gave back the pipeline that it was given; an operator that may "
            "do so declares it with `may_keep=True`"
        )


def _is_lost(stage: Stage, stages: Stages) -> bool | None:
    """Say whether a live object is another than the stage's files hold; None if none can say."""
    if stage.directory is None or stage.live is None:
        return False
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:

        def write(stage: Stage, name: str) -> str:
            place = Path(scratch, name)
            place.mkdir()
            stages.write(attrs.evolve(stage, directory=None), place)
            return content_digest(place)

        given, kept = write(stage, "given"), write(_reload(stage, stages), "kept")
        if given == kept:
            return False
        return True if write(_reload(stage, stages), "again") == kept else None


def _reload(stage: Stage, stages: Stages) -> Stage:
    return stages.live(attrs.evolve(stage, live=None))


def is_same(before: Path, after: Path) -> bool:
    """Say whether two pipelines that were written are the same to the byte, doubts left aside."""
    one, other = (_without_places(read_pipeline(path)) for path in (before, after))
    return one == other and all(
        content_digest(before / name) == content_digest(after / name)
        for name in (f"stage-{number}" for number in range(len(one.stages)))
    )


def _without_places(pipeline: Pipeline) -> Pipeline:
    stages = [attrs.evolve(stage, directory=None) for stage in pipeline.stages]
    return attrs.evolve(pipeline, stages=stages, doubts=())
