"""A host that computes nothing: what a request takes through it is the harness's own cost.

Started by the controller as `python -m edgebench.measure.station.null_host ORDER.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from edgebench.measure.station.host import serve
from edgebench.measure.station.opening import OpenPiece
from edgebench.measure.station.orders import HostOrder, Work
from edgebench.measure.station.piece import OpenStage, Piece
from edgebench.parts.pipeline import Pipeline, Stage, Tensors, TensorSpec
from edgebench.parts.subjects import Model


class NullSession:
    """A session that computes nothing."""

    def __init__(self) -> None:
        """Keep what every run gives back."""
        self.given: Tensors = {"output": np.zeros((1, 10), np.float32)}

    def run(self, inputs: Tensors) -> Tensors:  # noqa: ARG002 - whatever they are
        """Give back what was there before."""
        return self.given


def make_null_piece() -> Piece:
    """Make a piece of one stage in which every step takes no time of its own."""
    ready = {"input": np.zeros((1, 4), np.float32)}
    stage = Stage(
        format="null",
        inputs=[TensorSpec(name="input", dtype="float32", shape=("batch", 4))],
        outputs=[TensorSpec(name="output", dtype="float32", shape=("batch", 10))],
    )
    model = Model(
        name="null",
        summary="Nothing.",
        build=lambda *_: pipeline,
        decode=lambda payload, _: payload,
        preprocess=lambda *_: ready,
        postprocess=lambda outputs, _: outputs,
        encode=lambda _: b"",
    )
    pipeline = Pipeline(model="null", variant="null", stages=[stage], outputs=["output"])
    opened = OpenStage.of(0, stage, NullSession())
    return Piece(pipeline=pipeline, number=0, stages=(opened,), model=model, variant="null")


@contextmanager
def open_null_piece(work: Work) -> Iterator[OpenPiece]:
    """Open the piece that computes nothing, whatever the order names."""
    yield OpenPiece(piece=make_null_piece(), cold_s={}, versions={})


def main(argv: list[str]) -> None:
    """Be a host that computes nothing."""
    serve(HostOrder.read(argv[0]), open_null_piece)


if __name__ == "__main__":
    main(sys.argv[1:])
