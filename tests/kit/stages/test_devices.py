"""Every runtime says in the same words that it has not what it is asked for."""

from __future__ import annotations

import pytest

from edgebench import CaseFailed
from edgebench_kit.stages.devices import require_device, say_missing


@pytest.mark.parametrize(
    ("device", "has", "lacking", "said"),
    [
        ("npu", ["cpu", "gpu"], [], "no device 'npu' here; it has cpu, gpu"),
        ("npu", [], [], "no device 'npu' here; it has none"),
        ("", ["cpu"], ["libchip offers none"], "no device here; it has cpu; libchip offers none"),
    ],
)
def test_what_there_is_instead_is_said(device, has, lacking, said):
    assert say_missing(device, has, lacking) == said


def test_a_device_that_is_not_there_fails_the_case():
    require_device("chip", "cpu", ["cpu"])
    with pytest.raises(CaseFailed, match="^chip has no device 'npu' here; it has cpu$"):
        require_device("chip", "npu", ["cpu"])
