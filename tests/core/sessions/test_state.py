"""What a stage reads of what it wrote for the request before is kept by its session."""

from contextlib import contextmanager

import numpy as np
import pytest

from edgebench import Backend, CaseFailed, Pipeline, Stage, State, TensorSpec
from edgebench.cases.case import BackendChoice
from edgebench.sessions.compiled import compile_stage
from edgebench.sessions.opening import Opening
from edgebench.store.artifacts import read_pipeline, write_pipeline

STAGE = Stage(
    format="sum",
    inputs=[TensorSpec(name="x", dtype="float32", shape=("batch", 2))],
    outputs=[TensorSpec(name="y", dtype="float32", shape=("batch", 2))],
    states=[State(read=TensorSpec(name="h", dtype="float32", shape=("n", 2)), written="h2")],
)


class Adding:
    """Adds up what it is given, in memory that it uses again."""

    def __init__(self, stage):
        self.names = [spec.name for spec in (*stage.inputs, *stage.outputs)]

    def run(self, inputs):
        assert [*inputs, "y", "h2"] == self.names
        total = inputs["x"] + inputs["h"]
        self.memory = getattr(self, "memory", total)
        if self.memory.shape == total.shape:
            self.memory[...] = total
        else:
            self.memory = total
        return {"y": total.copy(), "h2": self.memory}


def backend(**more):
    @contextmanager
    def open_(stage, *_):
        yield Adding(stage)

    return Backend(
        name="adder", summary="A.", formats=["sum"], devices=lambda: ("cpu",), open=open_, **more
    )


def test_the_first_request_reads_zeros_and_the_next_what_was_written():
    one, two = np.ones((1, 2), "f4"), np.full((2, 2), 5, "f4")
    with Opening.of(backend(), BackendChoice("adder"), 1).session(STAGE) as session:
        sums = [float(session.run({"x": one})["y"][0, 0]) for _ in range(3)]
        assert sums == [1, 2, 3]
        # Other samples are another story.
        assert session.run({"x": two})["y"].tolist() == two.tolist()
    with Opening.of(backend(), BackendChoice("adder"), 1).session(STAGE) as session:
        assert session.run({"x": one})["y"][0, 0] == 1


def test_a_state_is_kept_with_its_pipeline(tmp_path):
    pipeline = Pipeline(model="m", variant="v", stages=[STAGE], outputs=["y"])
    write_pipeline(pipeline, tmp_path)
    assert read_pipeline(tmp_path).stages[0].states == STAGE.states


def test_what_is_compiled_keeps_no_state(tmp_path):
    opening = Opening.of(backend(compile=lambda *_: STAGE), BackendChoice("adder"), 1)
    pipeline = Pipeline(model="m", variant="v", stages=[STAGE], outputs=["y"])
    with pytest.raises(CaseFailed, match="keeps the state 'h' from request to request"):
        compile_stage(opening, pipeline, 0, tmp_path)
