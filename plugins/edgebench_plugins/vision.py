"""Common ground of the models that take pictures: how a request becomes a tensor and an answer.

No plugin itself. What runs with a request needs numpy and Pillow and no framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edgebench import DataError, Pipeline, Stage, TensorSpec

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from edgebench import Tensors

__all__ = ["centre_input", "class_scores", "classifier", "cross_entropy", "decode_picture"]


def classifier(
    model: str, variant: str, network: Callable[[], Any], *, picture: int, classes: int, seed: int
) -> Pipeline:
    """Build a network of torch, initialised with *seed*, as a pipeline of one stage.

    It reads `input`, (batch, 3, picture, picture), and writes `logits`, (batch, classes).
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = network()
    shape = ("batch", 3, picture, picture)
    stage = Stage(
        format="torch-module",
        inputs=[TensorSpec(name="input", dtype="float32", shape=shape)],
        outputs=[TensorSpec(name="logits", dtype="float32", shape=("batch", classes))],
        live=module,
        model=model,
        variant=variant,
        parameters=sum(weight.numel() for weight in module.parameters()),
    )
    return Pipeline(model=model, variant=variant, stages=[stage], outputs=["logits"])


def decode_picture(payload: bytes, variant: str) -> NDArray[Any]:
    """Decode a picture file to uint8 of shape (height, width, 3).

    Raises:
        DataError: The payload is no picture, or is truncated.
    """
    import io

    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        return np.asarray(Image.open(io.BytesIO(payload)).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        # Pillow's PNG reader reports a broken chunk as a SyntaxError.
        raise DataError(f"a payload of {len(payload)} bytes is no picture: {error}") from error


def centre_input(
    picture: NDArray[Any], *, part: float, size: int, mean: float, spread: float
) -> Tensors:
    """Cut the middle square out of a picture, resize it, and normalise it to a batch of one.

    The square's side is *part* of the picture's shorter side; the tensor `input` is float32 of
    shape (1, 3, size, size), its values (v / 255 - mean) / spread.
    """
    import numpy as np
    from PIL import Image

    height, width = picture.shape[:2]
    side = round(part * min(height, width))
    top, left = (height - side) // 2, (width - side) // 2
    square = Image.fromarray(picture[top : top + side, left : left + side])
    # A box filter averages all pixels that fall into one, which is what takes noise away.
    small = np.asarray(square.resize((size, size), Image.Resampling.BOX), np.float32)
    scaled = (small - np.float32(255 * mean)) * np.float32(1 / (255 * spread))
    return {"input": np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])}


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
