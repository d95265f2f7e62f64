"""What a session gave, held against what its stage announces."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import TensorSpec
from edgebench.sessions.outputs import WrongOutput, check_outputs, find_sizes

SCORES = TensorSpec(name="scores", dtype="float32", shape=("batch", 10), port="inner")


def spec(*shape, name="y", dtype="float32"):
    return TensorSpec(name=name, dtype=dtype, shape=shape)


def zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"inner": zeros(2, 9)}, r"'inner' as float32 of shape \(2, 9\), not as float32 of .*10\)"),
        ({"inner": zeros(10)}, r"of shape \(10\), not"),
        ({"inner": zeros(1, 10)}, r"of shape \(1, 10\), not as float32 of shape \(batch=2, 10\)"),
        ({"inner": zeros(2, 10, dtype="f8")}, r"as float64 .* not as float32"),
        ({"inner": zeros(2, 10).tolist()}, "'inner' as a list, not as an array"),
        ({"scores": zeros(2, 10)}, "'scores' and no 'inner'"),
        ({}, "nothing and no 'inner'"),
        ([zeros(2, 10)], "a list, not tensors by their names"),
    ],
)  # fmt: skip
def test_what_was_not_announced_is_refused(given, said):
    with pytest.raises(WrongOutput, match=f"^it gave .*{said}"):
        check_outputs([SCORES], given, {"batch": 2})


@pytest.mark.parametrize(
    ("announced", "given"),
    [
        ([SCORES], {"inner": zeros(2, 10), "more": 3}),
        # As many detections as there are, the same for each tensor of them.
        ([spec("found", 4), spec("found", name="z")], {"y": zeros(7, 4), "z": zeros(7)}),
        ([spec("found", 4)], {"y": zeros(0, 4)}),
        ([spec("?", "?")], {"y": zeros(3, 4)}),
        ([spec()], {"y": zeros()}),
        ([spec("other", 3, dtype="bool")], {"y": zeros(5, 3, dtype="?")}),
        ([spec("batch", 2)], {"y": zeros(4, 2).T.reshape(2, 4)[:, ::2]}),
    ],
)
def test_what_was_announced_passes(announced, given):
    check_outputs(announced, given, {"batch": 2})


def test_the_same_word_has_the_same_size():
    with pytest.raises(WrongOutput, match=r"'z' as float32 of shape \(6\), .*\(found=7\)"):
        check_outputs(
            [spec("found", 4), spec("found", name="z")],
            {"y": zeros(7, 4), "z": zeros(6)},
            {},
        )


def test_a_word_that_has_two_sizes_in_the_inputs_names_neither():
    specs = [spec("n", "side", "side", name="x")]
    assert find_sizes(specs, {"x": zeros(2, 48, 192)}) == {"n": 2}
    assert find_sizes(specs, {"x": zeros(2, 48, 48)}) == {"n": 2, "side": 48}
