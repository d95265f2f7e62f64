"""The operator `qat`: quantization-aware training, written out as Q/DQ pairs in a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Budget,
    CaseFailed,
    ChainError,
    Context,
    Operator,
    Pipeline,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.onnx import graphs
from edgebench_kit.onnx.compared_stages import list_answers
from edgebench_kit.onnx.int8_shares import name_precision
from edgebench_kit.torch import fake_quantized
from edgebench_kit.torch.chained import add_exits, chain_stages
from edgebench_kit.torch.efforts import Effort, scale_budget
from edgebench_kit.torch.onnx_export import run_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 0.01
"""The learning rate over that of training from nothing: weights are only to move by some steps.

A hundredth is what Wu et al. (2020, arXiv 2004.09602) take for all of their networks. A tenth moves
the small models so far that some seeds lose a point."""
LENGTH = 0.5
"""The epochs over those of training from nothing, for the same reason; a step takes 1.4 times as
long as one in floats."""
SEEN = 256
"""How many training inputs show the first ranges of the activations, at most."""
COMPARED = 32
"""How many validation inputs the graphs are compared with the trained modules on."""
EXAMPLES = 4
"""How many inputs a module is traced with: a batch of one would be taken for a constant."""


@attrs.frozen(kw_only=True)
class QatOptions:
    """How long is trained."""

    budget: Effort = "quick"
    """Half as many epochs as the model itself is trained, or up to five times that (`full`)."""


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Train all stages together as if they computed in 8 bits, and write each as one of int8.

    It is a program, which goes on to graphs and to runtimes for phones alike. What it gives is
    compared with what the trained modules give; where they are far apart,
    that is a doubt.

    Raises:
        CaseFailed: A module cannot be traced or exported, training diverges, or a split is empty.
        ChainError: Nothing of the pipeline can be quantized.
    """
    model = context.model(pipeline.stages[0])
    seen = _read_inputs(context, "training", SEEN)
    prepared = _prepare(pipeline, _join(seen[:EXAMPLES]), context)
    chained = chain_stages(pipeline, prepared)
    _show_ranges(chained, seen, model.budget)
    trained = context.fit(
        chained,
        budget=scale_budget(model.budget, context.options.budget, rate=RATE, length=LENGTH),
        loss=add_exits(pipeline, model.loss) if model.loss else None,
    )
    modules = [part.eval() for part in trained.live.parts]
    stages = _write(pipeline, modules, _join(seen[:EXAMPLES]))
    _compare(pipeline.replaced(stages), modules, context)
    return pipeline.replaced(stages)


def _read_inputs(context: Context, split: str, most: int) -> list[Tensors]:
    """Return the first inputs of a split; never empty.

    Raises:
        CaseFailed: The split is empty.
    """
    found = [tensors for tensors, _ in islice(context.inputs(split), most)]
    if not found:
        raise CaseFailed(f"the {split} split is empty: nothing to train with")
    return found


def _join(samples: Sequence[Tensors]) -> dict[str, NDArray[Any]]:
    """Join samples into one batch of at least two."""
    import numpy as np

    several = [*samples, *samples][: max(2, len(samples))]
    return {name: np.concatenate([one[name] for one in several]) for name in several[0]}


def _prepare(pipeline: Pipeline, examples: Tensors, context: Context) -> list[Any]:
    """Return for each stage a module that rounds.

    Raises:
        ChainError: There is no place to round in any of them.
    """
    known, modules = dict(examples), []
    for stage in pipeline.stages:
        inputs = {spec.inside: known[spec.name] for spec in stage.inputs}
        modules.append(fake_quantized.prepare_module(stage, inputs, context.target))
        fake_quantized.follow_ranges(modules[-1], following=False, rounding=False)
        known.update(_run(stage, modules[-1], known))
    if not any(map(fake_quantized.count_steps, modules)):
        raise ChainError(
            "nothing in it can be quantized: it has no convolution, linear layer, product of "
            "matrices or embedding on 32-bit floats"
        )
    return modules


def _run(stage: Stage, module: Any, known: Tensors) -> dict[str, NDArray[Any]]:
    """Run the module of a stage, and return what it gives by the pipeline's names."""
    inputs = {spec.inside: known[spec.name] for spec in stage.inputs}
    given = run_module(attrs.evolve(stage, live=module), inputs)
    return {spec.name: given[spec.inside] for spec in stage.outputs}


def _show_ranges(chained: Stage, samples: Sequence[Tensors], budget: Budget) -> None:
    """Let the activations show their ranges, before anything is rounded."""
    fake_quantized.follow_ranges(chained.live, following=True, rounding=False)
    for start in range(0, len(samples), budget.batch):
        batch = _join(samples[start : start + budget.batch])
        run_module(chained, {spec.inside: batch[spec.name] for spec in chained.inputs})
    fake_quantized.follow_ranges(chained.live, following=False)


def _write(pipeline: Pipeline, modules: Sequence[Any], examples: Tensors) -> list[Stage]:
    """Return the stages as programs of int8, each traced with what those before it give."""
    known, stages = dict(examples), []
    for stage, module in zip(pipeline.stages, modules, strict=True):
        inputs = {spec.inside: known[spec.name] for spec in stage.inputs}
        stages.append(_write_stage(stage, module, inputs))
        known.update(_run(stage, module, known))
    return stages


def _write_stage(stage: Stage, module: Any, inputs: Tensors) -> Stage:
    program = fake_quantized.export_program(stage, fake_quantized.convert_module(module), inputs)
    precision = stage.precision
    if fake_quantized.count_steps(module):
        precision = name_precision(fake_quantized.find_int8_share(program))
    return stage.changed(program, format="torch-program", precision=precision)


def _compare(pipeline: Pipeline, modules: Sequence[Any], context: Context) -> None:
    """Note a doubt where programs give something else than the modules, on real inputs."""
    closenesses = list_answers(pipeline)
    samples = _read_inputs(context, "validation", COMPARED)
    programs = [stage.live.module(check_guards=False) for stage in pipeline.stages]
    for sample in samples:
        right, other = dict(sample), dict(sample)
        for stage, module, program in zip(pipeline.stages, modules, programs, strict=True):
            right.update(_run(stage, module, right))
            other.update(_run(stage, program, other))
        for name, closeness in closenesses.items():
            closenesses[name] = closeness.add(right[name], other[name])
    for closeness in closenesses.values():
        for fault in closeness.list_faults():
            context.doubt(f"against the trained module, on {len(samples)} inputs, {fault}")


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what is quantized already."""
    quantized = any(stage.precision.startswith("int8") for stage in pipeline.stages)
    return f"it is {graphs.QUANTIZED}" if quantized else True


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer quantization-aware training."""
    yield Operator(
        name="qat",
        summary="Train on as if in int8, then quantize weights and activations.",
        apply=apply,
        options=QatOptions,
        needs=["training", "validation", "target"],
        reads=["torch-module"],
        writes="torch-program",
        accepts=accepts,
        once=graphs.QUANTIZED,
    )
