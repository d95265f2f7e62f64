"""Opening a piece on its host: plugins, runtime, sessions, each timed apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs

from edgebench.measure.station.orders import Work
from edgebench.measure.station.piece import OpenStage, Piece
from edgebench.measure.transport.pace import now

if TYPE_CHECKING:
    from edgebench.catalogue.plugins import Plugins
    from edgebench.parts.part import Part


@attrs.frozen(kw_only=True)
class OpenPiece:
    """A piece that is open, and what opening it took."""

    piece: Piece
    cold_s: Mapping[str, float]
    versions: Mapping[str, str]
    device: str = ""
    """What the sessions were opened on."""


@contextmanager
def open_piece(work: Work, plugins: Plugins | None = None) -> Iterator[OpenPiece]:
    """Open the sessions of a piece, and close them at the end.

    The plugins that the order names are loaded here, unless whoever asks has done so.

    Raises:
        EdgebenchError: Something that the order names is not there.
    """
    from edgebench.catalogue.blame import blame, name_part
    from edgebench.catalogue.plugins import PluginSource
    from edgebench.parts.places import Backend
    from edgebench.parts.subjects import Model
    from edgebench.sessions.compiled import find_compiled
    from edgebench.sessions.opening import Opening
    from edgebench.store.artifacts import read_pipeline

    begin = now()
    plugins = plugins or PluginSource.from_json(work.source).load()
    backend = plugins.get(Backend, work.backend.name)
    model = plugins.get(Model, work.model)
    blame_backend = partial(blame, plugins, Backend, backend.name)
    # Asking for versions imports the runtime, which is thereby timed apart from loading.
    with blame_backend():
        versions = backend.versions()
    imported = now()
    pipeline = read_pipeline(work.artifact)
    with blame(plugins, Model, model.name):
        model = model.bound(work.variant, pipeline.resources)
    with blame_backend():
        opening = Opening.of(backend, work.backend, work.threads, work.code)
    compile_s = 0.0
    stages = []
    with ExitStack() as stack:
        for number in pipeline.pieces[work.piece]:
            announced = stage = pipeline.stages[number]
            if backend.compile is not None:
                stage, seconds = find_compiled(opening, stage, work.compiled, versions)
                compile_s += seconds
            with blame_backend():
                session = stack.enter_context(opening.session(stage))
            stages.append(OpenStage.of(number, stage, session, announced))
        piece = Piece(
            pipeline=pipeline,
            number=work.piece,
            stages=tuple(stages),
            model=model,
            variant=work.variant,
            slowdown=work.slowdown,
            loaded=backend.loads,
            announced_by=f"{work.model}:{work.variant} after {work.chain}" if work.chain else "",
            name_culprit=lambda step: name_part(plugins, *_find_culprit(work, step)),
        )
        cold = {"import": (imported - begin) / 1e9, "load": (now() - imported) / 1e9}
        if backend.compile is not None:
            cold["compile"] = compile_s
        yield OpenPiece(piece=piece, cold_s=cold, versions=versions, device=opening.device)


def _find_culprit(work: Work, step: str) -> tuple[type[Part], str]:
    """Return whose code a step of a request is: what opened the stages, or the model."""
    from edgebench.parts.places import Backend
    from edgebench.parts.subjects import Model

    computed = step.startswith(("stage", "serialise"))
    return (Backend, work.backend.name) if computed else (Model, work.model)
