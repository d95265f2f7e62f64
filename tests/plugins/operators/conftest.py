"""A context that runs real sessions, and small graphs to apply operators to."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import attrs
import numpy as np
import pytest

from edgebench import Pipeline, Quantization, Stage, TensorSpec
from edgebench_plugins.backends import onnxruntime as backend
from edgebench_plugins.formats import onnx as form

SHAPE = (3, 16, 16)
SPECS = {
    "inputs": (TensorSpec(name="input", dtype="float32", shape=("batch", *SHAPE)),),
    "outputs": (TensorSpec(name="logits", dtype="float32", shape=("batch", 10)),),
}


@attrs.frozen
class Samples:
    """A split held in memory."""

    tensors: list

    def __len__(self):
        return len(self.tensors)

    def __iter__(self):
        return ((one, 0) for one in self.tensors)


@attrs.define
class LocalContext:
    """The least that honours `Context`: real files, real sessions, and what was asked is noted."""

    options: object
    scratch: Path
    calibration: list = attrs.field(factory=list)
    target: Quantization = attrs.field(factory=Quantization)
    backend: object = backend
    runtime: object = attrs.field(factory=backend.OnnxruntimeOptions)
    seed: int = 7
    asked: list = attrs.field(factory=list)
    doubts: list = attrs.field(factory=list)
    chosen: dict = attrs.field(factory=dict)

    def inputs(self, split):
        self.asked.append(split)
        return Samples({"calibration": self.calibration}[split])

    @property
    def backends(self):
        return {"here": "f32"}

    def run(self, pipeline, inputs, *, on=""):
        assert on in ("", "here")
        tensors = dict(inputs)
        for stage in pipeline.stages:
            given = {spec.inside: tensors[spec.name] for spec in stage.inputs}
            with self.backend.open_session(self.saved(stage), "cpu", 1, self.runtime) as session:
                written = session.run(given)
            tensors.update({spec.name: written[spec.inside] for spec in stage.outputs})
        return {name: tensors[name] for name in pipeline.outputs}

    def saved(self, stage):
        if stage.directory is not None:
            return stage
        directory = Path(mkdtemp(dir=self.scratch))
        return attrs.evolve(stage, directory=directory, files=tuple(form.save(stage, directory)))

    def progress(self, done, total, what=""):
        assert 0 <= done <= total, what

    def doubt(self, reason):
        self.doubts.append(reason)

    def chose(self, name, value):
        self.chosen[name] = value


@pytest.fixture
def context(tmp_path):
    """Make a context for an instance of an operator's options."""
    return lambda options=None, **rest: LocalContext(options, tmp_path, **rest)


@pytest.fixture(scope="session")
def draw():
    """Draw batches of one, some values far out as activations are; with a seed always the same."""
    shared = np.random.default_rng(5)

    def make(count, seed=None):
        random = shared if seed is None else np.random.default_rng(seed)
        return [{"input": random.standard_t(4, (1, *SHAPE)).astype("f4")} for _ in range(count)]

    return make


@pytest.fixture(scope="session")
def residual():
    """A pipeline of one graph: two residual blocks, one of them with a shortcut, and a head."""
    import torch
    from torch import nn

    from edgebench_plugins.converters import onnx as converter

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.one = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.norm = nn.BatchNorm2d(after)
            self.two = nn.Conv2d(after, after, 3, 1, 1)
            self.short = nn.Identity() if before == after else nn.Conv2d(before, after, 1, stride)

        def forward(self, x):
            return torch.relu(self.two(torch.relu(self.norm(self.one(x)))) + self.short(x))

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), Block(16, 16, 1), Block(16, 32, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    stage = Stage(format="torch-module", live=module, parameters=20_000, **SPECS)
    examples = np.random.default_rng(0).standard_normal((3, *SHAPE)).astype("f4")
    stage = converter.convert(stage, {"input": examples})
    return Pipeline(model="toy", variant="small", stages=(stage,), outputs=("logits",))
