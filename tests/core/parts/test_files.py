"""A stage has a file to open once it was written, and not before."""

from pathlib import Path

import pytest

from edgebench.parts.pipeline import Stage, TensorSpec

ROW = [TensorSpec(name="x", dtype="float32", shape=("batch", 2))]


def stage(**changes):
    return Stage(format="f", inputs=ROW, outputs=ROW, **changes)


@pytest.mark.parametrize(
    "changes", [{}, {"directory": Path("/kept")}], ids=["nowhere", "no file there"]
)
def test_a_stage_that_was_not_written_has_none(changes):
    with pytest.raises(ValueError, match="this stage of format 'f' has no files yet"):
        _ = stage(**changes).file


def test_a_stage_that_was_written_opens_the_first():
    assert stage(directory=Path("/kept"), files=["a", "b"]).file == Path("/kept/a")
