"""MobileNetV2 (Sandler et al., 2018) and MobileNetV3 (Howard et al., 2019), as torchvision's.

Its weight files fit: the parameters have torchvision's names. What trains here has the parts of
MobileNetV3: depthwise convolutions, squeeze-and-excitation, hard-swish.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from edgebench import Budget, Model, Variant, hookimpl
from edgebench_kit.vision.classifiers import make_classifier
from edgebench_kit.vision.inverted_classifiers import describe_large_size, describe_small_size
from edgebench_kit.vision.inverted_residual import (
    Activation,
    Block,
    Shape,
    repeat_blocks,
    round_channels,
)

Row = tuple[int, int, int, bool, Activation, int]
"""Of a block of MobileNetV3: kernel, channels within, outputs, whether it squeezes, what follows
a normalisation, stride."""


def list_blocks(inputs: int, *stages: Iterable[Row]) -> tuple[tuple[Block, ...], ...]:
    """List the blocks of tables, a table for each stage, after so many *inputs*."""
    widths = chain([inputs], (row[2] for stage in stages for row in stage))
    return tuple(
        tuple(
            Block(
                inputs=next(widths),
                expanded=expanded,
                outputs=outputs,
                activation=activation,
                kernel=kernel,
                stride=stride,
                squeezed=round_channels(expanded // 4) if squeezes else 0,
            )
            for kernel, expanded, outputs, squeezes, activation, stride in stage
        )
        for stage in stages
    )


HS: Activation = "Hardswish"
RE: Activation = "ReLU"

SMALL = Shape(
    stages=list_blocks(
        24,
        [(3, 24, 24, True, RE, 1)],
        [(3, 96, 40, False, RE, 1), (3, 120, 40, False, RE, 1)],
        [(5, 160, 64, True, HS, 2)] + [(5, 256, 64, True, HS, 1)] * 2,
        [(5, 256, 96, True, HS, 2)] + [(5, 384, 96, True, HS, 1)] * 2,
    ),
    activation=HS,
    last=384,
    hidden=256,
)
TINY = Shape(
    stages=list_blocks(
        16,
        [(3, 16, 16, True, RE, 1)],
        [(3, 64, 24, False, RE, 1)],
        [(5, 96, 40, True, HS, 2)],
        [(5, 160, 64, True, HS, 2), (5, 256, 64, True, HS, 1)],
    ),
    activation=HS,
    last=256,
    hidden=128,
)
V3_SMALL = Shape(
    stages=list_blocks(
        16,
        [(3, 16, 16, True, RE, 2)],
        [(3, 72, 24, False, RE, 2), (3, 88, 24, False, RE, 1)],
        [(5, 96, 40, True, HS, 2)] + [(5, 240, 40, True, HS, 1)] * 2,
        [(5, 120, 48, True, HS, 1), (5, 144, 48, True, HS, 1)],
        [(5, 288, 96, True, HS, 2)] + [(5, 576, 96, True, HS, 1)] * 2,
    ),
    activation=HS,
    last=576,
    hidden=1024,
    epsilon=1e-3,
    momentum=0.01,
)
V2 = Shape(
    stages=repeat_blocks(
        32,
        [
            (1, 3, 1, 16, 1),
            (6, 3, 2, 24, 2),
            (6, 3, 2, 32, 3),
            (6, 3, 2, 64, 4),
            (6, 3, 1, 96, 3),
            (6, 3, 2, 160, 3),
            (6, 3, 1, 320, 1),
        ],
        "ReLU6",
    ),
    activation="ReLU6",
    last=1280,
    plain=True,
)

SIZES = [
    describe_small_size(
        Variant(
            name="small",
            summary="9 inverted residuals as MobileNetV3's for 32x32 pictures of 10 classes.",
            parameters=740_890,
            student="tiny",
        ),
        SMALL,
    ),
    describe_small_size(
        Variant(
            name="tiny",
            summary="5 narrower inverted residuals for 32x32 pictures of 10 classes.",
            parameters=177_282,
        ),
        TINY,
    ),
    describe_large_size(
        Variant(
            name="v3-small",
            summary="MobileNetV3's small one: 11 inverted residuals for 224x224 photos of 1000 "
            "classes.",
            parameters=2_542_856,
            asset="mobilenet-v3-small",
        ),
        V3_SMALL,
        shorter=256,
    ),
    describe_large_size(
        Variant(
            name="v2",
            summary="MobileNetV2: 17 inverted residuals for 224x224 photos of 1000 classes.",
            parameters=3_504_872,
            asset="mobilenet-v2",
            student="v3-small",
        ),
        V2,
    ),
]
MODEL = make_classifier(
    "mobilenet",
    "Inverted residuals: depthwise convolutions between narrow ends, for phones.",
    SIZES,
    Budget(epochs=6, batch=16, learning_rate=3e-3, patience=2),
)


@hookimpl
def edgebench_models() -> Iterable[Model]:
    """Offer the MobileNets."""
    yield MODEL
