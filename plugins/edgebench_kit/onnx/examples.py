"""Graphs held to what they should give for a batch of examples."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgebench import CaseFailed
from edgebench.metrics.differences import find_excess
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.closeness import measure_error
from edgebench_kit.onnx.sessions import open_session
from edgebench_kit.stages.batches import take_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench import Stage, Tensors, TensorSpec

TOLERANCE = 1e-4
"""Largest difference that is taken for rounding, relative to the largest output where that exceeds
1."""


def check_examples(
    stage: Stage,
    model: Any,
    inputs: Tensors,
    wanted: Tensors,
    *,
    tolerance: float = TOLERANCE,
    noise: float = math.inf,
) -> None:
    """Compare a graph with what it should give, on all examples at once and on the first alone.

    *inputs* and *wanted* go by the names in the graph, of which *stage* tells the dimensions.
    *noise* is the norm of the difference of all outputs over theirs, at most.

    Raises:
        CaseFailed: An output has another shape, differs by more than the tolerance, or is no
            number; or there is more noise.
    """
    import onnx

    def compare(right: Tensors, got: Tensors) -> None:
        _compare(right, got, tolerance)
        squares = measure_error([*right.values()], [got[name] for name in right])
        if squares**0.5 > noise:
            raise CaseFailed(
                f"in ONNX outputs have {squares**0.5:.2g} of noise; {noise} is allowed"
            )

    with TemporaryDirectory(prefix="edgebench-") as directory:
        path = Path(directory) / "model.onnx"
        # Weights beside the graph, so that no size is too large.
        light = graph_files.move_weights(model, path.with_name("weights"))
        path.write_bytes(light.SerializeToString())
        onnx.checker.check_model(path, full_check=True)
        compare(wanted, _evaluate(path, inputs))
        alone, first = _take_first(stage.outputs, wanted), _take_first(stage.inputs, inputs)
        compare(alone, _evaluate(path, first))


def _take_first(specs: Sequence[TensorSpec], arrays: Tensors) -> Tensors:
    names = [spec.inside for spec in specs]
    return dict(zip(names, take_first(specs, [arrays[name] for name in names]), strict=True))


def _compare(wanted: Tensors, got: Tensors, tolerance: float) -> None:
    for name, array in wanted.items():
        if excess := find_excess(array, got[name], tolerance):
            raise CaseFailed(f"in ONNX {name!r} {excess}")


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
