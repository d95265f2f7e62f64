"""The operator `distill`: a smaller model learns from the one that is there, and replaces it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    ChainError,
    Context,
    Model,
    Operator,
    Pipeline,
    Stage,
    TensorSpec,
    Usable,
    Variant,
    hookimpl,
)
from edgebench.metrics.classes import choose_classes_axis
from edgebench_kit.torch.distillation import make_distillation_loss
from edgebench_kit.torch.efforts import Effort, scale_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@attrs.frozen(kw_only=True)
class DistillOptions:
    """Who learns, and how."""

    student: str = ""
    """The model that learns, as `model:variant`; the student that the model itself names."""
    temperature: float = 2.0
    """By what logits are divided before they are compared."""
    share: float = attrs.field(
        default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )
    """How much the teacher counts for; the answers count for the rest."""
    budget: Effort = "quick"
    """As many epochs as the student's own training has, or five times as many."""

    def __attrs_post_init__(self) -> None:
        """Refuse a temperature by which nothing can be divided."""
        if not 0 < self.temperature < math.inf:
            raise ValueError(
                f"temperature must be a finite number above 0, not {self.temperature:g}"
            )


def apply(pipeline: Pipeline, context: Context) -> Pipeline:
    """Train the student on the teacher's logits and the answers, and put it in its place.

    It begins with the weights that it has when it is measured by itself.

    Raises:
        ChainError: The student reads or answers something else than the teacher.
    """
    (teacher,) = pipeline.stages
    own, student = _prepare_student(teacher, context)
    model = context.model(student)
    if model.loss is None:
        raise ChainError(f"{student.model} gives no loss to be trained with: Model(loss=...)")
    loss = make_distillation_loss(
        partial(_call_by_own_names, model.loss, _pair_names(student, own)),
        output=pipeline.outputs[0],
        axis=_find_classes_axis(pipeline, teacher),
        temperature=context.options.temperature,
        share=context.options.share,
    )
    budget = scale_budget(model.budget, context.options.budget)
    return pipeline.replaced([context.fit(student, budget=budget, loss=loss, teacher=teacher)])


def _call_by_own_names(
    loss: Callable[[Any, Any], Any],
    own: Mapping[str, str],
    outputs: Mapping[str, Any],
    answers: Any,
) -> Any:
    """Give a student's loss the outputs by the names that the student has for them."""
    return loss({own[name]: tensor for name, tensor in outputs.items()}, answers)


def _pair_names(one: Stage, other: Stage) -> dict[str, str]:
    pairs = zip(one.outputs, other.outputs, strict=True)
    return {first.name: second.name for first, second in pairs}


def _prepare_student(teacher: Stage, context: Context) -> tuple[Stage, Stage]:
    """Return the student's stage as it is, and under the teacher's names of tensors."""
    model = context.model(teacher)
    name = _name_student(context.options, model, model.variant(teacher.variant))
    if not context.options.student:
        context.chose("student", name)
    student = context.live(context.prepared(name, "").stages[0])
    return student, attrs.evolve(
        student,
        inputs=_match(f"{name} reads", student.inputs, teacher.inputs),
        outputs=_match(f"{name} answers", student.outputs, teacher.outputs),
    )


def _match(what: str, own: Sequence[TensorSpec], wanted: Sequence[TensorSpec]) -> list[TensorSpec]:
    """Return a student's tensors in its own order under the teacher's names.

    Those of one name are the same; where the names differ, those in one place.

    Raises:
        ChainError: They are not of the same types and shapes.
    """
    if {spec.name for spec in own} == {spec.name for spec in wanted}:
        by_name = {spec.name: spec for spec in wanted}
        wanted = [by_name[spec.name] for spec in own]
    if [_describe(spec) for spec in own] != [_describe(spec) for spec in wanted]:
        raise ChainError(
            f"{what} {_list_specs(own)}, and its teacher {_list_specs(wanted)}; name another with "
            "student="
        )
    return [
        attrs.evolve(one, name=other.name, port=one.inside if one.inside != other.name else "")
        for one, other in zip(own, wanted, strict=True)
    ]


def _list_specs(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {_describe(spec)}" for spec in specs)


def _describe(spec: TensorSpec) -> str:
    """Write the type and shape of a tensor, whatever its open dimensions are called."""
    sizes = (str(size) if isinstance(size, int) else "?" for size in spec.shape)
    return f"{spec.dtype} ({', '.join(sizes)})"


def _find_classes_axis(pipeline: Pipeline, teacher: Stage) -> int:
    """Return the axis of the classes in the first output.

    Raises:
        ChainError: There is none, so that no softmax can be taken.
    """
    rank = next(len(s.shape) for s in teacher.outputs if s.name == pipeline.outputs[0])
    axis = choose_classes_axis(pipeline.classes, rank)
    if axis is None:
        raise ChainError(
            f"distill compares the logits of classes, and {pipeline.outputs[0]!r} has no axis of "
            "them"
        )
    return axis


def accepts(pipeline: Pipeline) -> Usable:
    """Refuse what has exits or cuts: a student takes the place of one whole model."""
    if len(pipeline.stages) > 1:
        return "it has several stages, and a student takes the place of one; distill comes first"
    return True


def announce_student(
    options: DistillOptions, model: Model, variant: Variant
) -> list[tuple[str, str]]:
    """Return the student, as it is measured by itself."""
    return [(_name_student(options, model, variant), "")]


def _name_student(options: DistillOptions, model: Model, variant: Variant) -> str:
    """Return the student as `model:variant`.

    Raises:
        ChainError: None is named anywhere, or it is the teacher itself.
    """
    own = f"{model.name}:{variant.name}"
    if not options.student and not variant.student:
        # Whoever brings a file writes no plugin: its record says what is known of such files.
        other = "or have its plugin say Variant(student=...)"
        other = f"as nothing else names one: {variant.summary}" if model.from_file else other
        raise ChainError(
            f"distill: {own} names no student; say student=MODEL:VARIANT, {other.rstrip('.')}"
        )
    student = options.student or f"{model.name}:{variant.student}"
    if student == own:
        raise ChainError(f"distill: {own} cannot be its own student; name a smaller model")
    return student


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer learning from what is there."""
    yield Operator(
        name="distill",
        summary="Train a smaller model on the answers and on what the larger one says to them.",
        apply=apply,
        options=DistillOptions,
        needs=["training", "validation"],
        reads=["torch-module"],
        writes="torch-module",
        companions=announce_student,
        replaces=True,
        accepts=accepts,
        once="a student already",
    )
