"""EfficientNet (Tan and Le, 2019), with torchvision's parameter names so that its files fit.

Inverted residuals with squeeze-and-excitation and SiLU, made wider and deeper by one rule. Nothing
here drops whole blocks while it trains, which torchvision's do; it has no parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.vision.classifiers import make_classifier
from edgebench_kit.vision.inverted_classifiers import describe_large_size, describe_small_size
from edgebench_kit.vision.inverted_residual import Shape, repeat_blocks, round_channels

Rows = tuple[tuple[int, int, int, int, int], ...]
"""The stages of a network: expansion, kernel, stride, outputs, count of blocks."""
B0: Rows = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
DIGITS: Rows = (
    (1, 3, 1, 16, 1),
    (4, 3, 1, 32, 2),
    (4, 5, 2, 48, 2),
    (4, 3, 1, 64, 2),
    (4, 5, 2, 96, 2),
)
"""The stages for pictures of 32x32, at the least width and depth."""


def scale_shape(
    rows: Rows, stem: int, width: float, depth: float, *, last: int, dropout: float = 0.2
) -> Shape:
    """Scale a table of stages, and make the last convolution *last* times as wide as its inputs."""
    scaled = [
        (expansion, kernel, stride, round_channels(outputs * width), ceil(count * depth))
        for expansion, kernel, stride, outputs, count in rows
    ]
    return Shape(
        stages=repeat_blocks(round_channels(stem * width), scaled, "SiLU", squeeze=True),
        activation="SiLU",
        last=last * scaled[-1][3],
        dropout=dropout,
        gate="Sigmoid",
        nested=True,
    )


SIZES = [
    describe_small_size(
        Variant(
            name="small",
            summary="9 inverted residuals for 32x32 pictures of 10 classes.",
            parameters=339_532,
            student="tiny",
        ),
        scale_shape(DIGITS, 24, 1.0, 1.0, last=4),
    ),
    describe_small_size(
        Variant(
            name="tiny",
            summary="5 narrower inverted residuals for 32x32 pictures of 10 classes.",
            parameters=93_368,
        ),
        scale_shape(DIGITS, 24, 0.75, 0.5, last=4),
    ),
    describe_large_size(
        Variant(
            name="b0",
            summary="16 inverted residuals for 224x224 photos of 1000 classes.",
            parameters=5_288_548,
            asset="efficientnet-b0",
        ),
        scale_shape(B0, 32, 1.0, 1.0, last=4),
        shorter=256,
        resample="bicubic",
    ),
    describe_large_size(
        Variant(
            name="b2",
            summary="23 inverted residuals, wider than those of b0, for 288x288 photos.",
            parameters=9_109_994,
            asset="efficientnet-b2",
            student="b0",
        ),
        scale_shape(B0, 32, 1.1, 1.2, last=4, dropout=0.3),
        shorter=288,
        size=288,
        resample="bicubic",
    ),
]
MODEL = make_classifier(
    "efficientnet",
    "Inverted residuals that weigh their channels, scaled in width and depth.",
    SIZES,
    Budget(epochs=7, batch=32, learning_rate=4e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the EfficientNets."""
    yield MODEL
