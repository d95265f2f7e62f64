"""The model `onnx`: any ONNX file that a user has, from whatever made it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import attrs

from edgebench import (
    DataError,
    Dataset,
    Metric,
    Model,
    Pipeline,
    Stage,
    TensorSpec,
    Variant,
    Weights,
    hookimpl,
)
from edgebench.metrics.classification import accuracy, f1, top
from edgebench.metrics.segmentation import mean_iou
from edgebench_kit.onnx import foreign_graphs, graph_files, graphs
from edgebench_kit.onnx.array_samples import GivenSamples, Range, draw_samples
from edgebench_kit.onnx.external_weights import find_external_files

LARGEST_SIZE = 2**31
"""What no dimension comes near: a slip of the keyboard is told from a size."""


def sizes(text: str) -> dict[str, int]:
    """Parse sizes of dimensions by name: `seq=128 height=224`.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair in _pairs(text):
        name, _, size = pair.rpartition("=")
        if not name or not size.isdecimal() or not 0 < int(size) < LARGEST_SIZE:
            raise ValueError(f'dims are written "seq=128 height=224", not {pair!r}')
        if name in found:
            raise ValueError(f"dims gives {name!r} twice")
        found[name] = int(size)
    return found


def value_ranges(text: str) -> dict[str, Range]:
    """Parse ranges of values by input: `ids=0:30522 x=-1:1`, the upper end not among them.

    Raises:
        ValueError: It is something else.
    """
    found = {}
    for pair in _pairs(text):
        name, _, ends = pair.rpartition("=")
        low, _, high = ends.partition(":")
        if name in found:
            raise ValueError(f"range gives {name!r} twice")
        try:
            found[name] = float(low), float(high)
        except ValueError:
            found[name] = 0.0, 0.0
        low_end, high_end = found[name]
        if not name or not low_end < high_end or not isfinite(high_end - low_end):
            raise ValueError(f'ranges are written "ids=0:30522 x=-1:1", not {pair!r}')
    return found


def _pairs(text: str) -> list[str]:
    return [pair for pair in re.split(r"[\s,]+", text) if pair]


def _parsed_by(parse: Callable[[str], Any]) -> Callable[[Any, Any, str], None]:
    def check(_: object, __: object, value: str) -> None:
        parse(value)

    return check


def _whole(path: str | Path) -> Path:
    # The processes that prepare work in directories of their own.
    return Path(path).resolve()


@attrs.frozen(kw_only=True)
class OnnxOptions:
    """What a file does not say of itself."""

    dims: str = attrs.field(default="", validator=_parsed_by(sizes))
    """Sizes of its open dimensions but the batch, by name: `seq=128 height=224`. One without a name
    goes by its input's and its number, `x.2`."""
    range: str = attrs.field(default="", validator=_parsed_by(value_ranges))
    """Ranges of random values by input, the upper end not among them: `ids=0:30522 x=-1:1`. Else
    floats are standard normal, whole numbers 0 or 1."""
    labels: Path | None = attrs.field(default=None, converter=attrs.converters.optional(_whole))
    """A `.npy` file of the answers to the inputs that were given, in their order; else they are the
    array `labels` that lies with the inputs."""
    metric: Literal["none", "top1", "top5", "accuracy", "f1", "miou"] = "none"
    """The figure of merit of the first output, held against the labels."""


def build(variant: str, weights: Weights) -> Pipeline:
    """Refuse to make a model of nothing.

    Raises:
        DataError: Always: the model is a file.
    """
    raise DataError("the model onnx is a file that you have; give its path: --model FILE.onnx")


def from_file(path: Path, options: OnnxOptions) -> Pipeline:
    """Make one stage of an ONNX file, which is used as it lies unless a dimension is to be set.

    Raises:
        DataError: It is no ONNX file, is damaged, or cannot be measured as it is.
    """
    model, beside = foreign_graphs.check_file(path)
    changed = foreign_graphs.set_sizes(model, path, sizes(options.dims))
    stage = Stage(
        format="onnx",
        inputs=foreign_graphs.describe_inputs(model, path),
        outputs=foreign_graphs.describe_outputs(model, path),
        directory=path.parent,
        files=[path.name, *(str(one.relative_to(path.parent)) for one in beside)],
        precision=foreign_graphs.find_precision(model),
        parameters=graphs.count_parameters(model),
    )
    if changed:
        stage = stage.changed(_resized(path, options))
    outputs = [spec.name for spec in stage.outputs]
    return Pipeline(model="onnx", variant="default", stages=[stage], outputs=outputs)


def _resized(path: Path, options: OnnxOptions) -> Any:
    """Read a file with its weights, and set its open dimensions."""
    model = graph_files.read_graph(path)
    foreign_graphs.set_sizes(model, path, sizes(options.dims))
    return model


def inputs(path: Path, options: OnnxOptions, data: Path | None) -> Dataset:
    """Return the samples for a file: those that the user gave, or random ones.

    Raises:
        DataError: What was given does not fit the file or the options.
    """
    model = foreign_graphs.read_header(path)
    foreign_graphs.set_sizes(model, path, sizes(options.dims))
    specs = tuple(foreign_graphs.describe_inputs(model, path))
    if data is None:
        return _make_random_dataset(specs, options, path)
    if options.range:
        raise DataError("range is of random values, and inputs were given; leave one out")
    given = GivenSamples(data, specs, options.labels, masks=options.metric == "miou")
    given.check()
    measured = _metrics(options.metric, given, foreign_graphs.describe_outputs(model, path)[0])
    return Dataset(
        name="given-inputs",
        summary=f"The user's own inputs in {data}.",
        samples=lambda split, _: given.read_split(split),
        metrics=lambda: measured,
    )


def _make_random_dataset(
    specs: tuple[TensorSpec, ...], options: OnnxOptions, path: Path
) -> Dataset:
    if options.labels or options.metric != "none":
        raise DataError("labels and a metric are for inputs of your own: --input-data FILE.npz")
    ranges = value_ranges(options.range)
    known = {spec.name: spec for spec in specs}
    for name, ends in ranges.items():
        if name not in known:
            offered = foreign_graphs.offer_names(name, known)
            raise DataError(f"range: {path} has no input {name!r}{offered}")
        _check_range(known[name], ends)
    return Dataset(
        name="random-inputs",
        summary=f"Random inputs for {path}.",
        samples=partial(draw_samples, specs, ranges),
        synthetic=True,
    )


def _check_range(spec: TensorSpec, ends: Range) -> None:
    """See that an input's type holds the values of a range."""
    import numpy as np

    kind = np.dtype(spec.dtype)
    if np.issubdtype(kind, np.floating):
        return
    low, high = (0, 2) if kind == np.bool_ else (np.iinfo(kind).min, np.iinfo(kind).max + 1)
    if any(end != int(end) for end in ends) or not low <= ends[0] < ends[1] <= high:
        raise DataError(
            f"range: input {spec.name!r} is {spec.dtype} and takes whole numbers from {low} to "
            f"below {high}, not {ends[0]:g}:{ends[1]:g}"
        )


def _metrics(name: str, given: GivenSamples, output: TensorSpec) -> Sequence[Metric]:
    """Return the figures of merit, none where there are no answers."""
    if name == "none":
        if given.labelled:
            raise DataError(
                f"{given.path} has labels, and no metric holds the answers against them; name "
                "one: metric=top1, top5, accuracy, f1 or miou"
            )
        return ()
    if not given.labelled:
        raise DataError(
            f"metric={name} needs labels: an array 'labels' in {given.path}, or labels=FILE.npy"
        )
    if name == "miou":
        return [_of_scores(output)]
    if name in {"top1", "top5"}:
        return [top(int(name.removeprefix("top")))]
    return [f1() if name == "f1" else accuracy()]


def _of_scores(output: TensorSpec) -> Metric:
    """Return mIoU of predictions that are scores of shape (classes, height, width)."""
    import numpy as np

    if len(output.shape) != 4 or not isinstance(output.shape[1], int):
        raise DataError(
            f"metric=miou takes scores of shape (classes, height, width), and {output.name!r} has "
            f"the shape ({', '.join(map(str, output.shape[1:]))})"
        )
    of_masks = mean_iou(output.shape[1])

    def count(scores: Any, answer: Any) -> Sequence[float]:
        return of_masks.count(np.asarray(scores).argmax(axis=0), answer)

    return attrs.evolve(of_masks, count=count)


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
        inputs=inputs,
        beside=find_external_files,
    )
