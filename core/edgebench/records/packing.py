"""Seconds as bytes: whole nanoseconds above the least of them, in as few bytes as they need.

Every duration that is measured is a difference of two integers of nanoseconds, divided by 1e9. A
series of 100 requests takes about three bytes a number so, where its text takes twelve, and comes
back bit for bit. A series that holds any other number, or spreads over more than four seconds, is
kept as text, and comes back bit for bit too.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDEST = 4
"""The most bytes of a number: the view `requests` reads as many."""
Packed = tuple[int, int | None, bytes | str]
"""What `pack_seconds` returns."""
EXACT_S = 2**53 / 1e9
"""Below it every whole nanosecond is an integer that a float64 holds."""


def pack_seconds(values: NDArray[Any]) -> Packed:
    """Return seconds, float64 of shape (n,) with NaN for what did not happen, as they are kept.

    Returns:
        How many they are, the least of them in nanoseconds, and the bytes of how far each lies
        above it, the largest number of that width for NaN. Where they are kept as text: how many
        they are, None, and a JSON array with null for NaN.

    Raises:
        ValueError: One of them is infinite: JSON has no such number.
    """
    import numpy as np

    missing = np.isnan(values)
    whole = _whole_nanoseconds(values[~missing])
    least, most = (
        (int(whole.min()), int(whole.max())) if whole is not None and len(whole) else (0, 0)
    )
    width = ((most - least + 1).bit_length() + 7) // 8
    if whole is None or width > WIDEST:
        return len(values), None, _as_text(values)
    # Big-endian, so that the bytes that a number needs are the last of its four.
    above = np.full(len(values), 256**width - 1, dtype=">u4")
    above[~missing] = whole - least
    return len(values), least, above.view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


def _whole_nanoseconds(seconds: NDArray[Any]) -> NDArray[Any] | None:
    """Return the nanoseconds from which these seconds follow exactly; None where none do."""
    import numpy as np

    if len(seconds) and float(np.abs(seconds).max()) >= EXACT_S:
        return None
    whole = np.rint(seconds * 1e9).astype(np.int64)
    # By their bytes, so that -0.0 is not taken for 0.0.
    return whole if (whole / 1e9).tobytes() == seconds.tobytes() else None


def _as_text(values: NDArray[Any]) -> str:
    plain = [None if math.isnan(one) else one for one in values.tolist()]
    return json.dumps(plain, separators=(",", ":"), allow_nan=False)


def unpack_seconds(count: int, least_ns: int | None, data: bytes | str) -> NDArray[Any]:
    """Return the seconds that `pack_seconds` was given, float64 of shape (count,)."""
    import numpy as np

    if least_ns is None:
        return np.array([math.nan if one is None else one for one in json.loads(data)], dtype=float)
    width = len(data) // count if count else 1
    raw = np.zeros((count, 4), dtype=np.uint8)
    raw[:, 4 - width :] = np.frombuffer(data, dtype=np.uint8).reshape(count, width)  # type: ignore[arg-type]
    above = raw.view(">u4").ravel().astype(np.int64)
    seconds: NDArray[Any] = (least_ns + above) / 1e9
    seconds[above == 256**width - 1] = np.nan
    return seconds
