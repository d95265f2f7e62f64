"""The replication packages of two studies: text files of latencies, and tables of them.

arXiv 2403.17154 and arXiv 2411.00907 measured six models under operators, on three tiers or two of
them, five passes of 100 inputs after one that does not count. Their packages hold a text file for
each configuration, which its name tells, or tables with a row a request.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench import DataError, Importer, Link, hookimpl

if TYPE_CHECKING:
    from edgebench import Imported

HEAD = "Experiment Results"
"""The first line of a text file."""
COLUMNS = ["Inference", "Device", "Model"]
"""The head of a table."""
ENDING = "_results.txt"
PASSES, INPUTS = 5, 100
"""What counts of a configuration: the passes after the first, each of all inputs."""
RATES = re.compile(r"_(\d+(?:\.\d+)?)mbps(?:_(\d+(?:\.\d+)?)mbps)?")
DEFAULT_RATES = (200.0, 1.0)
"""Mbit/s between mobile and edge, and between edge and cloud, where no name says others."""
SOURCE = "arXiv 2403.17154 and 2411.00907"
MODELS = {
    "bert": "bert:base",
    "duc": "duc:resnet101",
    "fcn": "fcn:resnet101",
    "resnet": "resnet:wide101",
    "resnext": "resnext:101",
    "roberta": "roberta:base",
}
TEXT = ("bert", "roberta")
"""Those that the second study pruned in other blocks."""
WORDS = {
    "distilled": "distill",
    "pruned": "prune",
    "earlyexit": "early-exit",
    "qat": "qat",
    "quantize": "sptq",
    "quantized": "sptq",
    "sptq": "sptq",
    "identity": "",
    "int8": "",
}
"""What each word of a name stands for, in the order in which operators are applied; `int8` always
stands beside another word."""
ORDER = list(dict.fromkeys(WORDS.values()))
DEVICES = {"cloud": "cuda"}
"""What a tier's pieces ran on; the others have processors alone."""


@attrs.frozen
class _Configuration:
    """What a name stands for."""

    model: str
    chain: str
    tiers: tuple[str, ...]
    rates: tuple[float, float]
    """Mbit/s between mobile and edge, and between edge and cloud."""


# --- what is there -------------------------------------------------------------------------------


def claims(path: Path) -> bool:
    """Say whether a file, or any file below a directory, is of the published layout."""
    return next(_find_files(path), None) is not None


def _find_files(path: Path) -> Iterator[Path]:
    """Yield the files of the layout, in the order of their names."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        named = file.name.endswith(ENDING) or file.suffix.lower() == ".csv"
        if named and file.is_file() and (file.name.endswith(ENDING) or _has_columns(file)):
            yield file


def _has_columns(file: Path) -> bool:
    with file.open("rb") as opened:
        first = opened.readline(200).decode("utf-8-sig", errors="replace")
    return next(csv.reader([first]), []) == COLUMNS


def read(path: Path) -> Iterator[Imported]:
    """Yield what each configuration gave that a file or directory holds.

    Raises:
        DataError: A file is not of the layout, with its line.
    """
    for file in _find_files(path):
        yield from _read_text(file) if file.name.endswith(ENDING) else _read_table(file)


# --- text files ----------------------------------------------------------------------------------


def _read_text(file: Path) -> Iterator[Imported]:
    first, *lines = _read_words(file).splitlines() or [""]
    if first.strip() != HEAD:
        raise DataError(f"{file}, line 1: {HEAD!r} is expected, not {first.strip()!r}")
    values = [
        _read_number(text, f"{file}, line {number}")
        for number, text in enumerate(lines, start=2)
        if text.strip()
    ]
    yield _make(_read_file_name(file), values, str(file))


def _read_words(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}, line {line}: not UTF-8 text") from error


def _read_number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise DataError(f"{where}: a latency in seconds is expected, not {text.strip()!r}")
    return value


def _read_file_name(file: Path) -> _Configuration:
    """Read `<tiers>_<model>[_<operators>][_<ME>mbps[_<EC>mbps]]_results.txt`."""
    stem, rates = _take_rates(file, file.name.removesuffix(ENDING))
    words = stem.lower().split("_")
    count = next((n for n, word in enumerate(words) if word not in _TIERS), len(words))
    tiers, model, rest = words[:count], words[count : count + 1], words[count + 1 :]
    where = f"{file}: the name"
    if tuple(tiers) not in _PLACED:
        raise DataError(
            f"{where} begins with no tiers of {', '.join('_'.join(p) for p in _PLACED)}"
        )
    return _name(model[0] if model else "", rest, tiers, rates, where)


def _take_rates(file: Path, name: str) -> tuple[str, tuple[float, float]]:
    """Return the name of a file without the rates in it, and these, in Mbit/s."""
    found = RATES.search(name)
    if not found:
        return name, DEFAULT_RATES
    near, far = (
        float(text) if text else default
        for text, default in zip(found.groups(), DEFAULT_RATES, strict=True)
    )
    if not near or not far:
        raise DataError(f"{file}: the name says a rate of 0 Mbit/s, over which nothing passes")
    return name[: found.start()] + name[found.end() :], (near, far)


_TIERS = ("mobile", "edge", "cloud")
_PLACED = (*((tier,) for tier in _TIERS), ("mobile", "edge"), ("edge", "cloud"),
           ("mobile", "cloud"))  # fmt: skip


# --- tables --------------------------------------------------------------------------------------


def _read_table(file: Path) -> Iterator[Imported]:
    _, rates = _take_rates(file, file.stem)
    found: dict[tuple[str, str], list[float]] = {}
    for where, row in _list_rows(file):
        if len(row) != len(COLUMNS):
            raise DataError(f"{where}: {len(COLUMNS)} columns are expected, not {len(row)}")
        key = row[1], row[2]
        if key not in found:
            _read_cells(*key, rates, where)
            found[key] = []
        found[key].append(_read_number(row[0], where))
    for (device, model), values in found.items():
        named = f"{file}, {device}, {model}"
        yield _make(_read_cells(device, model, rates, named), values, named)


def _list_rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a table below its head, each with where it begins."""
    rows = csv.reader(io.StringIO(_read_words(file), newline=""))
    begin = 1
    try:
        for number, row in enumerate(rows):
            if number and row:
                yield f"{file}, line {begin}", row
            begin = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f"{file}, line {begin}: {error}") from error


def _read_cells(device: str, model: str, rates: tuple[float, float], where: str) -> _Configuration:
    """Read the tiers and the model with its operators, as a row has them."""
    tiers = device.strip().lower().split("-")
    if tuple(tiers) not in _PLACED:
        known = ", ".join("-".join(tiers).title() for tiers in _PLACED)
        raise DataError(f"{where}: a device of {known} is expected, not {device!r}")
    name, *words = model.lower().split() or [""]
    return _name(name, words, tiers, rates, where)


# --- both ----------------------------------------------------------------------------------------


def _name(
    model: str,
    words: Sequence[str],
    tiers: Sequence[str],
    rates: tuple[float, float],
    where: str,
) -> _Configuration:
    """Return the configuration that words stand for; on two tiers the model is partitioned."""
    if model not in MODELS:
        raise DataError(f"{where}: a model of {', '.join(MODELS)} is expected, not {model!r}")
    if strange := [word for word in words if word not in (*WORDS, "partition", "partitioned")]:
        known = ", ".join(word for word in WORDS if WORDS[word])
        raise DataError(f"{where}: an operator of {known} is expected, not {strange[0]!r}")
    operators = sorted({WORDS[word] for word in words if WORDS.get(word)}, key=ORDER.index)
    chain = [_write_operator(one, model) for one in operators]
    chain += ["partition"] if len(tiers) > 1 else []
    return _Configuration(MODELS[model], "+".join(chain) or "identity", tuple(tiers), rates)


def _write_operator(operator: str, model: str) -> str:
    """Return an operator with the options that make it the study's: masks of blocks for pruning."""
    if operator != "prune":
        return operator
    return "prune(block=4x1,kind=block)" if model in TEXT else "prune(kind=block)"


def _make(named: _Configuration, values: Sequence[float], origin: str) -> Imported:
    import numpy as np

    from edgebench import Imported

    if not values:
        raise DataError(f"{origin}: it holds no latency")
    kept, inputs, measured = _choose(len(values))
    near, far = (rate * 1e6 for rate in named.rates)
    return Imported(
        model=named.model,
        chain=named.chain,
        placement="-".join(named.tiers),
        backend="onnxruntime",
        links=(
            Link(between=("mobile", "edge"), rate=near, source=SOURCE),
            Link(between=("edge", "cloud"), rate=far, source=SOURCE),
        ),
        fabric="containers",
        latency_s=np.array(values[-kept:]),
        inputs=np.tile(np.arange(inputs), kept // inputs) if inputs else None,
        device=",".join(DEVICES.get(tier, "cpu") for tier in named.tiers),
        measured=measured,
        no_accuracy="the files that were imported hold latencies alone",
        doubts=(
            "a session was opened for every request: loading the model is most of its latency",
        ),
        origin=origin,
    )


def _choose(count: int) -> tuple[int, int, str]:
    """Return how many of so many values count, of how many inputs, and how that is measured.

    The number of inputs is 0 where the file does not tell.
    """
    for inputs in (INPUTS, 1):
        if count == (PASSES + 1) * inputs:
            each = f" of {inputs} input{'s' * (inputs > 1)}"
            return PASSES * inputs, inputs, f"one block of {PASSES} passes{each}"
    many = f"one block of {count} request{'s' * (count > 1)}"
    return count, 0, f"{many}, none left out as there are not {PASSES + 1} passes"


@hookimpl
def edgebench_importers() -> Iterator[Importer]:
    """Offer the importer of the studies' packages."""
    yield Importer(
        name="study-packages",
        summary=f"A folder of `*{ENDING}` files or a table `{','.join(COLUMNS)}`, as the studies "
        "publish them.",
        claims=claims,
        read=read,
    )
