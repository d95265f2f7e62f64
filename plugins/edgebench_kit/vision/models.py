"""Models that take pictures: their sizes, and how one is built as a pipeline of one stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Budget,
    Look,
    Model,
    NoOptions,
    Pipeline,
    Stage,
    Tensors,
    TensorSpec,
    Variant,
    Weights,
)
from edgebench_kit.torch.modules import count_parameters
from edgebench_kit.torch.weight_files import check_file, load_weights
from edgebench_kit.vision.decoding import decode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


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


def make_model(
    name: str,
    summary: str,
    sizes: Sequence[Size],
    *,
    dataset: str,
    budget: Budget,
    postprocess: Callable[[Tensors, str], Any],
    loss: Callable[..., Any],
) -> Model:
    """Make the record of a model that takes pictures; the other arguments are fields of it."""
    by_name = {size.variant.name: size for size in sizes}
    return Model(
        name=name,
        summary=summary,
        build=lambda variant, weights: _build(name, by_name[variant], weights),
        variants=[size.variant for size in sizes],
        format="torch-module",
        decode=decode_picture,
        preprocess=lambda picture, variant: by_name[variant].preprocess(picture),
        dataset=dataset,
        budget=budget,
        postprocess=postprocess,
        loss=loss,
        look=partial(_look, name),
    )


def _look(model: str, variant: str, path: Path, options: NoOptions) -> Look:
    check_file(path, f"{model}:{variant}")
    return Look()


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
        parameters=count_parameters(module),
    )
    return Pipeline(model=model, variant=variant, stages=[stage], outputs=["logits"])
