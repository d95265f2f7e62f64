"""Memory through which tensors go to a CUDA device and back: page-locked, on a stream of its own.

Page-locked memory is read and written by the device itself, without a copy by the driver between.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from edgebench_kit.cuda.devices import find_number, take_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@attrs.define
class Buffer:
    """Room for one tensor: page-locked here, and as much on the device."""

    size: int = 0
    """Bytes."""
    host: int = 0
    """The address here."""
    device: int = 0
    """The address there."""
    array: Any = None
    """The tensor as it lies here."""


@attrs.define
class Buffers:
    """Room for tensors by name, and the stream on which they are copied, of one device."""

    runtime: Any
    number: int
    stream: Any
    kept: dict[str, Buffer] = attrs.field(factory=dict, init=False)

    @property
    def handle(self) -> int:
        """The stream, as other libraries take it."""
        return int(self.stream)

    def choose_device(self) -> None:
        """Make the device that of the thread which calls; each has its own."""
        take_value(self.runtime.cudaSetDevice(self.number))

    def reserve(self, name: str, shape: tuple[int, ...], dtype: str) -> int:
        """Make room for a tensor, and return its address on the device.

        Room grows and never shrinks; the address stays while the tensor fits.

        Raises:
            CaseFailed: The memory is not to be had.
        """
        import numpy as np

        buffer = self.kept.setdefault(name, Buffer())
        count = int(np.prod(shape, dtype=np.int64))
        size = max(count * np.dtype(dtype).itemsize, 1)
        if size > buffer.size:
            self._release(buffer)
            buffer.host = int(take_value(self.runtime.cudaMallocHost(size)))
            buffer.device = int(take_value(self.runtime.cudaMalloc(size)))
            buffer.size = size
        whole = (ctypes.c_ubyte * buffer.size).from_address(buffer.host)
        buffer.array = np.ndarray(shape, dtype, memoryview(whole))
        return buffer.device

    def send(self, name: str, array: NDArray[Any]) -> None:
        """Begin to copy a tensor to the device, after what was begun before."""
        import numpy as np

        buffer = self.kept[name]
        np.copyto(buffer.array, array, casting="equiv")
        self._copy(buffer.device, buffer.host, array.nbytes, "cudaMemcpyHostToDevice")

    def fetch(self, name: str) -> None:
        """Begin to copy a tensor back, after what was begun before; `wait` until it is here."""
        buffer = self.kept[name]
        size = buffer.array.nbytes
        self._copy(buffer.host, buffer.device, size, "cudaMemcpyDeviceToHost")

    def wait(self) -> None:
        """Wait until all that was begun is done.

        Raises:
            CaseFailed: Something of it failed.
        """
        take_value(self.runtime.cudaStreamSynchronize(self.stream))

    def take(self, name: str) -> NDArray[Any]:
        """Return a copy of a tensor that is here: its room is used again."""
        array: NDArray[Any] = self.kept[name].array
        return array.copy()

    def release(self) -> None:
        """Give all memory back."""
        for buffer in self.kept.values():
            self._release(buffer)
        self.kept.clear()

    def _copy(self, to: int, source: int, size: int, kind: str) -> None:
        way = getattr(self.runtime.cudaMemcpyKind, kind)
        take_value(self.runtime.cudaMemcpyAsync(to, source, size, way, self.stream))

    def _release(self, buffer: Buffer) -> None:
        buffer.array = None
        if buffer.host:
            take_value(self.runtime.cudaFreeHost(buffer.host))
        if buffer.device:
            take_value(self.runtime.cudaFree(buffer.device))
        buffer.size = buffer.host = buffer.device = 0


@contextmanager
def open_buffers(device: str) -> Iterator[Buffers]:
    """Give room for tensors on a device (`cuda:0`); all of it is given back at the end.

    Raises:
        CaseFailed: The device cannot be used.
    """
    from cuda.bindings import runtime

    number = find_number(device)
    take_value(runtime.cudaSetDevice(number))
    # One that does not wait for the default stream, on which others may work.
    stream = take_value(runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking))
    buffers = Buffers(runtime, number, stream)
    try:
        yield buffers
    finally:
        buffers.choose_device()
        buffers.release()
        take_value(runtime.cudaStreamDestroy(stream))
