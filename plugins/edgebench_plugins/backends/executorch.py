"""The backend `executorch`: PyTorch's runtime for phones, products on XNNPACK.

Its pool of threads is the process's, and is set by a call that its own interface marks as private:
there is no other. Keeping the process to fewer processors leaves the pool as large as it is: kept
to one of two, a small network took 68 us where one thread took 40.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from edgebench import (
    Backend,
    HostFacts,
    NoOptions,
    Quantization,
    Session,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.stages.devices import require_device, say_missing
from edgebench_kit.torch.executorch_programs import (
    DELEGATE,
    is_registered,
    list_parts,
    open_method,
    run_method,
    set_threads,
)


@attrs.frozen
class ExecutorchSession:
    """A program, loaded."""

    stage: Stage
    method: Any
    asked: int
    threads: int
    """How many threads were asked for, and how many there are."""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the program on a batch."""
        given = run_method(self.method, [inputs[spec.inside] for spec in self.stage.inputs])
        return dict(zip([spec.inside for spec in self.stage.outputs], given, strict=True))

    def doubts(self) -> Sequence[str]:
        """Say where it has other threads than were asked for."""
        if self.threads == self.asked:
            return ()
        found = f"ExecuTorch ran it on {self.threads} threads, not on {self.asked}"
        return [f"{found}: its pool is one for the whole process, and was in use"]

    def assignment(self) -> Mapping[str, Sequence[str]]:
        """Return what XNNPACK runs, and what is left to portable kernels."""
        return list_parts(self.stage.file.read_bytes())


@contextmanager
def open_session(stage: Stage, device: str, threads: int, options: NoOptions) -> Iterator[Session]:
    """Load the stage's program.

    Raises:
        CaseFailed: The device is not one that it runs on, or the file is damaged.
    """
    require_device("executorch", device, devices())
    found = set_threads(threads)
    # Held here: while it is open, nobody else may change the pool.
    session = ExecutorchSession(stage, open_method(stage.file), threads, found)
    yield session


PROGRAM = """\
\"\"\"Opens a program with ExecuTorch, as it was measured.\"\"\"

import numpy
import torch
import executorch.kernels.quantized
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime


def open_stage(directory):
    portable_lib._unsafe_reset_threadpool({threads})
    method = Runtime.get().load_program(directory / {file!r}).load_method("forward")
    inputs, outputs = {inputs!r}, {outputs!r}

    def run(tensors):
        given = [torch.from_numpy(numpy.require(tensors[name], requirements="CW"))
                 for name in inputs]
        return {{name: value.numpy() for name, value in zip(outputs, method.execute(given))}}

    return run
"""


def write_program(
    stage: Stage, device: str, threads: int, options: NoOptions, directory: Path
) -> str:
    """Return what opens the program without edgebench."""
    return PROGRAM.format(
        threads=threads,
        file=stage.files[0],
        inputs=[spec.inside for spec in stage.inputs],
        outputs=[spec.inside for spec in stage.outputs],
    )


def devices() -> Sequence[str]:
    """List the devices that programs run on here."""
    return ("cpu",) if find_spec("executorch") else ()


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether the runtime is installed, can be loaded, and has XNNPACK."""
    if not find_spec("executorch"):
        return "executorch is not installed"
    if device not in devices():
        return say_missing(device, devices())
    try:
        # It is built against one torch, and cannot be loaded beside another.
        return is_registered(DELEGATE) or "this build of executorch has no XNNPACK"
    except ImportError as error:
        return f"executorch cannot be loaded: {error}"


def versions() -> Mapping[str, str]:
    """Return the versions of the runtime and of the torch that it stands on."""
    return {name: version(name) for name in ("executorch", "torch")}


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer PyTorch's runtime for phones."""
    yield Backend(
        name="executorch",
        summary="ExecuTorch: PyTorch's runtime for phones, products on XNNPACK.",
        open=open_session,
        formats=["executorch"],
        program=write_program,
        devices=devices,
        usable=usable,
        # XNNPACK has integer kernels for signed activations alone.
        quantization=Quantization(activation="int8", weight="int8", per_channel=True),
        versions=versions,
    )
