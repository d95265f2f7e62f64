"""Backends are asked in processes of their own, which may end in any way."""

from __future__ import annotations

from textwrap import dedent

import pytest

from edgebench.cases import usable
from edgebench.cases.usable import Usability
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.places import HostFacts

HOSTS = {
    "mobile": HostFacts(tier="mobile", cpus=1, memory=1),
    "edge": HostFacts(tier="edge", cpus=2, memory=1),
}
ODD = """
    import os, sys, time
    from edgebench import Backend, hookimpl

    def leave(facts, device):
        print("going", flush=True)
        os._exit(3)

    def raise_error(facts, device):
        raise RuntimeError("no driver")

    def abort(facts, device):
        os.abort()

    def sleep(facts, device):
        time.sleep(600)

    def refuse(facts, device):
        print("a banner", flush=True)
        return facts.cpus > 1 or f"{device} of {facts.tier} is too small"

    @hookimpl
    def edgebench_backends():
        for usable in (leave, raise_error, abort, sleep, refuse):
            yield Backend(name=usable.__name__.replace("_", "-"), summary="Odd.", open=print,
                          usable=usable, devices=lambda: ("npu", "cpu"))
"""


@pytest.fixture
def usability(registry, tmp_path):
    tmp_path.joinpath("odd.py").write_text(dedent(ODD))
    return Usability(Plugins.load(registry, [tmp_path / "odd.py"], entry_points=False), HOSTS)


@pytest.mark.process
def test_a_backend_answers_for_each_device_and_tier(usability):
    usability.ask([("refuse", ""), ("refuse", "cpu"), ("refuse", "gpu")])
    assert usability.devices("refuse") == ("npu", "cpu")
    assert usability.why_not("refuse", "", "mobile") == "npu of mobile is too small"
    assert usability.why_not("refuse", "cpu", "mobile") == "cpu of mobile is too small"
    assert usability.why_not("refuse", "cpu", "edge") is None
    said = "has no device 'gpu' here; it has npu, cpu"
    assert usability.why_not("refuse", "gpu", "edge") == said


@pytest.mark.process
def test_whatever_becomes_of_one_process_the_others_answer(usability, tmp_path):
    usability.ask([("leave", ""), ("raise-error", ""), ("abort", ""), ("refuse", "")])
    for name, why in (
        ("leave", "it ended with status 3"),
        ("raise-error", "RuntimeError: no driver"),
        ("abort", "it was killed by SIGABRT"),
    ):
        said = usability.why_not(name, "", "mobile")
        assert said == f"asking backend {name} ({tmp_path}/odd.py) failed: {why}"
    assert usability.why_not("refuse", "", "edge") is None
    assert usability.devices("leave") == ()


@pytest.mark.process
def test_a_backend_that_does_not_answer_is_not_waited_for(usability, monkeypatch, tmp_path):
    monkeypatch.setattr(usable, "LIMIT_S", 0.0)
    said = usability.why_not("sleep", "", "edge")
    assert said == f"backend sleep ({tmp_path}/odd.py) did not say within 0 s whether it is usable"


def test_what_was_answered_is_not_asked_again(toy_plugins, answering):
    asked = []
    usability = Usability(toy_plugins, HOSTS, answering({}, asked))
    usability.ask([("one", ""), ("one", "")])
    assert usability.why_not("one", "", "mobile") is None
    assert usability.why_not("one", "npu", "edge") is None
    usability.ask([("one", "npu"), ("other", "")])
    assert asked == [{"one": [""]}, {"one": ["npu"]}, {"other": [""]}]
