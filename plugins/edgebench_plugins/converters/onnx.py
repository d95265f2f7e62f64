"""The way from a torch module to an ONNX graph, checked on real inputs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed, Converter, Stage, Tensors, hookimpl
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.sessions import open_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference from the module that is taken for rounding, relative to its largest output
where that exceeds 1."""


def convert(stage: Stage, examples: Tensors) -> Stage:
    """Export the stage's module, and compare the graph with it on the examples.

    The module takes the stage's inputs in their order, and returns one tensor, its outputs in
    their order, or a mapping by name. *examples* go by the names of the pipeline; their batch is
    at least 2, since the exporter takes a dimension of 1 for a constant.

    Raises:
        CaseFailed: The module cannot be exported, or the graph computes something else.
    """
    inputs = {spec.inside: examples[spec.name] for spec in stage.inputs}
    with _evaluating(stage.live):
        wanted = _module_outputs(stage, inputs)
        model = _clean(_export(stage, inputs, list(wanted)))
    _check(stage, model, inputs, wanted)
    return stage.changed(model, format="onnx")


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """Put a module in evaluation, and each of its parts back to what it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _module_outputs(stage: Stage, inputs: Tensors) -> dict[str, NDArray[Any]]:
    """Run the module; its outputs are in the order in which it gives them."""
    import torch

    with torch.no_grad():
        result = stage.live(*_as_torch(inputs))
    if not isinstance(result, Mapping):
        tensors = [result] if isinstance(result, torch.Tensor) else list(result)
        names = [spec.inside for spec in stage.outputs]
        if len(tensors) != len(names):
            raise CaseFailed(f"the module gives {len(tensors)} outputs, not {', '.join(names)}")
        result = dict(zip(names, tensors, strict=True))
    return {name: tensor.numpy() for name, tensor in result.items()}


def _as_torch(inputs: Tensors) -> tuple[Any, ...]:
    import torch

    # Copied, because a read-only array makes torch warn.
    return tuple(torch.tensor(array) for array in inputs.values())


def _export(stage: Stage, inputs: Tensors, outputs: Sequence[str]) -> Any:
    import torch

    try:
        with _quiet():
            program = torch.onnx.export(
                stage.live,
                _as_torch(inputs),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=_dynamic_shapes(stage),
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise CaseFailed(
            f"the module of {stage.model or 'a stage'} has no ONNX: {cause}"
        ) from error
    return program.model_proto


def _dynamic_shapes(stage: Stage) -> tuple[dict[int, Any], ...]:
    """Name the dimensions that vary; the same word is the same dimension everywhere."""
    import torch

    words = {word for spec in stage.inputs for word in spec.shape if isinstance(word, str)}
    # As many as one is allowed below: a batch of none is no request.
    dims = {word: torch.export.Dim(word, min=1) for word in words}
    return tuple(
        {axis: dims[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in stage.inputs
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of itself and of packages that are not installed."""
    chatter = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch copies its own tree specs by a constructor that it has deprecated.
            warnings.filterwarnings("ignore", r".isinstance\(treespec, LeafSpec\)", FutureWarning)
            # The same word for two dimensions is meant: they are one.
            warnings.filterwarnings("ignore", r"# The axis name: (\w+) .* another axis: \1\.")
            yield
    finally:
        chatter.setLevel(level)


def _clean(model: Any) -> Any:
    """Take out the exporter's notes: stack traces and paths of this machine."""
    graph = model.graph
    owners = (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output)
    for owner in (*owners, *graph.initializer, *model.functions):
        owner.ClearField("metadata_props")
    for node in graph.node:
        node.ClearField("doc_string")
    return model


def _check(stage: Stage, model: Any, inputs: Tensors, wanted: Tensors) -> None:
    """Compare the graph with the module, on all examples at once and on the first alone."""
    import onnx

    with TemporaryDirectory(prefix="edgebench-") as directory:
        path = Path(directory) / "model.onnx"
        # Weights beside the graph, so that no size is too large.
        light = graph_files.move_weights(model, path.with_name("weights"))
        path.write_bytes(light.SerializeToString())
        onnx.checker.check_model(path, full_check=True)
        _compare(wanted, _evaluate(path, inputs))
        first = {
            spec.inside: inputs[spec.inside][:1]
            if spec.shape[:1] == ("batch",)
            else inputs[spec.inside]
            for spec in stage.inputs
        }
        _compare({name: array[:1] for name, array in wanted.items()}, _evaluate(path, first))


def _compare(wanted: Tensors, got: Tensors) -> None:
    import numpy as np

    for name, array in wanted.items():
        if got[name].shape != array.shape:
            raise CaseFailed(f"{name!r} has shape {got[name].shape} in ONNX, not {array.shape}")
        difference = float(np.max(np.abs(got[name].astype("f8") - array), initial=0.0))
        bound = TOLERANCE * max(1.0, float(np.max(np.abs(array), initial=0.0)))
        if not difference <= bound:  # a NaN is never within bounds
            raise CaseFailed(
                f"{name!r} differs by {difference:.3g} in ONNX; {bound:.1g} is allowed"
            )


def _evaluate(path: Path, inputs: Tensors) -> Tensors:
    """Run a graph on the evaluator that is installed: the fast one, or the reference."""
    if find_spec("onnxruntime"):
        session = open_session(path)
        names = [output.name for output in session.get_outputs()]
    else:
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(str(path))
        names = session.output_names
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


@hookimpl
def edgebench_converters() -> Iterator[Converter]:
    """Offer the export of torch modules."""
    yield Converter(
        name="torch-module-to-onnx",
        summary="Export a module with its batch left open, and check it on real inputs.",
        source="torch-module",
        target="onnx",
        convert=convert,
    )
