import itertools
from contextlib import nullcontext

import attrs
import pytest

from edgebench import Backend, Stage, TensorSpec
from edgebench.cases.case import BackendChoice
from edgebench.parts.errors import CaseFailed, OptionError
from edgebench.sessions.opening import MOST_DEVICES, Opening, list_devices

SPEC = TensorSpec(name="x", dtype="float32", shape=("batch", 4))
STAGE = Stage(format="matrix", inputs=[SPEC], outputs=[SPEC])


@attrs.frozen(kw_only=True)
class Speed:
    turbo: bool = False


@pytest.fixture
def backend():
    """Return a backend whose sessions are what they were opened with; it has no processor."""
    return Backend(
        name="chip",
        summary="A chip.",
        formats=["matrix"],
        devices=lambda: ("npu", "dsp"),
        options=Speed,
        open=lambda *given: nullcontext(given),
    )


def test_a_device_that_is_not_chosen_is_the_first_that_the_backend_has(backend):
    assert Opening.of(backend, BackendChoice("chip"), 1).device == "npu"
    assert Opening.of(backend, BackendChoice("chip", "dsp"), 1).device == "dsp"


def test_options_that_are_not_written_are_those_of_the_backend(backend):
    assert Opening.of(backend, BackendChoice("chip"), 1).options == Speed()
    chosen = BackendChoice("chip", "", (("turbo", "yes"),))
    assert Opening.of(backend, chosen, 1).options == Speed(turbo=True)


def test_an_option_that_the_backend_has_not_is_refused(backend):
    chosen = BackendChoice("chip", "", (("tubro", "yes"),))
    with pytest.raises(OptionError, match="the backend chip.*tubro"):
        Opening.of(backend, chosen, 1)


def test_a_stage_is_opened_as_was_said(backend):
    with Opening.of(backend, BackendChoice("chip"), 3).session(STAGE) as session:
        assert session == (STAGE, "npu", 3, Speed())


@pytest.mark.parametrize(
    ("devices", "what"), [("cpu", "'cpu'"), ([7, "cpu"], "7"), (["cpu", ""], "''")]
)
def test_what_are_no_names_of_devices_is_refused(backend, devices, what):
    odd = attrs.evolve(backend, devices=lambda: devices)
    with pytest.raises(CaseFailed, match=f"devices gives {what}, which is no list of names"):
        list_devices(odd)


def test_devices_may_be_yielded_and_have_an_end(backend):
    assert list_devices(attrs.evolve(backend, devices=lambda: iter(["npu", "cpu"])))[0] == "npu"
    endless = attrs.evolve(backend, devices=lambda: (f"npu:{n}" for n in itertools.count()))
    assert len(list_devices(endless)) == MOST_DEVICES
