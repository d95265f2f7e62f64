"""Models of encoders: a family of sizes, built with drawn weights or given a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from edgebench import (
    Budget,
    DataError,
    Look,
    Model,
    NoOptions,
    Pipeline,
    Stage,
    TensorSpec,
    Variant,
    Weights,
)
from edgebench_kit.text import tokenizing
from edgebench_kit.text.checkpoints import check_checkpoint, load_checkpoint
from edgebench_kit.text.encoders import CLASSES, Network, Size
from edgebench_kit.text.kinds import Kind
from edgebench_kit.text.vocabularies import ENTRIES, train_tokenizer, write_tokenizer
from edgebench_kit.torch.classification import compute_class_scores, cross_entropy
from edgebench_kit.torch.modules import count_parameters
from edgebench_kit.torch.weight_files import check_file, load_weights

SHORT = 32
"""Tokens of a sample of the small sizes; no made sentence has more."""
LONG = 128
SHAPES = {
    "small": (4, 256, 512),
    "tiny": (2, 192, 384),
    "4x512": (4, 512, 2048),
    "base": (12, 768, 3072),
}
"""The layers of each size, the values of a token, and those within a feed-forward part."""


@attrs.frozen(kw_only=True)
class Family:
    """What the sizes of one model have in common."""

    name: str
    kind: Kind
    """How text is divided into tokens where weights come without a tokenizer."""
    sizes: tuple[Size, ...]

    def find_size(self, variant: str) -> Size:
        """Return the size called *variant*."""
        return next(size for size in self.sizes if size.variant.name == variant)

    def make_model(self, summary: str, budget: Budget) -> Model:
        """Describe the family as a model."""
        return Model(
            name=self.name,
            summary=summary,
            build=self.build,
            variants=[size.full_variant for size in self.sizes],
            dataset="outcomes",
            format="torch-module",
            bind=self.bind,
            decode=tokenizing.decode_sentences,
            preprocess=tokenizing.refuse_unbound,
            postprocess=compute_class_scores,
            loss=cross_entropy,
            budget=budget,
            look=self.look,
        )

    def bind(self, model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
        """Return the record whose preprocessing uses the tokenizer of a pipeline."""
        return tokenizing.bind_tokenizer(
            model, variant, resources, self.find_size(variant).network.inputs
        )

    def build(self, variant: str, weights: Weights) -> Pipeline:
        """Build one size, its weights drawn with the seed of *weights* or from its file.

        The stage reads the network's inputs, int64 of shape (batch, length), and writes `logits`,
        float32 of shape (batch, 2). A checkpoint is a directory as transformers writes it, with
        its tokenizer; a single file has the weights alone, for the tokenizer that is trained here.

        Raises:
            DataError: The file or directory does not fit.
        """
        size = self.find_size(variant)
        module = size.make_network(weights.seed)
        resource = (
            self._load(module, weights.path, size)
            if weights.kind in ("file", "hub")
            else self._make_tokenizer(size)
        )
        stage = Stage(
            format="torch-module",
            inputs=[
                TensorSpec(name=name, dtype="int64", shape=("batch", size.length))
                for name in size.network.inputs
            ],
            outputs=[TensorSpec(name="logits", dtype="float32", shape=("batch", CLASSES))],
            live=module,
            model=self.name,
            variant=variant,
            parameters=count_parameters(module),
        )
        return Pipeline(
            model=self.name,
            variant=variant,
            stages=[stage],
            outputs=["logits"],
            resources={tokenizing.RESOURCE: resource},
        )

    def look(self, variant: str, path: Path, _: NoOptions) -> Look:
        """See whether a checkpoint, or a file of weights, is one of a size.

        Raises:
            DataError: It is not, as far as that shows without its weights.
        """
        size, title = self.find_size(variant), f"{self.name}:{variant}"
        if path.is_dir():
            check_checkpoint(size, path, title=title)
        else:
            _check_vocabulary(path, size, title)
            check_file(path, title)
        return Look()

    def _load(self, module: Any, path: Path | None, size: Size) -> bytes:
        """Give a module the weights in *path*, and return the tokenizer that goes with them.

        Raises:
            DataError: They do not fit, or are without the tokenizer that they were trained with.
        """
        title = f"{self.name}:{size.variant.name}"
        if path is not None and path.is_dir():
            tokenizer = load_checkpoint(module, size, path, title=title)
            return write_tokenizer(tokenizer, size.network.kind, size.length)
        _check_vocabulary(path, size, title)
        load_weights(module, path, title=title)
        return self._make_tokenizer(size)

    def _make_tokenizer(self, size: Size) -> bytes:
        """Return the tokenizer that is made here; each size has a row for all that it gives."""
        return write_tokenizer(train_tokenizer(self.kind), self.kind, size.length)


def _check_vocabulary(path: Path | None, size: Size, title: str) -> None:
    """Raise if weights alone, without a tokenizer, are given for what has one of its own."""
    if size.rows != ENTRIES:
        raise DataError(
            f"{path} is without a tokenizer, and {title} has not the vocabulary made here; "
            "give the directory of the checkpoint"
        )


def describe_small_size(variant: Variant, network: Network) -> Size:
    """Describe a size that is trained here; `SHAPES` has its shape under the variant's name.

    Summary, weights and datasets are added to *variant*.
    """
    layers, width, inner = SHAPES[variant.name]
    return Size(
        variant=attrs.evolve(
            variant,
            summary=f"{layers} layers, {width} wide, for {SHORT} tokens.",
            weights=("trained", "random", "file"),
            datasets=("mrpc",),
        ),
        network=network,
        length=SHORT,
        layers=layers,
        width=width,
        heads=4,
        inner=inner,
        rows=ENTRIES,
        positions=SHORT,
        dropout=0.0,
        spread=0.06,
    )


def describe_large_size(variant: Variant, network: Network, *, rows: int, remark: str = "") -> Size:
    """Describe a published size of `SHAPES`, with a vocabulary of so many *rows*.

    Summary, weights and datasets are added to *variant*; *remark* ends the summary.
    """
    layers, width, inner = SHAPES[variant.name]
    return Size(
        variant=attrs.evolve(
            variant,
            summary=f"{layers} layers, {width} wide, for {LONG} tokens{remark}.",
            weights=("random", "file"),
            dataset="mrpc",
            stand_in="outcomes",
        ),
        network=network,
        length=LONG,
        layers=layers,
        width=width,
        heads=width // 64,
        inner=inner,
        rows=rows,
        positions=512,
    )
