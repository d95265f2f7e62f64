"""The inputs of a calibration split, taken and checked, and handed from stage to stage."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgebench import CaseFailed, Context, Pipeline, Stage, Tensors
from edgebench_kit.onnx import graph_files
from edgebench_kit.onnx.compared_stages import run_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgebench_kit.onnx.plain_graphs import PlainGraph


def take_samples(context: Context, most: int) -> list[Tensors]:
    """Return at most so many calibration inputs; never none, and every number finite.

    Raises:
        CaseFailed: The split is empty, or holds what is no number.
    """
    import numpy as np

    samples = [tensors for tensors, _ in islice(context.inputs("calibration"), most)]
    if not samples:
        raise CaseFailed("the calibration split is empty: nothing to calibrate with")
    for number, sample in enumerate(samples):
        for name, array in sample.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise CaseFailed(f"calibration sample {number} holds NaN or infinity in {name!r}")
    return samples


def feed_plain(stage: Stage, plain: PlainGraph, samples: Sequence[Tensors]) -> list[Tensors]:
    """Return samples as the plain graph of a stage takes them."""
    return [
        plain.read_inputs({spec.inside: sample[spec.name] for spec in stage.inputs})
        for sample in samples
    ]


def run_on(
    pipeline: Pipeline, number: int, stage: Stage, samples: Sequence[Tensors]
) -> list[Tensors]:
    """Return what the stages after one that was quantized are calibrated with.

    By the quantizer's own runtime, as its ranges are found: so the same int8 graph comes out
    whichever backend it is for, and is made once.
    """
    needed = pipeline.crossing(number + 1)
    with TemporaryDirectory(prefix="edgebench-") as scratch:
        path = Path(scratch, graph_files.write_graph(stage.live, Path(scratch))[0])
        return [
            {name: array for name, array in after.items() if name in needed}
            for after in run_each(stage, path, samples)
        ]
