"""What converters from `torch-program` share: the program in order, and what it must give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Stage, Tensors
from edgebench.metrics.differences import find_excess
from edgebench_kit.stages.batches import take_first
from edgebench_kit.torch.modules import name_outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-4
"""How far outputs in floats may be from the program's, times the largest of them or one."""
NOISE = 0.1
"""How large the difference may be, over the output, where steps of int8 round otherwise: -20 dB."""


def open_module(stage: Stage) -> Any:
    """Return a program as a module that is not in training, and warns nobody that it is."""
    module = stage.live.module(check_guards=False)
    for part in module.modules():
        part.training = False  # an exported program refuses `eval`
    return module


def make_module(stage: Stage) -> Any:
    """Return a program as a module that takes the stage's inputs, and gives a tuple of its outputs.

    Both are in the order in which the stage has them.
    """
    from torch import nn

    class Ordered(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """The program, whatever it gives its outputs as."""

        def __init__(self) -> None:
            super().__init__()
            self.program = open_module(stage)
            self.training = False

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            """Run it."""
            return tuple(name_outputs(self.program(*inputs), stage.outputs).values())

    return Ordered()


def compare_outputs(
    stage: Stage,
    examples: Tensors,
    run: Callable[[Sequence[NDArray[Any]]], Sequence[NDArray[Any]]],
    runtime: str,
    *,
    batches: bool = True,
) -> None:
    """Hold what a runtime gives to what the program gives, on all examples and on the first alone.

    *run* takes and gives arrays in the order of the stage; without *batches*, one sample at most.

    Raises:
        CaseFailed: They differ by more than rounding.
    """
    import torch

    module = make_module(stage)
    arrays = [examples[spec.name] for spec in stage.inputs]
    alone = take_first(stage.inputs, arrays)
    for some in [arrays, alone] if batches else [alone]:
        with torch.no_grad():
            wanted = [each.numpy() for each in module(*map(torch.tensor, some))]
        for spec, right, other in zip(stage.outputs, wanted, run(some), strict=True):
            if excess := _find_excess(right, other, quantized="int" in stage.precision):
                raise CaseFailed(
                    f"what {runtime} makes of {stage.model}:{stage.variant} gives another answer "
                    f"than the program: {spec.name!r} {excess}"
                )


def _find_excess(right: NDArray[Any], other: NDArray[Any], *, quantized: bool) -> str | None:
    import numpy as np

    if right.dtype != other.dtype:
        return f"is {other.dtype}, not {right.dtype}"
    if not quantized or right.shape != other.shape or right.dtype.kind != "f":
        return find_excess(right, other, TOLERANCE)
    noise = float(np.linalg.norm(other - right) / max(float(np.linalg.norm(right)), 1e-12))
    return None if noise <= NOISE else f"has {noise:.2g} of noise; {NOISE} is allowed"
