"""Datasets that `save_to_disk` of Hugging Face's `datasets` wrote: arrow files and what is in them.

The files are read as the data that they are; `datasets` itself is not needed, and nothing of a
dataset is executed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.columns import (
    FILES,
    Chosen,
    choose_label,
    choose_texts,
    choose_words,
    find_splits,
)
from edgebench_kit.own_data.items import Groups, Item, Source
from edgebench_kit.own_data.options import READING, DataOptions
from edgebench_kit.own_data.split_groups import group_by_columns
from edgebench_kit.own_data.table_items import (
    make_text,
    make_words,
    name_label,
    settle_labels,
    tell_columns,
)
from edgebench_kit.own_data.text_files import read_file

SPLITS, FEATURES, STATE = "dataset_dict.json", "dataset_info.json", "state.json"


def is_saved(path: Path) -> bool:
    """Say whether a directory holds a saved dataset without splits."""
    return (path / FEATURES).is_file() and (path / STATE).is_file()


def has_saved_splits(path: Path) -> bool:
    """Say whether a directory holds a saved dataset with splits, a folder each."""
    return (path / SPLITS).is_file()


def list_saved_splits(path: Path) -> list[Path]:
    """Return the folders of the splits that a saved dataset names.

    Raises:
        DataError: It names none, or one that is not there.
    """
    names = _read_json(path / SPLITS).get("splits")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise DataError(f"{path / SPLITS} names no splits; save the dataset again")
    # A name from a file of somebody else leads nowhere but into this directory.
    if lost := [n for n in names if Path(n).name != n or not is_saved(path / n)]:
        raise DataError(
            f"{path / SPLITS} names the split {lost[0]!r}, which is not saved beside it; save the "
            "dataset again"
        )
    return [path / name for name in names]


def read_saved(path: Path, options: DataOptions) -> Source:
    """Say which columns of a saved dataset are read for pictures or texts, and for labels.

    Raises:
        DataError: It has no such columns, or cannot be read; says which there are.
    """
    if find_spec("pyarrow") is None:
        raise DataError(
            f"{path} was saved by datasets, and reading it needs the package 'pyarrow': "
            "pip install 'edgebench[parquet]'"
        )
    features = _read_json(path / FEATURES).get("features")
    if not isinstance(features, dict) or not all(isinstance(v, dict) for v in features.values()):
        raise DataError(f"{path / FEATURES} names no features; save the dataset again")
    columns = tuple(features)
    kind, chosen = _choose(str(path), columns, features, options)
    names = _list_names(features[columns[chosen.label]])
    splits = [columns[place] for place in find_splits(columns, chosen)]
    read = [*(columns[place] for place in _places(chosen)), *splits]
    return Source(
        kind=kind,
        read=partial(_read_groups, path, kind, read, len(splits), names),
        uses=READING - {"encoding"},
        pairs=len(chosen.inputs) == 2,
        **tell_columns(columns, chosen),
    )


def _places(chosen: Chosen) -> tuple[int, ...]:
    return (*chosen.inputs, chosen.label)


def _choose(
    where: str, columns: Sequence[str], features: Mapping[str, Any], options: DataOptions
) -> tuple[str, Chosen]:
    """Return what the samples are, and in which columns they and their labels stand."""
    labels = [name for name in columns if features[name].get("_type") == "ClassLabel"]
    label = options.label or (labels[0] if len(labels) == 1 else "")
    pictures = [n for n, name in enumerate(columns) if features[name].get("_type") == "Image"]
    if pictures and not options.text:
        place = min(pictures, key=lambda n: (columns[n] not in FILES, n))
        return "pictures", choose_label(where, columns, place, label, header=True, keys=True)
    words = None if options.text else choose_words(columns, options.label)
    if words and all("feature" in features[columns[place]] for place in _places(words)):
        return "tokens", words
    return "texts", choose_texts(where, columns, options.text, label, keys=True)


def _list_names(feature: Mapping[str, Any]) -> Sequence[str] | None:
    """Return the names of the classes of a feature, or of those in its lists; None without."""
    inner = feature.get("feature", feature)
    names = inner.get("names") if isinstance(inner, dict) else None
    return [str(name) for name in names] if isinstance(names, list) else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is no object of JSON; save the dataset again")
    return found


def _list_files(path: Path) -> list[Path]:
    """Return the arrow files of a dataset in their order."""
    state = _read_json(path / STATE)
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise DataError(
            f"{path} was saved with its rows in another order than its files; save it again, "
            "dataset.flatten_indices().save_to_disk(...)"
        )
    listed = state.get("_data_files")
    rows = listed if isinstance(listed, list) else []
    names = [one.get("filename") if isinstance(one, dict) else None for one in rows]
    # A name from a file of somebody else leads nowhere but into this directory.
    files = [path / name for name in names if isinstance(name, str) and Path(name).name == name]
    if not files or len(files) != len(names):
        raise DataError(f"{path / STATE} names no arrow files in {path}; save the dataset again")
    return files


def _read_groups(
    path: Path, kind: str, columns: Sequence[str], splits: int, names: Sequence[str] | None
) -> Groups:
    """Read inputs, labels, and at the end so many columns that may say splits."""
    make = {"pictures": _make_picture, "texts": _make_texts, "tokens": _make_tokens}[kind]
    first = len(columns) - splits
    items: list[Item | Unreadable] = []
    said: dict[str, list[str | None]] = {name: [] for name in columns[first:]}
    for file in _list_files(path):
        *inputs, labels = (found := _read_columns(file, columns))[:first]
        # Pictures stay in the file until one is asked for.
        cells = inputs if kind == "pictures" else [column.to_pylist() for column in inputs]
        for row, label in enumerate(labels.to_pylist()):
            name = f"row {len(items)} of {path.name}"
            items.append(make(name, [column[row] for column in cells], _name(label, names)))
        for name, column in zip(said, found[first:], strict=True):
            said[name] += [name_label(value) or "" for value in column.to_pylist()]
    return settle_labels(path, group_by_columns(items, said))


def _read_columns(file: Path, columns: Sequence[str]) -> list[Any]:
    """Return columns of an arrow file, which stays on the disk."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
        return [table.column(name) for name in columns]
    except (OSError, KeyError, pa.ArrowException) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{file} is no arrow file of the dataset: {said}") from error


def _name(label: Any, names: Sequence[str] | None) -> Any:
    """Return the names of labels; of a number that is no class, as -1, nothing."""
    if isinstance(label, list):
        return [_name(one, names) for one in label]
    if names is None or not isinstance(label, int):
        return label
    return names[label] if 0 <= label < len(names) else None


def _make_texts(name: str, cells: Sequence[Any], label: Any) -> Item | Unreadable:
    return make_text(name, cells, name_label(label))


def _make_tokens(name: str, cells: Sequence[Any], label: Any) -> Item | Unreadable:
    return make_words(name, cells[0], label)


def _make_picture(name: str, cells: Sequence[Any], label: Any) -> Item:
    read: Callable[[], bytes] = partial(_take_bytes, cells[0])
    return Item(name=name, label=name_label(label) or None, payload=read)


def _take_bytes(cell: Any) -> bytes:
    """Return the bytes of a picture, as they are in the file."""
    value = cell.as_py()
    found = value.get("bytes") if isinstance(value, dict) else None
    if not isinstance(found, bytes):
        raise DataError("its picture is in a file elsewhere; save the dataset with its pictures")
    return found
