"""Blocks of zeros: their shape, their number, and that training leaves them zero."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgebench_kit.torch.block_masks import (
    choose_blocks,
    flatten_weight,
    mask_blocks,
    release_masks,
)


def make():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 3), nn.Flatten(), nn.Linear(8 * 4, 8),
        nn.ReLU(), nn.Linear(8, 5),
    )  # fmt: skip


@pytest.mark.parametrize(("block", "sparsity"), [((2, 1), 0.75), ((4, 1), 0.9), ((1, 4), 0.5)])
def test_whole_blocks_are_zero_as_many_as_asked_and_the_smallest(block, sparsity):
    torch.manual_seed(0)
    matrix = torch.randn(16, 40)
    stays = choose_blocks(matrix, block, sparsity)
    rows, columns = block
    tiles = stays.unflatten(0, (-1, rows)).unflatten(2, (-1, columns)).transpose(1, 2).flatten(2)
    assert torch.equal(tiles.all(2), tiles.any(2))
    assert (~stays).sum() == round(sparsity * 640 / (rows * columns)) * rows * columns
    kept = matrix.unflatten(0, (-1, rows)).unflatten(2, (-1, columns)).square().sum((1, 3))
    assert kept[tiles.any(2)].min() >= kept[~tiles.any(2)].max()


def test_training_leaves_them_zero_and_moves_the_others():
    module = make()
    masked = mask_blocks(module, (4, 1), 0.9, keep=["6"])
    assert masked.layers == ("0", "2", "4")
    assert masked.sparsity == pytest.approx(0.9, abs=0.01)
    began = {path: module.get_submodule(path).weight.detach().clone() for path in masked.layers}
    # As a trainer does: on a copy, with a decay that would move what has no gradient.
    module = copy.deepcopy(module)
    step = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        step.zero_grad()
        module(torch.ones(2, 3, 6, 6)).square().sum().backward()
        step.step()
    release_masks(module, masked.layers)
    for path, before in began.items():
        weight = module.get_submodule(path).weight.detach()
        assert torch.equal(weight == 0, before == 0)
        assert not torch.equal(weight, before)
    assert set(module.state_dict()) == set(make().state_dict())
    zeros = sum(int((flatten_weight(module[n].weight) == 0).sum()) for n in (0, 2, 4))
    assert zeros == masked.zeros
    assert (module[6].weight != 0).all()


def test_what_does_not_divide_stays_as_it_was_and_is_named():
    module = make()
    before = module[6].weight.clone()
    masked = mask_blocks(module, (2, 1), 0.75)
    assert (masked.layers, masked.undivided) == (("0", "2", "4"), ("6",))
    assert torch.equal(module[6].weight, before)
