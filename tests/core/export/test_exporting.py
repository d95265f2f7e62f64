"""What is left of an export that fails."""

from __future__ import annotations

import pytest

from edgebench.export import exporting
from edgebench.export.exporting import Export
from edgebench.testing.results import case_of, result_of, run_of


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_that_was_there_outlasts_a_failure(recipes, tmp_path, monkeypatch, there):
    directory, results = tmp_path / "mine", run_of([result_of(case_of())])
    if there:
        directory.mkdir()

    def fail(case, pipeline, openings, preparer):
        (directory / "half").mkdir()
        (directory / "half" / "a.txt").touch()
        (directory / "b.txt").touch()
        raise OSError("the disk is full")

    monkeypatch.setattr(Export, "_find_artifact", lambda _: tmp_path)
    monkeypatch.setattr(Export, "_list_openings", lambda _: [])
    monkeypatch.setattr(exporting, "read_pipeline", lambda _: None)
    monkeypatch.setattr(exporting, "find_example", fail)
    export = Export(
        run=results.run,
        result=results.results[0],
        plugins=recipes.plugins,
        store=recipes.store,
        directory=directory,
    )
    with pytest.raises(OSError, match="the disk is full"):
        export.write()
    assert directory.exists() is there
    assert list(tmp_path.glob("mine/*")) == []
