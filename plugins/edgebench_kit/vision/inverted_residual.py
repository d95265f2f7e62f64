"""Inverted residuals (Sandler et al., 2018; Howard et al., 2019), under torchvision's names.

A convolution of 1x1 widens, a depthwise one looks around, squeeze-and-excitation (Hu et al., 2018)
may weigh the channels, and a convolution of 1x1 narrows; the way around it joins the narrow ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["Hardswish", "ReLU", "ReLU6", "SiLU"]
"""The class of torch's that follows a normalisation."""
SQUEEZED = {"Hardsigmoid": "ReLU", "Sigmoid": "SiLU"}
"""By the gate of squeeze-and-excitation, what follows its first layer."""


@attrs.frozen(kw_only=True)
class Block:
    """One inverted residual; there is a way around it where that keeps the shape."""

    inputs: int
    expanded: int
    """The channels within; where they are the inputs, nothing widens."""
    outputs: int
    activation: Activation
    kernel: int = 3
    """The side of the depthwise convolution's kernel, an odd number."""
    stride: int = 1
    squeezed: int = 0
    """The channels within squeeze-and-excitation; 0 where there is none."""

    @property
    def keeps_shape(self) -> bool:
        """Whether what it gives has the shape of what it is given."""
        return self.stride == 1 and self.inputs == self.outputs


@attrs.frozen(kw_only=True)
class Shape:
    """What tells one classifier of inverted residuals from another."""

    stages: tuple[tuple[Block, ...], ...]
    """The blocks, a group for each width."""
    activation: Activation
    """What follows the first convolution and the last."""
    last: int
    """The channels of the convolution of 1x1 after the blocks."""
    hidden: int = 0
    """The width of a hidden layer of the classifier; 0 where there is none."""
    dropout: float = 0.2
    gate: Literal["Hardsigmoid", "Sigmoid"] = "Hardsigmoid"
    """The last function of squeeze-and-excitation."""
    nested: bool = False
    """Whether a stage is a module (`features.3.0`); else blocks are numbered through."""
    plain: bool = False
    """Whether a block's layers are called `conv`, and its last two stand alone, as MobileNetV2's;
    else they are called `block`."""
    epsilon: float = 1e-5
    """What normalisations add to a variance."""
    momentum: float = 0.1
    """The weight of a batch in the running mean and variance of normalisations."""


def round_channels(wanted: float) -> int:
    """Round a number of channels to eights, yet not down by more than a tenth."""
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def repeat_blocks(
    inputs: int,
    rows: Iterable[tuple[int, int, int, int, int]],
    activation: Activation,
    *,
    squeeze: bool = False,
) -> tuple[tuple[Block, ...], ...]:
    """List the blocks of a table of (expansion, kernel, stride, outputs, count), after *inputs*.

    Only the first block of a row strides. Squeezed are a quarter of a block's inputs.
    """
    stages = []
    for expansion, kernel, stride, outputs, count in rows:
        stage = []
        for number in range(count):
            block = Block(
                inputs=inputs,
                expanded=round_channels(inputs * expansion),
                outputs=outputs,
                activation=activation,
                kernel=kernel,
                stride=stride if number == 0 else 1,
                squeezed=inputs // 4 if squeeze else 0,
            )
            stage.append(block)
            inputs = outputs
        stages.append(tuple(stage))
    return tuple(stages)


def make_features(shape: Shape) -> nn.Module:
    """Chain the first convolution, the blocks and the last convolution: the module `features`.

    From (batch, 3, height, width) to (batch, shape.last, height / s, width / s), rounded up, where
    s is the product of all strides, 2 of the first convolution among them.
    """
    from torch import nn

    stages = [[_make_block(shape, block) for block in stage] for stage in shape.stages]
    inner = [[nn.Sequential(*stage)] for stage in stages] if shape.nested else stages
    first, last = shape.stages[0][0].inputs, shape.stages[-1][-1].outputs
    return nn.Sequential(
        _make_unit(shape, 3, first, shape.activation, kernel=3, stride=2),
        *(part for parts in inner for part in parts),
        _make_unit(shape, last, shape.last, shape.activation),
    )


def list_places(shape: Shape) -> Iterator[tuple[tuple[str, Block], ...]]:
    """Yield for each stage the names of its blocks in the network, with the blocks."""
    number = 1
    for stage in shape.stages:
        names = range(len(stage)) if shape.nested else range(number, number + len(stage))
        within = f"features.{number}." if shape.nested else "features."
        yield tuple((f"{within}{name}", block) for name, block in zip(names, stage, strict=True))
        number += 1 if shape.nested else len(stage)


def _make_unit(
    shape: Shape,
    inputs: int,
    outputs: int,
    activation: str = "",
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
) -> nn.Module:
    """Make a convolution, normalised, with an activation if one is named."""
    from torch import nn

    near = {"padding": kernel // 2, "groups": groups, "bias": False}
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, **near),
        nn.BatchNorm2d(outputs, eps=shape.epsilon, momentum=shape.momentum),
        *([getattr(nn, activation)()] if activation else []),
    )


def _make_block(shape: Shape, block: Block) -> nn.Module:
    inside, looks = block.expanded, {"kernel": block.kernel, "stride": block.stride}
    layers: list[Any] = []
    if inside != block.inputs:
        layers.append(_make_unit(shape, block.inputs, inside, block.activation))
    layers.append(_make_unit(shape, inside, inside, block.activation, groups=inside, **looks))
    if block.squeezed:
        layers.append(_define_squeeze()(inside, block.squeezed, shape.gate))
    narrowing = _make_unit(shape, inside, block.outputs)
    layers += narrowing if shape.plain else [narrowing]
    name = "conv" if shape.plain else "block"
    return _define_residual()(name, layers, around=block.keeps_shape)


@cache
def _define_squeeze() -> Any:
    """Define squeeze-and-excitation; here, because its base class is torch's."""
    from torch import nn

    class SqueezeExcitation(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Weighs each channel by what the means of all of them say."""

        def __init__(self, channels: int, squeezed: int, gate: str) -> None:
            super().__init__()
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.fc1 = nn.Conv2d(channels, squeezed, 1)
            self.activation = getattr(nn, SQUEEZED[gate])()
            self.fc2 = nn.Conv2d(squeezed, channels, 1)
            self.scale_activation = getattr(nn, gate)()

        def forward(self, x: Any) -> Any:
            squeezed = self.activation(self.fc1(self.avgpool(x)))
            return x * self.scale_activation(self.fc2(squeezed))

    return SqueezeExcitation


@cache
def _define_residual() -> Any:
    """Define the inverted residual; here, because its base class is torch's."""
    from torch import nn

    class InvertedResidual(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Layers under a name, with a way around them or without."""

        def __init__(self, name: str, layers: Iterable[Any], *, around: bool) -> None:
            super().__init__()
            self.name, self.around = name, around
            self.add_module(name, nn.Sequential(*layers))

        def forward(self, x: Any) -> Any:
            made = getattr(self, self.name)(x)
            return x + made if self.around else made

    return InvertedResidual
