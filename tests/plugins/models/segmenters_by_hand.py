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
    if module is duc:
        trunk |= deep_stem_shapes(64, 64, 128)
        trunk["layer1.0.conv1.weight"] = (64, 128, 1, 1)
        trunk["layer1.0.downsample.0.weight"] = (256, 128, 1, 1)
    found = {f"backbone.{name}": shape for name, shape in trunk.items() if name[:2] != "fc"}
    if module is fcn:
        return found | head_shapes("classifier", 2048, 512, 21)
    # A cell of 8x8 pixels has 4x4 scores of each class.
    for number in range(4):
        found[f"classifier.{number}.weight"] = (19 * 16, 2048, 3, 3)
        found[f"classifier.{number}.bias"] = (19 * 16,)
    return found


def deep_stem_shapes(*widths):
    found, before = {}, 3
    for number, width in enumerate(widths, 1):
        found[f"conv{number}.weight"] = (width, before, 3, 3)
        found |= by_hand.norm(f"bn{number}", width)
        before = width
    return found


def bn(state, x, at):
    parts = (state[f"{at}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return functional.batch_norm(x, *parts)


def conv(state, x, at, stride=1, dilation=1):
    weight = state[f"{at}.weight"]
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, state.get(f"{at}.bias"), stride, padding, dilation)


def block(state, x, at, stride, dilation, strided=None):
    """A residual block, whose 3x3 convolutions are dilated; one of its convolutions strides."""
    y = x
    last = 3 if f"{at}.conv3.weight" in state else 2
    strided = strided or last - 1
    for number in range(1, last + 1):
        wide = state[f"{at}.conv{number}.weight"].shape[-1] == 3
        step = stride if number == strided else 1
        y = conv(state, y, f"{at}.conv{number}", step, dilation if wide else 1)
        y = bn(state, y, f"{at}.bn{number}")
        y = y if number == last else y.relu()
    if f"{at}.downsample.0.weight" in state:
        x = bn(state, conv(state, x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
    return (x + y).relu()


def placed(scores, cell=CELL):
    """Each cell's channels, (class, row, column), put in their places among the pixels."""
    batch, channels, height, width = scores.shape
    cells = scores.reshape(batch, channels // cell**2, cell, cell, height, width)
    pixels = torch.empty(batch, channels // cell**2, height * cell, width * cell)
    for row in range(cell):
        for column in range(cell):
            pixels[:, :, row::cell, column::cell] = cells[:, :, row, column]
    return pixels


def by_papers(module, variant, state, x):
    """The forward pass of a network from its state dict alone."""
    size = x.shape[-2:]
    deep = (module, variant) == (duc, "resnet101")
    for number in (1, 2, 3) if deep else (1,):
        stride = 2 if number == 1 else 1
        x = conv(state, x, f"backbone.conv{number}", stride)
        x = bn(state, x, f"backbone.bn{number}").relu()
    # The authors' network was made for MXNet, whose pooling pads nothing unless told.
    x = functional.max_pool2d(x, 3, 2, 0 if deep else 1)
    for layer, dilations in enumerate(DILATIONS[module, variant], 1):
        for number, dilation in enumerate(dilations):
            stride = 2 if (layer, number) == (2, 0) else 1
            strided = 1 if deep else None
            x = block(state, x, f"backbone.layer{layer}.{number}", stride, dilation, strided)
    if deep:
        scores = [conv(state, x, f"classifier.{n}", 1, 6 * (n + 1)) for n in range(4)]
        return functional.interpolate(placed(sum(scores), 4), size, mode="bilinear")
    if module is duc:
        return placed(conv(state, x, "classifier.0"))
    x = bn(state, conv(state, x, "classifier.0"), "classifier.1").relu()
    x = conv(state, x, "classifier.4")
    return functional.interpolate(x, size, mode="bilinear", align_corners=False)
