"""Random tensors for a model that has no dataset."""

import pytest

from edgebench import TensorSpec
from edgebench.prepare.data import draw_tensors


@pytest.mark.parametrize(
    ("dtype", "ends"),
    [("uint8", (0, 255)), ("int8", (-128, 127)), ("bool", (0, 1)), ("int64", (0, 1))],
)
def test_whole_numbers_are_drawn_from_what_their_type_holds(dtype, ends):
    spec = TensorSpec(name="x", dtype=dtype, shape=("batch", 40, 40))
    array = draw_tensors((spec,), 8, 3)["x"]
    assert (array.dtype, array.shape) == (dtype, (8, 40, 40))
    assert (int(array.min()), int(array.max())) == ends


def test_floats_are_standard_normal():
    spec = TensorSpec(name="x", dtype="float16", shape=("batch", 40, 40))
    array = draw_tensors((spec,), 8, 3)["x"].astype("f8")
    assert abs(array.mean()) < 0.05
    assert abs(array.std() - 1) < 0.05
