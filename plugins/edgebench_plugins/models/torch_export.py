"""The model `torch-export`: any program of `torch.export` that a user has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from edgebench import (
    DataError,
    Dataset,
    Look,
    Metric,
    Model,
    Pipeline,
    Stage,
    Variant,
    Weights,
    hookimpl,
)
from edgebench_kit.onnx.answers import encode, encode_class, of_masks, postprocess
from edgebench_kit.onnx.array_requests import (
    OF_CLASSES,
    draw_requests,
    refuse_answers,
    take_requests,
)
from edgebench_kit.onnx.array_samples import GivenSamples
from edgebench_kit.onnx.batch_axes import OutputAxis
from edgebench_kit.onnx.graphs import QUANTIZED
from edgebench_kit.onnx.written_options import classes_axis, sizes, value_ranges
from edgebench_kit.torch import program_values
from edgebench_kit.torch.flat_programs import check_alone, open_flat
from edgebench_kit.torch.program_ends import Ends, look_into
from edgebench_kit.torch.program_files import ProgramFile

CLASSES = "classes"
"""What a pipeline holds whose answers are classes, beside its stages."""


def _parsed_by(parse: Callable[[str], Any]) -> Callable[[Any, Any, str], None]:
    def check(_: object, __: object, value: str) -> None:
        parse(value)

    return check


def _whole(path: str | Path) -> Path:
    # The processes that prepare work in directories of their own.
    return Path(path).resolve()


@attrs.frozen(kw_only=True)
class TorchExportOptions:
    """What a program does not say of itself."""

    dims: str = attrs.field(default="", validator=_parsed_by(sizes))
    """Sizes of its open dimensions but the batch, by input and number: `x.2=224 ids.1=128`."""
    classes_axis: str = attrs.field(default="", validator=_parsed_by(classes_axis))
    """The axis of the first output whose largest value is the answer, the samples being axis 0, or
    `none`. Else that of (N, classes) and (N, classes, height, width) is 1, that of (N, steps,
    classes) the last."""
    range: str = attrs.field(default="", validator=_parsed_by(value_ranges))
    """Ranges of random values by input, the upper end not among them: `ids=0:30522 x=-1:1`. Else
    floats are standard normal, numbers of rows all that their table has, 8-bit numbers all that
    there are, and other whole numbers 0 or 1."""
    labels: Path | None = attrs.field(default=None, converter=attrs.converters.optional(_whole))
    """A `.npy` file of the answers to the inputs that were given, in their order; else they are the
    array `labels` that lies with the inputs."""
    metric: Literal["none", "top1", "top5", "accuracy", "f1", "miou"] = "none"
    """The figure of merit of the first output, held against the labels. With one that is of classes
    the answer that travels is the winning class and its score, or the class alone where the output
    is one, else all of every output."""


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
    program, ends = look_into(path, sizes(options.dims))
    stage = Stage(
        format="torch-program",
        inputs=ends.describe_inputs(),
        outputs=ends.describe_outputs(),
        live=open_flat(program, ends),
        precision=program_values.find_precision(program),
        parameters=program_values.count_parameters(program),
    )
    if ends.least > 1:
        requests = _draw(path, program, ends, options)
        check_alone(stage, requests.samples("test", 0) if requests.samples else ())
    return Pipeline(
        model="torch-export",
        variant="default",
        stages=[stage],
        outputs=[spec.name for spec in stage.outputs],
        classes=_place_classes(options, path, ends),
        resources={CLASSES: b"1"} if options.metric in OF_CLASSES else {},
    )


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
    program, ends = look_into(path, sizes(options.dims))
    if data is None:
        refuse_answers(options.metric, options.labels)
        return _draw(path, program, ends, options)
    if options.range:
        raise DataError("range is of random values, and inputs were given; leave one out")
    masks = options.metric == "miou"
    given = GivenSamples(data, ends.describe_inputs(one=True), options.labels, masks=masks)
    return take_requests(
        given, options.metric, _find_scores(options, path, ends) if masks else None
    )


def _draw(path: Path, program: ProgramFile, ends: Ends, options: TorchExportOptions) -> Dataset:
    specs = ends.describe_inputs(one=True)
    found = program_values.find_index_ranges(program, specs)
    return draw_requests(path, specs, found, value_ranges(options.range))


def _find_scores(options: TorchExportOptions, path: Path, ends: Ends) -> Metric:
    """Return mIoU of the first output, which is scores of masks."""
    spec, placed = ends.describe_outputs()[0], _place_classes(options, path, ends)
    shape = tuple(size if isinstance(size, int) else None for size in spec.shape)
    axis = None if placed is None else placed - 1
    return of_masks(spec.name, OutputAxis(axis=0, shape=shape), axis)


def look(variant: str, path: Path, options: TorchExportOptions) -> Look:
    """See what a program's text shows, without torch.

    Raises:
        DataError: It is no program, is damaged, holds what would be run, or does not fit.
    """
    program, ends = look_into(path, sizes(options.dims))
    _place_classes(options, path, ends)
    quantized = [QUANTIZED] if program_values.is_quantized(program) else []
    return Look(most=ends.most, already=quantized)


def bind(model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
    """Return the model whose answers are what its pipeline says: classes, or all."""
    return attrs.evolve(model, encode=encode_class) if CLASSES in resources else model


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
        bind=bind,
        inputs=inputs,
        look=look,
    )
