"""Exit points: heads and what to leave out, used by someone who knows nothing of the model."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edgebench import Weights
from edgebench_plugins.models import (
    duc,
    efficientnet,
    fcn,
    mobilenet,
    resnet,
    resnext,
    shufflenet,
    vgg,
)

SIDE = 64
"""At which large networks are asked: what they compute is not."""
MODULES = (duc, efficientnet, fcn, mobilenet, resnet, resnext, shufflenet, vgg)
POINTS = [
    pytest.param(module.MODEL, variant.name, point, id=f"{module.MODEL.name}-{variant.name}-{n}")
    for module in MODULES
    for variant in module.MODEL.variants
    for n, point in enumerate(variant.exits)
]
EVERY_POINT = pytest.mark.parametrize(("model", "variant", "point"), POINTS)


@cache
def built(model, variant):
    """A network and an input; a large one without weights: shapes ask for none, and they weigh."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, "to_empty", lambda module, device: module)
        (stage,) = model.build(variant, Weights(kind="random")).stages
    device = next(stage.live.parameters()).device
    size = stage.inputs[0].shape[2:] if device.type == "cpu" else (SIDE, SIDE)
    return stage.live.eval(), torch.zeros(2, 3, *size, device=device)


def reached(network, path, x):
    """What the module at *path* writes, what the network does, and the operations of each."""
    caught = []
    with FlopCounterMode(display=False) as counter:
        handle = network.get_submodule(path).register_forward_hook(
            lambda module, given, written: caught.append((written, counter.get_total_flops()))
        )
        try:
            with torch.no_grad():
                whole = network(x)
        finally:
            handle.remove()
        ((written, before),) = caught
        return written, whole, before, counter.get_total_flops()


@EVERY_POINT
def test_the_head_makes_the_models_output_and_costs_less_than_it_saves(model, variant, point):
    network, x = built(model, variant)
    written, whole, before, total = reached(network, point.path, x)
    head = point.head().to(x.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        assert head(written).shape == whole.shape
    assert counter.get_total_flops() < 0.5 * (total - before)
    assert point.head() is not point.head()


@EVERY_POINT
def test_what_an_exit_skips_can_be_left_out(model, variant, point):
    network, x = built(model, variant)
    _, whole, before, total = reached(network, point.path, x)
    kept = {path: network.get_submodule(path) for path in point.skips}
    try:
        for path in point.skips:
            network.set_submodule(path, nn.Identity())
        _, left, same, less = reached(network, point.path, x)
    finally:
        for path, part in kept.items():
            network.set_submodule(path, part)
    assert (left.shape, same) == (whole.shape, before)
    assert less < total if point.skips else less == total


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.MODEL.name)
def test_every_model_can_be_left_early_with_its_own_head(module):
    first = module.MODEL.variants[0]
    assert any(point.skips for point in first.exits)
    assert not all(point.skips for point in first.exits)


@pytest.mark.parametrize(
    ("model", "variant"),
    [
        pytest.param(module.MODEL, variant.name, id=f"{module.MODEL.name}-{variant.name}")
        for module in MODULES
        for variant in module.MODEL.variants
    ],
)
def test_the_head_of_an_early_exit_strides(model, variant):
    """A mean of early features, and a linear layer of that, tell hardly anything."""
    head = model.variant(variant).exits[0].head()
    strides = [part.stride for part in head.modules() if isinstance(part, nn.Conv2d)]
    assert (2, 2) in strides
