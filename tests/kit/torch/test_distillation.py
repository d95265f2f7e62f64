"""The loss of a student: against the formula of its paper, computed by numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgebench_kit.torch.distillation import make_distillation_loss


def cross_entropy(outputs, answers):
    return functional.cross_entropy(outputs["y"], answers)


def softmax(array, axis):
    powers = np.exp(array - array.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def divergence(student, teacher, axis):
    p, q = softmax(teacher, axis), softmax(student, axis)
    return (p * (np.log(p) - np.log(q))).sum(axis=axis).mean()


@pytest.fixture
def logits():
    draw = np.random.default_rng(3)
    return tuple(draw.normal(scale=3, size=(5, 4, 2, 3)) for _ in range(2))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_it_is_the_sum_that_the_paper_gives(logits, temperature, share):
    student, teacher = logits
    answers = np.random.default_rng(4).integers(0, 4, size=(5, 2, 3))
    loss = make_distillation_loss(
        cross_entropy, output="y", axis=1, temperature=temperature, share=share
    )
    got = loss(
        {"y": torch.tensor(student)}, torch.tensor(answers), {"y": torch.tensor(teacher)}
    ).item()
    own = cross_entropy({"y": torch.tensor(student)}, torch.tensor(answers)).item()
    told = temperature**2 * divergence(student / temperature, teacher / temperature, 1)
    assert got == pytest.approx((1 - share) * own + share * told)


def test_where_the_teacher_is_all_that_counts_answers_are_not_looked_at(logits):
    student, teacher = ({"y": torch.tensor(one)} for one in logits)
    loss = make_distillation_loss(
        lambda *_: pytest.fail("asked"), output="y", axis=1, temperature=2.0, share=1.0
    )
    assert loss(student, None, teacher).item() > 0
    assert loss(teacher, None, teacher).item() == pytest.approx(0)
