"""Learning from a teacher: the loss of a student that is told more than the right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Outputs = Mapping[str, "torch.Tensor"]


def make_distillation_loss(
    loss: Callable[[Any, Any], Any], *, output: str, axis: int, temperature: float, share: float
) -> Callable[[Outputs, torch.Tensor, Outputs], torch.Tensor]:
    """Make a loss of a student's outputs, the answers and the teacher's outputs.

    It is (1 - share) * loss + share * T² * KL(teacher / T, student / T), the divergence of the
    softmax along *axis* of *output*, summed there and its mean taken over all else (Hinton, Vinyals
    and Dean, 2015). The factor T² keeps its gradients as large as without a temperature.

    Args:
        loss: The model's own loss, of outputs and answers.
        output: The name of the logits, the samples along their first axis.
        axis: Their axis of the classes.
        temperature: By what logits are divided: the higher, the more the smaller ones say.
        share: How much the teacher counts for, 0 to 1; the answers count for the rest.
    """

    def distil(outputs: Outputs, answers: torch.Tensor, taught: Outputs) -> torch.Tensor:
        from torch.nn import functional

        student, teacher = (
            functional.log_softmax(one[output] / temperature, dim=axis) for one in (outputs, taught)
        )
        divergence = functional.kl_div(student, teacher, reduction="none", log_target=True)
        told = temperature**2 * divergence.sum(dim=axis).mean()
        result: torch.Tensor = share * told
        if share < 1:
            result = result + (1 - share) * loss(outputs, answers)
        return result

    return distil
