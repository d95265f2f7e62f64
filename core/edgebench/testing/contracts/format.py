"""What a format promises."""

from __future__ import annotations

from pathlib import Path

import attrs

from edgebench.cases.case import Case
from edgebench.parts.changes import Contents, Format
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import Pipeline, Stage
from edgebench.store.artifacts import read_pipeline
from edgebench.store.digests import content_digest
from edgebench.testing.contracts.afresh import Crashed
from edgebench.testing.contracts.contract import doubt, hold
from edgebench.testing.contracts.pickles import find_pickles
from edgebench.testing.contracts.prepared import FormatTrial
from edgebench.testing.contracts.running import load_afresh
from edgebench.testing.contracts.spoiling import spoil


class FormatContract(FormatTrial):
    """What a format promises: a stage of the smallest model that leads to it, kept and found."""

    kind = Format

    # --- promises --------------------------------------------------------------------------------

    def test_it_writes_what_it_names(self) -> None:
        """It writes the files that it names, and no others, into the directory that it is given."""
        place = self._save(self._stage())
        written = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
        named = set(self.tried["names"])
        hold(named, "save names no file")
        hold(named <= written, f"it names {sorted(named - written)}, which it has not written")
        hold(written <= named, f"it writes {sorted(written - named)}, which it does not name")

    def test_what_it_kept_is_kept_again_the_same(self) -> None:
        """Loaded and saved again, a stage is the same files."""
        stage = self._stage()
        first = self._save(stage)
        names = self.tried["names"]
        kept = attrs.evolve(stage, live=None, directory=first, files=names)
        again = self._save(self.bench.stages.live(kept))
        if content_digest(first) == content_digest(again):
            return
        hold(
            content_digest(first) != content_digest(self._save(stage)),
            "a stage that was loaded and saved again is other files than before",
        )
        doubt("it writes the same object differently each time: what is kept twice is not shared")

    def test_a_fresh_process_loads_it(self) -> None:
        """A process that has seen nothing of the stage loads it from its files."""
        case, path = self._prepared()
        try:
            load_afresh(self.bench, case, path)
        except EdgebenchError as error:
            raise AssertionError(f"a fresh process does not load it: {error}") from error

    def test_it_uses_no_pickle(self) -> None:
        """None of its files is a pickle, nor holds one: loading a file runs no code in it."""
        found = find_pickles(self._save(self._stage()))
        hold(not found, f"{', '.join(found)}: a pickle, which runs code when it is loaded")

    def test_it_refuses_a_damaged_file(self) -> None:
        """A file that is cut off is an error when it is loaded, and no crash."""
        case, path = self._prepared()
        try:
            load_afresh(self.bench, case, spoil(self.bench, path, None))
        except Crashed as error:
            raise AssertionError(f"of a file that is cut off, {error}") from error
        except EdgebenchError:
            return
        raise AssertionError("of a file that is cut off it loads a stage")

    def test_it_tells_what_is_in_a_stage(self) -> None:
        """What it counts in a stage is whole numbers, and nodes have names of their own."""
        form: Format = self.part
        stage = self._stage()
        if form.describe is not None:
            found = form.describe(stage)
            hold(isinstance(found, Contents), f"describe gives {type(found).__name__}")
            numbers = [*found.nodes.values(), found.parameters or 0, found.operations or 0]
            hold(
                all(isinstance(number, int) and number >= 0 for number in numbers),
                f"describe counts {numbers}, not whole numbers from 0 on",
            )
        _, path = self._prepared()
        names = list(form.nodes(read_pipeline(path).stages[0]))
        hold(all(isinstance(name, str) and name for name in names), "a node's name is no text")
        hold(len(set(names)) == len(names), "two nodes have one name")

    # --- what they stand on ----------------------------------------------------------------------

    def _prepared(self) -> tuple[Case, Path]:
        return self.prepare_in(self.part.name)

    def _stage(self) -> Stage:
        """Return a stage of the format with its live object."""
        pipeline: Pipeline = read_pipeline(self._prepared()[1])
        return self.bench.stages.live(pipeline.stages[0])

    def _save(self, stage: Stage) -> Path:
        place = self.bench.make_place("saved")
        self.tried["names"] = tuple(self.part.save(stage, place))
        return place
