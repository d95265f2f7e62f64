"""From a torch module to the program that `torch.export` makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Converter, Stage, Tensors, TensorSpec, hookimpl
from edgebench.metrics.differences import find_excess
from edgebench_kit.stages.batches import take_first
from edgebench_kit.torch.modules import name_outputs

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-4
"""How far the program's outputs may be from the module's, times the largest of them or one."""


@hookimpl
def edgebench_converters() -> Iterable[Converter]:
    """Offer the way from what is trained to what torch deploys."""
    yield Converter(
        name="torch-module-to-torch-program",
        summary="Capture a module with torch.export, its batch left open.",
        source="torch-module",
        target="torch-program",
        convert=convert,
        exact=True,
    )


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Export the module as it is in eval mode, and compare the two on the examples.

    Raises:
        CaseFailed: The program's outputs are not the module's, or it does not run where that does.
    """
    import copy

    import numpy as np
    import torch

    module = copy.deepcopy(stage.live).eval()
    arrays = [examples[spec.name] for spec in stage.inputs]
    if len(arrays[0]) == 1:
        # Torch takes a dimension of one for a constant: the batch would stay one for ever.
        arrays = [np.concatenate([array, array]) for array in arrays]
    inputs = tuple(torch.tensor(array) for array in arrays)
    with torch.no_grad():
        program = torch.export.export(module, inputs, dynamic_shapes=_open(stage.inputs))
        # A part of a module computes with zeros what it does without.
        program.graph_module.graph.eliminate_dead_code()
        program.graph_module.recompile()
        _compare(stage, program, module, inputs)
    return stage.changed(program, format="torch-program")


def _open(specs: Iterable[TensorSpec]) -> tuple[dict[int, Any], ...]:
    """Say which dimensions are known only at run time: the batch any, others what they may be.

    Strides and windows want a picture of at least so many pixels: how many, torch finds.
    """
    from torch.export import Dim

    batch = Dim("batch")
    return tuple(
        {
            axis: Dim.DYNAMIC if axis else batch
            for axis, size in enumerate(spec.shape)
            if isinstance(size, str)
        }
        for spec in specs
    )


def _compare(stage: Stage, program: Any, module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
    """Run both on all examples and on the first alone."""
    run = program.module()
    for some in (inputs, take_first(stage.inputs, inputs)):
        wanted = name_outputs(module(*some), stage.outputs)
        try:
            given = run(*some)
        except RuntimeError as error:  # what torch took for granted of the examples
            raise CaseFailed(
                f"the exported program of {stage.model}:{stage.variant} does not run for a batch "
                f"of {len(some[0])}, as the module does: {error}"
            ) from error
        got = name_outputs(given, stage.outputs)
        for spec in stage.outputs:
            right, other = (one[spec.name].detach().double().numpy() for one in (wanted, got))
            if excess := find_excess(right, other, TOLERANCE):
                raise CaseFailed(
                    f"the exported program of {stage.model}:{stage.variant} gives another answer "
                    f"than the module: {spec.name!r} {excess}"
                )
