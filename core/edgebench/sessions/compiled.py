"""Stages that a backend compiles on the host that will run them: made once, and found again."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from edgebench.parts.digest import digest
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.sessions.opening import Opening

SECONDS = "seconds.json"


def locate_compiled(
    opening: Opening, stage: Stage, root: Path, versions: Mapping[str, str]
) -> Path:
    """Return where a stage is kept once it is compiled, by all that determines what it becomes."""
    from edgebench.cases.chain import list_options
    from edgebench.store.digests import file_digest

    files = {} if stage.directory is None else {f: stage.directory / f for f in stage.files}
    return root / digest(
        {
            "stage": {name: file_digest(path) for name, path in files.items()},
            "backend": opening.backend.name,
            "device": opening.device,
            "threads": opening.threads,
            "options": list_options(opening.options),
            "versions": dict(versions),
        }
    )


def find_compiled(
    opening: Opening, stage: Stage, root: Path | None, versions: Mapping[str, str]
) -> tuple[Stage, float]:
    """Return a stage as it was compiled on this host, and the seconds that it took.

    Raises:
        CaseFailed: It was not compiled.
    """
    from edgebench.store.artifacts import read_pipeline

    place = locate_compiled(opening, stage, root, versions) if root else None
    if place is None or not place.is_dir():
        raise CaseFailed(f"a stage was not compiled by {opening.backend.name} for this host")
    return read_pipeline(place).stages[0], json.loads((place / SECONDS).read_text())


def compile_stage(opening: Opening, pipeline: Pipeline, number: int, root: Path) -> None:
    """Compile one stage of a pipeline, and keep it unless it is there already."""
    from edgebench.store.artifacts import write_pipeline

    stage, backend = pipeline.stages[number], opening.backend
    place = locate_compiled(opening, stage, root, backend.versions())
    if backend.compile is None or place.is_dir():
        return
    workplace = Path(tempfile.mkdtemp(prefix="tmp-", dir=root))
    try:
        (workplace / "stage-0").mkdir()
        begin = time.perf_counter()
        made = backend.compile(
            stage, opening.device, opening.threads, opening.options, workplace / "stage-0"
        )
        (workplace / SECONDS).write_text(json.dumps(time.perf_counter() - begin))
        alone = attrs.evolve(made, exit=None)
        kept = Pipeline(
            model=pipeline.model,
            variant=pipeline.variant,
            stages=[alone],
            outputs=[spec.name for spec in made.outputs],
        )
        write_pipeline(kept, workplace)
        workplace.rename(place)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
