"""Stages that a backend compiles on the host that will run them: made once, and found again.

`python -m edgebench.measure.compiled ORDER.json` compiles what one host will run, in a process of
its own, because compiling may leave memory and threads in a state that no measured process has.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgebench.case import digest
from edgebench.components import Backend
from edgebench.errors import CaseFailed
from edgebench.measure.orders import HostOrder, Work
from edgebench.measure.pace import now
from edgebench.pipeline import Pipeline, Stage

__all__ = ["Asked", "find", "keep", "main"]

SECONDS = "seconds.json"


@attrs.frozen(kw_only=True)
class Asked:
    """What a backend is asked to open or compile a stage with."""

    backend: str
    device: str
    threads: int
    options: Any

    @classmethod
    def of(cls, work: Work, backend: Backend) -> Asked:
        """Fill in what the order leaves to the backend."""
        return cls(
            backend=backend.name,
            device=work.backend.device or backend.devices()[0],
            threads=work.threads,
            options=_options(backend.options, work),
        )

    def place(self, root: Path, stage: Stage, versions: Mapping[str, str]) -> Path:
        """Return where such a stage is kept once it is compiled."""
        from edgebench.chain import option_values
        from edgebench.digests import file_digest

        files = {} if stage.directory is None else {f: stage.directory / f for f in stage.files}
        return root / digest(
            {
                "stage": {name: file_digest(path) for name, path in files.items()},
                "backend": self.backend,
                "device": self.device,
                "threads": self.threads,
                "options": option_values(self.options),
                "versions": dict(versions),
            }
        )


def _options(options: type, work: Work) -> Any:
    if not work.backend.options:
        return options()
    from edgebench.chain import structure

    return structure(options, work.backend.options, f"the backend {work.backend.name}")


def find(
    asked: Asked, stage: Stage, root: Path | None, versions: Mapping[str, str]
) -> tuple[Stage, float]:
    """Return a stage as it was compiled on this host, and the seconds that it took.

    Raises:
        CaseFailed: It was not compiled.
    """
    from edgebench.artifacts import read_pipeline

    place = asked.place(root, stage, versions) if root else None
    if place is None or not place.is_dir():
        raise CaseFailed(f"a stage was not compiled by {asked.backend} for this host")
    return read_pipeline(place).stages[0], json.loads((place / SECONDS).read_text())


def main(argv: list[str]) -> None:
    """Compile what the order in the file named by the first argument names."""
    import zmq

    from edgebench.artifacts import read_pipeline
    from edgebench.measure.worker import Control, settle
    from edgebench.plugins import PluginSource

    order = HostOrder.from_json(json.loads(Path(argv[0]).read_text()))
    settle(order, sorted(os.sched_getaffinity(0)))
    control = Control.connect(zmq.Context(), order)
    if order.work is None or order.work.compiled is None:
        raise ValueError("an order to compile needs work, and a place to keep it")
    with control.telling(f"{order.name}: "):
        plugins = PluginSource.from_json(order.work.source).load()
        pipeline = read_pipeline(order.work.artifact)
        backend = plugins.get(Backend, order.work.backend.name)
        for number in pipeline.pieces[order.work.piece]:
            keep(backend, order.work, pipeline, number, order.work.compiled)
    control.say("compiled", {})
    control.hear()


def keep(backend: Backend, work: Work, pipeline: Pipeline, number: int, root: Path) -> None:
    """Compile one stage, and keep it unless it is there already."""
    from edgebench.artifacts import write_pipeline

    stage, asked = pipeline.stages[number], Asked.of(work, backend)
    place = asked.place(root, stage, backend.versions())
    if backend.compile is None or place.is_dir():
        return
    workplace = Path(tempfile.mkdtemp(prefix="tmp-", dir=root))
    try:
        (workplace / "stage-0").mkdir()
        begin = now()
        made = backend.compile(
            stage, asked.device, asked.threads, asked.options, workplace / "stage-0"
        )
        (workplace / SECONDS).write_text(json.dumps((now() - begin) / 1e9))
        alone = [spec.name for spec in made.outputs]
        model, variant = pipeline.model, pipeline.variant
        kept = Pipeline(
            model=model, variant=variant, stages=[attrs.evolve(made, exit=None)], outputs=alone
        )
        write_pipeline(kept, workplace)
        workplace.rename(place)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
