"""Pairs of sentences from the news: do they say the same? From the directory their owner ships.

The Microsoft Research Paraphrase Corpus (Dolan and Brockett, 2005), in the form of the GLUE
benchmark (Wang et al., 2019) or in its first. An answer is 1 for a paraphrase, 0 for none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from edgebench import DataError, Dataset, Metric, Sample, Unreadable, hookimpl
from edgebench.metrics.classification import accuracy, f1
from edgebench_kit.text.sentences import pack_sentences

FORMS = (("train.tsv", "dev.tsv"), ("msr_paraphrase_train.txt", "msr_paraphrase_test.txt"))
"""The files of both forms: what is trained on, and what is tested on. The test file of GLUE has no
answers, so its development file takes the part."""
COLUMNS = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
LAYOUT = " or ".join(" and ".join(form) for form in FORMS)
CALIBRATION, VALIDATION = 128, 400
"""Pairs that are taken from those to train on, or a tenth of them each where they are few."""
CARVED = ("calibration", "validation", "training")
MARK = b"\xef\xbb\xbf"
"""What some editors put before UTF-8."""


@hookimpl
def edgebench_datasets() -> Iterable[Dataset]:
    """Offer the pairs, where the user has them."""
    yield DATASET


def from_directory(directory: Path) -> Dataset:
    """Look for the files of either form, and return the dataset that reads them.

    Raises:
        DataError: They are not there, or do not begin with the columns of the corpus.
    """
    for form in FORMS:
        train, test = (directory / name for name in form)
        if train.is_file() and test.is_file():
            for path in (train, test):
                _check(path)
            return attrs.evolve(DATASET, samples=partial(samples, train, test))
    raise DataError(f"mrpc: looked for {LAYOUT} in {directory}, {_found(directory)}")


def samples(train: Path, test: Path, split: str, seed: int) -> Iterator[Sample | Unreadable]:
    """Yield the pairs of *split* in the order of their file; the seed changes nothing.

    A pair to train on goes to its split by its digest, and is left out where it stands twice or is
    also tested on. Lines that cannot be read come with the split that most of their file goes to.
    """
    rows = list(_rows(test if split == "test" else train))
    if split in ("test", "training"):
        yield from (row for row in rows if isinstance(row, Unreadable))
    pairs: dict[bytes, Sample] = {}
    for row in rows:
        if not isinstance(row, Unreadable):
            pairs.setdefault(row[0], row)
    if split == "test":
        yield from pairs.values()
    elif split in CARVED:
        tested = {row[0] for row in _rows(test) if not isinstance(row, Unreadable)}
        names = _carved(payload for payload in pairs if payload not in tested)
        yield from (row for payload, row in pairs.items() if names.get(payload) == split)


def metrics() -> Sequence[Metric]:
    """Give F1 of paraphrases, as GLUE does, and accuracy."""
    return f1(), accuracy()


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError as error:
        raise DataError(f"mrpc: {path} cannot be read: {error.strerror or error}") from error
    first = line.removeprefix(MARK).decode(errors="replace").rstrip("\r\n")
    if tuple(first.split("\t")) != COLUMNS:
        raise DataError(
            f"mrpc: {path} must begin with the columns {', '.join(COLUMNS)}, separated by tabs, "
            f"and begins with {first[:60]!r}"
        )


def _found(directory: Path) -> str:
    if not directory.is_dir():
        return "which is no directory"
    names = sorted(path.name for path in directory.iterdir())
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"which holds {', '.join(names[:5])}{more}" if names else "which is empty"


def _rows(path: Path) -> Iterator[Sample | Unreadable]:
    """Yield what stands on the lines below the first."""
    # Quotes are plain characters here, and only a line feed ends a line.
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if number > 1 and line.strip():
            yield _row(line, f"line {number} of {path.name}")


def _row(line: bytes, name: str) -> Sample | Unreadable:
    try:
        fields = line.decode().rstrip("\r").split("\t")
    except UnicodeDecodeError as error:
        return Unreadable(name=name, reason=f"it is not UTF-8: {error}")
    if len(fields) != len(COLUMNS):
        return Unreadable(name=name, reason=f"it has {len(fields)} columns, not {len(COLUMNS)}")
    answer, _, _, first, second = (field.strip() for field in fields)
    if answer not in ("0", "1"):
        return Unreadable(name=name, reason=f"its Quality is {answer[:20]!r}, neither 0 nor 1")
    if not (first and second):
        return Unreadable(name=name, reason="it lacks a sentence")
    return pack_sentences(first, second), int(answer)


def _carved(payloads: Iterable[bytes]) -> dict[bytes, str]:
    """Return the split of each payload, which its digest decides."""
    order = sorted(payloads, key=lambda payload: hashlib.sha256(payload).digest())
    tenth = len(order) // 10
    first = min(CALIBRATION, tenth)
    second = first + min(VALIDATION, tenth)
    bounds = zip(CARVED, (0, first, second), (first, second, len(order)), strict=True)
    return {payload: name for name, low, high in bounds for payload in order[low:high]}


DATASET = Dataset(
    name="mrpc",
    summary="Pairs of English sentences from the news: do they say the same?",
    from_directory=from_directory,
    layout=LAYOUT,
    metrics=metrics,
)
