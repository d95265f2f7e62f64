"""A network that nobody ships, as a program, and pictures for it."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def pictures():
    return {"input": np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype("f4")}


@pytest.fixture
def stage(pictures):
    import torch

    from edgebench import TensorSpec

    from .programs import exported, make_network

    spec = TensorSpec(name="input", dtype="float32", shape=("batch", 3, 16, 16))
    outputs = [TensorSpec(name="logits", dtype="float32", shape=("batch", 5))]
    return exported(make_network(), torch.from_numpy(pictures["input"]), [spec], outputs)
