"""The requests of models that come as files and are sent arrays: random, or a user's own, judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench import DataError, Dataset, Metric, TensorSpec
from edgebench.metrics.classification import accuracy, f1, top
from edgebench_kit.onnx.answers import of_first
from edgebench_kit.onnx.drawn_samples import Drawing, check_range
from edgebench_kit.onnx.open_sizes import offer_names
from edgebench_kit.onnx.pictures import doubt_pictures

if TYPE_CHECKING:
    from edgebench_kit.onnx.array_samples import GivenSamples
    from edgebench_kit.onnx.written_options import Range

OF_CLASSES = frozenset(("top1", "top5", "accuracy", "f1"))
"""The metrics of answers that are classes."""


def draw_requests(
    path: Path,
    specs: tuple[TensorSpec, ...],
    found: Mapping[str, Range],
    said: Mapping[str, Range],
) -> Dataset:
    """Return random requests for a file's inputs, with the ranges that were found or said.

    Raises:
        DataError: What was said does not fit the inputs, or there are too few to draw.
    """
    known = {spec.name: spec for spec in specs}
    for name, ends in said.items():
        if name not in known:
            raise DataError(f"range: {path} has no input {name!r}{offer_names(name, known)}")
        check_range(known[name], ends)
    drawing = Drawing(specs, {**found, **said})
    drawing.check(path)
    return Dataset(
        name="random-inputs",
        summary=f"Random inputs for {path}.",
        samples=drawing.draw_split,
        synthetic=True,
        payloads="raw tensors",
        doubt=doubt_pictures(specs),
    )


def refuse_answers(metric: str, labels: Path | None) -> None:
    """Refuse what holds answers against labels where the requests are random.

    Raises:
        DataError: There is something.
    """
    if labels or metric != "none":
        raise DataError("labels and a metric are for inputs of your own: --input-data FILE.npz")


def take_requests(given: GivenSamples, metric: str, masks: Metric | None) -> Dataset:
    """Return a user's own requests, once their arrays were looked at.

    Args:
        given: Where they are.
        metric: What holds the answers against the labels, by its name; `none` for nothing.
        masks: The metric itself where it is one of masks.

    Raises:
        DataError: An array does not fit, or there are labels without a metric or none with one.
    """
    given.check()
    measured = [of_first(one) for one in _choose_metrics(metric, given, masks)]
    given.check_arrays()
    return Dataset(
        name="given-inputs",
        summary=f"The user's own inputs in {given.path}.",
        samples=lambda split, _: given.read_split(split),
        metrics=lambda: measured,
        payloads="raw tensors",
        doubt=doubt_pictures(given.specs),
    )


def _choose_metrics(name: str, given: GivenSamples, masks: Metric | None) -> Sequence[Metric]:
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
    if masks is not None:
        return [masks]
    if name in {"top1", "top5"}:
        return [top(int(name.removeprefix("top")))]
    return [f1() if name == "f1" else accuracy()]
