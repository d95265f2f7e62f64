"""A user's own data, once it is understood: what it holds, its splits, and its samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import attrs

from edgebench import DataError, Sample, Unreadable
from edgebench_kit.own_data.class_names import match_classes, read_class_names
from edgebench_kit.own_data.divisions import Division, divide, leave_calibration
from edgebench_kit.own_data.items import Groups, Source, show
from edgebench_kit.own_data.listings import order_naturally
from edgebench_kit.own_data.looks import (
    describe_data,
    describe_division,
    describe_left,
    look_at_items,
    note_classes,
    note_groups,
    refuse_one_class,
)
from edgebench_kit.own_data.options import DataOptions, refuse_options
from edgebench_kit.own_data.readings import IGNORED, read_item

Kind = Literal["pictures", "texts", "masks", "tokens", "arrays"]


@attrs.frozen(kw_only=True, slots=False, eq=False)
class OwnData:
    """What a path was understood as; nothing is read before it is asked for."""

    path: Path
    options: DataOptions
    source: Source
    calibration: OwnData | None = None
    """Data for calibration alone, of the same kind."""

    @property
    def kind(self) -> Kind:
        """What a sample is; `arrays` says only that: `onnx/array_samples` reads them."""
        return cast("Kind", self.source.kind)

    @cached_property
    def groups(self) -> Groups:
        """All items, listed and not read. A table is read whole.

        Raises:
            DataError: A table cannot be read.
        """
        groups = self.source.read()
        return groups if self.calibration is None else leave_calibration(groups)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that were found, numbers by their size; none for masks and arrays."""
        given = () if self.calibration is None else self.calibration.classes
        return tuple(sorted({*self._labels, *given}, key=order_naturally))

    @cached_property
    def _labels(self) -> frozenset[str]:
        """Those of the data without what is for calibration alone."""
        if self.kind == "tokens":
            return frozenset(label for item in self.groups.items for label in item.label)
        named = self.kind in ("pictures", "texts")
        return frozenset(item.label for item in self.groups.items) if named else frozenset()

    @cached_property
    def division(self) -> Division:
        """Which items each split holds. Every payload is read once.

        Raises:
            DataError: One payload stands in one group with two labels, or a share to train on is
                asked for of data with splits of its own.
        """
        given = None if self.calibration is None else self.calibration.groups
        found = divide(self.groups, given, self.options)
        if found.own:
            why = f"is of data without splits of its own, and {self.path} has such"
            refuse_options(self.options, why, ["training"])
        return found

    def name_classes(self, model_classes: Sequence[str]) -> Sequence[str]:
        """Return the names of the model's classes: those of `classes=FILE` where it is given.

        Raises:
            DataError: The file has another number of names, or the model's names in another order.
        """
        if self.options.classes is None:
            return model_classes
        return read_class_names(self.options.classes, model_classes)

    def number_classes(self, model_classes: Sequence[str]) -> Mapping[str, int]:
        """Return the class number of each label; empty for masks, whose pixels are numbers.

        What has no labels is of class 0, which nobody asks for.

        Raises:
            DataError: A label is no class of the model.
        """
        if not self.source.labelled:
            return {"": 0}
        names, where = self.name_classes(model_classes), str(self.path)
        numbers = match_classes(sorted(self._labels, key=order_naturally), names, where)
        if self.calibration is None:
            return numbers
        # Each by itself first, that what is wrong is told of where it stands.
        self.calibration.number_classes(model_classes)
        return match_classes(self.classes, names, f"{where} and {self.calibration.path}")

    def look(self, model_classes: Sequence[str]) -> Sequence[str]:
        """Check all that can be wrong, and say in two lines what was understood.

        Raises:
            DataError: The data cannot be used as it is, with the remedy.
        """
        if self.kind == "arrays":
            return (f"{self.path.name}: arrays, as the model's inputs take them",)
        groups, names = self.groups, self.name_classes(model_classes)
        if not groups.items:
            self._refuse_all()
        numbers = self.number_classes(model_classes)
        if self.source.labelled:
            refuse_one_class(self.path, self.kind, numbers)
        looked = look_at_items(self.path, self.kind, groups, numbers, len(names) or IGNORED)
        notes = note_groups(groups)
        if self.calibration is not None:
            notes += self.calibration.look_to_calibrate(numbers, len(names) or IGNORED)
        if not self.division.splits["test"]:
            raise DataError(
                f"{self.path}: no sample is left for the test split; all of it stands in the "
                "other splits too"
            )
        if self.source.labelled:
            notes += note_classes(self.kind, numbers, names)
        return (
            describe_data(self.path, self.source, groups, looked, numbers),
            describe_division(self.division, looked, notes, len(groups.items)),
        )

    def look_to_calibrate(self, numbers: Mapping[str, int], classes: int) -> list[str]:
        """Check what is for calibration alone, and say what of it is left out.

        Raises:
            DataError: Too much of it cannot be read.
        """
        looked = look_at_items(self.path, self.kind, self.groups, numbers, classes)
        left = [*describe_left(looked, len(self.groups.items)), *note_groups(self.groups)]
        return [f"{show(self.path.name)}: {one}" for one in left]

    def _refuse_all(self) -> None:
        lost = self.groups.unreadable
        if not lost:
            raise DataError(f"{self.path} holds no sample")
        raise DataError(
            f"{self.path}: none of {len(lost)} can be read, as {lost[0].name} ({lost[0].reason})"
        )

    def list_lacks(self) -> Mapping[str, str]:
        """Return how to give samples to each split that has none, but the test split."""
        name = self.path.name
        way = f", which `{name}(training=0.3)` takes out of the test split"
        taken = "" if self.division.own else way
        ways = {
            "calibration": f"{name} has none to spare; --calibration PATH gives some",
            "validation": f"{name} has none to spare; give more samples",
            "training": f"{name} has none{taken}; a folder or file `train` in it holds some",
        }
        return {split: way for split, way in ways.items() if not self.division.splits[split]}

    def samples(
        self,
        split: str,
        seed: int,  # noqa: ARG002 (datasets are asked with one)
        numbers: Mapping[str, int],
        classes: int = IGNORED,
    ) -> Iterator[Sample | Unreadable]:
        """Yield the samples of a split in the order of their ranks; the seed changes nothing.

        *numbers* are the class numbers of the labels, *classes* is how many values the pixels of
        masks may have; `DataOptions.seed` decides the splits.
        """
        yield from self.division.unreadable.get(split, ())
        for item in self.division.splits.get(split, ()):
            try:
                yield read_item(self.kind, item, numbers, classes)
            except DataError as error:
                yield Unreadable(name=item.name, reason=str(error))
