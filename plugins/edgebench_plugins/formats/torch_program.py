"""A program that `torch.export` made: the graph and its weights, opened without the model's code.

Of such a file `torch.export.load` unpickles what is not plain: the example inputs, tensors of a
class of their own, custom objects. So none of them is written here, and a file that has them is
refused before torch sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from edgebench import Format, Stage, hookimpl
from edgebench_kit.torch.programs import open_program, refuse_pickles

FILE = "program.pt2"


@hookimpl
def edgebench_formats() -> Iterable[Format]:
    """Offer the form in which torch itself is deployed."""
    yield Format(
        name="torch-program",
        summary="An exported torch program, one file with graph and weights.",
        save=save,
        load=load,
        keeps="graph, parameters, buffers and which dimensions are symbolic",
    )


def save(stage: Stage, directory: Path) -> Sequence[str]:
    """Write the program without its example inputs, which torch would pickle."""
    import copy

    import torch

    program = copy.copy(stage.live)
    program.example_inputs = None
    torch.export.save(program, str(directory / FILE))
    refuse_pickles(directory / FILE)
    return (FILE,)


def load(stage: Stage, rebuild: Callable[[], Any]) -> Any:
    """Open the program; its `module()` is what runs.

    Raises:
        CaseFailed: The file is damaged, or holds something that would be unpickled.
    """
    return open_program(stage.file)
