"""The converter `new-name`: from a graph to a file of its own."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import edgebench as eb

EDGEBENCH_API = (2, 0)

TOLERANCE = 1e-4
"""Of the outputs, beside the largest of them."""


def convert(stage: eb.Stage, examples: eb.Tensors) -> eb.Stage:
    """Make a stage in the other format of one with its live object, and check it.

    *examples* is a batch of real inputs, by the names of the pipeline. What is changed is a copy.

    Raises:
        CaseFailed: What was made computes something else.
    """
    import onnx  # here, not above: `edgebench list` must stay quick

    graph = onnx.ModelProto.FromString(stage.live.SerializeToString())
    graph.ClearField("doc_string")
    graph.ClearField("metadata_props")
    for node in graph.graph.node:  # here goes what your own format needs
        node.ClearField("doc_string")
    check(stage, graph, {spec.inside: examples[spec.name] for spec in stage.inputs})
    return stage.changed(graph, format="new-name")


def check(stage: eb.Stage, graph: Any, inputs: eb.Tensors) -> None:
    """Compare a graph with that of the stage on a batch."""
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    names = [spec.inside for spec in stage.outputs]
    wanted, got = (ReferenceEvaluator(one).run(names, dict(inputs)) for one in (stage.live, graph))
    for name, right, made in zip(names, wanted, got, strict=True):
        if not np.allclose(made, right, rtol=0, atol=TOLERANCE * np.abs(right).max()):
            raise eb.CaseFailed(f"{name} is another once it is converted")


def save(stage: eb.Stage, directory: Path) -> Sequence[str]:
    """Write what the stage holds into an empty directory, without pickle; name the files."""
    packed = gzip.compress(stage.live.SerializeToString(), mtime=0)
    (directory / "model.onnx.gz").write_bytes(packed)
    return ["model.onnx.gz"]


def load(stage: eb.Stage, build: Callable[[], Any]) -> Any:
    """Read it back."""
    import onnx

    return onnx.ModelProto.FromString(gzip.decompress(stage.file.read_bytes()))


@eb.hookimpl
def edgebench_converters() -> Iterator[eb.Converter]:
    """Offer the way; the shortest is taken to what a backend opens or an operator reads."""
    yield eb.Converter(
        name="onnx-to-new-name",
        summary="Make a compressed file of a graph.",
        source="onnx",
        target="new-name",
        convert=convert,
        exact=True,  # the same operators of the same framework: leave it out otherwise
    )


@eb.hookimpl
def edgebench_formats() -> Iterator[eb.Format]:
    """Offer the format that it leads to; leave it out where somebody else offers it."""
    yield eb.Format(
        name="new-name",
        summary="A graph and its weights, compressed into one file.",
        save=save,
        load=load,
        keeps="the graph and its weights",
    )
