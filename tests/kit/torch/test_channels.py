"""Channels and heads taken out of modules: which, how many, and what stays as it was."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgebench import Attention, ChainError
from edgebench_kit.torch.channel_groups import Wish, count_left
from edgebench_kit.torch.channels import prune_channels

PICTURE = (torch.linspace(-1, 1, 3 * 8 * 8).view(1, 3, 8, 8),)
WORDS = (torch.linspace(-1, 1, 7 * 8).view(1, 7, 8),)
HALF = Wish(sparsity=0.5, round_to=4)


class Residual(nn.Module):
    """A block with a grouped convolution, the width around it kept by an addition."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.first = nn.Conv2d(16, 32, 1)
        self.norm = nn.BatchNorm2d(32)
        self.grouped = nn.Conv2d(32, 32, 3, padding=1, groups=4)
        self.last = nn.Conv2d(32, 16, 1)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))

    def forward(self, x):
        x = self.stem(x)
        inner = torch.relu(self.grouped(torch.relu(self.norm(self.first(x)))))
        return self.head(torch.relu(x + self.last(inner)))


class Heads(nn.Module):
    """Attention of 4 heads with projections of their own, and a number that it is told."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.count, self.size, self.all = heads, width // heads, width
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        shape = (*x.shape[:2], self.count, self.size)
        q, k, v = (f(x).view(shape).transpose(1, 2) for f in (self.query, self.key, self.value))
        y = (q @ k.transpose(-1, -2) / self.size**0.5).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(*x.shape[:2], self.all))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.attend, self.head = nn.Linear(8, 32), Heads(), nn.Linear(32, 5)

    def forward(self, x):
        x = self.embed(x)
        return self.head((x + self.attend(x)).mean(1))


HEADS = Attention(path="attend", heads=4, counts=["count"], widths=["all"])


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def run(module, examples):
    with torch.no_grad():
        return module.eval()(*examples)


def silence(layer, channels):
    """Make a layer write zeros to some of its channels."""
    for values in layer.parameters():
        values.data[list(channels)] = 0.0


def test_channels_that_do_nothing_go_first_and_the_answers_stay():
    module, dead = Residual().eval(), range(0, 32, 2)
    for layer in (module.first, module.norm, module.grouped):
        silence(layer, dead)
    # Nothing reads them either.
    module.last.weight.data[:, list(dead)] = 0.0
    keep = ["stem", "last"]
    taken = prune_channels(module, PICTURE, Wish(sparsity=0.5, keep=keep))
    assert (taken.module.first.out_channels, taken.module.grouped.out_channels) == (16, 16)
    assert taken.module.grouped.groups == 4
    torch.testing.assert_close(run(taken.module, PICTURE), run(module, PICTURE))


def test_all_that_are_joined_by_an_addition_lose_the_same():
    module = Residual()
    taken = prune_channels(module, PICTURE, HALF)
    assert (taken.module.stem[0].out_channels, taken.module.last.out_channels) == (8, 8)
    assert (taken.module.head[2].in_features, taken.module.head[2].out_features) == (8, 5)
    assert (taken.share, taken.held, taken.failed) == (0.5, (), ())
    assert count(taken.module) < 0.4 * count(module)


def test_the_module_given_stays_as_it_was():
    module = Residual()
    before = copy.deepcopy(module.state_dict())
    prune_channels(module, PICTURE, HALF)
    assert module.stem[0].out_channels == 16
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_the_same_go_each_time():
    one, other = (prune_channels(Residual(), PICTURE, HALF).module.state_dict() for _ in "ab")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("channels", "parts", "sparsity", "round_to", "left"),
    [
        (64, 1, 0.5, 8, 32),
        (12, 1, 0.5, 8, 8),  # the nearest multiple, never none
        (16, 1, 0.9, 8, 8),
        (4, 1, 0.5, 8, 4),  # too few to be a multiple
        (8, 8, 0.5, 8, 4),  # eight groups together are one
        (6, 4, 0.5, 8, 4),  # two of each group are
        (10, 1, 0.26, 1, 7),
        (10, 1, 0.999, 1, 1),
    ],
)
def test_how_many_are_left(channels, parts, sparsity, round_to, left):
    assert count_left(channels, parts, Wish(sparsity=sparsity, round_to=round_to)) == left


def test_heads_that_do_nothing_go_first_and_the_answers_stay():
    module, dead = Encoder().eval(), [*range(8, 16), *range(24, 32)]
    for layer in (module.attend.query, module.attend.key, module.attend.value):
        silence(layer, dead)
    module.attend.out.weight.data[:, dead] = 0.0
    wish = Wish(sparsity=0.5, keep=["embed", "attend.out"], attention=[HEADS])
    taken = prune_channels(module, WORDS, wish)
    attend = taken.module.attend
    assert (attend.count, attend.size, attend.all, attend.query.out_features) == (2, 8, 16, 16)
    assert taken.heads == {"attend": 2}
    torch.testing.assert_close(run(taken.module, WORDS), run(module, WORDS))


def test_one_head_is_left_whatever_the_sparsity():
    taken = prune_channels(Encoder(), WORDS, Wish(sparsity=0.95, attention=[HEADS]))
    assert (taken.heads, taken.module.attend.count) == ({"attend": 1}, 1)
    assert taken.module.attend.key.out_features == 8


def test_heads_of_one_fused_projection_are_taken_from_all_three():
    class Fused(nn.Module):
        def __init__(self):
            super().__init__()
            self.count, self.qkv, self.out = 4, nn.Linear(8, 96), nn.Linear(32, 5)

        def forward(self, x):
            shape = (*x.shape[:2], 3, self.count, -1)
            q, k, v = self.qkv(x).reshape(shape).permute(2, 0, 3, 1, 4).unbind(0)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.out(y.transpose(1, 2).reshape(*x.shape[:2], -1))

    torch.manual_seed(0)
    fact = Attention(path="0", heads=4, projections=["qkv"], counts=["count"])
    taken = prune_channels(nn.Sequential(Fused()), WORDS, Wish(sparsity=0.5, attention=[fact]))
    (fused,) = taken.module
    assert (fused.count, fused.qkv.out_features, fused.out.in_features) == (2, 48, 16)


def test_torchs_own_encoder_layer_loses_channels_of_each_head():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    module = nn.Sequential(nn.Linear(8, 32), layer, nn.Linear(32, 5))
    taken = prune_channels(module, WORDS, HALF)
    attend = taken.module[1].self_attn
    assert (attend.num_heads, attend.head_dim, attend.embed_dim) == (4, 4, 16)
    assert run(taken.module, WORDS).shape == (1, 7, 5)


def test_what_is_added_to_the_answer_is_held_and_named():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return self.one(x) + self.other(x)

    taken = prune_channels(Doubled(), WORDS, HALF)
    assert (taken.share, set(taken.held)) == (0.0, {"one", "other"})
    assert "must stay as wide" in next(taken.list_reasons(HALF))


def test_what_does_not_run_with_fewer_channels_keeps_them_and_is_named():
    class Halves(nn.Module):
        """One half of the channels goes its own way, and both are shuffled."""

        def __init__(self):
            super().__init__()
            self.stem, self.inner = nn.Conv2d(3, 32, 3), nn.Conv2d(16, 32, 1)
            self.outer, self.head = nn.Conv2d(32, 16, 1), nn.Conv2d(32, 5, 1)

        def forward(self, x):
            left, right = self.stem(x).chunk(2, 1)
            x = torch.cat([left, self.outer(torch.relu(self.inner(right)))], 1)
            shuffled = x.unflatten(1, (2, 16)).transpose(1, 2).flatten(1, 2)
            return self.head(shuffled).mean((2, 3))

    torch.manual_seed(0)
    taken = prune_channels(Halves(), PICTURE, HALF)
    assert taken.module.inner.out_channels == 16
    assert 0 < taken.share < 0.5
    assert taken.failed
    assert any(repr(taken.failed[0]) in reason for reason in taken.list_reasons(HALF))
    assert run(taken.module, PICTURE).shape == (1, 5)


def test_a_module_that_counts_on_its_width_is_refused_with_the_place_and_the_remedy():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Conv2d(3, 16, 3), nn.Linear(16, 5)

        def forward(self, x):
            return self.head(self.body(x).mean((2, 3)).view(-1, 16))

    with pytest.raises(ChainError, match=r"fewer channels .*Variant\.keep.* behind 'body'"):
        prune_channels(Fixed(), PICTURE, HALF)


def test_recurrent_layers_that_cannot_be_followed_are_named():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.reader = nn.Conv1d(3, 16, 3), nn.GRU(16, 16, batch_first=True)
            self.head = nn.Linear(16, 5)

        def forward(self, x):
            return self.head(self.reader(self.body(x).transpose(1, 2))[0][:, -1])

    with pytest.raises(ChainError, match=r"through recurrent layers \('reader'\): IndexError"):
        prune_channels(Recurrent(), (torch.zeros(2, 3, 8),), HALF)
