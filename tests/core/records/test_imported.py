"""What an importer may yield: nothing that a report would fail at later."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edgebench import Imported


def make(latency_s, inputs=None):
    return Imported(
        model="toy", chain="identity", placement="mobile", backend="eager", fabric="lab",
        latency_s=np.array(latency_s), inputs=None if inputs is None else np.array(inputs),
        measured="one block", origin="a.lab, line 3",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("latency_s", "inputs", "said"),
    [
        ([], None, "latency_s of a.lab, line 3 must have the shape (requests,), one or more"),
        (0.5, None, "must have the shape (requests,)"),
        ([[0.5, 0.5]], None, "not (1, 2)"),
        ([0.5, float("nan")], None, "must be seconds above 0, not nan (request 2)"),
        ([float("inf")], None, "not inf (request 1)"),
        ([0.5, 0.5, 0.0], None, "not 0.0 (request 3)"),
        ([-0.5], None, "not -0.5"),
        ([0.5, 0.5], [0], "inputs of a.lab, line 3 must be one for each of 2 requests"),
        ([0.5], [[0]], "not of shape (1, 1)"),
        ([0.5, 0.5], [0, -1], "must be whole numbers from 0 on"),
        ([0.5, 0.5], [0.0, 1.0], "must be whole numbers from 0 on"),
    ],
)
def test_nonsense_is_refused_with_where_it_was_read(latency_s, inputs, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        make(latency_s, inputs)


def test_what_was_measured_is_taken():
    assert make([0.5, 0.25], [1, 0]).latency_s.tolist() == [0.5, 0.25]
    assert make([0.5]).inputs is None
