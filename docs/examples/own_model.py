"""A model of your own with data of your own: what is wrong with a machine, by how it vibrates.

    edgebench run --plugin docs/examples/own_model.py --model fault-finder \
        --operator identity --operator sptq --placement mobile --backend onnxruntime

Put the reading of your recordings in place of `recorded`, and your network into `build`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import edgebench as eb

RATE, LENGTH, STEP = 4096, 2048, 0.004  # samples a second and a request; volts a count
# Sound, unbalanced, bent, worn: the shaft's first and second harmonic, the knocks of its bearing.
KINDS = [(0.3, 0.2, 0.0), (1.0, 0.2, 0.0), (0.3, 1.0, 0.0), (0.3, 0.2, 2.0)]
SPLITS = {"training": 1600, "calibration": 100, "validation": 200, "test": 1000}


def recorded(kind: int, draw: np.random.Generator) -> bytes:
    """Return half a second of vibration as a sensor sends it: 2048 counts, int16, little endian."""
    first, second, knocks = KINDS[kind]
    time = np.arange(LENGTH) / RATE
    turns = draw.uniform(40, 60) * time + draw.uniform()
    wave = first * np.sin(2 * np.pi * turns) + second * np.sin(4 * np.pi * turns)
    wave += knocks * np.exp(-8 * (3.6 * turns % 1)) * np.sin(2 * np.pi * 1500 * time)
    wave = draw.uniform(0.3, 1) * wave + draw.normal(scale=0.4, size=LENGTH)
    return (wave / STEP).round().clip(-2048, 2047).astype("<i2").tobytes()


def samples(split: str, seed: int) -> Iterator[tuple[bytes, int]]:
    """Yield the requests of a split with their answers; no two splits may share a request."""
    draw = np.random.default_rng([seed, *split.encode()])
    for number in range(SPLITS.get(split, 0)):
        yield recorded(number % len(KINDS), draw), number % len(KINDS)


def decode(payload: bytes, variant: str) -> Any:
    """Read a request; this and `preprocess` run on the tier where it arrives, and are timed."""
    if len(payload) != 2 * LENGTH:
        raise eb.DataError(f"a request has {2 * LENGTH} bytes, not {len(payload)}")
    return np.frombuffer(payload, "<i2")


def preprocess(counts: Any, variant: str) -> eb.Tensors:
    """Turn what was read into the inputs of a batch of one."""
    return {"wave": (counts * np.float32(STEP))[None, None]}


def build(variant: str, weights: eb.Weights) -> eb.Pipeline:
    """Build the network and say what it reads and writes; edgebench trains it on `training`."""
    import torch  # here, not above: `edgebench list` must stay quick
    from torch import nn

    torch.manual_seed(weights.seed)
    network = nn.Sequential(
        *(nn.Conv1d(1, 32, 16, stride=4), nn.ReLU(), nn.Conv1d(32, 32, 8, stride=4), nn.ReLU()),
        *(nn.Conv1d(32, 128, 8, stride=4), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()),
        nn.Linear(128, len(KINDS)),
    )
    wave = eb.TensorSpec(name="wave", dtype="float32", shape=("batch", 1, LENGTH))
    scores = eb.TensorSpec(name="scores", dtype="float32", shape=("batch", len(KINDS)))
    stage = eb.Stage(format="torch-module", inputs=[wave], outputs=[scores], live=network)
    return eb.Pipeline(model="fault-finder", variant=variant, stages=[stage], outputs=["scores"])


def loss(outputs: Any, answers: Any) -> Any:
    """Return what training makes small."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs["scores"], answers)


@eb.hookimpl
def edgebench_models() -> Iterator[eb.Model]:
    """Offer the network; its answer is the best class with its score, unless `encode` is given."""
    variant = eb.Variant(name="small", parameters=42_180, weights=["trained", "random"])
    yield eb.Model(
        name="fault-finder",
        summary="Three convolutions over half a second of vibration.",
        variants=[variant],
        dataset="vibrations",
        format="torch-module",
        build=build,
        decode=decode,
        preprocess=preprocess,
        loss=loss,
        budget=eb.Budget(epochs=6, learning_rate=3e-3),
    )


@eb.hookimpl
def edgebench_datasets() -> Iterator[eb.Dataset]:
    """Offer the recordings; strategies are compared by the first metric."""
    accuracy = eb.Metric(
        name="accuracy",
        count=lambda scores, answer: [float(scores.argmax() == answer), 1.0],
        value=lambda sums: float(sums[0] / sums[1]),
    )
    yield eb.Dataset(
        name="vibrations",
        summary="Shafts of four kinds at 40 to 60 turns a second, with noise.",
        samples=samples,
        metrics=lambda: [accuracy],
        synthetic=True,
    )
