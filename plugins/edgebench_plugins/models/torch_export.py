"""The model `torch-export`: any program of `torch.export` that a user has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import attrs

from edgebench import (
    DataError,
    Dataset,
    Look,
    Metric,
    Model,
    Pipeline,
    Sample,
    Stage,
    Variant,
    Weights,
    hookimpl,
)
from edgebench_kit.onnx import file_data
from edgebench_kit.onnx.answers import encode, of_masks, postprocess
from edgebench_kit.onnx.batch_axes import OutputAxis
from edgebench_kit.onnx.file_options import (
    FileOptions,
    bind_file,
    mark_classes,
    open_requests,
    parsed_by,
)
from edgebench_kit.onnx.graphs import QUANTIZED
from edgebench_kit.onnx.written_options import classes_axis, sizes, value_ranges
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.own_files.datasets import add_line
from edgebench_kit.own_files.picture_requests import find_picture_size
from edgebench_kit.own_files.requests import (
    Prepared,
    prepare_requests,
    propose_sizes,
)
from edgebench_kit.own_files.sources import Source, find_source, list_beside
from edgebench_kit.torch import program_values
from edgebench_kit.torch.flat_programs import check_alone, open_flat
from edgebench_kit.torch.program_ends import Ends, look_into
from edgebench_kit.torch.program_files import ProgramFile


@attrs.frozen(kw_only=True)
class TorchExportOptions(FileOptions):
    """What a program does not say of itself."""

    dims: str = attrs.field(default="", validator=parsed_by(sizes))
    """Sizes of its open dimensions but the batch, by input and number: `x.2=224 ids.1=128`."""
    classes_axis: str = attrs.field(default="", validator=parsed_by(classes_axis))
    """The axis of the first output whose largest value is the answer, the samples being axis 0, or
    `none`. Else that of (N, classes) and (N, classes, height, width) is 1, that of (N, steps,
    classes) the last."""


@attrs.frozen
class _Seen:
    """A program, and what its requests are."""

    program: ProgramFile
    ends: Ends
    source: Source
    ranges: Mapping[str, tuple[float, float]]
    prepared: Prepared


def _see(path: Path, options: TorchExportOptions) -> _Seen:
    """Look into a file, without torch.

    Raises:
        DataError: It is no program, is damaged, holds what would be run, or does not fit.
    """
    source = find_source(path, options.preprocess)
    propose = partial(propose_sizes, source) if source else None
    program, ends = look_into(path, sizes(options.dims), propose)
    specs = ends.describe_inputs()
    ranges = program_values.find_index_ranges(program, specs)
    rows = {name: int(high) for name, (_, high) in ranges.items()}
    return _Seen(program, ends, source, ranges, prepare_requests(source, specs, rows, path))


def build(variant: str, weights: Weights) -> Pipeline:
    """Refuse to make a model of nothing.

    Raises:
        DataError: Always: the model is a file.
    """
    raise DataError(
        "the model torch-export is a file that you have; give its path: --model FILE.pt2"
    )


def from_file(path: Path, options: TorchExportOptions) -> Pipeline:
    """Make one stage of a program: a copy that takes and gives tensors in order.

    Raises:
        DataError: It is no program, is damaged, or holds something that would be run.
        CaseFailed: Torch does not open it, or it computes something else for one sample.
    """
    seen = _see(path, options)
    program, ends = seen.program, seen.ends
    stage = Stage(
        format="torch-program",
        inputs=ends.describe_inputs(),
        outputs=ends.describe_outputs(),
        live=open_flat(program, ends),
        precision=program_values.find_precision(program),
        parameters=program_values.count_parameters(program),
    )
    if ends.least > 1:
        check_alone(stage, _draw_two(path, seen, options))
    return Pipeline(
        model="torch-export",
        variant="default",
        stages=[stage],
        outputs=[spec.name for spec in stage.outputs],
        classes=_place_classes(options, path, ends),
        resources={**seen.prepared.resources, **mark_classes(options, seen.prepared)},
    )


def _draw_two(path: Path, seen: _Seen, options: TorchExportOptions) -> list[Sample]:
    """Return two random requests, whatever is given to measure with."""
    plain = attrs.evolve(_ask(path, seen, options), metric=file_data.NONE)
    dataset = file_data.draw_inputs(plain, DataOptions(), value_ranges(options.range), None)
    drawn = dataset.samples("test", 0) if dataset.samples else ()
    return [one for one in islice(drawn, 2) if isinstance(one, tuple)]


def _place_classes(options: TorchExportOptions, path: Path, ends: Ends) -> int | None:
    """Return the axis of the classes in the first output; 0 for none, None where nobody said.

    Raises:
        DataError: It has no such axis.
    """
    said, first = classes_axis(options.classes_axis), ends.outputs[0]
    if said is None or said < 0:
        return None if said is None else 0
    if not 0 < said < len(first.sizes):
        why = "which is the batch" if not said else f"it has {len(first.sizes)} dimensions"
        raise DataError(f"classes-axis: {path}: {said} was said of {first.name!r}, {why}")
    return said


def inputs(path: Path, options: TorchExportOptions, data: Path | None) -> Dataset:
    """Return the samples for a program: those that the user gave, or random ones.

    Raises:
        DataError: What was given does not fit the program or the options.
    """
    seen = _see(path, options)
    found = open_requests(_ask(path, seen, options), options, data)
    left = "the example inputs in it, a pickle, are not read and left out"
    return add_line(found, f"{path.name}: {left}") if seen.program.examples else found


def _ask(path: Path, seen: _Seen, options: TorchExportOptions) -> file_data.Asked:
    """Return what is to be known of a file before its requests are."""
    output, specs = seen.ends.describe_outputs()[0], seen.ends.describe_inputs(one=True)
    shape = tuple(size if isinstance(size, int) else None for size in output.shape)
    first = OutputAxis(axis=0, shape=shape, dtype=output.dtype)
    return file_data.Asked(
        path=path,
        specs=specs,
        ranges=seen.ranges,
        source=seen.source,
        prepared=seen.prepared,
        metric=options.metric,
        find_output=lambda: (output.name, first),
        find_masks=partial(_find_scores, options, path, seen.ends, first, find_picture_size(specs)),
    )


def _find_scores(
    options: TorchExportOptions,
    path: Path,
    ends: Ends,
    first: OutputAxis,
    size: tuple[int, int] | None,
) -> tuple[Metric, int]:
    """Return mIoU of the first output, which is scores of masks, and of how many classes."""
    placed = _place_classes(options, path, ends)
    return of_masks(ends.outputs[0].name, first, None if placed is None else placed - 1, size)


def look(variant: str, path: Path, options: TorchExportOptions) -> Look:
    """See what a program's text shows, without torch.

    Raises:
        DataError: It is no program, is damaged, holds what would be run, or does not fit.
    """
    seen = _see(path, options)
    _place_classes(options, path, seen.ends)
    quantized = [QUANTIZED] if program_values.is_quantized(seen.program) else []
    return Look(most=seen.ends.most, already=quantized)


@hookimpl
def edgebench_models() -> Iterator[Model]:
    """Offer programs of torch.export."""
    yield Model(
        name="torch-export",
        summary="A torch.export program of one's own, its requests random or given.",
        build=build,
        variants=[Variant(name="default", summary="What the file holds.", weights=["file"])],
        format="torch-program",
        files=["*.pt2"],
        options=TorchExportOptions,
        from_file=from_file,
        postprocess=postprocess,
        encode=encode,
        bind=bind_file,
        inputs=inputs,
        beside=list_beside,
        look=look,
    )
