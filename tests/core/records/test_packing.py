from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgebench.records.packing import pack_seconds, unpack_seconds

SMALL = st.integers(-(10**6), 10**6)
LONG = st.integers(0, 2**51 - 1)
SPREAD = st.sampled_from([0, 1, 253, 254, 255, 256**2 - 2, 256**3 - 2, 256**3 - 1, 256**4 - 2])


def bits(values):
    """Return the bytes of an array, one NaN like the next."""
    return np.where(np.isnan(values), np.nan, values).tobytes()


@given(least=LONG, above=st.lists(SPREAD, min_size=1, max_size=9), missing=st.integers(0, 9))
def test_measured_seconds_are_packed_and_come_back_bit_for_bit(least, above, missing):
    """What is measured is a difference of integers of nanoseconds, divided by 1e9."""
    seconds = (least + np.array(above, dtype=np.int64)) / 1e9
    seconds[missing : missing + 1] = np.nan
    count, kept, data = pack_seconds(seconds)
    assert isinstance(kept, int)
    assert isinstance(data, bytes)
    assert bits(unpack_seconds(count, kept, data)) == bits(seconds)


@given(hnp.arrays(np.int64, st.integers(0, 9), elements=SMALL))
def test_differences_below_zero_are_packed_too(nanoseconds):
    seconds = nanoseconds / 1e9
    count, kept, data = pack_seconds(seconds)
    assert isinstance(data, bytes)
    assert unpack_seconds(count, kept, data).tobytes() == seconds.tobytes()


@given(hnp.arrays(np.float64, st.integers(0, 9), elements=st.floats(allow_infinity=False)))
def test_any_other_seconds_come_back_bit_for_bit(seconds):
    assert bits(unpack_seconds(*pack_seconds(seconds))) == bits(seconds)


@pytest.mark.parametrize(
    ("nanoseconds", "width"),
    [
        ([5], 1),
        ([5, 5 + 254], 1),
        ([5, 5 + 255], 2),
        ([10**9, 10**9 + 256**2 - 2], 2),
        ([10**9, 10**9 + 256**3 - 2], 3),
        ([10**9, 10**9 + 256**3 - 1], 4),
        ([0, 256**4 - 2], 4),
    ],
)
def test_a_number_takes_as_few_bytes_as_its_distance_needs(nanoseconds, width):
    """The largest number of a width stands for what did not happen."""
    count, least, data = pack_seconds(np.array(nanoseconds) / 1e9)
    assert (count, least, len(data)) == (len(nanoseconds), nanoseconds[0], width * count)


@pytest.mark.parametrize(
    "seconds", [[0.1 + 0.2], [0.0, (256**4 - 1) / 1e9], [-0.0], [1e-12], [1e10]]
)
def test_what_does_not_fit_is_text(seconds):
    count, least, data = pack_seconds(np.array([*seconds, np.nan]))
    assert (count, least, json.loads(data)) == (len(seconds) + 1, None, [*seconds, None])


def test_what_never_happened_and_what_is_empty():
    never = np.full(3, np.nan)
    assert pack_seconds(never) == (3, 0, b"\xff\xff\xff")
    np.testing.assert_array_equal(unpack_seconds(3, 0, b"\xff\xff\xff"), never)
    assert pack_seconds(np.zeros(0)) == (0, 0, b"")
    assert unpack_seconds(0, 0, b"").shape == (0,)


def test_an_infinite_second_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        pack_seconds(np.array([0.0, np.inf]))
