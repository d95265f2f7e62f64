"""Which CUDA devices are here, and with which driver."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVER = Path("/proc/driver/nvidia/version")
"""Where the driver of Linux says which one it is."""


def is_installed() -> bool:
    """Say whether the bindings are here (`cuda-bindings`), without importing them."""
    return find_spec("cuda") is not None and find_spec("cuda.bindings") is not None


def take_value(answer: tuple[Any, ...]) -> Any:
    """Return what a function of the CUDA runtime gives beside its status.

    Raises:
        CaseFailed: The status is an error.
    """
    status, *given = answer
    if int(status):
        raise CaseFailed(f"CUDA failed: {_explain(status)}")
    return given[0] if given else None


def _explain(status: Any) -> str:
    from cuda.bindings import runtime

    _, text = runtime.cudaGetErrorString(status)
    return str(text.decode())


def list_devices() -> tuple[str, ...]:
    """Return the devices, called `cuda:0` and so on; none where there is no driver."""
    from cuda.bindings import runtime

    status, count = runtime.cudaGetDeviceCount()
    return () if int(status) else tuple(f"cuda:{number}" for number in range(count))


def explain_none() -> str:
    """Return why there is no device, in one clause."""
    from cuda.bindings import runtime

    if not take_value(runtime.cudaDriverGetVersion()):
        return "no NVIDIA driver is here"
    status, _ = runtime.cudaGetDeviceCount()
    return _explain(status) if int(status) else "the driver shows none"


def find_number(device: str) -> int:
    """Return the number of a device of `list_devices`."""
    return int(device.partition(":")[2])


def describe_devices() -> Mapping[str, str]:
    """Return which GPU each device is, and the driver: what compiled code is good for."""
    from cuda.bindings import runtime

    said = {}
    for device in list_devices():
        found = take_value(runtime.cudaGetDeviceProperties(find_number(device)))
        said[device] = f"{found.name.decode()}, compute capability {found.major}.{found.minor}"
    return {**said, "cuda-driver": _describe_driver()} if said else {}


def _describe_driver() -> str:
    """Return the version of the driver where it can be read, and that of CUDA that it has."""
    from cuda.bindings import runtime

    number = take_value(runtime.cudaDriverGetVersion())
    cuda = f"CUDA {number // 1000}.{number % 1000 // 10}"
    try:
        text = DRIVER.read_text(encoding="utf-8")
    except OSError:
        return cuda
    found = re.search(r"\b\d{3,}\.\d+(?:\.\d+)?\b", text)
    return f"{found[0]}, {cuda}" if found else cuda
