"""Torchvision's classifiers from their published description, without a line of ours.

The names and shapes of every parameter by formula, and the forward pass from a state dict alone.
"""

from __future__ import annotations

import math
import re

import torch
from torch.nn import functional


def norm(name, width):
    counted = {f"{name}.{part}": (width,) for part in ("weight", "bias")}
    running = {f"{name}.running_{part}": (width,) for part in ("mean", "var")}
    return counted | running | {f"{name}.num_batches_tracked": ()}


def basic_shapes(blocks, widths, strides, classes):
    """A network of basic blocks with a 3x3 stem."""
    found = {"conv1.weight": (widths[0], 3, 3, 3)} | norm("bn1", widths[0])
    before = widths[0]
    for layer, (count, width, stride) in enumerate(zip(blocks, widths, strides, strict=True), 1):
        for block in range(count):
            at = f"layer{layer}.{block}"
            found[f"{at}.conv1.weight"] = (width, before, 3, 3)
            found[f"{at}.conv2.weight"] = (width, width, 3, 3)
            found |= norm(f"{at}.bn1", width) | norm(f"{at}.bn2", width)
            if block == 0 and (before != width or stride != 1):
                found[f"{at}.downsample.0.weight"] = (width, before, 1, 1)
                found |= norm(f"{at}.downsample.1", width)
            before = width
    return found | {"fc.weight": (classes, before), "fc.bias": (classes,)}


def bottleneck_shapes(
    blocks, base=64, groups=1, stem=(64, 7), planes=(64, 128, 256, 512), classes=1000
):
    """A network of bottlenecks, `groups` x `base` channels wide (`32x4d`: 32 and 4)."""
    width, kernel = stem
    found = {"conv1.weight": (width, 3, kernel, kernel)} | norm("bn1", width)
    before = width
    for layer, (count, narrow) in enumerate(zip(blocks, planes, strict=True), 1):
        middle = narrow * base // 64 * groups
        for block in range(count):
            at = f"layer{layer}.{block}"
            found[f"{at}.conv1.weight"] = (middle, before, 1, 1)
            found[f"{at}.conv2.weight"] = (middle, middle // groups, 3, 3)
            found[f"{at}.conv3.weight"] = (4 * narrow, middle, 1, 1)
            found |= norm(f"{at}.bn1", middle) | norm(f"{at}.bn2", middle)
            found |= norm(f"{at}.bn3", 4 * narrow)
            if block == 0:
                found[f"{at}.downsample.0.weight"] = (4 * narrow, before, 1, 1)
                found |= norm(f"{at}.downsample.1", 4 * narrow)
            before = 4 * narrow
    return found | {"fc.weight": (classes, before), "fc.bias": (classes,)}


def vgg_shapes(groups, pooled, hidden, classes):
    """Plain convolutions, numbered with the rectifiers and poolings between them."""
    found, at, before = {}, 0, 3
    for group in groups:
        for width in group:
            found[f"features.{at}.weight"] = (width, before, 3, 3)
            found[f"features.{at}.bias"] = (width,)
            at, before = at + 2, width
        at += 1
    sizes = (before * pooled**2, hidden, hidden, classes)
    for number in range(3):
        found[f"classifier.{3 * number}.weight"] = (sizes[number + 1], sizes[number])
        found[f"classifier.{3 * number}.bias"] = (sizes[number + 1],)
    return found


def random_state(shapes, seed=0):
    """Values for these shapes that no initialisation gives and no layer makes vanish."""
    source = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            # Last in a block: small, so that depth does not blow the signal up.
            last = re.search(r"\.bn3\.weight|layer\d\.\d+\.bn2\.weight", name) is not None
            state[name] = (0.5 + torch.rand(shape, generator=source)) * (0.5 if last else 1)
        elif len(shape) == 1:
            state[name] = torch.rand(shape, generator=source) * 0.4 - 0.2
        else:
            spread = (6 / math.prod(shape[1:])) ** 0.5
            state[name] = repeated(shape, source).sub_(0.5).mul_(2 * spread)
    return state


def repeated(shape, source, prime=65_537):
    """Values of 0 to 1; a large shape repeats them, at a period that goes with no row of it."""
    size = math.prod(shape)
    few = torch.rand(min(size, prime), generator=source)
    return few.repeat(-(-size // len(few)))[:size].view(shape)


def _bn(state, x, at):
    mean, var = state[f"{at}.running_mean"], state[f"{at}.running_var"]
    return functional.batch_norm(x, mean, var, state[f"{at}.weight"], state[f"{at}.bias"])


def _conv(state, x, at, stride=1):
    weight = state[f"{at}.weight"]
    groups = x.shape[1] // weight.shape[1]
    return functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=groups)


def residual(state, x, *, strides=(1, 2, 2, 2)):
    """Basic blocks or bottlenecks, by their names; the 7x7 stem is pooled, the 3x3 is not."""
    x = functional.relu(_bn(state, _conv(state, x, "conv1", 2), "bn1"))
    if state["conv1.weight"].shape[-1] == 7:
        x = functional.max_pool2d(x, 3, 2, 1)
    blocks = dict.fromkeys(re.match(r"layer\d\.\d+", n)[0] for n in state if n.startswith("layer"))
    for at in blocks:
        first = at.endswith(".0")
        stride = strides[int(at[5]) - 1] if first else 1
        if f"{at}.conv3.weight" in state:
            y = functional.relu(_bn(state, _conv(state, x, f"{at}.conv1"), f"{at}.bn1"))
            y = functional.relu(_bn(state, _conv(state, y, f"{at}.conv2", stride), f"{at}.bn2"))
            y = _bn(state, _conv(state, y, f"{at}.conv3"), f"{at}.bn3")
        else:
            y = functional.relu(_bn(state, _conv(state, x, f"{at}.conv1", stride), f"{at}.bn1"))
            y = _bn(state, _conv(state, y, f"{at}.conv2"), f"{at}.bn2")
        if f"{at}.downsample.0.weight" in state:
            x = _bn(state, _conv(state, x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
        x = functional.relu(x + y)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def vgg(state, x):
    """Convolutions until a number is missing, which is where a pooling stands."""
    numbers = sorted(int(n.split(".")[1]) for n in state if re.match(r"features\.\d+\.weight", n))
    for at in numbers:
        weight, bias = state[f"features.{at}.weight"], state[f"features.{at}.bias"]
        x = functional.relu(functional.conv2d(x, weight, bias, padding=1))
        if at + 2 not in numbers:
            x = functional.max_pool2d(x, 2)
    pooled = round((state["classifier.0.weight"].shape[1] / x.shape[1]) ** 0.5)
    x = functional.adaptive_avg_pool2d(x, pooled).flatten(1)
    for at in (0, 3, 6):
        x = x @ state[f"classifier.{at}.weight"].T + state[f"classifier.{at}.bias"]
        x = x if at == 6 else functional.relu(x)
    return x
