"""Stages that a backend compiles on the host that will run them: made once, and found again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.parts.digest import digest
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.parts.places import Session
from edgebench.sessions.opening import Opening

SECONDS = "seconds.json"


def identify_compiled(opening: Opening, stage: Stage, versions: Mapping[str, str]) -> str:
    """Return the key of a stage once it is compiled: all that determines what it becomes.

    Among it are the versions that its backend tells, and which chip and driver where it names them;
    and what the stage says of its tensors, as what is compiled is a stage that says the same.
    """
    from edgebench.cases.chain import list_options
    from edgebench.store.digests import digest_paths, file_digest

    files = {} if stage.directory is None else {f: stage.directory / f for f in stage.files}
    return digest(
        {
            "stage": {name: file_digest(path) for name, path in files.items()},
            "inputs": [attrs.asdict(spec) for spec in stage.inputs],
            "outputs": [attrs.asdict(spec) for spec in stage.outputs],
            "backend": opening.backend.name,
            "code": opening.code,
            "device": opening.device,
            "threads": opening.threads,
            "options": {**list_options(opening.options), **digest_paths(opening.options)},
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
    from edgebench.store.artifacts import Store, read_pipeline

    # Only located, not checked: hashing what was compiled would count as time to load it.
    place = Store(root).locate(identify_compiled(opening, stage, versions)) if root else None
    if place is None or not place.is_dir():
        raise CaseFailed(f"a stage was not compiled by {opening.backend.name} for this host")
    return read_pipeline(place).stages[0], json.loads((place / SECONDS).read_text())


def compile_stage(opening: Opening, pipeline: Pipeline, number: int, root: Path) -> None:
    """Compile one stage of a pipeline, and keep it in the store at *root*, once for all runs.

    Raises:
        CaseFailed: The stage keeps a state, or what its backend gave back is not a compiled one.
    """
    from edgebench.store.artifacts import Store, write_pipeline

    stage, backend = pipeline.stages[number], opening.backend
    if (compile_ := backend.compile) is None:
        return
    if stage.states:
        raise CaseFailed(
            f"{backend.name} compiles stages, and this one keeps the state "
            f"{stage.states[0].read.name!r} from request to request, which would be lost"
        )
    key = identify_compiled(opening, stage, backend.versions())

    def fill(directory: Path) -> None:
        (directory / "stage-0").mkdir()
        begin = time.perf_counter()
        made = compile_(
            stage, opening.device, opening.threads, opening.options, directory / "stage-0"
        )
        (directory / SECONDS).write_text(json.dumps(time.perf_counter() - begin))
        _check_compiled(made, directory / "stage-0")
        alone = Pipeline(
            model=pipeline.model,
            variant=pipeline.variant,
            # Where samples leave is part of the pipeline, not of what a backend made of a stage.
            stages=[attrs.evolve(made, exit=None)],
            outputs=[spec.name for spec in made.outputs],
        )
        write_pipeline(alone, directory)

    what = f"{pipeline.model}:{pipeline.variant} stage {number} compiled by {backend.name}"
    Store(root).make(key, what, fill)


def _check_compiled(made: Any, place: Path) -> None:
    """See that a backend has compiled a stage into the directory that it was given.

    Raises:
        CaseFailed: It has not.
    """
    if not isinstance(made, Stage):
        raise CaseFailed(f"compile gave back {type(made).__name__}, not the compiled Stage")
    if made.directory is None or Path(made.directory).resolve() != place.resolve():
        raise CaseFailed(
            "compile gave back a stage whose files are not in the directory that it was given: "
            "write them there, and return attrs.evolve(stage, directory=directory, files=[...])"
        )
    lacking = [name for name in made.files if not (place / name).is_file()]
    if lacking or not made.files:
        named = f"names {lacking[0]!r}, which it did not write" if lacking else "names no files"
        raise CaseFailed(f"compile gave back a stage that {named}")


@contextmanager
def open_here(opening: Opening, stage: Stage, root: Path) -> Iterator[Session]:
    """Open a stage as its host will: compiled before, where its backend compiles.

    *root* is a store of its own: what is compiled outside of its host, in another time than it
    takes there, must not be found by what measures that.
    """
    if opening.backend.compile is not None:
        alone = Pipeline(
            model=stage.model,
            variant=stage.variant,
            stages=[attrs.evolve(stage, exit=None)],
            outputs=[spec.name for spec in stage.outputs],
        )
        compile_stage(opening, alone, 0, root)
        stage, _ = find_compiled(opening, stage, root, opening.backend.versions())
    with opening.session(stage) as session:
        yield session
