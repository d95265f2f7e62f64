"""Payloads in numpy's `.npz` form, which models decode by default."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays by name in numpy's `.npz` form; the same arrays are the same bytes.

    One sample of each input, without the batch, is a payload as a model decodes it by default.
    """
    import zipfile

    import numpy as np

    buffer = io.BytesIO()
    # `np.savez` takes names as keywords, would lose an input called `file`, and notes the time.
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()
