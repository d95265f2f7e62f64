"""What the tests on a GPU share; `tests/gpu/run.sh` runs them on a machine that has one."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from edgebench_kit.cuda import devices

from ..plugins.backends.conftest import (  # noqa: F401 (fixtures)
    convolutions,
    facts,
    images,
    reference,
    swapped,
    two_by_two,
)


@pytest.fixture(scope="session")
def tensorrt():
    """TensorRT with a GPU; a test that asks for it is skipped without."""
    if not find_spec("tensorrt") or not devices.is_installed():
        pytest.skip("tensorrt or cuda-bindings is not installed")
    if not devices.list_devices():
        pytest.skip(f"no CUDA device here: {devices.explain_none()}")
    import tensorrt

    return tensorrt


@pytest.fixture(scope="session")
def cuda():
    """The first device of torch's CUDA; a test that asks for it is skipped without."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU here that this build of torch can use")
    return "cuda:0"
