"""What each split of a dataset holds: made once, kept in the artifact store, proved disjoint.

Payloads and answers of a split lie one after another in one file each, with the bounds beside, so
that a process that sends requests reads single samples without loading the dataset's plugin.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.parts.datasets import SPLITS, Dataset, Sample, Unreadable
from edgebench.parts.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUMMARY = "splits.json"
MOST_UNREADABLE = 0.01
"""The share of a dataset's inputs at which what cannot be read is no longer an accident."""
NAMED = 5
"""Of what could not be read, so many are named."""


@attrs.frozen(eq=False)
class _Packed:
    """Byte strings one after another in a file."""

    path: Path
    bounds: NDArray[np.int64]

    def __getitem__(self, index: int) -> bytes:
        low, high = int(self.bounds[index]), int(self.bounds[index + 1])
        with self.path.open("rb") as file:
            file.seek(low)
            return file.read(high - low)


@attrs.frozen(eq=False)
class Payloads:
    """The samples of one kept split."""

    _payloads: _Packed
    _answers: _Packed

    def __len__(self) -> int:
        return len(self._payloads.bounds) - 1

    @property
    def mean_bytes(self) -> float:
        """The bytes of a payload, on average."""
        return float(self._payloads.bounds[-1]) / max(1, len(self))

    def __getitem__(self, index: int) -> bytes:
        """Return the payload of a sample, in its wire form."""
        return self._payloads[index]

    def answer(self, index: int) -> Any:
        """Return the answer of a sample: a number, a text, or an array."""
        import numpy as np

        value = np.load(io.BytesIO(self._answers[index]), allow_pickle=False)
        return value if value.ndim else value.item()

    def __iter__(self) -> Iterator[Sample]:
        for index in range(len(self)):
            yield self[index], self.answer(index)


@attrs.frozen(eq=False)
class Drawn:
    """Some of the samples of a split, drawn at random, and always the same."""

    _whole: Payloads
    _places: Sequence[int]

    @classmethod
    def of(cls, whole: Payloads, count: int) -> Drawn:
        """Draw so many samples; splits may be sorted by class, so the first will not do."""
        # Reproducible is what it must be, and the same for all that are compared; not secret.
        places = random.Random(count).sample(range(len(whole)), count)  # noqa: S311
        return cls(whole, sorted(places))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> bytes:
        """Return the payload of a sample, in its wire form."""
        return self._whole[self._places[index]]

    def answer(self, index: int) -> Any:
        """Return the answer of a sample: a number, a text, or an array."""
        return self._whole.answer(self._places[index])


def open_split(place: Path) -> Payloads:
    """Open one split of a dataset, from its directory among those that `keep_splits` made.

    Raises:
        DataError: The dataset has no such split.
    """
    import numpy as np

    if not place.is_dir():
        raise DataError(f"the dataset kept in {place.parent} has no {place.name} split")
    return Payloads(
        *(
            _Packed(place / f"{part}.bin", np.load(place / f"{part}.npy"))
            for part in ("payloads", "answers")
        )
    )


def keep_splits(
    dataset: Dataset, seed: int, directory: Path, progress: Callable[[int, int, str], None]
) -> None:
    """Write every split of a dataset into an empty directory.

    Raises:
        DataError: A payload stands in two splits, the test split is empty, or a sample is not what
            a dataset may yield.
    """
    seen: dict[bytes, str] = {}
    summary: dict[str, Any] = {}
    unreadable: list[Unreadable] = []
    for number, split in enumerate(SPLITS):
        progress(number, len(SPLITS), f"{dataset.name}: keeping its splits")
        digests = list(_write(dataset, split, seed, directory / split, unreadable))
        for index, digest in enumerate(digests):
            if seen.setdefault(digest, split) != split:
                raise DataError(
                    f"dataset {dataset.name}: sample {index} of the {split} split also stands in "
                    f"the {seen[digest]} split; splits must share no payload"
                )
        whole = hashlib.sha256(b"".join(digests)).hexdigest()
        summary[split] = {"samples": len(digests), "sha256": whole}
    readable = sum(split["samples"] for split in summary.values())
    _tolerate(dataset.name, unreadable, readable)
    if not summary["test"]["samples"]:
        raise DataError(f"dataset {dataset.name}: its test split is empty")
    summary["unreadable"] = [[one.name, one.reason] for one in unreadable]
    (directory / SUMMARY).write_text(json.dumps(summary, indent=1))


def _tolerate(name: str, unreadable: Sequence[Unreadable], readable: int) -> None:
    """Refuse a dataset of which too much cannot be read."""
    if unreadable and len(unreadable) >= MOST_UNREADABLE * (len(unreadable) + readable):
        first = unreadable[0]
        raise DataError(
            f"dataset {name}: {len(unreadable)} of {len(unreadable) + readable} inputs cannot be "
            f"read, as {first.name} ({first.reason}); mend or remove them, less than "
            f"{MOST_UNREADABLE:.0%} is tolerated"
        )


def describe_unreadable(directory: Path) -> str:
    """Say in one sentence which inputs of a kept dataset could not be read; empty if all could."""
    found = json.loads((directory / SUMMARY).read_text())
    if not (missing := found["unreadable"]):
        return ""
    named = ", ".join(f"{name} ({reason})" for name, reason in missing[:NAMED])
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    whole = len(missing) + sum(found[split]["samples"] for split in SPLITS)
    return f"{len(missing)} of {whole} inputs could not be read: {named}{more}"


def _write(
    dataset: Dataset, split: str, seed: int, place: Path, unreadable: list[Unreadable]
) -> Iterator[bytes]:
    """Write one split, and yield the SHA-256 of each payload; note what cannot be read."""
    import numpy as np

    place.mkdir()
    bounds: dict[str, list[int]] = {"payloads": [0], "answers": [0]}
    with (
        (place / "payloads.bin").open("wb") as payloads,
        (place / "answers.bin").open("wb") as answers,
    ):
        for index, (payload, answer) in enumerate(_read_samples(dataset, split, seed, unreadable)):
            if not isinstance(payload, bytes):
                raise DataError(
                    f"dataset {dataset.name}: payload {index} of the {split} split is "
                    f"{type(payload).__name__}, not bytes"
                )
            payloads.write(payload)
            try:
                answers.write(_encode(answer))
            except ValueError as error:
                raise DataError(
                    f"dataset {dataset.name}: answer {index} of the {split} split must be a "
                    f"number, a text or an array, not {type(answer).__name__}"
                ) from error
            bounds["payloads"].append(payloads.tell())
            bounds["answers"].append(answers.tell())
            yield hashlib.sha256(payload).digest()
    for part, values in bounds.items():
        np.save(place / f"{part}.npy", np.asarray(values, dtype=np.int64))


def _read_samples(
    dataset: Dataset, split: str, seed: int, unreadable: list[Unreadable]
) -> Iterator[Sample]:
    for sample in dataset.samples(split, seed) if dataset.samples else ():
        if isinstance(sample, Unreadable):
            unreadable.append(sample)
        else:
            yield sample


def _encode(answer: Any) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(answer), allow_pickle=False)
    return buffer.getvalue()
