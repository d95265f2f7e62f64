"""The format `tflite`: a graph of LiteRT, which was TensorFlow Lite, in one flat file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edgebench import Contents, Format, Stage, hookimpl
from edgebench_kit.torch.tflite_graphs import name_operators, read_graph
from edgebench_kit.torch.tflite_runs import open_runner

FILE = "model.tflite"


@hookimpl
def edgebench_formats() -> Iterable[Format]:
    """Offer what LiteRT runs."""
    yield Format(
        name="tflite",
        summary="A graph for LiteRT, on phones and boards, one flat file.",
        save=save,
        load=load,
        describe=describe,
        keeps="graph, weights, steps of integers and the names of inputs and outputs",
    )


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the graph, whose live object is the file's bytes."""
    (directory / FILE).write_bytes(stage.live)
    return (FILE,)


def load(stage: Stage, rebuild: Callable[[], object]) -> bytes:
    """Read the graph's bytes, which the runtime opens once: it knows whether they are whole.

    Raises:
        CaseFailed: They are not.
    """
    open_runner(stage.file, threads=1)
    return stage.file.read_bytes()


def describe(stage: Stage) -> Contents:
    """Count the graph's operators by type."""
    return Contents(nodes=dict(Counter(name_operators(read_graph(stage.live)))))
