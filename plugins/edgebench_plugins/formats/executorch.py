"""The format `executorch`: a program of PyTorch's runtime for phones, in one `.pte` file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from edgebench import Contents, Format, Stage, hookimpl
from edgebench_kit.torch.executorch_programs import list_parts, open_program

FILE = "program.pte"


@hookimpl
def edgebench_formats() -> Iterable[Format]:
    """Offer what phones are given."""
    yield Format(
        name="executorch",
        summary="A program for PyTorch's runtime on phones, one flat file.",
        save=save,
        load=load,
        describe=describe,
        keeps="graphs, weights, memory plan and what runs each part",
    )


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the program, whose live object is the file's bytes."""
    (directory / FILE).write_bytes(stage.live)
    return (FILE,)


def load(stage: Stage, rebuild: Callable[[], object]) -> bytes:
    """Read the program's bytes, which the runtime opens once: it knows whether they are whole.

    Raises:
        CaseFailed: They are not.
    """
    open_program(stage.file)
    return stage.file.read_bytes()


def describe(stage: Stage) -> Contents:
    """Count the graphs that a delegate has, and the kernels beside them."""
    parts = list_parts(stage.live).items()
    graphs = {name: len(each) for name, each in parts if any("graph" in one for one in each)}
    return Contents(
        nodes={
            **graphs,
            **Counter(one for name, each in parts if name not in graphs for one in each),
        }
    )
