"""Opening a piece on its host: plugins, runtime, sessions, each timed apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import attrs

from edgebench.measure.compiled import Asked, find
from edgebench.measure.orders import Work
from edgebench.measure.pace import now
from edgebench.measure.piece import Opened, Piece

__all__ = ["Loaded", "open_piece"]


@attrs.frozen(kw_only=True)
class Loaded:
    """A piece that is open, and what opening it took."""

    piece: Piece
    cold_s: Mapping[str, float]
    versions: Mapping[str, str]
    device: str = ""
    """What the sessions were opened on."""


@contextmanager
def open_piece(work: Work) -> Iterator[Loaded]:
    """Open the sessions of a piece, and close them at the end.

    Raises:
        EdgebenchError: Something that the order names is not there.
    """
    from edgebench.artifacts import read_pipeline
    from edgebench.components import Backend, Model
    from edgebench.plugins import PluginSource

    begin = now()
    plugins = PluginSource.from_json(work.source).load()
    backend = plugins.get(Backend, work.backend.name)
    model = plugins.get(Model, work.model)
    # Asking for versions imports the runtime, which is thereby timed apart from loading.
    versions = backend.versions()
    imported = now()
    pipeline = read_pipeline(work.artifact)
    model = model.bound(work.variant, pipeline.resources)
    asked = Asked.of(work, backend)
    compile_s = 0.0
    stages = []
    with ExitStack() as stack:
        for number in pipeline.pieces[work.piece]:
            stage = pipeline.stages[number]
            if backend.compile is not None:
                stage, seconds = find(asked, stage, work.compiled, versions)
                compile_s += seconds
            session = backend.open(stage, asked.device, asked.threads, asked.options)
            stages.append(Opened.of(number, stage, stack.enter_context(session)))
        piece = Piece(
            pipeline=pipeline,
            number=work.piece,
            stages=tuple(stages),
            model=model,
            variant=work.variant,
            slowdown=work.slowdown,
        )
        cold = {"import": (imported - begin) / 1e9, "load": (now() - imported) / 1e9}
        if backend.compile is not None:
            cold["compile"] = compile_s
        yield Loaded(piece=piece, cold_s=cold, versions=versions, device=asked.device)
