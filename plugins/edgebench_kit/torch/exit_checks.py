"""What a network must be like for exits to be had in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench import ChainError, Context, Pipeline, Stage
from edgebench.metrics.classes import choose_classes_axis

if TYPE_CHECKING:
    from edgebench_kit.torch.tracing import Span


def check_stage(pipeline: Pipeline, stage: Stage, context: Context) -> None:
    """See that an exit can answer in place of a stage, and that this can be judged.

    Raises:
        ChainError: It cannot.
    """
    if tuple(spec.name for spec in stage.outputs) != pipeline.outputs:
        raise ChainError(
            f"an exit answers what the model does, {', '.join(pipeline.outputs)}, and its stage "
            f"gives {', '.join(spec.name for spec in stage.outputs)}"
        )
    if not context.metrics:
        raise ChainError(
            "the threshold of an exit is tuned by the first figure of the dataset, which has none; "
            "a plugin gives it with Dataset(metrics=...)"
        )
    for spec in stage.inputs:
        if words := [size for size in spec.shape[1:] if isinstance(size, str)]:
            raise ChainError(
                f"a model is divided at exits for inputs of one size, and {spec.name!r} of "
                f"{stage.model}:{stage.variant} is open in its {words[0]}"
            )


def check_point(path: str, span: Span | None, samples: int) -> None:
    """See that a module is a place where a network can be left.

    Raises:
        ChainError: It is not.
    """
    why = ""
    if span is None:
        why = "no module of that path runs"
    elif span.calls != 1:
        why = f"the module runs {span.calls} times for one answer"
    elif span.form is None or span.shape[:1] != (samples,):
        why = "the module does not give a tensor with a row for each sample"
    if why:
        raise ChainError(f"the model cannot be left early at {path!r}: {why}")


def find_axis(pipeline: Pipeline) -> int:
    """Return the axis of the classes in the first output, which confidence is measured along.

    Raises:
        ChainError: There is none.
    """
    first = pipeline.outputs[0]
    spec = next(one for stage in pipeline.stages for one in stage.outputs if one.name == first)
    axis = choose_classes_axis(pipeline.classes, len(spec.shape))
    if axis is None:
        raise ChainError(
            f"how sure an exit is shows in scores of classes, and the output {first!r} of "
            f"{pipeline.model} has none"
        )
    return axis
