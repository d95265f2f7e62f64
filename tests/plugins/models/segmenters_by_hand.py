"""FCN and DUC from their papers, without a line of ours.

The names and shapes of every parameter by formula, and the forward pass from a state dict alone.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from edgebench_plugins.models import duc, fcn

from . import by_hand

CELL = 8
RISING = [1, 2, 5, 9]
DILATIONS = {
    # As torchvision's replace_stride_with_dilation=[False, True, True].
    (fcn, "resnet101"): [[1] * 3, [1] * 4, [1, *[2] * 22], [2, 4, 4]],
    # As the paper, and the authors' own network, whose layer3 begins with 2.
    (duc, "resnet101"): [[1] * 3, [1] * 4, [2, 2, 5, 9, *RISING * 4, 1, 2, 5], [5, 9, 17]],
    (fcn, "small"): [[1], [1, 2], [1, 2]],
    (fcn, "tiny"): [[1], [1], [2]],
    (duc, "small"): [[1], [1, 2], [1, 2, 5]],
    (duc, "tiny"): [[1], [1], [1, 2]],
}


def head_shapes(at, before, hidden, classes):
    found = {f"{at}.0.weight": (hidden, before, 3, 3), f"{at}.4.weight": (classes, hidden, 1, 1)}
    return found | by_hand.norm(f"{at}.1", hidden) | {f"{at}.4.bias": (classes,)}


def large_shapes(module):
    """The names and shapes of a large network, by formula."""
    trunk = by_hand.bottleneck_shapes((3, 4, 23, 3))
    found = {f"backbone.{name}": shape for name, shape in trunk.items() if name[:2] != "fc"}
    if module is fcn:
        return found | head_shapes("classifier", 2048, 512, 21)
    return found | {"classifier.weight": (19 * 64, 2048, 3, 3), "classifier.bias": (19 * 64,)}


def bn(state, x, at):
    parts = (state[f"{at}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return functional.batch_norm(x, *parts)


def conv(state, x, at, stride=1, dilation=1):
    weight = state[f"{at}.weight"]
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, state.get(f"{at}.bias"), stride, padding, dilation)


def block(state, x, at, stride, dilation):
    """A residual block, whose 3x3 convolutions are dilated."""
    y = x
    last = 3 if f"{at}.conv3.weight" in state else 2
    strided = last - 1 if last == 3 else 1
    for number in range(1, last + 1):
        wide = state[f"{at}.conv{number}.weight"].shape[-1] == 3
        step = stride if number == strided else 1
        y = conv(state, y, f"{at}.conv{number}", step, dilation if wide else 1)
        y = bn(state, y, f"{at}.bn{number}")
        y = y if number == last else y.relu()
    if f"{at}.downsample.0.weight" in state:
        x = bn(state, conv(state, x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
    return (x + y).relu()


def placed(scores):
    """Each cell's channels, (class, row, column), put in their places among the pixels."""
    batch, channels, height, width = scores.shape
    cells = scores.reshape(batch, channels // CELL**2, CELL, CELL, height, width)
    pixels = torch.empty(batch, channels // CELL**2, height * CELL, width * CELL)
    for row in range(CELL):
        for column in range(CELL):
            pixels[:, :, row::CELL, column::CELL] = cells[:, :, row, column]
    return pixels


def by_papers(module, variant, state, x):
    """The forward pass of a network from its state dict alone."""
    size = x.shape[-2:]
    x = bn(state, conv(state, x, "backbone.conv1", 2), "backbone.bn1").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, dilations in enumerate(DILATIONS[module, variant], 1):
        for number, dilation in enumerate(dilations):
            stride = 2 if (layer, number) == (2, 0) else 1
            x = block(state, x, f"backbone.layer{layer}.{number}", stride, dilation)
    if module is duc:
        return placed(conv(state, x, "classifier"))
    x = bn(state, conv(state, x, "classifier.0"), "classifier.1").relu()
    x = conv(state, x, "classifier.4")
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)
