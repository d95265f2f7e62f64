"""The backend `torch`: an exported program, run eagerly, operator by operator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from edgebench import (
    Backend,
    CaseFailed,
    HostFacts,
    NoOptions,
    Session,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.torch.programs import open_program, refuse_pickles


@attrs.frozen
class TorchSession:
    """A program, loaded."""

    inputs: list[str]
    outputs: list[str]
    module: Any
    tensor: Any
    inference: Any

    def run(self, inputs: Tensors) -> Tensors:
        """Run the program on a batch."""
        with self.inference():
            result = self.module(*[self.tensor(inputs[name]) for name in self.inputs])
        if isinstance(result, Mapping):
            return {name: result[name].numpy() for name in self.outputs}
        if not isinstance(result, tuple | list):
            result = (result,)
        return {name: value.numpy() for name, value in zip(self.outputs, result, strict=True)}


@contextmanager
def open_session(stage: Stage, device: str, threads: int, options: NoOptions) -> Iterator[Session]:
    """Load the stage's program; the threads are the whole process's while it is open.

    Raises:
        CaseFailed: The device is not one that it runs on.
    """
    import torch

    if device not in devices():
        raise CaseFailed(f"torch has no device {device!r} here; it has {', '.join(devices())}")
    program = open_program(stage.file)
    _take_the_warning()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield TorchSession(
            [spec.inside for spec in stage.inputs],
            [spec.inside for spec in stage.outputs],
            # The host has checked shapes and types; checking again would be timed as inference.
            program.module(check_guards=False),
            torch.from_numpy,
            torch.inference_mode,
        )
    finally:
        torch.set_num_threads(before)


def _take_the_warning() -> None:
    """Have torch warn now, once a process, of inputs that it must not write to: it does not."""
    import numpy as np
    import torch

    array = np.zeros(1)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        torch.from_numpy(array)


PROGRAM = """\
\"\"\"Opens an exported program with torch, as it was measured.\"\"\"

import numpy
import torch


def open_stage(directory):
    torch.set_num_threads({threads})
    program = torch.export.load(str(directory / {file!r}))
    module = program.module(check_guards=False)
    inputs, outputs = {inputs!r}, {outputs!r}

    def run(tensors):
        # Arrays that may not be written to are copied: torch would warn of them.
        given = [torch.from_numpy(numpy.require(tensors[name], requirements="CW"))
                 for name in inputs]
        with torch.inference_mode():
            result = module(*given)
        if isinstance(result, dict):
            return {{name: result[name].numpy() for name in outputs}}
        if not isinstance(result, (tuple, list)):
            result = [result]
        return {{name: value.numpy() for name, value in zip(outputs, result)}}

    return run
"""


def write_program(
    stage: Stage, device: str, threads: int, options: NoOptions, directory: Path
) -> str:
    """Return what opens the program, in which there is no pickle, without edgebench.

    Raises:
        CaseFailed: There is one.
    """
    refuse_pickles(stage.file)
    return PROGRAM.format(
        threads=threads,
        file=stage.files[0],
        inputs=[spec.inside for spec in stage.inputs],
        outputs=[spec.inside for spec in stage.outputs],
    )


def devices() -> Sequence[str]:
    """List the devices that programs run on here."""
    return ("cpu",) if find_spec("torch") else ()


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether torch is installed and has the device."""
    if not find_spec("torch"):
        return "torch is not installed"
    return device in devices() or f"no device {device!r} here; it has {', '.join(devices())}"


def versions() -> Mapping[str, str]:
    """Return the version of torch."""
    import torch

    return {"torch": str(torch.__version__)}


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer eager torch."""
    yield Backend(
        name="torch",
        summary="PyTorch, eagerly: what a model costs before it is deployed.",
        open=open_session,
        formats=["torch-program"],
        program=write_program,
        devices=devices,
        usable=usable,
        versions=versions,
    )
