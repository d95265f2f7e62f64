"""The model `new-name`: a handwritten digit, read with one hidden layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import edgebench as eb
from edgebench_kit.torch.classification import cross_entropy
from edgebench_kit.vision.decoding import decode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGEBENCH_API = (2, 0)

WIDTHS = {"small": 128, "tiny": 16}
"""The hidden layer of each variant."""
CLASSES = 10
DIGIT, PIXEL = 192, 24
"""The side of the digit in the middle of a picture, and of each of its 8 x 8 pixels."""


def preprocess(picture: NDArray[Any], variant: str) -> eb.Tensors:
    """Make tensors of what `decode` gave: a batch of one, timed with each request."""
    import numpy as np

    height, width, _ = picture.shape
    top, left = (height - DIGIT) // 2, (width - DIGIT) // 2
    digit = picture[top : top + DIGIT, left : left + DIGIT].mean(axis=2)
    pixels = digit.reshape(8, PIXEL, 8, PIXEL).mean(axis=(1, 3))
    return {"pixels": (pixels[None] / 128 - 1).astype(np.float32)}


def build(variant: str, weights: eb.Weights) -> eb.Pipeline:
    """Build the network, and say what it reads and writes; edgebench trains it on the dataset."""
    from torch import manual_seed, nn  # here, not above: `edgebench list` must stay quick

    manual_seed(weights.seed)
    width = WIDTHS[variant]
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, CLASSES)
    )
    stage = eb.Stage(
        format="torch-module",
        inputs=[eb.TensorSpec(name="pixels", dtype="float32", shape=("batch", 8, 8))],
        outputs=[eb.TensorSpec(name="logits", dtype="float32", shape=("batch", CLASSES))],
        live=network,
    )
    return eb.Pipeline(
        model="new-name",
        variant=variant,
        stages=[stage],
        outputs=["logits"],
    )


def count_parameters(width: int) -> int:
    """Count the weights and biases of both layers."""
    return 64 * width + width + width * CLASSES + CLASSES


@eb.hookimpl
def edgebench_models() -> Iterator[eb.Model]:
    """Offer it; the first variant is the default, and so is the first kind of weights."""
    trained = ["trained", "random"]
    yield eb.Model(
        name="new-name",
        summary="Read a handwritten digit with one hidden layer.",
        variants=[
            eb.Variant(
                name="small",
                parameters=count_parameters(WIDTHS["small"]),
                weights=trained,
                student="tiny",  # for `distill`; `exits`, `keep` and `attention` are for others
            ),
            eb.Variant(name="tiny", parameters=count_parameters(WIDTHS["tiny"]), weights=trained),
        ],
        # Or one of your own, as `edgebench plugins new dataset` writes it: its requests are arrays,
        # of which neither `decode` nor `preprocess` is needed where `build` names its inputs so.
        dataset="digit-photos",
        format="torch-module",
        build=build,
        decode=decode_picture,
        preprocess=preprocess,
        loss=cross_entropy,  # of what is called `logits`
        budget=eb.Budget(epochs=20, learning_rate=3e-3),
    )
