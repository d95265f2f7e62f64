"""The residual trunk (He et al., 2016; Xie et al., 2017), under torchvision's parameter names.

Classifiers put a linear layer on it, segmenters a head of their own.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

import attrs

from edgebench_kit.torch.modules import allocate_module

if TYPE_CHECKING:
    from torch import nn


@attrs.frozen(kw_only=True)
class Shape:
    """What tells one trunk from another; the defaults are those of the large networks."""

    blocks: tuple[int, ...]
    """Residual blocks in each layer; `planes`, `strides` and `dilations` go with them."""
    planes: tuple[int, ...] = (64, 128, 256, 512)
    """The channels of a basic block, a quarter of those that a bottleneck gives."""
    strides: tuple[int, ...] = (1, 2, 2, 2)
    """The stride of the first block of each layer; a layer may keep 1 and be dilated instead."""
    dilations: tuple[int | tuple[int, ...], ...] = (1, 1, 1, 1)
    """The dilation of each layer's 3x3 convolutions. Its first block still has that of the layer
    before (Long et al., 2015, as torchvision); a tuple says it for each block instead."""
    block: Literal["basic", "bottleneck"] = "bottleneck"
    groups: int = 1
    """Into how many groups the 3x3 convolution of a bottleneck is split."""
    width_per_group: int = 64
    """Channels of a bottleneck's 3x3 convolution: this / 64 of its planes, times `groups`."""
    kernel: int = 7
    """The side of the first convolution's kernel, an odd number."""
    stride: int = 2
    """The stride of the first convolution."""
    stem: tuple[int, ...] = (64,)
    """The channels of what precedes the layers: the first convolution, then others of 3x3."""
    pool: bool = True
    """Whether a max pooling of 3x3 and stride 2 follows the stem."""
    pool_padding: int = 1
    strides_first: bool = False
    """Whether a bottleneck strides in its first convolution and not in its 3x3 one."""

    @property
    def expansion(self) -> int:
        """How many times its planes a block gives."""
        return 4 if self.block == "bottleneck" else 1

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that each layer gives."""
        return tuple(planes * self.expansion for planes in self.planes)


def make_trunk(shape: Shape) -> OrderedDict[str, nn.Module]:
    """Return the parts by name, in their order: `conv1`, `bn1`, `relu`, `maxpool`, `layer1`, ...

    From (batch, 3, height, width) to (batch, shape.channels[-1], height / s, width / s), rounded
    up, where s is the product of all strides. The weights are as torch's own layers draw them.
    """
    from torch import nn

    parts = _make_stem(shape)
    if shape.pool:
        parts["maxpool"] = nn.MaxPool2d(3, 2, padding=shape.pool_padding)
    inputs = shape.stem[-1]
    for number, dilations in enumerate(_list_dilations(shape)):
        parts[f"layer{number + 1}"] = _make_layer(shape, number, inputs, dilations)
        inputs = shape.channels[number]
    return parts


def make_untrained(make: Callable[..., nn.Module], *given: Any) -> nn.Module:
    """Make a module of what is *given*, to be used as it is: drawn once, by `draw_weights`."""
    module = allocate_module(partial(make, *given))
    draw_weights(module)
    return module


def draw_weights(module: nn.Module) -> None:
    """Draw every weight of a module once, whatever it held before.

    Convolutions as `draw_convolutions`, all other layers as torch does. The last normalisation of
    each residual block is scaled down by how many there are, so that untrained networks of any
    depth give outputs near one: with torchvision's own weights of one, they triple the variance in
    every block, which ends beyond what half precision can hold.
    """
    from torch import nn

    for part in module.modules():
        if hasattr(part, "reset_parameters") and not isinstance(part, nn.Conv2d):
            part.reset_parameters()
    draw_convolutions(module)
    blocks = [part for part in module.modules() if isinstance(part, _define_block())]
    for block in blocks:
        nn.init.constant_(block.last_norm.weight, 1 / math.sqrt(2 * len(blocks)))


def draw_convolutions(module: nn.Module) -> None:
    """Draw the weights of all convolutions anew, for rectifiers (He et al., 2015), biases zero.

    The variance is 2 / fan-out, as in torchvision; of a grouped convolution, the fan-out of one
    group, since one group is all that an input reaches.
    """
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            fan = part.weight[0, 0].numel() * part.out_channels // part.groups
            nn.init.normal_(part.weight, std=math.sqrt(2.0) / math.sqrt(fan))
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _list_dilations(shape: Shape) -> list[Sequence[int]]:
    """Say the dilation of every block, by layer."""
    found: list[Sequence[int]] = []
    before = 1
    for blocks, said in zip(shape.blocks, shape.dilations, strict=True):
        each = (before, *[said] * (blocks - 1)) if isinstance(said, int) else said
        if len(each) != blocks:
            raise ValueError(f"{len(each)} dilations for {blocks} blocks")
        found.append(each)
        before = each[-1]
    return found


def _make_stem(shape: Shape) -> OrderedDict[str, nn.Module]:
    """Name the convolutions before the layers, each normalised and rectified."""
    from torch import nn

    parts: OrderedDict[str, nn.Module] = OrderedDict()
    inputs, kernel, stride = 3, shape.kernel, shape.stride
    for number, outputs in enumerate(shape.stem, 1):
        near = {"padding": kernel // 2, "bias": False}
        parts[f"conv{number}"] = nn.Conv2d(inputs, outputs, kernel, stride, **near)
        parts[f"bn{number}"] = nn.BatchNorm2d(outputs)
        parts[f"relu{number}" if number > 1 else "relu"] = nn.ReLU()
        inputs, kernel, stride = outputs, 3, 1
    return parts


def _make_layer(shape: Shape, number: int, inputs: int, dilations: Sequence[int]) -> nn.Module:
    """Chain residual blocks, the first of which changes width and resolution."""
    from torch import nn

    planes, outputs = shape.planes[number], shape.channels[number]
    stride = shape.strides[number]
    make = _make_bottleneck if shape.block == "bottleneck" else _make_basic
    blocks = []
    for dilation in dilations:
        convolutions = make(shape, inputs, planes, stride, dilation)
        around = None
        if stride != 1 or inputs != outputs:
            around = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        blocks.append(_define_block()(convolutions, around))
        inputs, stride = outputs, 1
    return nn.Sequential(*blocks)


def _make_basic(shape: Shape, inputs: int, planes: int, stride: int, dilation: int) -> list[Any]:
    """Make the two convolutions of a basic block."""
    from torch import nn

    near = {"padding": dilation, "dilation": dilation, "bias": False}
    return [nn.Conv2d(inputs, planes, 3, stride, **near), nn.Conv2d(planes, planes, 3, **near)]


def _make_bottleneck(
    shape: Shape, inputs: int, planes: int, stride: int, dilation: int
) -> list[Any]:
    """Make the three convolutions of a bottleneck, the stride on the middle one or the first.

    Torchvision has it on the middle one ("ResNet v1.5", Goyal et al., 2017), the paper on the
    first.
    """
    from torch import nn

    width = int(planes * (shape.width_per_group / 64)) * shape.groups
    first, middle = (stride, 1) if shape.strides_first else (1, stride)
    near = {"padding": dilation, "dilation": dilation, "groups": shape.groups, "bias": False}
    return [
        nn.Conv2d(inputs, width, 1, first, bias=False),
        nn.Conv2d(width, width, 3, middle, **near),
        nn.Conv2d(width, planes * shape.expansion, 1, bias=False),
    ]


@cache
def _define_block() -> Any:
    """Define the residual block; here, because its base class is torch's."""
    from torch import nn

    class Block(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """Convolutions, each normalised, with a way around them."""

        def __init__(self, convolutions: Sequence[Any], around: Any) -> None:
            super().__init__()
            self.depth = len(convolutions)
            for number, convolution in enumerate(convolutions, 1):
                setattr(self, f"conv{number}", convolution)
                setattr(self, f"bn{number}", nn.BatchNorm2d(convolution.out_channels))
            self.relu = nn.ReLU()
            self.downsample = around

        @property
        def last_norm(self) -> Any:
            return getattr(self, f"bn{self.depth}")

        def forward(self, x: Any) -> Any:
            around = x if self.downsample is None else self.downsample(x)
            for number in range(1, self.depth + 1):
                x = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x))
                x = self.relu(x if number < self.depth else x + around)
            return x

    return Block
