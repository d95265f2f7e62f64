"""Models that say for each pixel what it shows: sizes, records, inputs, masks, loss, exit heads.

What runs with a request needs numpy and Pillow and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, ExitPoint, Model, Tensors, Variant
from edgebench_kit.vision.inputs import normalise_pixels
from edgebench_kit.vision.layers import make_convolution
from edgebench_kit.vision.models import Size, make_model

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

IGNORED = 255
"""The label of pixels that have no answer."""
SCENE_CLASSES = 11
SCENE = (120, 160)
"""The height and width at which the small sizes see a scene."""
CELL = 8
"""The pixels to the side of what one cell of a whole trunk stands for."""


def describe_small_size(
    variant: Variant,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
) -> Size:
    """Describe a size that is trained here on the scenes.

    Weights, dataset and exits are added to *variant*; *network* and *exits* make the network and
    its exit points for so many classes.
    """
    return Size(
        variant=attrs.evolve(
            variant,
            weights=("trained", "random", "file"),
            dataset="digit-scenes",
            exits=exits(SCENE_CLASSES),
        ),
        network=network,
        classes=SCENE_CLASSES,
        picture=SCENE,
        preprocess=shrink_scene,
        dense=True,
    )


def describe_large_size(
    variant: Variant,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
    *,
    classes: int,
    picture: tuple[int | str, int | str],
    preprocess: Callable[[NDArray[Any]], Tensors],
    unused: tuple[str, ...] = (),
) -> Size:
    """Describe a published size, whose weights and dataset *variant* names.

    Exits are added to it, and the scenes as what stands in for its own photos.
    """
    return Size(
        variant=attrs.evolve(variant, stand_in="digit-scenes", exits=exits(classes)),
        network=network,
        classes=classes,
        picture=picture,
        preprocess=preprocess,
        dense=True,
        unused=unused,
    )


def make_segmenter(name: str, summary: str, sizes: Sequence[Size], budget: Budget) -> Model:
    """Make the record of a model that says what each pixel shows, in all its sizes."""
    model = make_model(
        name,
        summary,
        sizes,
        dataset="digit-scenes",
        budget=budget,
        postprocess=choose_classes,
        loss=pixel_cross_entropy,
    )
    return attrs.evolve(model, encode=encode_mask)


def shrink_scene(picture: NDArray[Any]) -> Tensors:
    """Shrink a scene and normalise it: the tensor `input`, float32 of shape (1, 3, 120, 160)."""
    from PIL import Image

    height, width = SCENE
    # A box filter averages all pixels that fall into one, which is what takes noise away.
    shrunk = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    return {"input": normalise_pixels(shrunk, 0.3, 0.2)}


def keep_size(picture: NDArray[Any]) -> Tensors:
    """Normalise a photo as it is: `input`, float32 of shape (1, 3, height, width)."""
    return {"input": normalise_pixels(picture)}


def scale_to_square(picture: NDArray[Any], side: int) -> Tensors:
    """Scale a whole photo to a square, whatever its shape was, and normalise it.

    The mask is scaled back with the rest when it is compared. The tensor `input` is float32 of
    shape (1, 3, side, side).
    """
    from PIL import Image

    scaled = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return {"input": normalise_pixels(scaled)}


def choose_classes(outputs: Tensors, variant: str) -> NDArray[Any]:
    """Give each pixel the class that scored best: uint8 of the logits' height and width."""
    import numpy as np

    mask: NDArray[Any] = outputs["logits"][0].argmax(axis=0).astype(np.uint8)
    return mask


def encode_mask(mask: NDArray[Any]) -> bytes:
    """Encode a mask, uint8 of shape (height, width), as a grey PNG whose values are the classes."""
    import io

    from PIL import Image

    kept = io.BytesIO()
    Image.fromarray(mask).save(kept, "PNG")
    return kept.getvalue()


def pixel_cross_entropy(outputs: Mapping[str, torch.Tensor], answers: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy of `logits`, (batch, classes, h, w), over the pixels.

    The answers are uint8 of shape (batch, height, width). Of another size than the logits, the one
    in the middle of the area that a logit stands for counts; those of 255 never do.
    """
    import torch
    from torch.nn import functional

    logits = outputs["logits"]
    rows, columns = (
        (2 * torch.arange(new) + 1) * old // (2 * new)
        for new, old in zip(logits.shape[-2:], answers.shape[-2:], strict=True)
    )
    wanted = answers[:, rows[:, None], columns].long()
    return functional.cross_entropy(logits, wanted, ignore_index=IGNORED)


def make_pixel_head(channels: int, classes: int, stride: int, convolutions: int) -> nn.Module:
    """Make the head of an exit: convolutions, one more to scores, and these enlarged bilinearly.

    From (batch, channels, h, w) to (batch, classes, height, width), the input's size. Where that is
    no multiple of 8 the answer is larger by the rest of a cell. The first convolution has the
    *stride* that the trunk would still have gone: at full resolution it would cost more than the
    trunk.
    """
    from torch import nn

    width = min(channels, 128)
    layers = make_convolution(channels, width, stride)
    for _ in range(1, convolutions):
        layers += make_convolution(width, width)
    enlarged = nn.Upsample(scale_factor=CELL, mode="bilinear")
    return nn.Sequential(*layers, nn.Conv2d(width, classes, 1), enlarged)
