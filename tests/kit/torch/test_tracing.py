"""What is noted of a network while it runs."""

from __future__ import annotations

import weakref

import torch
from torch import nn

from edgebench_kit.torch.tracing import trace_modules


class Watched(nn.Module):
    """Notes whether what was written two modules ago is still in memory."""

    def __init__(self, written, alive):
        super().__init__()
        self.written, self.alive = written, alive

    def forward(self, x):
        self.alive += [one() is not None for one in self.written[:-1]]
        made = x + 1
        self.written.append(weakref.ref(made))
        return made


def test_what_is_not_to_be_kept_is_let_go_while_the_network_runs():
    """Every tensor of a large network would be more than a machine has."""
    written, alive = [], []
    network = nn.Sequential(*(Watched(written, alive) for _ in range(5)))
    spans = trace_modules(network, [torch.zeros(2, 3)])
    assert alive
    assert not any(alive)
    assert {span.shape for span in spans.values()} == {(2, 3)}


def test_what_is_to_be_kept_is_there_behind_the_run():
    network = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Identity())
    x = torch.randn(2, 3, 4)
    spans = trace_modules(network, [x], keep=["1"])
    assert torch.equal(spans["1"].written, x.relu().flatten(1))
    assert [spans[path].written for path in ("", "0", "2")] == [None] * 3
    assert [spans[path].shape for path in ("0", "1")] == [(2, 3, 4), (2, 12)]
