"""Programs of ExecuTorch (`.pte`): opening them, on how many threads, and what runs their parts.

The runtime prints what it cannot read of a processor; hosts keep that in their logs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from edgebench import CaseFailed
from edgebench_kit.torch.quiet_imports import importing_quietly

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DELEGATE = "XnnpackBackend"
PORTABLE = "portable kernels"
SIZES = ("aten::sym_size", "executorch_prim::")
"""Operators on sizes, and views: they compute no tensor."""


@contextmanager
def working_quietly() -> Iterator[None]:
    """Keep back what ExecuTorch, and torchao under it, warn of in their own code."""
    with importing_quietly(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_program(program: Path | bytes) -> Any:
    """Open a program, a file or what it holds; the runtime sees whether it is whole.

    Raises:
        CaseFailed: It is not.
    """
    with working_quietly():
        import executorch.kernels.quantized  # noqa: F401  # registers what quantizes
        from executorch.runtime import Runtime
    with _refusing(program):
        return Runtime.get().load_program(program)


def open_method(program: Path | bytes) -> Any:
    """Load the one method of a program, a file or what it holds; `execute` runs it.

    Raises:
        CaseFailed: It is damaged, or needs kernels that the runtime has not.
    """
    loaded = open_program(program)
    with _refusing(program):
        method = loaded.load_method("forward")
    _list_open().add(method)
    return method


@contextmanager
def _refusing(program: Path | bytes) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        what = "a program" if isinstance(program, bytes) else program
        raise CaseFailed(f"ExecuTorch cannot open {what}: {error}") from error


def is_registered(delegate: str) -> bool:
    """Say whether this build of the runtime has a delegate.

    Raises:
        ImportError: It cannot be loaded here.
    """
    with working_quietly():
        from executorch.runtime import Runtime
    return bool(Runtime.get().backend_registry.is_available(delegate))


@cache
def _list_open() -> WeakSet[Any]:
    """Return the methods that are open in this process, whose pool of threads is one for all."""
    return WeakSet()


def set_threads(count: int) -> int:
    """Give the process's pool so many threads, and return how many it has.

    It stays as it is while a program is open, which was bound to it when it was loaded.
    """
    with working_quietly():
        from executorch.extension.pybindings import portable_lib
    if not _list_open():
        portable_lib._unsafe_reset_threadpool(count)  # noqa: SLF001
    return int(portable_lib._threadpool_get_thread_count())  # noqa: SLF001


def run_method(method: Any, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a method on arrays, and return new ones.

    Raises:
        CaseFailed: An array has another number of dimensions, or is larger than was planned for; or
            a kernel refuses what it is given.
    """
    import numpy as np
    import torch

    given = [torch.from_numpy(np.require(array, requirements=["C", "W"])) for array in arrays]
    try:
        return [tensor.numpy() for tensor in method.execute(given)]
    except RuntimeError as error:
        for number, array in enumerate(arrays):
            most = method.metadata.input_tensor_meta(number).sizes()
            if len(most) != array.ndim or any(map(int.__gt__, array.shape, most)):
                raise CaseFailed(
                    f"the program has memory for an input of {tuple(most)} at most, as it was "
                    f"lowered, not {array.shape}"
                ) from error
        raise CaseFailed(f"ExecuTorch cannot run the program: {error}") from error


def list_parts(program: bytes) -> dict[str, list[str]]:
    """Return what runs the parts of a program: XNNPACK its graphs, portable kernels the rest."""
    with working_quietly():
        from executorch.exir._serialize import _deserialize_pte_binary
    plan = _deserialize_pte_binary(program).program.execution_plan[0]
    parts: dict[str, list[str]] = {DELEGATE: []}
    for number, delegate in enumerate(plan.delegates):
        parts.setdefault(delegate.id, []).append(f"graph {number}")
    for chain in plan.chains:
        for instruction in chain.instructions:
            if (place := getattr(instruction.instr_args, "op_index", None)) is not None:
                operator = plan.operators[place]
                if not operator.name.startswith(SIZES):
                    parts.setdefault(PORTABLE, []).append(f"{operator.name}.{operator.overload}")
    return parts
