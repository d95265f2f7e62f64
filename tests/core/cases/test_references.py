"""What a model is held against: the reference, and other runtimes that read it as it is."""

from __future__ import annotations

from textwrap import dedent

import pytest

from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Product, Suite

STRANGER = """
    from edgebench import Backend, Model, hookimpl

    @hookimpl
    def edgebench_models():
        yield Model(name="near", summary="A model.", build=print, format="onnx")

    @hookimpl
    def edgebench_backends():
        yield Backend(name="a-first", summary="One.", open=print, formats=["onnx"])
        yield Backend(name="b-other", summary="One.", open=print, formats=["other"])
        yield Backend(name="a-server", summary="Runs what others have loaded.", open=print,
                      formats=["onnx"], loads=False, options=Where)

    import attrs

    @attrs.frozen
    class Where:
        model: str = ""
"""


@pytest.fixture
def planned(registry, tmp_path):
    file = tmp_path / "stranger.py"
    file.write_text(dedent(STRANGER))
    plugins = Plugins.load(registry, [file])

    def plan(ask, backends=("a-first",)):
        row = Product(
            models=("near",), operators=("identity",), placements=("mobile",), backends=backends
        )
        suite = Suite(name="", summary="", products=(row,))
        return make_plan(Study(suite=suite), plugins, ask=ask)

    return plan


def test_a_stranger_is_not_what_listed_backends_are_held_against(planned, answering):
    """It comes first by name, and may be new and wrong."""
    (reference,) = planned(answering({})).references.values()
    assert reference.backend == "onnxruntime"


def test_peers_are_those_that_read_the_model_as_it_is_and_say_that_they_run(planned, answering):
    made = planned(answering({}))
    ((reference, peers),) = made.peers.items()
    assert {reference} == {one.id for one in made.references.values()}
    assert [peer.backend for peer in peers] == ["openvino", "a-first"]
    refusing = answering({("openvino", "mobile"): "out of order"})
    ((_, peers),) = planned(refusing).peers.items()
    assert [peer.backend for peer in peers] == ["a-first"]


def test_a_stranger_that_nobody_asked_for_is_no_peer_and_is_not_asked(planned, answering):
    asked = []
    made = planned(answering({}, asked), backends=("onnxruntime",))
    ((_, peers),) = made.peers.items()
    assert [peer.backend for peer in peers] == ["openvino"]
    assert "a-first" not in {name for one in asked for name in one}


def test_what_runs_what_others_have_loaded_is_no_reference_and_no_peer(planned, answering):
    backends = ("a-server(model=near)", "a-first", "onnxruntime")
    made = planned(answering({}), backends=backends)
    assert {str(case.backend) for case in made.cases} == set(backends)
    assert {one.backend for one in made.references.values()} == {"onnxruntime"}
    assert len(made.references) == 3
    ((_, peers),) = made.peers.items()
    assert [peer.backend for peer in peers] == ["openvino", "a-first"]
    # Nor where nothing else can run the model.
    refusals = {(name, "mobile"): "out of order" for name in ("onnxruntime", "openvino", "a-first")}
    made = planned(answering(refusals), backends=backends)
    assert not made.references
    assert not made.peers


def test_all_are_asked_at_once(planned, answering):
    asked = []
    planned(answering({}, asked))
    assert [sorted(names) for names in asked if names] == [["a-first", "onnxruntime", "openvino"]]
