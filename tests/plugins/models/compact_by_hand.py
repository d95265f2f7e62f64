"""Torchvision's compact classifiers from their published tables, without a line of ours.

The names and shapes of every parameter by formula, and the forward pass from a state dict alone.
"""

from __future__ import annotations

import re

import torch
from torch.nn import functional

from .by_hand import norm

V2 = (
    *[(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 3, 2, 32, 3), (6, 3, 2, 64, 4)],
    *[(6, 3, 1, 96, 3), (6, 3, 2, 160, 3), (6, 3, 1, 320, 1)],
)
"""MobileNetV2's stages: expansion, kernel, stride, outputs, blocks."""
B0 = (
    *[(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)],
    *[(6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)],
)
B2 = (
    *[(1, 3, 1, 16, 2), (6, 3, 2, 24, 3), (6, 5, 2, 48, 3), (6, 3, 2, 88, 4)],
    *[(6, 5, 1, 120, 4), (6, 5, 2, 208, 5), (6, 3, 1, 352, 2)],
)
"""B0 at 1.1 times the width, in eights, and 1.2 times the depth."""
V3_SMALL = (
    *[(3, 16, 16, 8, "relu", 2), (3, 72, 24, 0, "relu", 2), (3, 88, 24, 0, "relu", 1)],
    (5, 96, 40, 24, "hardswish", 2),
    *[(5, 240, 40, 64, "hardswish", 1)] * 2,
    *[(5, 120, 48, 32, "hardswish", 1), (5, 144, 48, 40, "hardswish", 1)],
    (5, 288, 96, 72, "hardswish", 2),
    *[(5, 576, 96, 144, "hardswish", 1)] * 2,
)
"""MobileNetV3's blocks: kernel, channels within, outputs, squeezed to, activation, stride."""


def unit(at, inputs, outputs, kernel=1):
    """A convolution and its normalisation."""
    return {f"{at}.0.weight": (outputs, inputs, kernel, kernel)} | norm(f"{at}.1", outputs)


def block_shapes(at, inputs, kernel, inside, outputs, squeezed):
    """One inverted residual; its parts are numbered, and those that it lacks have no number."""
    parts = [lambda at: unit(at, inputs, inside)] if inside != inputs else []
    parts.append(lambda at: unit(at, 1, inside, kernel))
    if squeezed:
        narrow = {"fc1.weight": (squeezed, inside, 1, 1), "fc1.bias": (squeezed,)}
        wide = {"fc2.weight": (inside, squeezed, 1, 1), "fc2.bias": (inside,)}
        parts.append(lambda at: {f"{at}.{name}": shape for name, shape in (narrow | wide).items()})
    if at.endswith(".conv"):
        parts.append(lambda at: {f"{at}.weight": (outputs, inside, 1, 1)})
        parts.append(lambda at: norm(at, outputs))
    else:
        parts.append(lambda at: unit(at, inside, outputs))
    return {n: s for number, part in enumerate(parts) for n, s in part(f"{at}.{number}").items()}


def linear(at, inputs, outputs):
    return {f"{at}.weight": (outputs, inputs), f"{at}.bias": (outputs,)}


def v2_shapes(classes=1000):
    found, inputs, at = unit("features.0", 3, 32, 3), 32, 1
    for expansion, kernel, _, outputs, count in V2:
        for _ in range(count):
            inside = inputs * expansion
            found |= block_shapes(f"features.{at}.conv", inputs, kernel, inside, outputs, 0)
            inputs, at = outputs, at + 1
    found |= unit(f"features.{at}", inputs, 1280)
    return found | linear("classifier.1", 1280, classes)


def v3_shapes(blocks=V3_SMALL, stem=16, last=576, hidden=1024, classes=1000):
    found, inputs = unit("features.0", 3, stem, 3), stem
    for at, (kernel, inside, outputs, squeezed, _, _) in enumerate(blocks, 1):
        found |= block_shapes(f"features.{at}.block", inputs, kernel, inside, outputs, squeezed)
        inputs = outputs
    found |= unit(f"features.{len(blocks) + 1}", inputs, last)
    return found | linear("classifier.0", last, hidden) | linear("classifier.3", hidden, classes)


def efficientnet_shapes(stages=B0, stem=32, classes=1000):
    found, inputs = unit("features.0", 3, stem, 3), stem
    for stage, (expansion, kernel, _, outputs, count) in enumerate(stages, 1):
        for block in range(count):
            at = f"features.{stage}.{block}.block"
            inside = inputs * expansion
            found |= block_shapes(at, inputs, kernel, inside, outputs, inputs // 4)
            inputs = outputs
    found |= unit(f"features.{len(stages) + 1}", inputs, 4 * inputs)
    return found | linear("classifier.1", 4 * inputs, classes)


def shufflenet_shapes(blocks=(4, 8, 4), widths=(116, 232, 464), stem=24, last=1024, classes=1000):
    found, inputs = unit("conv1", 3, stem, 3), stem
    for stage, (count, width) in enumerate(zip(blocks, widths, strict=True), 2):
        half = width // 2
        for block in range(count):
            at = f"stage{stage}.{block}"
            given = half if block else inputs
            if not block:
                found |= {f"{at}.branch1.0.weight": (inputs, 1, 3, 3)}
                found |= norm(f"{at}.branch1.1", inputs)
                found |= {f"{at}.branch1.2.weight": (half, inputs, 1, 1)}
                found |= norm(f"{at}.branch1.3", half)
            found |= {f"{at}.branch2.0.weight": (half, given, 1, 1)} | norm(f"{at}.branch2.1", half)
            found |= {f"{at}.branch2.3.weight": (half, 1, 3, 3)} | norm(f"{at}.branch2.4", half)
            found |= {f"{at}.branch2.5.weight": (half, half, 1, 1)} | norm(f"{at}.branch2.6", half)
        inputs = width
    return found | unit("conv5", inputs, last) | linear("fc", last, classes)


# --- forward -------------------------------------------------------------------------------------


def _conv(state, x, at, stride=1):
    weight = state[f"{at}.weight"]
    groups = x.shape[1] // weight.shape[1]
    return functional.conv2d(
        x, weight, state.get(f"{at}.bias"), stride, weight.shape[-1] // 2, groups=groups
    )


def _norm(state, x, at, eps=1e-5):
    mean, var = state[f"{at}.running_mean"], state[f"{at}.running_var"]
    return functional.batch_norm(x, mean, var, state[f"{at}.weight"], state[f"{at}.bias"], eps=eps)


def _block(state, x, at, activation, stride, eps, gate):
    """One inverted residual, what it consists of told by the names under *at*."""
    numbers = sorted({int(n[len(at) + 1 :].split(".")[0]) for n in state if n.startswith(f"{at}.")})
    y = x
    for number in numbers:
        part = f"{at}.{number}"
        if f"{part}.fc1.weight" in state:
            inner = functional.silu if gate is torch.sigmoid else functional.relu
            squeezed = inner(_conv(state, y.mean((2, 3), keepdim=True), f"{part}.fc1"))
            y = y * gate(_conv(state, squeezed, f"{part}.fc2"))
        elif f"{part}.0.weight" in state:
            weight = state[f"{part}.0.weight"]
            alone = weight.shape[1] == 1
            y = _conv(state, y, f"{part}.0", stride if alone else 1)
            y = _norm(state, y, f"{part}.1", eps)
            y = activation(y) if number != numbers[-1] else y
        elif f"{part}.running_mean" in state:
            y = _norm(state, y, part, eps)
        else:
            y = _conv(state, y, part)
    return x + y if x.shape == y.shape and stride == 1 else y


def inverted(state, x, blocks, activation, *, eps=1e-5, gate=functional.hardsigmoid):
    """A classifier of inverted residuals; *blocks* are the activation and the stride of each."""
    x = activation(_norm(state, _conv(state, x, "features.0.0", 2), "features.0.1", eps))
    found = (re.match(r"features\.\d+(\.\d+)?\.(conv|block)(?=\.)", name) for name in state)
    names = dict.fromkeys(match[0] for match in found if match)
    for at, (inner, stride) in zip(names, blocks, strict=True):
        x = _block(state, x, at, inner, stride, eps, gate)
    last = max(int(name.split(".")[1]) for name in state if name.startswith("features."))
    x = activation(_norm(state, _conv(state, x, f"features.{last}.0"), f"features.{last}.1", eps))
    x = x.mean((2, 3))
    if "classifier.3.weight" in state:
        x = activation(x @ state["classifier.0.weight"].T + state["classifier.0.bias"])
    at = "classifier.3" if "classifier.3.weight" in state else "classifier.1"
    return x @ state[f"{at}.weight"].T + state[f"{at}.bias"]


def strides(stages):
    """The stride of each block of a table of stages: the first of a stage has the stage's."""
    return [row[2] if block == 0 else 1 for row in stages for block in range(row[4])]


def mobilenet_v2(state, x):
    blocks = [(functional.relu6, stride) for stride in strides(V2)]
    return inverted(state, x, blocks, functional.relu6)


def mobilenet_v3(state, x, blocks=V3_SMALL, eps=1e-3):
    said = [(getattr(functional, activation), stride) for *_, activation, stride in blocks]
    return inverted(state, x, said, functional.hardswish, eps=eps)


def efficientnet(state, x, stages=B0):
    blocks = [(functional.silu, stride) for stride in strides(stages)]
    return inverted(state, x, blocks, functional.silu, gate=torch.sigmoid)


def shufflenet(state, x, *, pool=True):
    def convolve(x, at, stride=1):
        head, _, number = at.rpartition(".")
        return _norm(state, _conv(state, x, at, stride), f"{head}.{int(number) + 1}")

    x = functional.relu(convolve(x, "conv1.0", 2))
    x = functional.max_pool2d(x, 3, 2, 1) if pool else x
    found = (re.match(r"stage\d\.\d+", name) for name in state)
    for at in dict.fromkeys(match[0] for match in found if match):
        strided = f"{at}.branch1.0.weight" in state
        half = x.shape[1] // 2
        left, right = (x, x) if strided else (x[:, :half], x[:, half:])
        if strided:
            left = convolve(convolve(left, f"{at}.branch1.0", 2), f"{at}.branch1.2").relu()
        right = convolve(right, f"{at}.branch2.0").relu()
        right = convolve(right, f"{at}.branch2.3", 2 if strided else 1)
        right = convolve(right, f"{at}.branch2.5").relu()
        # Channel 2 i is channel i of the left half, channel 2 i + 1 that of the right.
        x = torch.stack((left, right), 2).flatten(1, 2)
    x = functional.relu(convolve(x, "conv5.0"))
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]
