"""Arrays and the bytes that stand for them on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgebench.measure.transport.wire import Message, Shaped, WireError
from edgebench.parts.pipeline import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_array(shaped: Shaped, view: memoryview) -> NDArray[Any]:
    """Return received bytes as an array, copied only if they lie across the type's alignment."""
    found: NDArray[Any] = np.ndarray(shaped.shape, shaped.dtype, view)
    return found if found.flags.aligned else found.copy()


def read_arrays(message: Message) -> dict[str, NDArray[Any]]:
    """Return the tensors that a message carries, by name."""
    return {
        shaped.name: as_array(shaped, view)
        for shaped, view in zip(message.tensors, message.body, strict=True)
    }


def check_tensor(spec: TensorSpec, shaped: Shaped, samples: int) -> None:
    """Hold a received tensor against what the pipeline says it is.

    Raises:
        WireError: It has another type or shape, or not as many samples as are announced.
    """
    fits = len(spec.shape) == len(shaped.shape) and all(
        isinstance(wanted, str) or wanted == came
        for wanted, came in zip(spec.shape, shaped.shape, strict=True)
    )
    if spec.dtype != shaped.dtype or not fits:
        raise WireError(
            f"the tensor {spec.name!r} is {shaped.dtype} of shape {shaped.shape}, "
            f"not {spec.dtype} of shape {spec.shape}"
        )
    if shaped.shape and shaped.shape[0] != samples:
        raise WireError(
            f"the tensor {spec.name!r} holds {shaped.shape[0]} samples, not the {samples} announced"
        )


def make_sendable(spec: TensorSpec, tensor: NDArray[Any]) -> NDArray[Any]:
    """Return an array whose memory can be sent as it lies there.

    Raises:
        TypeError: A session gave it another type than its stage announces.
    """
    if tensor.dtype.name != spec.dtype:
        raise TypeError(f"the tensor {spec.name!r} came out as {tensor.dtype}, not {spec.dtype}")
    return tensor if tensor.flags.c_contiguous else tensor.copy()
