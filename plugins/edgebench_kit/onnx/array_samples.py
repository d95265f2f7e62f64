"""Samples for models that come as files, taken from a user's own arrays.

The payload of a sample is one array for each input, under its name, in numpy's `.npz` form; the
batch is not among their dimensions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import DataError, Sample, TensorSpec, to_npz
from edgebench_kit.onnx.array_files import (
    load_arrays,
    read_array,
    read_head,
    read_heads,
    read_names,
)
from edgebench_kit.own_data.listings import list_directory

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALIBRATION, VALIDATION = 100, 32
"""How many of a user's samples these splits have at most; a third of all, and a sixth."""
MOST = 512
"""How many are calibrated with where they are given apart."""
LOOKED_AT = 64
"""How many files of a directory are looked at before they are read."""
LABELS = "labels"
"""The array of the answers, among those of the inputs."""


@attrs.frozen(slots=False, eq=False)
class GivenSamples:
    """A user's own samples: a `.npz` or `.npy` file of many, or a directory with one a file."""

    path: Path
    specs: tuple[TensorSpec, ...]
    labels: Path | None = None
    """A `.npy` file with the answers, where they do not lie with the inputs."""
    masks: bool = False
    """Whether an answer is a class for each pixel, of shape (height, width), or one class."""
    calibration: GivenSamples | None = None
    """What is calibrated with in place of a share of these."""

    @property
    def labelled(self) -> bool:
        """Whether there are answers."""
        return self.labels is not None or LABELS in self._beside_inputs

    def check(self) -> None:
        """See that it is there and has an array for each input, without reading the arrays.

        Raises:
            DataError: It is not, or has not.
        """
        if not self.files:
            raise DataError(f"{self.path} holds no .npz or .npy file; give one for each request")
        _ = self._beside_inputs

    def check_arrays(self) -> None:
        """See that the arrays are what inputs and answers take, by what their heads say.

        Of a directory the first files are looked at; no array is read.

        Raises:
            DataError: One is not.
        """
        if self.path.is_dir():
            samples = len(self.files)
            for file in self.files[:LOOKED_AT]:
                self._check_sample(file, read_heads(file, self.specs))
        else:
            heads = read_heads(self.path, self.specs)
            self._check_whole(heads)
            samples = len(heads[self.specs[0].name])
        if self.labels is not None:
            self._check_labels(self.labels, read_head(self.labels), samples)

    def read_split(self, split: str) -> Iterator[Sample]:
        """Yield the samples of a split with their answers, 0 where there are none.

        Raises:
            DataError: An array is not what its input takes.
        """
        if split == "calibration" and self.calibration is not None:
            yield from self.calibration.read_all(MOST)
            return
        for number in self._splits.get(split, ()):
            arrays, answer = self._read_sample(number)
            yield to_npz(arrays), answer

    def read_all(self, most: int) -> Iterator[Sample]:
        """Yield the samples that differ, in the order of their digests, so many at most.

        Raises:
            DataError: An array is not what its input takes.
        """
        for number in self.ranked[:most]:
            arrays, answer = self._read_sample(number)
            yield to_npz(arrays), answer

    @cached_property
    def files(self) -> list[Path]:
        """The files that hold the samples."""
        if self.path.is_dir():
            return sorted(list_directory(self.path).arrays)
        return [self.path]

    @cached_property
    def _beside_inputs(self) -> frozenset[str]:
        """What the first file holds beside its inputs, of which it must hold all."""
        return self._beside(self.files[0], read_names(self.files[0], self.specs))

    def _beside(self, file: Path, names: Iterable[str]) -> frozenset[str]:
        """Return the arrays of a file that are no inputs: the labels, or none."""
        wanted = {spec.name for spec in self.specs}
        known = ", ".join(sorted(wanted))
        if lost := sorted(wanted.difference(names)):
            raise DataError(f"{file} has no array {lost[0]!r}; the inputs are {known}")
        if strange := sorted(set(names) - wanted - {LABELS}):
            raise DataError(f"{file}: its array {strange[0]!r} is no input; the inputs are {known}")
        return frozenset(names) - wanted

    @cached_property
    def _whole(self) -> dict[str, NDArray[Any]]:
        """The arrays of a file that holds all samples, the answers among them, of one length."""
        arrays = load_arrays(self.path, self.specs)
        self._check_whole(arrays)
        return arrays

    def _check_whole(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._beside(self.path, arrays)
        for spec in self.specs:
            _check(self.path, spec, arrays[spec.name], many=True)
        if LABELS in self._beside_inputs:
            self._check_answers(self.path, arrays[LABELS], many=True)
        lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{length} of {name}" for name, length in lengths.items())
            raise DataError(f"{self.path} must hold as many samples of each array, not {told}")

    @cached_property
    def _answers(self) -> NDArray[Any] | None:
        """The answers that lie in a file of their own."""
        if self.labels is None:
            return None
        answers = read_array(self.labels)
        self._check_labels(self.labels, answers, len(self))
        return answers

    def _check_labels(self, path: Path, answers: NDArray[Any], samples: int) -> None:
        if answers.ndim == 0 or len(answers) != samples:
            raise DataError(
                f"{path} holds {len(answers) if answers.ndim else 1} labels for the "
                f"{samples} requests of {self.path}"
            )
        self._check_answers(path, answers, many=True)

    def _check_answers(self, path: Path, answers: NDArray[Any], *, many: bool) -> None:
        """See that answers are classes: of a sample, or of each of its pixels."""
        wanted = ("samples",) * many + ("height", "width") * self.masks
        if answers.dtype.kind not in "iub" or answers.ndim != len(wanted):
            raise DataError(
                f"the labels in {path} must be class numbers of shape ({', '.join(wanted)}), "
                f"not {answers.dtype} of shape {answers.shape}"
            )

    def __len__(self) -> int:
        if self.path.is_dir():
            return len(self.files)
        return len(self._whole[self.specs[0].name])

    def _read_sample(self, number: int) -> tuple[dict[str, NDArray[Any]], Any]:
        """Return the arrays of one sample and its answer."""
        if self.path.is_dir():
            file = self.files[number]
            arrays = load_arrays(file, self.specs)
            self._check_sample(file, arrays)
        else:
            arrays = {name: array[number] for name, array in self._whole.items()}
        answer = arrays.pop(LABELS, 0) if LABELS in self._beside_inputs else 0
        return arrays, answer if self._answers is None else self._answers[number]

    def _check_sample(self, file: Path, arrays: dict[str, NDArray[Any]]) -> None:
        if self._beside(file, arrays) != self._beside_inputs:
            raise DataError(f"{file} and {self.files[0]} must both hold labels, or neither")
        for spec in self.specs:
            _check(file, spec, arrays[spec.name], many=False)
        if LABELS in arrays:
            self._check_answers(file, arrays[LABELS], many=False)

    @cached_property
    def _splits(self) -> dict[str, list[int]]:
        """By split, the numbers of its samples; which go where depends on what they hold alone.

        A sample that stands twice stays in one split: twice in the test split, else once.
        """
        ranked, calibration = self.ranked, min(CALIBRATION, len(self.ranked) // 3)
        away: set[bytes] = set()
        if self.calibration is not None:
            other, calibration = self.calibration, 0
            away = {other.digests[number] for number in other.ranked[:MOST]}
            ranked = [number for number in ranked if self.digests[number] not in away]
        validation = min(VALIDATION, len(ranked) // 6)
        away |= {self.digests[number] for number in ranked[: calibration + validation]}
        return {
            "calibration": ranked[:calibration],
            "validation": ranked[calibration : calibration + validation],
            "test": [number for number, digest in enumerate(self.digests) if digest not in away],
        }

    @cached_property
    def digests(self) -> list[bytes]:
        """By number, the digest of a sample's arrays."""
        return [
            hashlib.sha256(to_npz(self._read_sample(number)[0])).digest()
            for number in range(len(self))
        ]

    @cached_property
    def ranked(self) -> list[int]:
        """The numbers of samples that differ, in the order of their digests.

        So no other name of a file moves its sample elsewhere.
        """
        first: dict[bytes, int] = {}
        for number, digest in enumerate(self.digests):
            first.setdefault(digest, number)
        return [first[digest] for digest in sorted(first)]


def _check(path: Path, spec: TensorSpec, array: NDArray[Any], *, many: bool) -> None:
    """See that an array is what an input takes, each sample of it where it holds many."""
    wanted = spec.shape[1:]
    shape = array.shape[1:] if many else array.shape
    if (many and not array.ndim) or shape != wanted or array.dtype.name != spec.dtype:
        first = ("samples",) if many else ()
        told = ", ".join(str(size) for size in (*first, *wanted))
        raise DataError(
            f"{path}: input {spec.name!r} takes {spec.dtype} of shape ({told}), and the array is "
            f"{array.dtype.name} of shape {array.shape}"
        )
