"""The weights of a checkpoint: in which files they lie, how large they are, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError
from edgebench_kit.files.documents import read_table
from edgebench_kit.torch.weight_files import NAMES, read_weights

if TYPE_CHECKING:
    import torch

INDEX = ".index.json"


def find_weights(directory: Path) -> tuple[Path, ...]:
    """Return the files of the weights in a directory, in the order of their names.

    Those that transformers writes are looked for: one of `NAMES`, or its index and what that names.

    Raises:
        DataError: There are none, or an index names what is not there.
    """
    for name in NAMES:
        if (directory / name).is_file():
            return (directory / name,)
        if (index := directory / f"{name}{INDEX}").is_file():
            return _read_index(index)
    raise DataError(
        f"{directory} has no weights: neither {' nor '.join(NAMES)}, nor an index of several; "
        "weights of another framework are not read"
    )


def _read_index(path: Path) -> tuple[Path, ...]:
    """Return the files that an index names, which lie beside it."""
    named = read_table(path).get("weight_map")
    files = set(named.values()) if isinstance(named, dict) else set()
    if not files or not all(isinstance(name, str) for name in files):
        raise DataError(f"{path} is no index of weights: it maps no tensors to files")
    for name in sorted(files):
        if Path(name).name != name or not (path.parent / name).is_file():
            raise DataError(f"{path} names {name!r}, which is no file beside it")
    return tuple(path.parent / name for name in sorted(files))


def read_shapes(files: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of `.safetensors` files by name; no tensor is read.

    Raises:
        DataError: A file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        try:
            with safe_open(path, framework="np") as opened:
                for name in opened.keys():  # noqa: SIM118  # it is no mapping
                    shapes[name] = tuple(opened.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise DataError(
                f"{path}, {path.stat().st_size} bytes, is truncated or no weight file; fetch it "
                f"again ({error})"
            ) from error
    return shapes


def has_header(files: tuple[Path, ...]) -> bool:
    """Say whether the shapes in files can be had without reading them."""
    return all(path.suffix == ".safetensors" for path in files)


def read_tensors(files: tuple[Path, ...], title: str) -> dict[str, torch.Tensor]:
    """Read all tensors by name; nothing else is read, and no code is run.

    Raises:
        DataError: A file is damaged, or holds more than tensors.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in files:
        tensors.update(read_weights(path, title=title))
    return tensors


def count_values(shapes: Mapping[str, Any]) -> int:
    """Return how many numbers tensors of such shapes hold together."""
    return sum(prod(shape) for shape in shapes.values())
