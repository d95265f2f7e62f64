"""A module that was made anew takes the weights of one whose layers are smaller."""

from __future__ import annotations

import json

import torch
from torch import nn

from edgebench_kit.torch.channel_groups import Wish
from edgebench_kit.torch.channels import prune_channels
from edgebench_kit.torch.reshaping import describe_reshaping, reshape_module


class Tied(nn.Module):
    """Words in and out by the same weights, with a bare parameter and a buffer between."""

    def __init__(self):
        super().__init__()
        self.words, self.inner = nn.Embedding(20, 16), nn.Linear(16, 16)
        self.out = nn.Linear(16, 20, bias=False)
        self.out.weight = self.words.weight
        self.norm = nn.BatchNorm1d(16)
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x):
        return self.out(self.norm(self.inner(self.words(x)).mean(1)) * self.scale)


def test_it_computes_the_same_and_is_told_in_plain_values():
    torch.manual_seed(0)
    given = (torch.arange(5)[None],)
    before = Tied().eval()
    after = prune_channels(before, given, Wish(sparsity=0.5)).module
    told = json.loads(json.dumps(describe_reshaping(before, after)))
    assert told["numbers"]["inner"] == {"out_features": 8}
    assert told["shapes"]["norm.running_var"] == [8]
    anew = reshape_module(Tied(), told)
    anew.load_state_dict(after.state_dict())
    assert all(weight.requires_grad for weight in anew.parameters())
    with torch.no_grad():
        assert torch.equal(anew.eval()(*given), after(*given))


def test_what_is_not_reshaped_stays_shared():
    anew = reshape_module(Tied(), {"shapes": {"scale": [8]}, "numbers": {}})
    assert anew.out.weight is anew.words.weight
    assert anew.scale.shape == (8,)


def test_tuples_of_numbers_come_back_as_tuples():
    before, after = nn.LayerNorm(8), nn.LayerNorm(4)
    anew = reshape_module(
        nn.LayerNorm(8), json.loads(json.dumps(describe_reshaping(before, after)))
    )
    assert anew.normalized_shape == (4,)
    assert anew(torch.ones(1, 4)).shape == (1, 4)
