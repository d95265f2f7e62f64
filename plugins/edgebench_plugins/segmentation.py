"""Common ground of the models that say for each pixel what it shows: requests, masks and the loss.

No plugin itself. What runs with a request needs numpy and Pillow and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Budget, ExitPoint, Model, Pipeline, Stage, Tensors, TensorSpec, Variant
from edgebench_plugins import residual, vision
from edgebench_plugins.weightfiles import load_weights

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from edgebench import Weights

__all__ = [
    "IGNORED",
    "Size",
    "class_mask",
    "exits",
    "mask_png",
    "native_input",
    "pixel_cross_entropy",
    "scene_input",
    "segmenter",
    "small",
    "square_input",
]

IGNORED = 255
"""The label of pixels that have no answer."""
SCENE_CLASSES = 11
SCENE = (120, 160)
"""The height and width at which the small sizes see a scene."""


@attrs.frozen(kw_only=True)
class Size:
    """One size of a segmenter: what is said of it, how it is built, how it sees a picture."""

    variant: Variant
    network: Callable[[int], nn.Module]
    """Make the network for so many classes, its weights drawn from torch's generator. It gives
    logits of its input's height and width."""
    classes: int
    picture: tuple[int | str, int | str]
    """The height and width of the input; a word where any will do."""
    preprocess: Callable[[NDArray[Any]], Tensors]
    """Turn a picture, uint8 of shape (height, width, 3), into a batch of one."""
    unused: tuple[str, ...] = ()
    """How the names begin of what weight files hold and the network has no use for."""


def small(name: str, network: Callable[[int], nn.Module], **facts: Any) -> Size:
    """Describe a size that is trained here on the scenes; *facts* are its variant's."""
    weights = ("trained", "random", "file")
    return Size(
        variant=Variant(name=name, weights=weights, dataset="digit-scenes", **facts),
        network=network,
        classes=SCENE_CLASSES,
        picture=SCENE,
        preprocess=scene_input,
    )


def segmenter(name: str, summary: str, sizes: Sequence[Size], budget: Budget) -> Model:
    """Make the record of a model that says what each pixel shows, in all its sizes."""
    by_name = {size.variant.name: size for size in sizes}
    return Model(
        name=name,
        summary=summary,
        build=lambda variant, weights: _build(name, by_name[variant], weights),
        variants=[size.variant for size in sizes],
        dataset="digit-scenes",
        format="torch-module",
        decode=vision.decode_picture,
        preprocess=lambda picture, variant: by_name[variant].preprocess(picture),
        postprocess=class_mask,
        encode=mask_png,
        loss=pixel_cross_entropy,
        budget=budget,
    )


def exits(shape: residual.Shape) -> tuple[ExitPoint, ...]:
    """Say where a segmenter whose trunk is named `backbone` may be left early."""
    return tuple(
        attrs.evolve(point, path=f"backbone.{point.path}") for point in residual.exits(shape)
    )


def _build(model: str, size: Size, weights: Weights) -> Pipeline:
    """Build one size as a pipeline of one stage, its weights drawn or from a file.

    It reads `input`, (batch, 3, height, width), and writes `logits`, (batch, classes, height,
    width).

    Raises:
        DataError: The weights are to come from a file, and it does not fit.
    """
    import torch

    variant = size.variant.name
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        module = size.network(size.classes)
    if weights.kind in ("file", "hub"):
        load_weights(module, weights.path, title=f"{model}:{variant}", ignore=size.unused)
    shape = ("batch", 3, *size.picture)
    scores = ("batch", size.classes, *size.picture)
    stage = Stage(
        format="torch-module",
        inputs=[TensorSpec(name="input", dtype="float32", shape=shape)],
        outputs=[TensorSpec(name="logits", dtype="float32", shape=scores)],
        live=module,
        model=model,
        variant=variant,
        parameters=sum(weight.numel() for weight in module.parameters()),
    )
    return Pipeline(model=model, variant=variant, stages=[stage], outputs=["logits"])


def scene_input(picture: NDArray[Any]) -> Tensors:
    """Shrink a scene and normalise it: the tensor `input`, float32 of shape (1, 3, 120, 160)."""
    from PIL import Image

    height, width = SCENE
    # A box filter averages all pixels that fall into one, which is what takes noise away.
    shrunk = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    return {"input": vision.normalised(shrunk, 0.3, 0.2)}


def native_input(picture: NDArray[Any]) -> Tensors:
    """Normalise a photo as it is: `input`, float32 of shape (1, 3, height, width)."""
    return {"input": vision.normalised(picture)}


def square_input(picture: NDArray[Any], side: int) -> Tensors:
    """Scale a whole photo to a square, whatever its shape was, and normalise it.

    The mask is scaled back with the rest when it is compared. The tensor `input` is float32 of
    shape (1, 3, side, side).
    """
    from PIL import Image

    scaled = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return {"input": vision.normalised(scaled)}


def class_mask(outputs: Tensors, variant: str) -> NDArray[Any]:
    """Give each pixel the class that scored best: uint8 of the logits' height and width."""
    import numpy as np

    mask: NDArray[Any] = outputs["logits"][0].argmax(axis=0).astype(np.uint8)
    return mask


def mask_png(mask: NDArray[Any]) -> bytes:
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
