from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench import Exit, Pipeline, Stage, TensorSpec
from edgebench.parts.pipeline import join_batches


def spec(name: str) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=("batch", 2))


def stage(reads: str, writes: str, leaves: Exit | None = None) -> Stage:
    return Stage(
        format="f", inputs=map(spec, reads.split()), outputs=map(spec, writes.split()), exit=leaves
    )


def made(*stages: Stage, cuts=(), outputs=("y",)) -> Pipeline:
    return Pipeline(model="m", variant="v", stages=stages, cuts=cuts, outputs=outputs)


def test_inputs_are_what_is_read_and_written_by_none_before():
    pipeline = made(stage("x mask", "h"), stage("h mask size", "y"))
    assert [each.name for each in pipeline.inputs] == ["x", "mask", "size"]


def test_what_crosses_includes_what_only_passes_through():
    pipeline = made(stage("x mask", "h"), stage("h", "g"), stage("g mask", "y"), cuts=[1, 2])
    assert pipeline.crossing(1) == ("mask", "h")
    assert pipeline.crossing(2) == ("mask", "g")


def test_an_output_written_early_crosses_every_cut_after_it():
    pipeline = made(stage("x", "h y"), stage("h", "z"), outputs=("y", "z"))
    assert pipeline.crossing(1) == ("h", "y")


def test_pieces_are_the_stages_between_cuts():
    pipeline = made(stage("x", "h"), stage("h", "g"), stage("g", "y"), cuts=[2])
    assert [list(piece) for piece in pipeline.pieces] == [[0, 1], [2]]


@pytest.mark.parametrize("cuts", [(0,), (2,), (1, 1), (-1,)])
def test_cuts_out_of_place_are_refused(cuts):
    with pytest.raises(ValueError, match="cuts must rise between 1 and 1"):
        made(stage("x", "h"), stage("h", "y"), cuts=cuts)


def test_an_output_that_nothing_writes_is_refused():
    with pytest.raises(ValueError, match="no stage writes the output 'z'"):
        made(stage("x", "y"), outputs=("z",))


def test_an_exit_answers_every_output():
    leaves = Exit(condition="c", answer=["y"], threshold=0.5)
    with pytest.raises(
        ValueError, match="an exit must answer all 2 outputs of the pipeline, not 1"
    ):
        made(stage("x", "c y z", leaves), outputs=("y", "z"))


def test_two_tensors_of_a_stage_cannot_share_a_name():
    with pytest.raises(ValueError, match="outputs of a stage must have distinct names"):
        stage("x", "y y")


def test_an_unknown_element_type_is_refused():
    with pytest.raises(ValueError, match="dtype must be one of .*, not 'object'"):
        TensorSpec(name="x", dtype="object", shape=(1,))


def test_a_stage_without_files_says_so():
    with pytest.raises(ValueError, match="format 'f' has no files yet"):
        _ = stage("x", "y").file


def test_a_changed_stage_lets_its_files_go(tmp_path):
    (tmp_path / "a").write_bytes(b"123")
    kept = Stage(
        format="f", inputs=[spec("x")], outputs=[spec("y")], files=["a"], directory=tmp_path
    )
    assert (kept.file, kept.size) == (tmp_path / "a", 3)
    changed = kept.changed("live")
    assert (changed.live, changed.files, changed.directory, changed.size) == (
        "live",
        (),
        None,
        None,
    )


# --- the files of a stage ------------------------------------------------------------------------


def written(**changes) -> Stage:
    return Stage(format="f", inputs=[spec("x")], outputs=[spec("y")], **changes)


@pytest.mark.parametrize(
    "changes", [{}, {"directory": Path("/kept")}], ids=["nowhere", "no file there"]
)
def test_a_stage_that_was_not_written_has_none(changes):
    with pytest.raises(ValueError, match="this stage of format 'f' has no files yet"):
        _ = written(**changes).file


def test_a_stage_that_was_written_opens_the_first():
    assert written(directory=Path("/kept"), files=["a", "b"]).file == Path("/kept/a")


def test_batches_are_joined_by_name():
    one, other = {"x": np.ones((1, 2)), "y": np.zeros((1, 1))}, {"x": np.zeros((2, 2))}
    got = join_batches([one, {**other, "y": np.ones((2, 1))}])
    assert got["x"].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert got["y"].shape == (3, 1)


def test_a_batch_that_lacks_a_tensor_is_not_joined():
    with pytest.raises(KeyError):
        join_batches([{"x": np.ones(1)}, {"y": np.ones(1)}])
