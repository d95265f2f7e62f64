"""Modules trained as if they computed in 8 bits, and what they become (PT2E of torchao).

A module is exported, its batch normalisation folded with the statistics that it has, and steps are
put where `int8_places` says. Rounding passes gradients straight through (Jacob et al., 2018). What
comes out is a module again, which any trainer may copy, train and evaluate.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Quantization, Stage, Tensors
from edgebench_kit.torch.folding import fold_normalisations
from edgebench_kit.torch.int8_places import WEIGHTED, annotate, name_operator
from edgebench_kit.torch.onnx_export import as_torch, keep_quiet, name_open_sizes
from edgebench_kit.torch.quiet_imports import importing_quietly

if TYPE_CHECKING:
    from torch import nn

DROPOUTS = frozenset(["dropout", "feature_dropout", "alpha_dropout"])


@cache
def _define_class() -> type[nn.Module]:
    """Define the class where torch is there: `edgebench list` does without it."""
    from torch import nn

    class FakeQuantized(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """A program that rounds, which is trained, copied and evaluated as any other module."""

        def __init__(self, program: Any, names: Sequence[str]) -> None:
            super().__init__()
            self.program = program
            self.names = tuple(names)

        def forward(self, *inputs: Any) -> tuple[Any, ...]:
            """Return the outputs, in the order of their names."""
            given = self.program(*inputs)
            if isinstance(given, Mapping):
                return tuple(given[name] for name in self.names)
            return tuple(given) if isinstance(given, tuple | list) else (given,)

        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            """Copy it as any module is, and keep back what torch says of its own tree specs."""
            copied = memo[id(self)] = type(self).__new__(type(self))
            with keep_quiet():
                copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
            return copied

        def train(self, mode: bool = True) -> Any:
            """Drop values, and follow the ranges of activations, while trained and only then."""
            self.training = mode
            _switch_dropout(self.program, mode)
            follow_ranges(self, mode)
            return self

    return FakeQuantized


def _switch_dropout(program: Any, mode: bool) -> None:
    nodes = [node for node in program.graph.nodes if name_operator(node) in DROPOUTS]
    for node in nodes:
        node.args = (*node.args[:2], mode)
    if nodes:
        program.recompile()


def follow_ranges(module: Any, following: bool, *, rounding: bool = True) -> None:
    """Let the steps of activations follow what is seen, or keep them; those of weights follow.

    Without *rounding* values pass as they are, so that their ranges are seen.
    """
    for part in _list_steps(module):
        of_weights = part.activation_post_process.averaging_constant == 1
        part.enable_observer(following or of_weights)
        part.enable_fake_quant(rounding)


def _list_steps(module: Any) -> Iterator[Any]:
    from torchao.quantization.pt2e import FakeQuantizeBase

    return (part for part in module.modules() if isinstance(part, FakeQuantizeBase))


def count_steps(module: Any) -> int:
    """Count the places where a module rounds."""
    return sum(1 for _ in _list_steps(module))


def prepare_module(stage: Stage, inputs: Tensors, target: Quantization) -> Any:
    """Return a copy of a stage's module that rounds as *target* does; it follows no range yet.

    *inputs* are a batch of at least 2, by the names of the stage's file.

    Raises:
        CaseFailed: torch.export cannot trace the module.
    """
    with importing_quietly():
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    program = _export(stage, inputs)
    fold_normalisations(program)
    with _hush():
        program = prepare_qat_pt2e(program, _define_quantizer()(target))
    module = _define_class()(program, [spec.inside for spec in stage.outputs])
    return module.eval()


def _export(stage: Stage, inputs: Tensors) -> Any:
    import torch

    module = copy.deepcopy(stage.live).eval()
    try:
        with keep_quiet():
            exported = torch.export.export(
                module, as_torch(inputs), dynamic_shapes=name_open_sizes(stage)
            )
            return exported.module(check_guards=False)
    except Exception as error:  # the tracer runs the module's own code, and raises anything
        cause = str(error).strip().splitlines() or [type(error).__name__]
        title = f"{stage.model}:{stage.variant}" if stage.model else "a stage"
        raise CaseFailed(
            f"torch.export cannot trace the module of {title}: {cause[0]} "
            f"({type(error).__name__}); control flow that depends on values must be torch.cond"
        ) from error


@cache
def _define_quantizer() -> type[Any]:
    from torchao.quantization.pt2e.quantizer import Quantizer

    class Annotator(Quantizer):  # type: ignore[misc]  # torchao is not typed
        """Says where steps go, as a target prefers them."""

        def __init__(self, target: Quantization) -> None:
            super().__init__()
            self.target = target

        def annotate(self, model: Any) -> Any:
            annotate(model, self.target)
            return model

        def validate(self, model: Any) -> None:
            """Nothing is left to be refused."""

    return Annotator


def convert_module(module: Any) -> Any:
    """Return a program with pairs of quantizing and dequantizing, its weights integers."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with _hush():
        program = convert_pt2e(copy.deepcopy(module.eval()).program)
    for part in program.modules():
        part.training = False  # `eval`, which an exported program refuses, would say no more
    return program


def export_program(stage: Stage, program: Any, inputs: Tensors) -> Any:
    """Return what `convert_module` gave as a program of its own, without the weights in floats.

    *inputs* are a batch of at least 2, by the names of the stage's file.
    """
    import torch

    _drop_unread(program)
    with keep_quiet():
        return torch.export.export(program, as_torch(inputs), dynamic_shapes=name_open_sizes(stage))


def _drop_unread(program: Any) -> None:
    """Let go of what the graph no longer reads: the weights in floats."""
    read = [node.target for node in program.graph.nodes if node.op == "get_attr"]
    for path in [*dict(program.named_parameters()), *dict(program.named_buffers())]:
        # What a part of the program holds is its own to read.
        if not any(path == name or path.startswith(f"{name}.") for name in read):
            owner, _, name = path.rpartition(".")
            delattr(program.get_submodule(owner), name)


def find_int8_share(program: Any) -> float:
    """Return which part of a program's weights is kept in 8 bits: biases are none, nor steps."""
    kept, steps, biases = set(), set(), set()
    for node in program.graph.nodes:
        name = name_operator(node)
        if name.startswith(("quantize", "dequantize")):
            kept.add(node.args[0])
            steps.update(node.args[1:3])
        elif name in WEIGHTED and len(node.args) > 2:
            biases.add(node.args[2])
    sizes = {True: 0, False: 0}
    for node in program.graph.find_nodes(op="placeholder"):
        value = node.meta["val"]
        constant = node.name not in program.graph_signature.user_inputs
        if constant and node not in steps | biases and (node in kept or value.is_floating_point()):
            sizes[node in kept] += value.numel()
    return sizes[True] / (sum(sizes.values()) or 1) if any(sizes.values()) else 1.0


@contextmanager
def _hush() -> Iterator[None]:
    """Keep back what torchao says of its own deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
