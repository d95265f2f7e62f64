import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.measure.transport.wire import (
    HEADER,
    MAGIC,
    MAX_FRAME,
    MAX_FRAMES,
    MAX_MARKS,
    PHASES,
    SENT_AT,
    Kind,
    Mark,
    Message,
    Shaped,
    WireError,
    pack,
    stamp,
    unpack,
)
from edgebench.parts.pipeline import ITEM_BYTES

from ..conftest import frames_of

NANOSECONDS = st.integers(-(2**62), 2**62)
marks = st.lists(
    st.builds(Mark, st.integers(0, len(PHASES) - 1), st.integers(0, 2**16 - 1), NANOSECONDS),
    max_size=8,
)
numbers = {"request": st.integers(0, 2**64 - 1), "samples": st.integers(0, 2**32 - 1)}
shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
tensors = st.lists(
    st.builds(Shaped, st.text(min_size=1, max_size=8), st.sampled_from(list(ITEM_BYTES)), shapes),
    max_size=3,
)


def carrying(shaped):
    return st.builds(
        Message,
        kind=st.just(Kind.TENSORS),
        marks=marks,
        raw=st.booleans(),
        tensors=st.just(shaped),
        body=st.just([bytes(tensor.size) for tensor in shaped]),
        **numbers,
    )


others = st.builds(
    Message,
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.TENSORS]),
    marks=marks,
    raw=st.booleans(),
    wanted=st.integers(0, MAX_FRAME),
    body=st.lists(st.binary(max_size=32), max_size=4),
    **numbers,
)
messages = others | tensors.flatmap(carrying)


def plain(**changes):
    return Message(**{"kind": Kind.REQUEST, "samples": 1, "body": [b"payload"], **changes})


def shaped(*shape, name="x", dtype="float32", body=None):
    tensor = Shaped(name, dtype, shape)
    return Message(
        kind=Kind.TENSORS, samples=1, tensors=[tensor], body=[body or bytes(tensor.size)]
    )


def with_header(frames, at, code, value):
    header = bytearray(frames[0])
    struct.pack_into(code, header, at, value)
    return [bytes(header), *frames[1:]]


@given(messages, st.integers(0, 2**63 - 1))
def test_what_is_packed_is_unpacked(message, sent):
    got = unpack(frames_of(message, sent))
    assert got.sent == sent
    for field in ("kind", "request", "raw", "samples", "wanted", "size"):
        assert getattr(got, field) == getattr(message, field), field
    assert list(got.marks) == list(message.marks)
    assert list(got.tensors) == list(message.tensors)
    assert [bytes(view) for view in got.body] == list(message.body)


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_arbitrary_bytes_are_refused_and_nothing_worse(frames):
    with pytest.raises(WireError):
        unpack(frames)


@given(st.lists(st.binary(max_size=60), max_size=4), st.binary(min_size=0, max_size=120))
def test_bytes_behind_a_good_magic_are_refused_or_read(body, rest):
    with suppress(WireError):
        unpack([MAGIC + b"\x01" + rest, *body])


@given(messages, st.data())
def test_a_damaged_message_is_refused_or_read(message, data):
    frames = [bytearray(frame) for frame in frames_of(message)]
    frame = data.draw(st.sampled_from([frame for frame in frames if frame]))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(WireError):
        unpack(frames)


@given(messages, st.data())
def test_a_truncated_message_is_refused(message, data):
    frames = frames_of(message)
    which = data.draw(st.sampled_from([at for at, frame in enumerate(frames) if frame]))
    frames[which] = frames[which][: data.draw(st.integers(0, len(frames[which]) - 1))]
    with pytest.raises(WireError):
        unpack(frames)


@given(messages)
def test_a_frame_too_few_or_too_many_is_refused(message):
    frames = frames_of(message)
    with pytest.raises(WireError):
        unpack([*frames, b""])
    if len(frames) > 1:
        with pytest.raises(WireError):
            unpack(frames[:-1])


def test_the_refusals_say_what_is_wrong():
    frames = frames_of(plain())
    for changed, said in [
        ([], "without a header"),
        ([b"short"], "without a header"),
        (with_header(frames, 0, "<4s", b"HTTP"), "begins with b'HTTP', not b'EDGB'"),
        (with_header(frames, 4, "<B", 9), "of version 9; this is 1"),
        (with_header(frames, 5, "<B", 77), "of the unknown kind 77"),
        ([frames[0], b"payload longer than announced"], "29 bytes in place of the 7 announced"),
        ([frames[0], b"pay"], "a body of 3 bytes in place of the 7 announced"),
        ([frames[0]], "0 frames in place of the 1 announced"),
        ([frames[0] + b"?", frames[1]], "for 0 marks"),
    ]:
        with pytest.raises(WireError, match=said):
            unpack(changed)


def test_a_probe_may_not_ask_for_more_than_a_frame_may_hold():
    frames = frames_of(plain(kind=Kind.PROBE))
    with pytest.raises(WireError, match=f"wants {2**40} bytes"):
        unpack(with_header(frames, HEADER.size - 8, "<Q", 2**40))


def test_tensors_must_be_as_large_as_their_shapes_say():
    with pytest.raises(WireError, match=r"'x' of shape \(2, 3\) .* takes 24 bytes, not 23"):
        unpack(frames_of(shaped(2, 3, body=bytes(23))))


def test_a_huge_shape_is_refused_by_arithmetic_alone():
    with pytest.raises(WireError, match="takes"):
        unpack(frames_of(shaped(2**62, 2**62, 2**62, body=b"x")))


@pytest.mark.parametrize(
    ("at", "value", "said"), [(0, 200, "unknown type, 200"), (1, 99, "99 dimensions")]
)
def test_a_tensor_must_be_one_that_we_know(at, value, said):
    frames = frames_of(shaped(1, 2))
    described = bytearray(frames[1])
    described[at] = value
    with pytest.raises(WireError, match=said):
        unpack([frames[0], bytes(described), frames[2]])


def test_a_name_must_be_text():
    frames = frames_of(shaped(1))
    with pytest.raises(WireError, match="truncated or garbled"):
        unpack([frames[0], frames[1].replace(b"x", b"\xff"), frames[2]])


def test_an_unknown_phase_is_refused():
    with pytest.raises(WireError, match="unknown phase"):
        unpack(frames_of(plain(marks=[Mark(200, 0, 1)])))


def test_the_last_mark_lasts_until_the_message_is_sent():
    frames = pack(plain(marks=[Mark(0, 0, 5), Mark(6, 2, 0)]))
    stamp(frames, 1000, since=400)
    got = unpack(frames)
    assert got.sent == 1000
    assert list(got.marks) == [Mark(0, 0, 5), Mark(6, 2, 600)]


def test_marks_are_numbered_where_a_request_has_several():
    assert Mark(PHASES.index("inference"), 3, 1).name == "inference-3"
    assert Mark(PHASES.index("decode"), 0, 1).name == "decode"


def test_arrays_travel_without_a_copy():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    frames = pack(
        Message(kind=Kind.TENSORS, tensors=[Shaped("x", "float32", (3, 4))], body=[values])
    )
    assert frames[2] is values
    assert unpack(frames).size == values.nbytes


def test_the_item_sizes_are_those_of_the_types():
    assert {name: np.dtype(name).itemsize for name in ITEM_BYTES} == dict(ITEM_BYTES)


@given(st.integers(-(2**63), -1))
def test_no_message_was_sent_before_the_clock_began(sent):
    with pytest.raises(WireError, match="before the clock began"):
        unpack(frames_of(plain(), sent))


def test_what_nobody_would_take_is_not_packed():
    full = plain(marks=[Mark(0, 0, 1)] * MAX_MARKS)
    assert len(unpack(frames_of(full)).marks) == MAX_MARKS
    with pytest.raises(WireError, match=f"{MAX_MARKS + 1} marks"):
        pack(full.with_mark(Mark(0, 0, 1)))


def test_a_message_has_one_more_mark_when_it_is_passed_on():
    message = plain(marks=[Mark(0, 0, 1)])
    passed = message.with_mark(Mark(1, 0, 2))
    assert list(passed.marks) == [Mark(0, 0, 1), Mark(1, 0, 2)]
    assert list(message.marks) == [Mark(0, 0, 1)]
    assert passed.body is message.body


def test_when_it_was_sent_lies_where_stamp_writes_it():
    header = pack(plain())[0]
    stamp([header], -7)
    assert struct.unpack_from("<q", header, SENT_AT) == (-7,)


def test_no_message_has_more_frames_than_a_host_makes_room_for():
    assert len(unpack(frames_of(plain(body=[b""] * MAX_FRAMES))).body) == MAX_FRAMES
    with pytest.raises(WireError, match=f"{MAX_FRAMES + 1} frames"):
        unpack(frames_of(plain(body=[b""] * (MAX_FRAMES + 1))))
