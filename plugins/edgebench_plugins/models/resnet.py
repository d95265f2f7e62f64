"""ResNet (He et al., 2016), with torchvision's parameter names so that its weight files fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, Model, Pipeline, Tensors, Variant, Weights, hookimpl
from edgebench_plugins import vision

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Size:
    """What tells one variant from another."""

    picture: int
    """The side in pixels of the square that the network sees."""
    classes: int
    stem: int
    """The stride of the first convolution."""
    blocks: tuple[int, ...]
    """Residual blocks in each layer; `widths` and `strides` go with them."""
    widths: tuple[int, ...]
    strides: tuple[int, ...]


SIZES = {
    "small": Size(
        picture=32,
        classes=10,
        stem=2,
        blocks=(2, 2, 2, 2),
        widths=(48, 64, 96, 128),
        strides=(1, 1, 2, 1),
    )
}


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the residual networks."""
    yield Model(
        name="resnet",
        summary="Residual network: convolutions with a way around them.",
        build=build,
        variants=[
            Variant(
                name="small",
                summary="17 convolutions for 32x32 pictures of 10 classes.",
                parameters=1_105_722,
                weights=["trained", "random"],
            )
        ],
        dataset="digit-photos",
        format="torch-module",
        decode=vision.decode_picture,
        preprocess=preprocess,
        postprocess=vision.class_scores,
        loss=vision.cross_entropy,
        budget=Budget(epochs=4, batch=32, learning_rate=3e-3),
    )


def build(variant: str, weights: Weights) -> Pipeline:
    """Build the network, initialised with the seed of *weights*."""
    size = SIZES[variant]
    return vision.classifier(
        "resnet",
        variant,
        lambda: _network(size),
        picture=size.picture,
        classes=size.classes,
        seed=weights.seed,
    )


def preprocess(picture: NDArray[Any], variant: str) -> Tensors:
    """Take the middle of a photo, where the object is, at the size the network sees."""
    return vision.centre_input(
        picture, part=0.8, size=SIZES[variant].picture, mean=0.25, spread=0.25
    )


def _network(size: Size) -> Any:
    """Put the layers together under torchvision's names."""
    from collections import OrderedDict

    from torch import nn

    width = size.widths[0]
    parts: OrderedDict[str, Any] = OrderedDict(
        conv1=nn.Conv2d(3, width, 3, size.stem, padding=1, bias=False),
        bn1=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
    )
    shapes = zip(size.blocks, size.widths, size.strides, strict=True)
    for number, (blocks, outputs, stride) in enumerate(shapes, 1):
        parts[f"layer{number}"] = _layer(blocks, width, outputs, stride)
        width = outputs
    parts["avgpool"] = nn.AdaptiveAvgPool2d(1)
    parts["flatten"] = nn.Flatten()
    parts["fc"] = nn.Linear(width, size.classes)
    for module in (network := nn.Sequential(parts)).modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _layer(blocks: int, inputs: int, outputs: int, stride: int) -> Any:
    """Chain residual blocks, the first of which changes width and resolution."""
    from torch import nn

    block = _basic_block()
    rest = (block(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(block(inputs, outputs, stride), *rest)


def _basic_block() -> Any:
    """Define the block of two convolutions; here, because its base class is torch's."""
    from torch import nn

    class BasicBlock(nn.Module):  # type: ignore[misc]  # torch is not typed here
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.downsample = None
            if stride != 1 or inputs != outputs:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: Any) -> Any:
            around = x if self.downsample is None else self.downsample(x)
            x = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(x)) + around)

    return BasicBlock
