"""Compiles a module with torch.compile before it is run, and says what it had to compile later."""

from __future__ import annotations

import os
import shutil
import sysconfig
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import CaseFailed
from edgebench_kit.stages.batches import has_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgebench import Stage

CACHE = "TORCHINDUCTOR_CACHE_DIR"
AGAIN = "Detected recompile"
"""How the error begins that torch raises where it would have to compile again, and must not."""


@attrs.define
class CompiledModule:
    """A module that inductor has compiled, and what it could not be compiled for before."""

    call: Callable[..., Any]
    late: list[str] = attrs.field(factory=list, init=False)
    """The shapes of inputs that came after the first, and for which it was compiled again."""
    ran: bool = attrs.field(default=False, init=False)

    def __call__(self, *inputs: Any) -> Any:
        """Run it, compiled again where none of the kernels that are there takes the inputs.

        Raises:
            CaseFailed: It cannot be compiled for them.
        """
        try:
            return self.call(*inputs)
        except RuntimeError as error:
            if not str(error).startswith(AGAIN):
                raise
            result = _compile_now(self.call, inputs)
            # What comes first is the warm-up's; it compiles what later requests are like.
            if self.ran:
                self.late.append(", ".join(str(tuple(one.shape)) for one in inputs))
            return result
        finally:
            self.ran = True


@contextmanager
def compile_module(module: Any, stage: Stage, device: str) -> Iterator[CompiledModule]:
    """Give a module compiled for a batch of one and for larger ones; nothing compiled is kept.

    Kernels kept from another run would hide what loading takes.

    Args:
        module: What `torch.export` gives.
        stage: Whose inputs it takes; of those that it leaves open, sizes are made up.
        device: Where its weights are, as torch writes it.

    Raises:
        CaseFailed: It cannot be compiled here.
    """
    import torch

    if lack := explain_lack(device):
        raise CaseFailed(lack)
    options = {"compile_threads": 1}  # more are processes of their own, which stay
    with TemporaryDirectory(prefix="edgebench-") as cache, _cached_in(cache):
        compiled = torch.compile(module, fullgraph=True, options=options)
        with torch.inference_mode():
            for inputs in make_examples(stage, device):
                _compile_now(compiled, inputs)
        with torch.compiler.set_stance("fail_on_recompile"):
            yield CompiledModule(compiled)


def explain_lack(device: str) -> str:
    """Return what inductor needs and does not find here, in one sentence; empty for nothing."""
    if not device.startswith("cpu"):
        lacking = "" if find_spec("triton") else "triton"
    elif not shutil.which(os.environ.get("CXX", "g++")):
        lacking = "a C++ compiler (g++, or the one that CXX names)"
    elif not Path(sysconfig.get_path("include"), "Python.h").is_file():
        lacking = "Python's headers (Python.h)"
    else:
        lacking = ""
    return lacking and f"torch.compile needs {lacking}, which is not here"


def make_examples(stage: Stage, device: str) -> Iterator[Sequence[Any]]:
    """Yield inputs to compile for: one sample, and where the batch is open, two.

    Other sizes that are open differ from each other and from the batch: equal ones would be taken
    for the same.
    """
    import torch

    # Public by its documentation; `torch.compile` has no other way to say which sizes are open.
    from torch._dynamo import mark_dynamic

    words = {word for spec in stage.inputs for word in spec.shape if isinstance(word, str)}
    batch = {str(spec.shape[0]) for spec in stage.inputs if has_batch(spec)}
    sizes = {word: 8 + place for place, word in enumerate(sorted(words - batch))}
    for samples in (1, 2) if batch else (1,):
        known = {**sizes, **dict.fromkeys(batch, samples)}
        inputs = []
        for spec in stage.inputs:
            shape = [known[size] if isinstance(size, str) else size for size in spec.shape]
            made = torch.zeros(shape, dtype=getattr(torch, spec.dtype), device=device)
            for axis, size in enumerate(spec.shape):
                if isinstance(size, str) and shape[axis] > 1:
                    mark_dynamic(made, axis)
            inputs.append(made)
        yield inputs


def _compile_now(compiled: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    import torch

    try:
        with torch.compiler.set_stance("default"), warnings.catch_warnings():
            # What torch has deprecated is for torch to replace.
            warnings.simplefilter("ignore", DeprecationWarning)
            return compiled(*inputs)
    except Exception as error:
        raise CaseFailed(f"torch.compile failed: {_say(error)}") from error


def _say(error: Exception) -> str:
    """Return the first line of an error, and the next where it only announces that."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[:2] if lines and lines[0].endswith(":") else lines[:1]
    return " ".join(said) or type(error).__name__


@contextmanager
def _cached_in(directory: str) -> Iterator[None]:
    before = os.environ.get(CACHE)
    os.environ[CACHE] = directory
    try:
        yield
    finally:
        if before is None:
            del os.environ[CACHE]
        else:
            os.environ[CACHE] = before
