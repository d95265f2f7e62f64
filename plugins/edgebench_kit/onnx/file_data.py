"""The requests of a file, and what judges its answers: random, arrays, or data as it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench import DataError, Dataset
from edgebench.metrics.classification import accuracy, f1, top
from edgebench_kit.onnx.answers import of_first
from edgebench_kit.onnx.array_samples import GivenSamples
from edgebench_kit.onnx.drawn_samples import Drawing, check_range
from edgebench_kit.onnx.open_sizes import offer_names
from edgebench_kit.onnx.pictures import doubt_pictures
from edgebench_kit.own_data.options import DataOptions, refuse_options
from edgebench_kit.own_files.datasets import add_line, name_classes, open_own_data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edgebench import Metric, TensorSpec
    from edgebench_kit.onnx.batch_axes import OutputAxis
    from edgebench_kit.onnx.written_options import Range
    from edgebench_kit.own_data.own import OwnData
    from edgebench_kit.own_files.requests import Prepared
    from edgebench_kit.own_files.sources import Source

AUTO, NONE, MASKS = "auto", "none", "miou"
"""Metrics: what goes with the answers there are, none, and that of masks."""
OF_LABELS = ("accuracy", "f1")
"""Metrics that take a class alone as well as scores."""


@attrs.frozen(kw_only=True)
class Asked:
    """A file, and what is to be known of it before its requests are."""

    path: Path
    specs: tuple[TensorSpec, ...]
    """The inputs of a sample."""
    ranges: Mapping[str, Range]
    """From where to below where the values of inputs lie that pick rows of tables."""
    source: Source
    prepared: Prepared
    metric: str
    find_masks: Callable[[], tuple[Metric, int]]
    """Return mIoU of its first output, and of how many classes that has scores."""
    find_output: Callable[[], tuple[str, OutputAxis]]
    """Return its first output: its name, and its shape and type."""


def draw_inputs(
    asked: Asked, options: DataOptions, ranges: Mapping[str, Range], labels: Path | None
) -> Dataset:
    """Return random inputs, which are tensors, whatever could be sent.

    Raises:
        DataError: A range, labels or a metric was said that is not for these.
    """
    path, specs = asked.path, asked.specs
    if labels or asked.metric not in {AUTO, NONE}:
        raise DataError("labels and a metric are for inputs of your own: --data PATH")
    refuse_options(options, "is said of data of your own, and requests are random")
    known = {spec.name: spec for spec in specs}
    for name, ends in ranges.items():
        if name not in known:
            offered = offer_names(name, known)
            raise DataError(f"range: {path} has no input {name!r}{offered}")
        check_range(known[name], ends)
    drawing = Drawing(specs, {**asked.ranges, **ranges})
    drawing.check(path)
    dataset = Dataset(
        name="random-inputs",
        summary=f"Random inputs for {path}.",
        samples=drawing.draw_split,
        synthetic=True,
        payloads="raw tensors",
        doubt=doubt_pictures(specs),
    )
    kind = asked.prepared.request.kind if asked.prepared.request else ""
    if not kind:
        return dataset
    told = f"{asked.source.where} says how {kind} are read, and requests are random tensors"
    return add_line(dataset, f"{told}: --data PATH gives {kind} of your own")


def take_arrays(asked: Asked, options: DataOptions, data: Path, labels: Path | None) -> Dataset:
    """Return a user's own arrays.

    Raises:
        DataError: They do not fit the file, or what was said of them.
    """
    names = [field.name for field in attrs.fields(DataOptions) if field.name != "calibration"]
    refuse_options(options, f"is not used for the arrays in {data}", names)
    masks, other = asked.metric == MASKS, None
    if options.calibration is not None:
        other = GivenSamples(options.calibration, asked.specs, masks=masks)
        other.check()
        other.check_arrays()
    given = GivenSamples(data, asked.specs, labels, masks=masks, calibration=other)
    given.check()
    metric = asked.metric if asked.metric != AUTO else NONE
    if metric == NONE and given.labelled and (labels or asked.metric == AUTO):
        raise DataError(
            f"{given.path} has labels, and no metric holds the answers against them; name "
            "one: metric=top1, metric=top5, metric=accuracy, metric=f1 or metric=miou"
        )
    if metric != NONE and not given.labelled:
        raise DataError(
            f"metric={metric} needs labels: an array 'labels' in {given.path}, or labels=FILE.npy"
        )
    _refuse_several(asked, metric)
    measured, _ = choose_metrics(metric, asked.find_masks)
    given.check_arrays()
    return Dataset(
        name="given-inputs",
        summary=f"The user's own inputs in {data}.",
        samples=lambda split, _: given.read_split(split),
        metrics=lambda: measured,
        payloads="raw tensors",
        doubt=doubt_pictures(asked.specs),
    )


def take_data(asked: Asked, data: OwnData, labels: Path | None) -> Dataset:
    """Return a user's own pictures or texts, without labels where no metric is asked for.

    Raises:
        DataError: They do not fit the file, or what was said of them.
    """
    if asked.metric == NONE:
        refuse_options(data.options, "is of answers, and metric=none has none", ["classes"])
    if labels:
        raise DataError(f"labels are of arrays, and {data.path} holds {data.kind}; leave them out")
    masks = data.kind == "masks"
    usual = MASKS if masks else "top1"
    if asked.metric == AUTO and not masks and _gives_labels(asked):
        usual = "accuracy"
    metric = usual if asked.metric == AUTO else asked.metric
    if (metric == MASKS) != masks and metric != NONE:
        raise DataError(f"metric={metric} is not for {data.kind}; {usual} is, or none")
    measured, count = choose_metrics(metric, asked.find_masks)
    classes: Sequence[str] = ()
    if metric != NONE:
        count = count_classes(asked, metric) if count is None else count
        classes = name_classes(asked.path, asked.source, count, data.options.classes)
    return open_own_data(
        data,
        asked.prepared,
        classes,
        asked.source,
        file=asked.path,
        metrics=lambda: measured,
    )


def count_classes(asked: Asked, metric: str) -> int | None:
    """Return how many classes the first output has scores of; None where that does not show.

    Of an output that is a class alone it does not.

    Raises:
        DataError: It is no scores of classes, nor a class that the metric takes.
    """
    _refuse_several(asked, metric)
    labels = _gives_labels(asked)
    if labels and metric in OF_LABELS:
        return None
    name, shape = _find_shape(asked)
    if labels or len(shape) != 1:
        remedy = "metric=accuracy takes a class alone" if labels else "metric=none leaves it out"
        written = ", ".join("?" if size is None else str(size) for size in shape)
        raise DataError(
            f"metric={metric} takes scores of shape (classes), and {name!r}, the first output of "
            f"{asked.path}, has the shape ({written}) for a sample; {remedy}"
        )
    return shape[0]


def _gives_labels(asked: Asked) -> bool:
    """Say whether the first output is a class alone: one whole number for a sample."""
    _, shape = _find_shape(asked)
    dtype = asked.find_output()[1].dtype
    return shape in ([], [1]) and dtype.startswith(("int", "uint", "bool"))


def _find_shape(asked: Asked) -> tuple[str, list[int | None]]:
    """Return the name of the first output, and its shape for one sample."""
    name, found = asked.find_output()
    return name, [size for place, size in enumerate(found.shape) if place != found.axis]


def _refuse_several(asked: Asked, metric: str) -> None:
    """Refuse F1 where the first output has scores of more than the two classes that it is of."""
    if metric != "f1":
        return
    _, shape = _find_shape(asked)
    if len(shape) == 1 and shape[0] is not None and shape[0] > 2:
        raise DataError(
            f"metric=f1 is F1 of class 1 of two, and {asked.path} has {shape[0]} classes; "
            "metric=top1 is of several"
        )


def choose_metrics(
    name: str, find_masks: Callable[[], tuple[Metric, int]]
) -> tuple[Sequence[Metric], int | None]:
    """Return the figures of merit of a name, none for none, and how many classes masks may have."""
    if name == NONE:
        return (), None
    count = None
    if name == MASKS:
        found, count = find_masks()
    elif name in {"top1", "top5"}:
        found = top(int(name.removeprefix("top")))
    else:
        found = f1() if name == "f1" else accuracy()
    return [of_first(found)], count
