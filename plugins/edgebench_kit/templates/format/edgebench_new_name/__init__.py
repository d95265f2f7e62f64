"""The format `new-name`: a graph, compressed into one file."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import edgebench as eb
from edgebench_kit.onnx.graphs import count_parameters

EDGEBENCH_API = (2, 0)


def save(stage: eb.Stage, directory: Path) -> Sequence[str]:
    """Write what the stage holds into an empty directory, without pickle; name the files."""
    # The time is left out, so that the same graph is the same bytes.
    packed = gzip.compress(stage.live.SerializeToString(), mtime=0)
    (directory / "model.onnx.gz").write_bytes(packed)
    return ["model.onnx.gz"]


def load(stage: eb.Stage, build: Callable[[], Any]) -> Any:
    """Read it back. A format that keeps weights alone calls `build` for what they belong to."""
    import onnx  # here, not above: `edgebench list` must stay quick

    return onnx.ModelProto.FromString(gzip.decompress(stage.file.read_bytes()))


def describe(stage: eb.Stage) -> eb.Contents:
    """Count what is in a stage, for reports that say what operators did; may be left out."""
    nodes = Counter(node.op_type for node in stage.live.graph.node)
    return eb.Contents(nodes=nodes, parameters=count_parameters(stage.live))


def convert(stage: eb.Stage, examples: eb.Tensors) -> eb.Stage:
    """Make a stage in this format of one with a graph; one that computes anew checks it here."""
    return stage.changed(stage.live, format="new-name")


@eb.hookimpl
def edgebench_formats() -> Iterator[eb.Format]:
    """Offer it; a backend that opens it says so in `formats`."""
    yield eb.Format(
        name="new-name",
        summary="A graph and its weights, compressed into one file.",
        save=save,
        load=load,
        describe=describe,
        keeps="the graph and its weights",
    )


@eb.hookimpl
def edgebench_converters() -> Iterator[eb.Converter]:
    """Offer the way to it, without which no stage would ever be in it."""
    yield eb.Converter(
        name="onnx-to-new-name",
        summary="Compress a graph and its weights.",
        source="onnx",
        target="new-name",
        convert=convert,
        exact=True,  # the same operators compute it
    )
