from __future__ import annotations

import numpy as np
import pytest

from edgebench_kit.onnx import closeness
from edgebench_kit.onnx.closeness import Closeness


def compared(right, other, axis=None):
    return Closeness(name="y", axis=axis).add(np.asarray(right), np.asarray(other))


def test_the_error_is_that_of_all_samples_together():
    one = compared([[3.0, 0.0]], [[3.0, 0.0]]).add(np.array([[0.0, 4.0]]), np.array([[0.0, 4.5]]))
    assert one.relative_error == pytest.approx(0.5 / 5)
    assert one.same_answer is None
    assert list(one.list_faults()) == []


def test_what_should_be_nothing_and_is_something_is_all_error():
    (fault,) = compared([0.0], [1e-9]).list_faults()
    assert fault == "the error of 'y' is inf of its signal, over 0.1"
    assert list(compared([0.0], [0.0]).list_faults()) == []


def test_the_answer_is_the_largest_along_the_axis_of_the_classes():
    right = np.zeros((1, 3, 4), "f4")
    right[..., 1] = 1
    other = right.copy()
    other[0, 0, 2] = 1.01
    assert compared(right, other, axis=2).same_answer == pytest.approx(2 / 3)
    assert compared(right, other, axis=1).same_answer == pytest.approx(1)


def test_whole_numbers_are_answers():
    one = compared([1, 2, 3, 4], [1, 2, 3, 5])
    assert one.same_answer == 0.75
    assert list(one.list_faults()) == [
        "'y' gives the same answer in 0.75 of 4 places, under 0.9",
    ]


def test_numbers_that_are_lost_and_other_shapes_are_told():
    (lost,) = compared([1.0, np.nan, 2.0], [1.0, 1.0, np.inf]).list_faults()
    assert lost == "1 numbers of 'y' are infinite or none"
    (shape,) = compared([[1.0]], [[1.0, 1.0]]).list_faults()
    assert shape == "'y' has another shape for 1 of them"


def test_an_error_is_that_of_all_floats_together_and_no_number_is_the_largest():
    wanted = [np.array([3.0, 4.0]), np.array([7])]
    assert closeness.measure_error(wanted, wanted) == 0
    assert closeness.measure_error(wanted, [np.array([3.0, 9.0]), np.array([8])]) == 1
    assert closeness.measure_error(wanted, [np.array([np.nan, 4.0]), np.array([7])]) > 1e9
