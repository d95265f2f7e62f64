from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench import CaseFailed, State, TensorSpec
from edgebench.sessions.profiling import profile_session, tells_nodes
from edgebench.sessions.state import StatefulSession


@attrs.frozen
class Telling:
    """A session that writes what it reads, and tells what it is made to."""

    given: object
    asked: list = attrs.field(factory=list)

    def run(self, inputs):
        return {"now": inputs["x"] + inputs["before"]}

    def profile(self, inputs, runs):
        self.asked.append((dict(inputs), runs))
        return self.given


class Silent:
    def run(self, inputs):
        return inputs


INPUTS = {"x": np.ones((1, 2), np.float32)}


def test_what_a_session_gives_is_seconds_by_node():
    session = Telling({"a": np.float32(0.5), "b": 0})
    assert profile_session(session, INPUTS, 7) == {"a": 0.5, "b": 0.0}
    assert session.asked == [(INPUTS, 7)]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "its profile is a NoneType, not seconds by node"),
        (["a"], "its profile is a list, not seconds by node"),
        ({1: 0.5}, "its profile names a node 1, which is no name"),
        ({"": 0.5}, "its profile names a node '', which is no name"),
        ({"a": -0.5}, "its profile has -0.5 for the node 'a', not seconds"),
        ({"a": float("nan")}, "its profile has nan for the node 'a', not seconds"),
        ({"a": float("inf")}, "its profile has inf for the node 'a', not seconds"),
        ({"a": "1 ms"}, "its profile has '1 ms' for the node 'a', not seconds"),
        ({"a": None}, "its profile has None for the node 'a', not seconds"),
        ({"a": 10**400}, f"its profile has {10**400} for the node 'a', not seconds"),
        ({"a": np.ones(2)}, "its profile has array([1., 1.]) for the node 'a', not seconds"),
    ],
)
def test_what_is_no_time_is_refused(given, why):
    with pytest.raises(CaseFailed) as failed:
        profile_session(Telling(given), INPUTS, 1)
    assert str(failed.value) == why


def test_a_session_that_keeps_a_state_is_profiled_with_it():
    read = TensorSpec(name="before", dtype="float32", shape=("batch", 2))
    inner = Telling({"a": 0.5})
    session = StatefulSession(inner, (State(read=read, written="now"),))
    session.run(INPUTS)
    assert tells_nodes(session)
    assert profile_session(session, INPUTS, 1) == {"a": 0.5}
    np.testing.assert_array_equal(inner.asked[0][0]["before"], INPUTS["x"])


def test_a_session_need_not_tell():
    assert tells_nodes(Telling({}))
    assert not tells_nodes(Silent())
    state = State(read=TensorSpec(name="b", dtype="float32", shape=("n",)), written="c")
    assert not tells_nodes(StatefulSession(Silent(), (state,)))
