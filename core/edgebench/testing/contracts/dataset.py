"""What a dataset promises."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs

from edgebench.cases.inputs import open_directory
from edgebench.parts.datasets import SPLITS, Dataset, Sample, Unreadable
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.parts.subjects import Model, Variant
from edgebench.prepare.data import preprocess
from edgebench.store.artifacts import read_pipeline
from edgebench.testing.contracts.contract import Contract, NotChecked, doubt, hold
from edgebench.testing.contracts.running import run_here
from edgebench.testing.contracts.subjects import KINDS_OF_WEIGHTS, describe_subject, make_case

SEED = 0
COUNTED = 5
"""Samples whose answers the metrics are given."""
LARGEST = 20_000_000
"""Parameters beyond which a variant is not built to answer."""


@attrs.frozen
class Read:
    """What a split held when it was read."""

    digests: tuple[str, ...]
    """Of each payload, in order."""
    first: tuple[Sample, ...]
    """The first of them."""
    wrong: str
    """What is no sample; empty if all are."""


class DatasetContract(Contract):
    """What a dataset promises: its splits, read from the first sample to the last."""

    kind = Dataset
    data: ClassVar[Path | None] = None
    """The directory in which its owner ships it, for one that has to be given."""

    # --- promises --------------------------------------------------------------------------------

    def test_its_samples_are_payloads_and_answers(self) -> None:
        """Each sample is a payload of bytes, and an answer that can be kept."""
        for split in SPLITS:
            hold(not self._read(split).wrong, self._read(split).wrong)

    def test_it_can_be_measured_on(self) -> None:
        """It has samples to test with."""
        hold(self._read("test").digests, "its split `test` is empty: nothing can be measured on it")

    def test_its_splits_share_no_payload(self) -> None:
        """No payload stands in two splits."""
        seen: dict[str, str] = {}
        for split in SPLITS:
            for number, digest in enumerate(self._read(split).digests):
                before = seen.setdefault(digest, split)
                hold(before == split, f"sample {number} of `{split}` also stands in `{before}`")

    def test_its_order_is_fixed(self) -> None:
        """Under one seed, each split has the same samples in the same order."""
        for split in SPLITS:
            again = self._read_anew(split)
            first = self._read(split).digests
            hold(
                first == again.digests,
                f"read twice under one seed, `{split}` has {len(first)} and {len(again.digests)} "
                "samples, which are not the same in the same order",
            )

    def test_its_metrics_are_told_apart(self) -> None:
        """Its metrics have names of their own, wherever its samples come from."""
        metrics = self.part.metrics()
        if not metrics:
            doubt("it has no metrics: no accuracy is ever told on it")
            return
        names = [metric.name for metric in metrics]
        hold(len(set(names)) == len(names), f"two of its metrics have one name: {names}")
        opened = open_directory(self.part, self.data) if self.data else self.part
        hold(
            [metric.name for metric in opened.metrics()] == names,
            "what `from_directory` makes has other metrics",
        )

    def test_its_metrics_take_answers(self) -> None:
        """What a model answers its metrics count, alike for each sample, to figures of 0 to 1."""
        import numpy as np

        metrics = self.part.metrics()
        if not metrics:
            raise NotChecked("it has no metrics")
        answered = list(self._answer())
        for metric in metrics:
            try:
                counts = [[float(n) for n in metric.count(*pair)] for pair in answered]
                many = {len(one) for one in counts}
                hold(len(many) == 1, f"{metric.name} gives now {min(many)} counts, now {max(many)}")
                # Of a few samples, some figures are no number.
                with np.errstate(all="ignore"):
                    figure = float(metric.value(np.sum(counts, axis=0)))
            except AssertionError:
                raise
            except Exception as error:
                raise AssertionError(
                    f"{metric.name} does not take an answer: {one_line(error)}"
                ) from error
            sound = math.isnan(figure) or 0 <= figure <= 1
            hold(sound, f"{metric.name} is {figure:g}, which is not from 0 to 1")

    # --- what they stand on ----------------------------------------------------------------------

    def _dataset(self) -> Dataset:
        part: Dataset = self.part
        if self.data is not None:
            try:
                return open_directory(part, self.data)
            except EdgebenchError as error:
                raise AssertionError(str(error)) from error
        if part.samples is None:
            raise NotChecked(f"it has to be given, as {part.layout or 'a directory'}: say `data`")
        return part

    def _answer(self) -> Iterator[tuple[Any, Any]]:
        """Yield what a model predicts for the first samples, each with the true answer."""
        samples = self._read("test").first
        if not samples:
            raise NotChecked("it has no samples to test with, which another promise tells of")
        model, variant = self._find_model()
        try:
            case = make_case(self.bench, model, variant)
            base = read_pipeline(self.bench.maker.base(case))
            bound = model.bound(variant.name, base.resources)
            for payload, answer in samples:
                tensors = preprocess(payload, bound, variant.name)
                outputs = run_here(self.bench, case, base, tensors)
                yield bound.postprocess(outputs, variant.name), answer
        except EdgebenchError as error:
            raise NotChecked(f"{describe_subject(model, variant)}: {error}") from error

    def _find_model(self) -> tuple[Model, Variant]:
        """Return the smallest model that is measured on it.

        Raises:
            NotChecked: There is none that can be built here.
        """
        found = [
            (variant.parameters or 0, model.name, model, variant)
            for model in self.bench.plugins.all(Model).values()
            if model.from_file is None
            for variant in model.variants
            if self.part.name in model.datasets_of(variant.name)
            and set(KINDS_OF_WEIGHTS) & set(variant.weights)
            and (variant.parameters or 0) <= LARGEST
        ]
        if not found:
            raise NotChecked("no small model here is measured on it")
        _, _, model, variant = min(found, key=lambda one: one[:2])
        return model, variant

    def _read(self, split: str) -> Read:
        if split not in self.tried:
            self.tried[split] = self._read_anew(split)
        read: Read = self.tried[split]
        return read

    def _read_anew(self, split: str) -> Read:
        samples = self._dataset().samples
        digests, first = [], []
        for number, sample in enumerate(samples(split, SEED) if samples else ()):
            if isinstance(sample, Unreadable):
                continue
            if wrong := _say_wrong(sample):
                return Read((), (), f"sample {number} of `{split}` {wrong}")
            digests.append(hashlib.sha256(sample[0]).hexdigest())
            if number < COUNTED:
                first.append(sample)
        return Read(tuple(digests), tuple(first), "")


def _say_wrong(sample: Any) -> str:
    """Return what is wrong with a sample; empty if nothing is."""
    import numpy as np

    if not isinstance(sample, tuple) or len(sample) != 2:
        return f"is {type(sample).__name__}, not a pair of a payload and an answer"
    payload, answer = sample
    if not isinstance(payload, bytes):
        return f"has a payload of {type(payload).__name__}, not of bytes"
    try:
        np.save(io.BytesIO(), np.asarray(answer), allow_pickle=False)
    except ValueError:
        return f"has an answer of {type(answer).__name__}, not a number, a text or an array"
    return ""
