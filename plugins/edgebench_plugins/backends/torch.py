"""The backend `torch`: an exported program, run operator by operator, or compiled when opened."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs

from edgebench import (
    Backend,
    CaseFailed,
    HostFacts,
    Session,
    Stage,
    Tensors,
    Usable,
    hookimpl,
)
from edgebench_kit.stages.devices import require_device, say_missing
from edgebench_kit.torch import inductor
from edgebench_kit.torch.programs import REGISTERING, is_quantized, open_program, refuse_pickles

SIMULATED = (
    "torch computes the program's integers in floats, as a simulation: neither its time nor its "
    "memory is that of kernels for int8"
)


@attrs.frozen(kw_only=True)
class TorchOptions:
    """How torch is asked to work."""

    compile: bool = False
    """Whether torch.compile makes kernels of the program when it is opened, for one sample and for
    more; it needs a C++ compiler for processors, and triton for GPUs. What is compiled again later,
    for sizes that one kernel does not take, is a doubt."""
    tf32: bool = False
    """Whether a GPU may round what it multiplies in f32 to 10 bits."""


@attrs.frozen
class TorchSession:
    """A program, loaded."""

    inputs: list[str]
    outputs: list[str]
    module: Any
    send: Callable[[Any], Any]
    """From an array to a tensor where the program runs."""
    fetch: Callable[[Any], Any]
    """From a tensor to an array that is computed and here."""
    inference: Any
    simulates: bool = False
    """Whether the program is one of integers, which torch computes in floats."""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the program on a batch."""
        with self.inference():
            result = self.module(*[self.send(inputs[name]) for name in self.inputs])
        if isinstance(result, Mapping):
            return {name: self.fetch(result[name]) for name in self.outputs}
        if not isinstance(result, tuple | list):
            result = (result,)
        return {name: self.fetch(one) for name, one in zip(self.outputs, result, strict=True)}

    def doubts(self) -> Sequence[str]:
        """Say for which inputs requests waited for the compiler, and that integers are none."""
        found = [SIMULATED] if self.simulates else []
        if late := getattr(self.module, "late", []):
            sizes = "; ".join(dict.fromkeys(late))
            waited = f"{len(late)} of its requests waited for torch.compile"
            found.append(
                f"{waited}, as their inputs were of sizes that it had not compiled for: {sizes}"
            )
        return found


@contextmanager
def open_session(
    stage: Stage, device: str, threads: int, options: TorchOptions
) -> Iterator[Session]:
    """Load the stage's program; threads and TF32 are the whole process's while it is open.

    Raises:
        CaseFailed: The device is not one that it runs on, or the program cannot be compiled here.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    require_device("torch", device, devices())
    refuse_idle_options(device, options)
    program = open_program(stage.file)
    if device != "cpu":
        program = move_to_device_pass(program, device)
    _take_the_warning()
    # The host has checked shapes and types; checking again would be timed as inference.
    module = program.module(check_guards=False)
    with ExitStack() as stack:
        stack.enter_context(_settings(threads, options))
        if options.compile:
            module = stack.enter_context(inductor.compile_module(module, stage, device))
        send, fetch = _make_ways(device)
        yield TorchSession(
            [spec.inside for spec in stage.inputs],
            [spec.inside for spec in stage.outputs],
            module,
            send,
            fetch,
            torch.inference_mode,
            is_quantized(stage.file),
        )


def refuse_idle_options(device: str, options: TorchOptions) -> None:
    """Raise if an option is asked for that does nothing on a device."""
    if options.tf32 and device == "cpu":
        raise CaseFailed("torch(tf32=true) is for GPUs, and does nothing on cpu: leave it out")


@contextmanager
def _settings(threads: int, options: TorchOptions) -> Iterator[None]:
    """Set what torch keeps for the whole process, and set it back."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = (torch.get_num_threads(), matmul.allow_tf32, cudnn.allow_tf32)

    def put(count: int, multiply: bool, convolve: bool) -> None:
        torch.set_num_threads(count)
        matmul.allow_tf32, cudnn.allow_tf32 = multiply, convolve

    put(threads, options.tf32, options.tf32)
    try:
        yield
    finally:
        put(*before)


def _make_ways(device: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return what brings an array to a device, and what brings a tensor back, computed."""
    import torch

    if device == "cpu":
        return torch.from_numpy, torch.Tensor.numpy
    # Copies from and to memory that is not page-locked wait until they are done.
    return lambda array: torch.from_numpy(array).to(device), lambda one: one.cpu().numpy()


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
{registering}

def open_stage(directory):
    torch.set_num_threads({threads})
    program = torch.export.load(str(directory / {file!r}))
{moving}    module = program.module(check_guards=False)
{compiling}    inputs, outputs = {inputs!r}, {outputs!r}

    def run(tensors):
        # Arrays that may not be written to are copied: torch would warn of them.
        given = [torch.from_numpy(numpy.require(tensors[name], requirements="CW")){sending}
                 for name in inputs]
        with torch.inference_mode():
            result = module(*given)
        if isinstance(result, dict):
            return {{name: result[name]{fetching}.numpy() for name in outputs}}
        if not isinstance(result, (tuple, list)):
            result = [result]
        return {{name: value{fetching}.numpy() for name, value in zip(outputs, result)}}

    return run
"""
MOVING = """\
    from torch.export.passes import move_to_device_pass

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = {tf32}
    program = move_to_device_pass(program, {device!r})
"""
REGISTERS = f"import {REGISTERING}  # its operators\n"
COMPILING = "    module = torch.compile(module, fullgraph=True)  # when it is first called\n"


def write_program(
    stage: Stage, device: str, threads: int, options: TorchOptions, directory: Path
) -> str:
    """Return what opens the program, in which there is no pickle, without edgebench.

    Raises:
        CaseFailed: There is one.
    """
    refuse_pickles(stage.file)
    refuse_idle_options(device, options)
    moved = device != "cpu"
    return PROGRAM.format(
        threads=threads,
        file=stage.files[0],
        registering=REGISTERS if is_quantized(stage.file) else "",
        inputs=[spec.inside for spec in stage.inputs],
        outputs=[spec.inside for spec in stage.outputs],
        moving=MOVING.format(device=device, tf32=options.tf32) if moved else "",
        compiling=COMPILING if options.compile else "",
        sending=f".to({device!r})" if moved else "",
        fetching=".cpu()" if moved else "",
    )


def devices() -> Sequence[str]:
    """List the devices that programs run on here."""
    if not find_spec("torch"):
        return ()
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return ("cpu", *(f"cuda:{number}" for number in range(count)))


def usable(facts: HostFacts, device: str) -> Usable:
    """Say whether torch is installed and has the device."""
    if not find_spec("torch"):
        return "torch is not installed"
    found = devices()
    return device in found or say_missing(device, found)


def versions() -> Mapping[str, str]:
    """Return the version of torch, and which GPUs there are."""
    import torch

    names = {gpu: torch.cuda.get_device_name(gpu) for gpu in devices() if gpu != "cpu"}
    return {"torch": str(torch.__version__), **names}


def precision(options: TorchOptions) -> str:
    """Return what it computes floats in."""
    return "tf32" if options.tf32 else "f32"


@hookimpl
def edgebench_backends() -> Iterator[Backend]:
    """Offer torch."""
    yield Backend(
        name="torch",
        summary="PyTorch, eagerly: what a model costs before it is deployed; or compiled.",
        open=open_session,
        formats=["torch-program"],
        program=write_program,
        devices=devices,
        usable=usable,
        options=TorchOptions,
        precision=precision,
        versions=versions,
    )
