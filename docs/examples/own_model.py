"""A model of your own with data of your own: what is wrong with a machine, by how it vibrates."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import edgebench as eb
from edgebench.metrics.classification import accuracy
from edgebench_kit.torch.classification import cross_entropy

KINDS = ("unbalanced", "bent", "loose", "worn")  # the harmonic of its turning that is heard
WIDTHS = {"small": 32, "tiny": 8}
SPLITS = {"training": 1600, "calibration": 100, "validation": 200, "test": 1000}


def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
    """Yield requests as a sensor sends them, 2048 counts of int16, with their answers."""
    draw = np.random.default_rng([seed, *split.encode()])
    for number in range(SPLITS.get(split, 0)):
        kind, turns = number % len(KINDS), draw.uniform(50, 60) * np.arange(2048) / 4096
        wave = np.sin(2 * np.pi * (kind + 1) * (turns + draw.uniform()))
        yield (100 * (wave + draw.normal(scale=4, size=2048))).astype("<i2").tobytes(), kind


def decode(payload: bytes, variant: str) -> np.ndarray:
    """Read a request where it arrives; unless `preprocess` says else, it becomes `input`."""
    if len(payload) != 4096:
        raise eb.DataError(f"a request has 4096 bytes, not {len(payload)}")
    return np.frombuffer(payload, "<i2")[None].astype(np.float32) / 100


def make_head(width: int) -> Any:
    """Make what names the fault: the end of the network, and that of its exit."""
    from torch import nn  # here, not above: `edgebench list` must stay quick

    return nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(width, len(KINDS)))


def leave_early(width: int) -> eb.ExitPoint:
    """Say where it may be left: after "3", with a head of its own or without "4"."""
    return eb.ExitPoint(path="3", head=lambda: make_head(width), skips=["4"])


def build(variant: str, weights: eb.Weights) -> eb.Pipeline:
    """Build the network and say what it reads and writes; edgebench trains it on `training`."""
    from torch import manual_seed, nn

    class Residual(nn.Sequential):
        def forward(self, heard: Any) -> Any:
            return heard + super().forward(heard)

    manual_seed(weights.seed)
    width = WIDTHS[variant]
    network = nn.Sequential(
        *(nn.Conv1d(1, width, 64, stride=8), nn.ReLU()),
        *(nn.Conv1d(width, 2 * width, 8, stride=4), nn.ReLU()),
        Residual(nn.Conv1d(2 * width, 2 * width, 3, padding=1), nn.ReLU()),
        make_head(2 * width),
    )
    given = eb.TensorSpec(name="input", dtype="float32", shape=("batch", 1, 2048))
    made = eb.TensorSpec(name="logits", dtype="float32", shape=("batch", len(KINDS)))
    stage = eb.Stage(format="torch-module", inputs=[given], outputs=[made], live=network)
    return eb.Pipeline(model="fault-finder", variant=variant, stages=[stage], outputs=["logits"])


@eb.hookimpl
def edgebench_models() -> Iterator[eb.Model]:
    """Offer the network; its answer is the best class with its score, unless `encode` is given."""
    trained = ["trained", "random"]
    yield eb.Model(
        name="fault-finder",
        summary="Three convolutions over half a second of vibration.",
        variants=[
            eb.Variant(
                name="small",
                parameters=31_140,
                weights=trained,
                student="tiny",  # for `distill`
                exits=[leave_early(64)],  # for `early-exit`
                keep=["0"],  # for `prune`
            ),
            eb.Variant(name="tiny", parameters=2_412, weights=trained, exits=[leave_early(16)]),
        ],
        dataset="vibrations",
        format="torch-module",
        build=build,
        decode=decode,
        loss=cross_entropy,  # of what is called `logits`
        budget=eb.Budget(epochs=6, learning_rate=3e-3),
    )


@eb.hookimpl
def edgebench_datasets() -> Iterator[eb.Dataset]:
    """Offer the recordings; strategies are compared by the first metric."""
    yield eb.Dataset(
        name="vibrations",
        summary="Shafts at 50 to 60 turns a second, each with one of four faults, and noise.",
        samples=samples,
        metrics=lambda: [accuracy()],
        synthetic=True,
    )
