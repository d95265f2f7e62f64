"""What was learnt of a backend on a host is kept."""

from __future__ import annotations

from edgebench.cases.usable import Usability
from edgebench.parts.places import HostFacts

HOSTS = {
    "mobile": HostFacts(tier="mobile", cpus=1, memory=1),
    "edge": HostFacts(tier="edge", cpus=2, memory=1),
}


def test_what_was_answered_is_not_asked_again(toy_plugins, answering):
    asked = []
    usability = Usability(toy_plugins, HOSTS, answering({}, asked))
    usability.ask([("one", ""), ("one", "")])
    assert usability.why_not("one", "", "mobile") is None
    assert usability.why_not("one", "npu", "edge") is None
    usability.ask([("one", "npu"), ("other", "")])
    assert asked == [{"one": [""]}, {"one": ["npu"]}, {"other": [""]}]
