"""Heads made as wide as what they read, and made again."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from edgebench import ChainError, ExitPoint
from edgebench_kit.torch.fitted_heads import describe_fit, make_head
from edgebench_kit.torch.reshaping import reshape_module
from edgebench_kit.vision.classifiers import make_class_head


def join(*layers):
    return partial(_join, layers)


def _join(layers):
    return nn.Sequential(*(make() for make in layers))


POOLED = (partial(nn.AdaptiveAvgPool2d, 1), nn.Flatten, partial(nn.Linear, 16, 3))
HEADS = [
    (partial(make_class_head, 16, 3), (16, 8, 8), (5, 8, 8)),
    (join(partial(nn.BatchNorm2d, 16), *POOLED), (16, 8, 8), (5, 8, 8)),
    (join(nn.Flatten, partial(nn.Linear, 64, 3)), (16, 2, 2), (5, 2, 2)),
    (
        join(
            partial(nn.LayerNorm, 16), partial(nn.Linear, 16, 9), nn.Tanh, partial(nn.Linear, 9, 3)
        ),
        (16,),
        (5,),
    ),
    (
        join(
            partial(nn.Conv1d, 16, 16, 3),
            partial(nn.BatchNorm1d, 16),
            partial(nn.AdaptiveAvgPool1d, 1),
            nn.Flatten,
            partial(nn.Linear, 16, 3),
        ),
        (16, 9),
        (5, 9),
    ),
]


@pytest.mark.parametrize(("make", "built", "pruned"), HEADS)
def test_a_head_reads_what_was_pruned_and_is_made_again_as_wide(make, built, pruned):
    point = ExitPoint(path="1", head=make)
    given = torch.randn(4, *pruned)
    with pytest.raises(ChainError, match="'1' does not take what is written there, \\(4, 5"):
        make_head(point, given, [(4, 3)], fit=False)
    head = make_head(point, given, [(4, 3)], fit=True).eval()
    assert all(torch.isfinite(one).all() for one in head.parameters())
    assert head(given).std() > 0, "its new weights are drawn"
    again = reshape_module(make(), describe_fit(point, head)).eval()
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(given), head(given))


def test_what_comes_behind_the_first_layer_stays_as_it_is():
    point = ExitPoint(path="1", head=HEADS[0][0])
    head = make_head(point, torch.randn(4, 5, 8, 8), [(4, 3)], fit=True)
    old, new = ([tuple(one.shape) for one in net.parameters()] for net in (point.head(), head))
    assert [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]] == [
        ((16, 16, 3, 3), (16, 5, 3, 3))
    ]


def test_a_head_that_fits_is_nothing_to_make_again():
    point = ExitPoint(path="1", head=HEADS[0][0])
    head = make_head(point, torch.randn(4, 16, 8, 8), [(4, 3)], fit=True)
    assert not any(describe_fit(point, head).values())


@pytest.mark.parametrize(
    "make",
    [
        join(partial(nn.Conv2d, 16, 16, 3, groups=16), *POOLED),
        join(partial(nn.Conv2d, 16, 8, 3), *POOLED),
    ],
)
def test_what_cannot_be_made_to_fit_is_refused(make):
    with pytest.raises(ChainError, match="does not take what is written there"):
        make_head(ExitPoint(path="1", head=make), torch.randn(4, 5, 8, 8), [(4, 3)], fit=True)
