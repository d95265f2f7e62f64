"""Common ground of the models that take pictures: how a request becomes a tensor and an answer.

No plugin itself. What runs with a request needs numpy and Pillow and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Budget,
    DataError,
    ExitPoint,
    Model,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    Variant,
)
from edgebench_kit.torch.weight_files import load_weights
from edgebench_kit.vision.picture_directories import FORMATS

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from edgebench import Weights

__all__ = [
    "MEANS",
    "SPREADS",
    "Size",
    "blank",
    "centre_input",
    "class_scores",
    "classifier",
    "cross_entropy",
    "decode_picture",
    "large",
    "normalised",
    "photo_input",
    "small",
    "subject",
]

MEANS = (0.485, 0.456, 0.406)
"""The means of red, green and blue over ImageNet, of 0 to 1, as torchvision has them."""
SPREADS = (0.229, 0.224, 0.225)
"""And the standard deviations."""


@attrs.frozen(kw_only=True)
class Size:
    """One size of a model: what is said of it, how it is built, how it sees a picture."""

    variant: Variant
    network: Callable[[int], nn.Module]
    """Make the network for so many classes, its weights drawn from torch's generator."""
    classes: int
    picture: tuple[int | str, int | str]
    """The height and width of the input; a word where any will do."""
    preprocess: Callable[[NDArray[Any]], Tensors]
    """Turn a picture, uint8 of shape (height, width, 3), into a batch of one."""
    dense: bool = False
    """Whether each pixel has a class and not the picture: logits of the input's height and width
    follow the classes."""
    unused: tuple[str, ...] = ()
    """How the names begin of what weight files hold and the network has no use for."""

    @property
    def shape(self) -> tuple[int | str, ...]:
        """The shape of the logits."""
        return ("batch", self.classes, *(self.picture if self.dense else ()))


def small(
    name: str,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
    **facts: Any,
) -> Size:
    """Describe a size that is trained here on the digits; *facts* are its variant's.

    *network* and *exits* make the network and its exit points for so many classes.
    """
    weights = ("trained", "random", "file")
    return Size(
        variant=Variant(
            name=name, weights=weights, dataset="digit-photos", exits=exits(10), **facts
        ),
        network=network,
        classes=10,
        picture=(32, 32),
        preprocess=partial(centre_input, part=0.8, size=32, mean=0.25, spread=0.25),
    )


def large(
    name: str,
    network: Callable[[int], nn.Module],
    exits: Callable[[int], Iterable[ExitPoint]],
    *,
    shorter: int = 232,
    **facts: Any,
) -> Size:
    """Describe a size of torchvision's for the 1000 classes of ImageNet, as `small` does.

    A photo's shorter side is scaled to *shorter* pixels before the square is cut out.
    """
    return Size(
        variant=Variant(
            name=name,
            weights=("random", "file", "hub"),
            dataset="imagenet",
            stand_in="digit-photos",
            exits=exits(1000),
            **facts,
        ),
        network=network,
        classes=1000,
        picture=(224, 224),
        preprocess=partial(photo_input, shorter=shorter, size=224),
    )


def classifier(name: str, summary: str, sizes: Sequence[Size], budget: Budget) -> Model:
    """Make the record of a model that says what a picture shows, in all its sizes."""
    return subject(
        name,
        summary,
        sizes,
        budget=budget,
        dataset="digit-photos",
        postprocess=class_scores,
        loss=cross_entropy,
    )


def subject(name: str, summary: str, sizes: Sequence[Size], **facts: Any) -> Model:
    """Make the record of a model that takes pictures; *facts* are its other fields."""
    by_name = {size.variant.name: size for size in sizes}
    return Model(
        name=name,
        summary=summary,
        build=lambda variant, weights: _build(name, by_name[variant], weights),
        variants=[size.variant for size in sizes],
        format="torch-module",
        decode=decode_picture,
        preprocess=lambda picture, variant: by_name[variant].preprocess(picture),
        **facts,
    )


def _build(model: str, size: Size, weights: Weights) -> Pipeline:
    """Build one size of *model* as a pipeline of one stage, its weights drawn or from a file.

    It reads `input`, (batch, 3, height, width), and writes `logits`, of the size's `shape`.

    Raises:
        DataError: The weights are to come from a file, and it does not fit.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        module = size.network(size.classes)
    variant = size.variant.name
    if weights.kind in ("file", "hub"):
        load_weights(module, weights.path, title=f"{model}:{variant}", ignore=size.unused)
    shape = ("batch", 3, *size.picture)
    stage = Stage(
        format="torch-module",
        inputs=[TensorSpec(name="input", dtype="float32", shape=shape)],
        outputs=[TensorSpec(name="logits", dtype="float32", shape=size.shape)],
        live=module,
        model=model,
        variant=variant,
        parameters=sum(weight.numel() for weight in module.parameters()),
    )
    return Pipeline(model=model, variant=variant, stages=[stage], outputs=["logits"])


def blank(make: Callable[[], nn.Module]) -> nn.Module:
    """Make a module whose weights hold nothing yet: drawing them once takes time enough."""
    import torch

    with torch.device("meta"):
        module = make()
    return module.to_empty(device="cpu")


def decode_picture(payload: bytes, variant: str) -> NDArray[Any]:
    """Decode a picture file to uint8 of shape (height, width, 3).

    Raises:
        DataError: The payload is no picture, or is truncated.
    """
    import io

    import numpy as np
    from PIL import Image

    try:
        # Readers of other formats run programs.
        return np.asarray(Image.open(io.BytesIO(payload), formats=FORMATS).convert("RGB"))
    except Exception as error:
        # Pillow's readers report a broken file as whatever they stumbled over.
        raise DataError(f"a payload of {len(payload)} bytes is no picture: {error}") from error


def centre_input(
    picture: NDArray[Any], *, part: float, size: int, mean: float, spread: float
) -> Tensors:
    """Cut the middle square out of a picture, resize it, and normalise it to a batch of one.

    The square's side is *part* of the picture's shorter side; the tensor `input` is float32 of
    shape (1, 3, size, size), its values (v / 255 - mean) / spread.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    side = round(part * min(height, width))
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    # A box filter averages all pixels that fall into one, which is what takes noise away.
    small = square.resize((size, size), Image.Resampling.BOX)
    return {"input": normalised(small, mean, spread)}


def photo_input(picture: NDArray[Any], *, shorter: int, size: int) -> Tensors:
    """Scale a photo, cut the middle square out of it, and normalise it to a batch of one.

    As torchvision's preset for ImageNet: bilinear with antialiasing, the shorter side to *shorter*
    pixels. The tensor `input` is float32 of shape (1, 3, size, size).
    """
    from PIL import Image

    height, width = picture.shape[:2]
    short = min(height, width)
    height, width = shorter * height // short, shorter * width // short
    scaled = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return {"input": normalised(scaled.crop((left, top, left + size, top + size)))}


def normalised(
    pixels: Any, mean: float | Sequence[float] = MEANS, spread: float | Sequence[float] = SPREADS
) -> NDArray[Any]:
    """Turn pixels of 0 to 255, (height, width, 3), into (v / 255 - mean) / spread, float32.

    The shape is (1, 3, height, width), contiguous; *mean* and *spread* may differ by channel.
    """
    import numpy as np

    below = np.float32(255) * np.asarray(mean, np.float32)
    scale = 1 / (np.float32(255) * np.asarray(spread, np.float32))
    scaled = (np.asarray(pixels, np.float32) - below) * scale
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def class_scores(outputs: Tensors, variant: str) -> NDArray[Any]:
    """Turn the `logits` of one sample into scores of shape (classes,) that add up to one."""
    import numpy as np

    logits = outputs["logits"][0].astype(np.float64)
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def cross_entropy(outputs: Mapping[str, torch.Tensor], answers: torch.Tensor) -> torch.Tensor:
    """Compute the mean cross-entropy of `logits` (batch, classes) for class numbers (batch,)."""
    from torch.nn import functional

    return functional.cross_entropy(outputs["logits"], answers)
