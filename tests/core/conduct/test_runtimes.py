"""Which runtimes are held against which, and what is said where none can be."""

from __future__ import annotations

from textwrap import dedent

import attrs
import numpy as np
import pytest

from edgebench.analysis.agreement import judge
from edgebench.cases.case import BackendChoice
from edgebench.cases.plan import Plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Suite
from edgebench.conduct.runtimes import RuntimeChecks, Untransformed
from edgebench.parts.errors import CaseFailed
from edgebench.parts.places import Placement
from edgebench.records.outcome import Score
from edgebench.testing.results import case_of

RIGHT = np.array([[1.0, 2.0], [3.0, 4.0]], "f4")
GIVES = {
    "ref": RIGHT, "good": RIGHT * np.float32(1.00001), "wrong": RIGHT + 1, "zero": RIGHT * 0,
    "half": RIGHT * np.float32(1.01), "nan": RIGHT * np.float32("nan"), "wide": np.ones((2, 3)), "void": RIGHT[:, :0],
    "bare": RIGHT[:, :0],
}  # fmt: skip


@attrs.define
class World:
    """Backends that give what the table says, and a note of which were scored."""

    scored: list = attrs.field(factory=list)

    def score(self, case):
        name = case.backends[0].name
        self.scored.append(name)
        if name not in GIVES:
            raise CaseFailed("out of order")
        score = Score(key=name, outputs=(GIVES[name],), samples=2)
        precision = "bf16" if name == "half" else "f32"
        return Untransformed(case=case, key=name, score=score, precision=precision, outputs=("y",))

    def checks(self, *backends, listed=True, peers=(), reference="ref"):
        cases = [case_of("plain", backend=name) for name in backends]
        plain = attrs.evolve(case_of("", backend=reference), links=(), route=("mobile",))
        others = [attrs.evolve(plain, backends=[BackendChoice(name)]) for name in peers]
        plan = Plan(
            study=Study(suite=Suite(name="", summary="")),
            cases=cases,
            skipped=(),
            references={case.id: plain for case in cases},
            chains=None,
            peers={plain.id: others},
        )
        checks = RuntimeChecks(plan=plan, score=self.score, is_listed=lambda _: listed)
        return {case.backend: checks.check(case)[0][0] for case in cases}


@pytest.fixture
def world():
    return World()


def test_the_reference_is_held_against_another_that_is_measured_anyway(world):
    found = world.checks("ref", "good")
    assert {name: judge(check) for name, check in found.items()} == {
        "ref": "agrees", "good": "agrees",
    }  # fmt: skip
    assert found["ref"].agreement.reference == "toy:small untransformed with good"
    assert found["good"].agreement.reference == "toy:small untransformed with ref"
    assert (found["ref"].trusted, found["good"].trusted) == (True, False)


def test_or_against_one_that_reads_the_model_as_it_is(world):
    assert judge(world.checks("ref", peers=["good"])["ref"]) == "agrees"


def test_alone_nothing_is_checked(world):
    check = world.checks("ref")["ref"]
    assert (check.agreement, check.why_not) == (None, "not checked against another runtime")


def test_one_that_agrees_is_enough(world):
    check = world.checks("ref", peers=["wrong", "good", "zero"])["ref"]
    assert judge(check) == "agrees"
    assert world.scored == ["ref", "wrong", "good"]


def test_what_differs_from_the_reference_differs(world):
    found = world.checks("wrong", "half", "wide")
    assert judge(found["wrong"]) == "differs"
    assert judge(found["half"]) == "agrees"
    assert found["half"].tolerance == 2e-2
    assert judge(found["wide"]) == "differs"
    assert found["wide"].agreement.other_shape == "'y' has the shape (3,) a sample, not (2,)"


def test_of_two_that_nobody_lists_none_is_taken_for_right(world):
    found = world.checks("zero", "ref", listed=False, reference="zero")
    assert {judge(check) for check in found.values()} == {"differs"}
    assert not any(check.trusted for check in found.values())
    # A third says which: the reference itself, where that is the one that is wrong.
    found = world.checks("zero", "ref", "good", listed=False, reference="zero")
    assert {name: judge(check) for name, check in found.items()} == {
        "zero": "differs", "ref": "agrees", "good": "agrees",
    }  # fmt: skip


def test_one_that_gives_no_numbers_says_nothing_of_another(world):
    check = world.checks("ref", "nan")["ref"]
    assert check.why_not == (
        "not checked against another runtime: nan gave values that are NaN or infinite"
    )
    assert judge(world.checks("nan")["nan"]) == "differs"


def test_outputs_without_a_value_are_no_check(world):
    check = world.checks("bare", reference="void")["bare"]
    assert check.agreement is None
    assert check.why_not == (
        "not checked against another runtime: no values were kept of its outputs"
    )


def test_one_that_fails_is_said(world):
    assert world.checks("broken")["broken"].why_not == (
        "not checked against another runtime: out of order"
    )
    check = world.checks("ref", peers=["broken"])["ref"]
    assert check.why_not == "not checked against another runtime: broken: out of order"


def test_each_backend_is_checked_once_where_it_stands(world):
    split = attrs.evolve(
        case_of("cut", "mobile", "edge"),
        backends=[BackendChoice("ref"), BackendChoice("good")],
    )
    plain = attrs.evolve(case_of("", backend="ref"), links=(), route=("mobile",))
    placed = []

    def score(case):
        placed.append((case.backend, case.placement, case.route))
        return world.score(case)

    plan = Plan(
        study=Study(suite=Suite(name="", summary="")),
        cases=[split],
        skipped=(),
        references={split.id: plain},
        chains=None,
    )
    checks = RuntimeChecks(plan=plan, score=score, is_listed=lambda _: True)
    assert [check.backend for check, _ in checks.check(split)] == ["ref", "good"]
    assert ("good", Placement(("edge",)), ("edge",)) in placed
    before = len(placed)
    checks.check(split)
    assert len(placed) == before


# --- what runs what others have loaded -----------------------------------------------------------

SERVED = """
    from edgebench import Backend, hookimpl

    @hookimpl
    def edgebench_backends():
        yield Backend(name="a-stranger", summary="One.", open=print, formats=["onnx"])
        yield Backend(name="a-server", summary="Two.", open=print, formats=["onnx"], loads=False)
"""


def plan_of(*cases, reference="ref"):
    plain = attrs.evolve(case_of("", backend=reference), links=(), route=("mobile",))
    return Plan(
        study=Study(suite=Suite(name="", summary="")),
        cases=cases,
        skipped=(),
        references={case.id: plain for case in cases},
        chains=None,
    )


def check_served(score, *cases, readers=("good",)):
    checks = RuntimeChecks(
        plan=plan_of(*cases),
        score=score,
        is_listed=lambda _: True,
        loads=lambda name: name != "wrong",
        readers=lambda form: readers if form == "halved" else (),
    )
    return [checks.check(case)[0] for case in cases]


@pytest.fixture
def scoring(world):
    """Score what is asked, note it, and say that each piece begins with what halving gave."""
    asked = []

    def score(case):
        asked.append((case.chain, case.backend))
        return attrs.evolve(world.score(case), formats=("halved",) * len(case.backends))

    return score, asked


def test_a_servers_case_is_held_as_it_is(scoring):
    score, asked = scoring
    ((check, key),) = check_served(score, case_of("halve", backend="wrong"))
    assert asked == [("halve", "wrong"), ("halve", "good")]
    assert (check.backend, check.whole, key) == ("wrong", True, "")
    assert judge(check) == "differs"
    assert check.agreement.reference == "toy:small halve with good"


def test_a_servers_case_that_nothing_else_reads_is_not_checked(scoring):
    score, _ = scoring
    ((check, _),) = check_served(score, case_of("halve", backend="wrong"), readers=())
    assert (check.agreement, check.why_not) == (None, "not checked against another runtime")
    assert check.whole


def test_a_servers_model_to_which_nothing_was_done_is_held_against_the_reference(scoring):
    score, asked = scoring
    ((check, _),) = check_served(score, case_of("", backend="wrong"))
    assert ("", "ref") in asked
    assert (check.whole, judge(check)) == (False, "differs")


def test_nothing_is_held_against_a_server(scoring):
    score, asked = scoring
    (check, _), _ = check_served(
        score, case_of("", backend="ref"), case_of("halve", backend="wrong")
    )
    assert asked[0] == ("", "ref")
    assert check.why_not == "not checked against another runtime"


def test_a_stranger_that_nobody_chose_is_no_peer_of_a_whole_case(registry, tmp_path):
    file = tmp_path / "stranger.py"
    file.write_text(dedent(SERVED))
    plugins = Plugins.load(registry, [file])

    def read(*backends):
        plan = plan_of(*(case_of("halve", backend=name) for name in backends))
        return set(RuntimeChecks.of(plan, plugins, lambda _: None).readers("onnx"))

    assert "onnxruntime" in read("a-server")
    assert not {"a-stranger", "a-server"} & read("a-server")
    assert read("a-server", "a-stranger") - read("a-server") == {"a-stranger"}
