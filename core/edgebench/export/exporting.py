"""A measured case as a directory that runs without this package: files, programs, tensors, figures.

Everything that a tier needs lies in a folder of its own, to be copied to its machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from edgebench.analysis.result import Result
from edgebench.catalogue.blame import blame
from edgebench.catalogue.plugins import Plugins
from edgebench.export.example import Example, find_example
from edgebench.export.exported import Exported
from edgebench.export.licences import find_licence
from edgebench.export.readme import write_readme
from edgebench.export.requirements import list_requirements
from edgebench.export.source import write_program
from edgebench.parts.documents import to_document
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import Pipeline, Stage, TensorSpec
from edgebench.parts.places import Backend
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.recipe import Recipes
from edgebench.records.outcome import Run
from edgebench.sessions.opening import Opening
from edgebench.sessions.state import expose_states
from edgebench.store.artifacts import Store, read_pipeline
from edgebench.store.digests import file_digest
from edgebench.store.npz import to_npz


@attrs.frozen(kw_only=True)
class Export:
    """Writes one case of a run into a directory."""

    run: Run
    result: Result
    plugins: Plugins
    store: Store
    directory: Path

    def write(self) -> Exported:
        """Write everything.

        Raises:
            EdgebenchError: The case was not measured, its pipeline is gone, the directory is in the
                way, or a backend cannot be exported.
        """
        pipeline, openings = read_pipeline(self._find_artifact()), self._list_openings()
        self._refuse_backends(openings)
        was_there = self._make_directory()
        try:
            return self._fill(pipeline, openings)
        except BaseException:
            # Half of it would be taken for all, and be in the way of the next.
            self._clear(keep=was_there)
            raise

    def _fill(self, pipeline: Pipeline, openings: Sequence[Opening]) -> Exported:
        case, facts = self.result.case, self.result.facts
        preparer = Preparer(
            recipes=Recipes(self.plugins, self.store), progress=lambda _, __, ___: None
        )
        example = find_example(case, pipeline, openings, preparer)
        folders = [f"{number}-{tier}" for number, tier in enumerate(case.placement.tiers, start=1)]
        sources: list[str] = []
        for number, (folder, opening) in enumerate(zip(folders, openings, strict=True)):
            sources += self._write_piece(pipeline, number, folder, opening)
        requirements, doubts = list_requirements(sources, facts.versions)
        for folder in folders:
            (self.directory / folder / "requirements.txt").write_text(requirements)
        licence = find_licence(case, preparer.recipes)
        self._write_tensors(example)
        self._write_documents(pipeline, folders, licence, requirements)
        made = Exported(
            directory=self.directory,
            pieces=tuple(folders),
            licence=licence,
            example=example.what,
            doubts=doubts,
        )
        text = write_readme(self.run, self.result, pipeline, made)
        (self.directory / "README.txt").write_text(text)
        return made

    def _find_artifact(self) -> Path:
        case, facts = self.result.case, self.result.facts
        if not facts.artifact:
            why = f": {self.result.reason}" if self.result.reason else ""
            was = "was not measured here" if self.result.measured else "was not measured"
            raise EdgebenchError(f"case {case.id} of run {self.run.id} {was}{why}")
        place = self.store.find(facts.artifact)
        if place is None:
            raise EdgebenchError(
                f"what was prepared for case {case.id} is no longer in the store "
                f"{self.store.root}; `edgebench run --case {case.id}` makes it again"
            )
        return place

    def _list_openings(self) -> list[Opening]:
        """Return how the stages of each piece were opened: device, threads and options."""
        case = self.result.case
        threads = {t.name: t.threads for block in self.result.measured for t in block.tiers}
        found = []
        for tier, choice in zip(case.placement.tiers, case.backends, strict=True):
            backend = self.plugins.get(Backend, choice.name)
            with blame(self.plugins, Backend, backend.name):
                count = threads.get(tier) or case.threads or 1
                found.append(Opening.of(backend, choice, count))
        return found

    def _refuse_backends(self, openings: Sequence[Opening]) -> None:
        for opening in openings:
            if opening.backend.program is None:
                raise EdgebenchError(
                    f"the backend {opening.backend.name} says no program that opens a stage "
                    "without edgebench (Backend.program), so its cases cannot be exported"
                )

    def _clear(self, *, keep: bool) -> None:
        """Remove what was written; the directory itself unless it was there before."""
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        for one in self.directory.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()

    def _make_directory(self) -> bool:
        """Make the directory that is to be filled, and return whether it was there, empty."""
        was_there = self.directory.exists()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if any(self.directory.iterdir()):
                raise EdgebenchError(f"{self.directory} is not empty; name another with -o DIR")
        except OSError as error:
            raise EdgebenchError(f"cannot write {self.directory}: {error.strerror}") from error
        return was_there

    def _write_piece(
        self, pipeline: Pipeline, number: int, folder: str, opening: Opening
    ) -> list[str]:
        """Write the folder of one piece, and return the sources that open its stages."""
        place = self.directory / folder
        place.mkdir()
        sources = []
        for stage_number in pipeline.pieces[number]:
            inside = place / f"stage_{stage_number}"
            inside.mkdir()
            source = self._write_stage(pipeline.stages[stage_number], opening, inside)
            (place / f"stage_{stage_number}.py").write_text(source)
            sources.append(source)
        written = sorted(path for path in place.rglob("*") if path.is_file())
        held = {path.relative_to(place).as_posix(): file_digest(path) for path in written}
        document = {**describe_piece(pipeline, number), "sha256": held}
        (place / "piece.json").write_text(json.dumps(document, indent=1) + "\n")
        (place / "piece.py").write_text(write_program())
        return sources

    def _write_stage(self, stage: Stage, opening: Opening, inside: Path) -> str:
        backend = opening.backend
        program = backend.program
        if program is None or stage.directory is None:  # refused before, and never so
            return ""
        for name in stage.files:
            (inside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stage.directory / name, inside / name)
        with blame(self.plugins, Backend, backend.name):
            return program(
                expose_states(stage), opening.device, opening.threads, opening.options, inside
            )

    def _write_tensors(self, example: Example) -> None:
        for name, tensors in (("input", example.inputs), ("output", example.outputs)):
            (self.directory / f"{name}.npz").write_bytes(to_npz(tensors))

    def _write_documents(
        self, pipeline: Pipeline, folders: Sequence[str], licence: str, requirements: str
    ) -> None:
        case, result = self.result.case, self.result
        stages = [
            attrs.asdict(stage, filter=lambda field, _: field.name not in ("live", "directory"))
            for stage in pipeline.stages
        ]
        document = {
            "schema": 1,
            "licence": licence,
            "case": to_document(case),
            "pieces": [
                {"folder": folder, "tier": tier, "backend": str(backend)}
                for folder, tier, backend in zip(
                    folders, case.placement.tiers, case.backends, strict=True
                )
            ],
            "inputs": [attrs.asdict(spec) for spec in pipeline.inputs],
            "outputs": list(pipeline.outputs),
            "cuts": list(pipeline.cuts),
            "stages": stages,
            "versions": {**result.facts.versions, "edgebench": version("edgebench")},
            "requirements": requirements.splitlines(),
            "artifact": result.facts.artifact,
        }
        figures = {
            "schema": 1,
            "run": self.run.id,
            "started": self.run.started,
            "environment": to_document(self.run.environment),
            "case": result.to_json(),
        }
        for name, held in (("pipeline.json", document), ("figures.json", figures)):
            text = json.dumps(held, indent=1, default=str, allow_nan=False)
            (self.directory / name).write_text(text + "\n")


def describe_piece(pipeline: Pipeline, number: int) -> dict[str, Any]:
    """Return what the program of a piece must know of it."""
    piece = pipeline.pieces[number]
    last = number == len(pipeline.pieces) - 1
    return {
        "reads": _find_specs(pipeline, pipeline.crossing(piece.start)),
        "sends": [] if last else list(pipeline.crossing(piece.stop)),
        "outputs": _find_specs(pipeline, pipeline.outputs),
        "last": last,
        "stages": [_describe_stage(pipeline.stages[one], one) for one in piece],
    }


def _find_specs(pipeline: Pipeline, names: Sequence[str]) -> list[Mapping[str, Any]]:
    known: dict[str, TensorSpec] = {spec.name: spec for spec in pipeline.inputs}
    for stage in pipeline.stages:
        known |= {spec.name: spec for spec in stage.outputs}
    return [
        {"name": name, "dtype": known[name].dtype, "shape": list(known[name].shape)}
        for name in names
    ]


def _describe_stage(stage: Stage, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "feeds": [[spec.name, spec.inside] for spec in stage.inputs],
        "gives": [[spec.name, spec.inside] for spec in stage.outputs],
        "exit": attrs.asdict(stage.exit) if stage.exit else None,
        "states": [
            {
                "inside": state.read.inside,
                "dtype": state.read.dtype,
                "shape": list(state.read.shape),
                "written": state.written,
            }
            for state in stage.states
        ],
    }
