"""Files of arrays, `.npz` and `.npy`: their names, their heads, and what they hold."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import DataError, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_names(path: Path, specs: Sequence[TensorSpec]) -> set[str]:
    """Return the names of a file's arrays; that of a `.npy` file is the only input's."""
    if path.suffix.lower() == ".npz":
        with _open_archive(path) as archive:
            return set(archive.files)
    if len(specs) > 1:
        raise DataError(
            f"{path} holds one array and there are {len(specs)} inputs; give a .npz file with "
            f"arrays called {', '.join(spec.name for spec in specs)}"
        )
    return {specs[0].name}


def load_arrays(path: Path, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name, that of a `.npy` file by the only input's."""
    if path.suffix.lower() == ".npz":
        with _open_archive(path) as archive:
            return {name: archive[name] for name in archive.files}
    return dict.fromkeys(read_names(path, specs), read_array(path))


def read_heads(path: Path, specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Return arrays as a file's arrays are, whose values are not read and take no memory."""
    if path.suffix.lower() == ".npz":
        with _open_archive(path) as archive:
            return {name: _stand_in(archive.zip, name) for name in archive.files}
    return dict.fromkeys(read_names(path, specs), read_head(path))


def _stand_in(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    # numpy leaves the ending of a member's name out.
    inside = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
    with archive.open(inside) as file:
        return _read_head_of(file)


def read_head(path: Path) -> NDArray[Any]:
    """Return an array as a `.npy` file's is, whose values are not read and take no memory.

    Raises:
        DataError: It is no such file.
    """
    with _explain(path), path.open("rb") as file:
        return _read_head_of(file)


def _read_head_of(file: Any) -> NDArray[Any]:
    """Return an array of the type and shape that the head of a `.npy` file says."""
    import numpy as np

    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds objects, and only numbers are read")
    return np.broadcast_to(np.zeros((), dtype), shape)


def read_array(path: Path) -> NDArray[Any]:
    """Return the array of a `.npy` file.

    Raises:
        DataError: It is no such file.
    """
    import numpy as np

    with _explain(path), path.open("rb") as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


@contextmanager
def _open_archive(path: Path) -> Iterator[Any]:
    import numpy as np

    with _explain(path), path.open("rb") as file, np.lib.npyio.NpzFile(file) as archive:
        yield archive


@contextmanager
def _explain(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong while a file is read which file it is."""
    try:
        yield
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{path} is no {path.suffix} file of numbers: {said[0]}") from error
