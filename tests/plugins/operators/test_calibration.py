"""What every operator that calibrates says of inputs that cannot be calibrated with."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import CaseFailed
from edgebench.parts.changes import Operator

pytestmark = pytest.mark.framework


@pytest.fixture
def calibrating(toy_plugins):
    """The shipped operators that need calibration inputs, by name."""
    offered = toy_plugins.all(Operator)
    found = {
        name: one for name, one in offered.items() if "calibration" in one.needed(one.options())
    }
    return {name: one for name, one in found.items() if not name.startswith("toy-")}


def test_they_are_known(calibrating):
    assert calibrating.keys() == {"dynamic-quantization", "fp16", "nncf", "sptq"}


NAMES = ("dynamic-quantization", "fp16", "nncf", "sptq")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_an_input_that_holds_no_number_is_named(residual, context, draw, calibrating, name, bad):
    samples = draw(3)
    samples[2]["input"][0, 1, 2, 3] = bad
    here = context(calibrating[name].options(), calibration=samples)
    with pytest.raises(CaseFailed, match="calibration sample 2 holds NaN or infinity in 'input'"):
        calibrating[name].apply(residual, here)


@pytest.mark.parametrize("name", NAMES)
def test_a_split_of_none_is_said(residual, context, calibrating, name):
    here = context(calibrating[name].options(), calibration=[])
    with pytest.raises(CaseFailed, match="the calibration split is empty: nothing to calibrate"):
        calibrating[name].apply(residual, here)
