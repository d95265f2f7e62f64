"""What may be said of any file of a network, and what follows: its requests, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from edgebench import DataError, Dataset, Model
from edgebench_kit.onnx import file_data
from edgebench_kit.onnx.answers import encode_class
from edgebench_kit.onnx.written_options import value_ranges
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions, make_whole
from edgebench_kit.own_files.requests import Prepared, bind_requests
from edgebench_kit.own_files.sources import look_beside, to_preprocess

CLASSES = "classes"
"""What a pipeline holds whose answers are classes, beside its stages."""
OF_CLASSES = frozenset(("top1", "top5", "accuracy", "f1"))
"""The metrics of answers that are classes."""


def parsed_by(parse: Callable[[str], Any]) -> Callable[[Any, Any, str], None]:
    """Return what refuses the text of an option that does not parse."""

    def check(_: object, __: object, value: str) -> None:
        parse(value)

    return check


@attrs.frozen(kw_only=True)
class FileOptions(DataOptions):
    """What a file of a network does not say of itself, whatever made it."""

    range: str = attrs.field(default="", validator=parsed_by(value_ranges))
    """Ranges of random values by input, the upper end not among them: `ids=0:30522 x=-1:1`. Else
    floats are standard normal, numbers of rows all that their table has, 8-bit numbers all that
    there are, and other whole numbers 0 or 1."""
    labels: Path | None = attrs.field(default=None, converter=attrs.converters.optional(make_whole))
    """A `.npy` file of the answers to the inputs that were given, in their order; else they are the
    array `labels` that lies with the inputs."""
    preprocess: str = attrs.field(default="", converter=to_preprocess)
    """How a request, a picture's file or a text, becomes the input: `imagenet`, a directory with
    `preprocessor_config.json` or `tokenizer.json`, a file with a recipe, or `none` for tensors.
    Without it what lies beside the file."""
    beside: tuple[Path | None, ...] = attrs.field(init=False, repr=False)
    """The files beside the one that `preprocess` names, which are read with it."""
    metric: Literal["auto", "none", "top1", "top5", "accuracy", "f1", "miou"] = "auto"
    """The figure of merit of the first output, held against the labels; `auto` is `top1` of
    pictures and texts (`accuracy` where that output is a class alone), `miou` of masks, and none of
    arrays; with `none` pictures need no labels. With one that is of classes, and where requests are
    pictures or texts, the answer that travels is the winning class and its score, or the class
    alone where the output is one, else all of every output."""

    @beside.default
    def _look_beside(self) -> tuple[Path | None, ...]:
        return look_beside(self.preprocess)


def open_requests(asked: file_data.Asked, options: FileOptions, data: Path | None) -> Dataset:
    """Return the samples for a file: those that the user gave, or random ones.

    Raises:
        DataError: What was given does not fit the file or the options.
    """
    if data is None:
        return file_data.draw_inputs(asked, options, value_ranges(options.range), options.labels)
    if options.range:
        raise DataError("range is of random values, and inputs were given; leave one out")
    found = find_data(data, options, labelled=options.metric != file_data.NONE)
    if found.kind == "arrays":
        return file_data.take_arrays(asked, options, data, options.labels)
    return file_data.take_data(asked, found, options.labels)


def mark_classes(options: FileOptions, prepared: Prepared) -> dict[str, bytes]:
    """Return what a pipeline keeps if its answers are classes: of pictures and texts they are."""
    usual = options.metric == file_data.AUTO and prepared.request is not None
    return {CLASSES: b"1"} if usual or options.metric in OF_CLASSES else {}


def bind_file(model: Model, variant: str, resources: Mapping[str, bytes]) -> Model:
    """Return the model whose requests and answers are what its file's pipeline says.

    Requests are pictures, texts or tensors; answers are classes, or all outputs.
    """
    bound = attrs.evolve(model, encode=encode_class) if CLASSES in resources else model
    return bind_requests(bound, variant, resources)
