"""What is counted in a torch module."""

from __future__ import annotations

import torch

from edgebench_kit.torch.exit_heads import leave_out
from edgebench_kit.torch.modules import count_layers


def test_what_stands_in_for_a_module_that_was_left_out_is_no_layer():
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    assert count_layers(leave_out(net, {"1": 0})) == {"Linear": 2}
    assert count_layers(net) == {"Linear": 2, "ReLU": 1}
