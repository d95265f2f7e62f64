"""The model `onnx`: any ONNX file that a user has, from whatever made it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

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
from edgebench_kit.onnx import file_data, foreign_ends, foreign_graphs, graph_files, graphs
from edgebench_kit.onnx.answers import encode, of_masks, postprocess
from edgebench_kit.onnx.batch_axes import OutputAxis
from edgebench_kit.onnx.drawn_samples import find_ranges
from edgebench_kit.onnx.external_weights import find_external_files
from edgebench_kit.onnx.file_options import (
    FileOptions,
    bind_file,
    mark_classes,
    open_requests,
    parsed_by,
)
from edgebench_kit.onnx.file_requests import add_sizes, prepare_file
from edgebench_kit.onnx.foreign_ends import Said
from edgebench_kit.onnx.written_options import (
    batch_axes,
    classes_axis,
    fixed_values,
    sizes,
    states,
)
from edgebench_kit.own_files.picture_requests import find_picture_size
from edgebench_kit.own_files.sources import find_source, list_beside


@attrs.frozen(kw_only=True)
class OnnxOptions(FileOptions):
    """What a file does not say of itself."""

    dims: str = attrs.field(default="", validator=parsed_by(sizes))
    """Sizes of its open dimensions but the batch, by name: `seq=128 height=224`. One without a name
    goes by its input's and its number, `x.2`; so may one of several that share a name."""
    fix: str = attrs.field(default="", validator=parsed_by(fixed_values))
    """Inputs that are the same in every request, and their values: `sr=16000 size=480:640`."""
    state: str = attrs.field(default="", validator=parsed_by(states))
    """Inputs that are fed an output of the request before, zeros at first: `state=stateN`."""
    batch_axis: str = attrs.field(default="", validator=parsed_by(batch_axes))
    """The axis of the batch of inputs and outputs, where it cannot be found: `logits=1 x=none`."""
    classes_axis: str = attrs.field(default="", validator=parsed_by(classes_axis))
    """The axis of the first output whose largest value is the answer, as the file counts it, or
    `none`. Else that of (N, classes) and (N, classes, height, width) is 1, that of (N, steps,
    classes) the last."""


def _read_said(options: OnnxOptions) -> Said:
    return Said(
        sizes=sizes(options.dims),
        fixed=fixed_values(options.fix),
        states=states(options.state),
        axes=batch_axes(options.batch_axis),
    )


def build(variant: str, weights: Weights) -> Pipeline:
    """Refuse to make a model of nothing.

    Raises:
        DataError: Always: the model is a file.
    """
    raise DataError("the model onnx is a file that you have; give its path: --model FILE.onnx")


def from_file(path: Path, options: OnnxOptions) -> Pipeline:
    """Make one stage of an ONNX file, which is used as it lies unless what was said changes it.

    Raises:
        DataError: It is no ONNX file, is damaged, or cannot be measured as it is.
    """
    model, beside = foreign_graphs.check_file(path)
    source = find_source(path, options.preprocess)
    said = add_sizes(model, _read_said(options), source)
    settled = foreign_ends.settle_inputs(model, path, said)
    whole = partial(_read_settled, path, said)
    found = foreign_ends.settle_outputs(model, path, said, settled, whole)
    one = foreign_ends.takes_one(model, said, settled, found)
    changed = foreign_ends.turn_ends(model, said, settled, found)
    specs = foreign_ends.describe_inputs(model, said, one=one)
    prepared = prepare_file(model, specs, source, path)
    stage = Stage(
        format="onnx",
        inputs=specs,
        outputs=foreign_ends.describe_outputs(model, said, one=one),
        states=foreign_ends.describe_states(model, said),
        directory=path.parent,
        files=[path.name, *(str(one.relative_to(path.parent)) for one in beside)],
        precision=foreign_graphs.find_precision(model),
        parameters=graphs.count_parameters(model),
    )
    if changed or settled.changed:
        copy = whole()
        foreign_ends.turn_ends(copy, said, settled, found)
        stage = stage.changed(copy)
    outputs = [spec.name for spec in stage.outputs]
    return Pipeline(
        model="onnx",
        variant="default",
        stages=[stage],
        outputs=outputs,
        classes=_place_classes(options, path, outputs[0], found[outputs[0]]),
        resources={**prepared.resources, **mark_classes(options, prepared)},
    )


def _read_settled(path: Path, said: Said) -> Any:
    """Read a file with its weights, its inputs settled."""
    model = graph_files.read_graph(path)
    foreign_ends.settle_inputs(model, path, said)
    return model


def _place_classes(options: OnnxOptions, path: Path, name: str, found: OutputAxis) -> int | None:
    """Return where the classes of the first output are, once its batch is axis 0.

    Raises:
        DataError: It has no such axis.
    """
    said, rank = classes_axis(options.classes_axis), len(found.shape)
    if said is None:
        # What an output without a batch holds are rows of one sample: boxes, say, no steps.
        return 0 if found.axis is None and rank > 1 else None
    if said >= rank or said == found.axis:
        why = "which is the batch" if said == found.axis else f"and {name!r} has {rank} dimensions"
        raise DataError(f"classes-axis: {path}: {said} was said, {why}")
    if said < 0:
        return 0
    return said + 1 if found.axis is None or said < found.axis else said


def inputs(path: Path, options: OnnxOptions, data: Path | None) -> Dataset:
    """Return the samples for a file: those that the user gave, or random ones.

    Raises:
        DataError: What was given does not fit the file or the options.
    """
    model, source = foreign_graphs.read_header(path), find_source(path, options.preprocess)
    said = add_sizes(model, _read_said(options), source)
    foreign_ends.turn_ends(model, said, foreign_ends.settle_inputs(model, path, said), {})
    specs = foreign_ends.describe_inputs(model, said, one=True)
    output = cache(partial(_find_output, path, said))  # which may have to run the graph
    asked = file_data.Asked(
        path=path,
        specs=specs,
        ranges=find_ranges(model, specs),
        source=source,
        prepared=prepare_file(model, specs, source, path),
        metric=options.metric,
        find_output=output,
        find_masks=partial(_find_scores, options, path, output, find_picture_size(specs)),
    )
    return open_requests(asked, options, data)


def _find_output(path: Path, said: Said) -> tuple[str, OutputAxis]:
    """Return the first output that is no state, with its shape, its type and the axis of the batch.

    Raises:
        DataError: Where its batch is has to be said.
    """
    model = foreign_graphs.read_header(path)
    settled = foreign_ends.settle_inputs(model, path, said)
    whole = partial(_read_settled, path, said)
    name, found = next(iter(foreign_ends.settle_outputs(model, path, said, settled, whole).items()))
    (info,) = (one for one in model.graph.output if one.name == name)
    return name, attrs.evolve(found, dtype=graphs.read_dtype(info))


def _find_scores(
    options: OnnxOptions,
    path: Path,
    find: Callable[[], tuple[str, OutputAxis]],
    size: tuple[int, int] | None,
) -> tuple[Metric, int]:
    """Return mIoU of the first output, which is scores of masks, and of how many classes."""
    name, found = find()
    placed = _place_classes(options, path, name, found)
    return of_masks(name, found, None if placed is None else placed - 1, size)


def find_beside(path: Path) -> list[Path]:
    """Return the files that belong to a file: of weights, and of how requests are meant."""
    return [*find_external_files(path), *list_beside(path)]


def look(variant: str, path: Path, options: OnnxOptions) -> Look:
    """See what a file's graph shows without its weights.

    Raises:
        DataError: It is no ONNX file, or what was said does not fit its inputs.
    """
    model, source = foreign_graphs.read_header(path), find_source(path, options.preprocess)
    said = add_sizes(model, _read_said(options), source)
    one = foreign_ends.takes_one(model, said, foreign_ends.settle_inputs(model, path, said), {})
    quantized = [graphs.QUANTIZED] if graphs.is_quantized(model) else []
    return Look(most=1 if one else None, already=quantized)


@hookimpl
def edgebench_models() -> Iterator[Model]:
    """Offer ONNX files."""
    yield Model(
        name="onnx",
        summary="An ONNX file of one's own, its requests random or given.",
        build=build,
        variants=[Variant(name="default", summary="What the file holds.", weights=["file"])],
        format="onnx",
        files=["*.onnx"],
        options=OnnxOptions,
        from_file=from_file,
        postprocess=postprocess,
        encode=encode,
        bind=bind_file,
        inputs=inputs,
        beside=find_beside,
        look=look,
    )
