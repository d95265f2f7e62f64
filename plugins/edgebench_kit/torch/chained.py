"""Stages of torch modules, trained together as the one module that they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from torch import nn

    from edgebench import Pipeline, Stage, TensorSpec

Loss = Callable[[Mapping[str, Any], Any], Any]


@cache
def _define_class() -> type[nn.Module]:
    """Define the class where torch is there: `edgebench list` does without it."""
    from torch import nn

    class Chained(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Modules of which each reads, by name, what was given or those before it gave."""

        def __init__(
            self, modules: Sequence[Any], stages: Sequence[Stage], ends: Sequence[Sequence[str]]
        ) -> None:
            super().__init__()
            self.parts = nn.ModuleList(modules)
            self.reads = [[spec.name for spec in stage.inputs] for stage in stages]
            self.writes = [[spec.name for spec in stage.outputs] for stage in stages]
            self.ends = ends

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            """Return what the chain gives, the answers of exits among it."""
            known = dict(zip(self.ends[0], inputs, strict=True))
            for part, reads, writes in zip(self.parts, self.reads, self.writes, strict=True):
                given = part(*(known[name] for name in reads))
                known.update(zip(writes, given, strict=True))
            return tuple(known[name] for name in self.ends[1])

    return Chained


def chain_stages(pipeline: Pipeline, modules: Sequence[Any]) -> Stage:
    """Return a stage that stands for a pipeline, made of modules that give tuples.

    Its outputs are all that the stages write; its name is that of the first, which has been built
    from the same model.
    """
    outputs: dict[str, TensorSpec] = {
        spec.name: spec for stage in pipeline.stages for spec in stage.outputs
    }
    ends = [[spec.name for spec in pipeline.inputs], list(outputs)]
    first = pipeline.stages[0]
    live = _define_class()(modules, pipeline.stages, ends)
    chained = attrs.evolve(
        first, inputs=pipeline.inputs, outputs=list(outputs.values()), exit=None, states=()
    )
    return chained.changed(live)


def add_exits(pipeline: Pipeline, loss: Loss) -> Loss:
    """Return the mean of a model's loss at the end of a pipeline and at each of its exits.

    What an exit answers stands for the outputs, in their order.
    """
    answers = [stage.exit.answer for stage in pipeline.stages if stage.exit]

    def compute_mean(outputs: Mapping[str, Any], wanted: Any) -> Any:
        renamed = [
            {**outputs, **dict(zip(pipeline.outputs, map(outputs.get, answer), strict=True))}
            for answer in answers
        ]
        losses = [loss(given, wanted) for given in (outputs, *renamed)]
        return sum(losses) / len(losses)

    return compute_mean
