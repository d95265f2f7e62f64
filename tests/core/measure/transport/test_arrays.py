import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edgebench.measure.transport.arrays import as_array, check_tensor, make_sendable
from edgebench.measure.transport.wire import Kind, Message, Shaped, WireError, unpack
from edgebench.parts.pipeline import ITEM_BYTES

from ..conftest import frames_of

TYPES = st.sampled_from(list(ITEM_BYTES)).map(np.dtype)
ARRAYS = npst.arrays(TYPES, npst.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=4))


@given(st.dictionaries(st.text(min_size=1, max_size=5), ARRAYS, max_size=4))
def test_every_array_arrives_as_it_was_sent(tensors):
    message = Message(
        kind=Kind.TENSORS,
        tensors=[Shaped(n, a.dtype.name, a.shape) for n, a in tensors.items()],
        body=list(tensors.values()),
    )
    got = unpack(frames_of(message))
    arrived = {
        shaped.name: as_array(shaped, view)
        for shaped, view in zip(got.tensors, got.body, strict=True)
    }
    assert list(arrived) == list(tensors)
    for name, sent in tensors.items():
        assert arrived[name].dtype == sent.dtype
        np.testing.assert_array_equal(arrived[name], sent)


@given(st.integers(0, 15))
def test_bytes_at_any_address_become_an_aligned_array(offset):
    memory = memoryview(bytearray(64 + 16))[offset : offset + 64]
    got = as_array(Shaped("x", "float64", (2, 4)), memory)
    assert got.flags.aligned
    assert got.shape == (2, 4)


def test_aligned_bytes_are_not_copied():
    memory = np.zeros(4, np.float32)
    got = as_array(Shaped("x", "float32", (2, 2)), memoryview(memory).cast("B"))
    memory[3] = 7
    assert got[1, 1] == 7


@pytest.mark.parametrize(
    ("shape", "samples", "fits"),
    [
        ((3, 4), 3, True),
        ((1, 4), 1, True),
        ((0, 4), 0, True),
        ((3, 5), 3, False),
        ((3, 4, 1), 3, False),
        ((), 1, False),
        ((3, 4), 2, False),
    ],
)
def test_a_shape_fits_where_its_numbers_do_and_its_first_is_that_of_samples(
    spec, shape, samples, fits
):
    shaped = Shaped("h", "float32", shape)
    if fits:
        check_tensor(spec("h", 4), shaped, samples)
    else:
        with pytest.raises(WireError, match="'h'"):
            check_tensor(spec("h", 4), shaped, samples)


@pytest.mark.parametrize("dtype", sorted(set(ITEM_BYTES) - {"float32"}))
def test_no_other_type_fits(spec, dtype):
    with pytest.raises(WireError, match=f"is {dtype} of shape"):
        check_tensor(spec("h", 4), Shaped("h", dtype, (1, 4)), 1)


def test_what_lies_scattered_is_gathered_before_it_is_sent(spec):
    scattered = np.arange(16, dtype=np.float32).reshape(4, 4).T
    got = make_sendable(spec("h", 4), scattered)
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, scattered)


def test_what_lies_in_order_is_sent_as_it_is(spec):
    values = np.ones((2, 4), np.float32)
    assert make_sendable(spec("h", 4), values) is values


def test_a_single_number_keeps_its_shape(spec):
    assert make_sendable(spec("size"), np.full((), 3, np.float32)).shape == ()
