"""Cases cross processes and name themselves; what makes them what they are makes their id."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.cases.case import BackendChoice, Case
from edgebench.parts.digest import digest
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.places import Link, Placement
from edgebench.parts.subjects import Weights

CASE = Case(
    model="m",
    variant="small",
    weights=Weights(kind="file", path=Path("/x/y.bin"), seed=3),
    dataset="d",
    chain="a(b=1)+c",
    placement=Placement(["mobile", "edge"]),
    backends=[BackendChoice("one", "npu:0", [("k", "v")]), BackendChoice("two")],
    links=[Link(between=("mobile", "edge"), rate=1e6, delay=0.1, source="guess")],
    route=["mobile", "edge"],
    batch=2,
    threads=4,
    seed=5,
)

OTHERS = {
    "model": "n",
    "variant": "large",
    "weights": Weights(kind="random"),
    "options": [("a", "1")],
    "dataset": "e",
    "chain": "a+c",
    "data_options": [("text", "words")],
    "placement": Placement(["edge", "cloud"]),
    "backends": [BackendChoice("two"), BackendChoice("two")],
    "links": [Link(between=("mobile", "edge"), rate=2e6)],
    "route": ["edge", "mobile"],
    "fabric": "other",
    "scenario": "other",
    "batch": 3,
    "threads": None,
}


def test_a_case_comes_through_json_as_it_was():
    again = from_document(Case, json.loads(json.dumps(to_document(CASE))))
    assert again == CASE
    assert again.id == CASE.id
    assert hash(again) == hash(CASE)


PLAIN = Case(
    model="m",
    variant="small",
    placement=Placement(["mobile"]),
    backends=[BackendChoice("one")],
    route=["mobile"],
)
LINK = Link(between=("mobile", "edge"), rate=1e6)
IDS = {
    "f97d0778": CASE,
    "22fed746": PLAIN,
    "94fc30ae": attrs.evolve(PLAIN, data=Path("/a/b.npz"), options=[("dims", "n=1")]),
    "82da8c28": attrs.evolve(PLAIN, chain="", links=[LINK], fabric="netns"),
}


@pytest.mark.parametrize(("wanted", "case"), IDS.items())
def test_ids_stay_what_they_were_when_runs_were_kept(wanted, case):
    assert case.id == wanted


def test_a_link_that_is_slower_to_answer_makes_another_case():
    near, far = (attrs.evolve(PLAIN, links=[attrs.evolve(LINK, delay=delay)]) for delay in (0, 0.1))
    assert near.id != far.id


def test_an_id_is_digested_once(monkeypatch):
    digests = []
    monkeypatch.setattr(
        "edgebench.cases.case.digest", lambda document: digests.append(document) or digest(document)
    )
    case = attrs.evolve(CASE, batch=3)
    assert [case.id, case.id, case.id] == [attrs.evolve(CASE, batch=3).id] * 3
    assert len(digests) == 2


def test_every_field_but_the_runs_seed_and_the_place_of_the_data_is_part_of_the_id():
    assert {*OTHERS, "seed", "data"} == {field.name for field in attrs.fields(Case)}
    ids = {attrs.evolve(CASE, **{name: value}).id for name, value in OTHERS.items()}
    assert len(ids | {CASE.id}) == len(OTHERS) + 1


def test_runs_of_other_seeds_are_compared_case_by_case():
    link = attrs.evolve(CASE.links[0], source="another guess")
    weights = attrs.evolve(CASE.weights, seed=4)
    other = attrs.evolve(CASE, seed=6, links=[link], weights=weights, data=Path("/elsewhere"))
    assert other != CASE
    assert other.id == CASE.id


def test_a_file_with_inputs_of_its_own_is_another_case_than_with_random_ones():
    drawn = attrs.evolve(CASE, dataset="")
    given = attrs.evolve(drawn, data=Path("/here/in.npz"))
    assert given.id != drawn.id
    assert given.id == attrs.evolve(given, data=Path("/there/in.npz")).id


def test_a_case_is_written_in_one_line():
    assert CASE.label == ("m:small a(b=1)+c on mobile-edge with mobile=one:npu:0(k=v),edge=two")
    same = attrs.evolve(CASE, backends=[BackendChoice("two")] * 2)
    assert same.label == "m:small a(b=1)+c on mobile-edge with two"
    nothing = attrs.evolve(same, chain="")
    assert nothing.label == "m:small untransformed on mobile-edge with two"


def test_what_was_said_of_a_file_stands_in_the_line_as_it_is_written():
    said = attrs.evolve(CASE, options=[("metric", "top1"), ("dims", "seq=8 h=2")])
    assert said.label.startswith('m:small(dims="seq=8 h=2",metric=top1) a(b=1)+c on ')


def test_an_option_of_a_backend_is_quoted_where_it_must_be():
    assert str(BackendChoice("one", "", [("a", "x,y"), ("b", "z")])) == 'one(a="x,y",b=z)'


@pytest.mark.parametrize("backends", [[], [BackendChoice("one")], [BackendChoice("one")] * 3])
def test_a_case_has_a_backend_for_each_tier(backends):
    with pytest.raises(ValueError, match="mobile-edge needs 2 backends"):
        attrs.evolve(CASE, backends=backends)


def test_a_batch_holds_something():
    with pytest.raises(ValueError, match="batch"):
        attrs.evolve(CASE, batch=0)


keys = st.text(max_size=5)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(documents, documents)
def test_documents_have_one_digest_each(one, other):
    assert (digest(one) == digest(other)) == (json.dumps(one, sort_keys=True) == json.dumps(
        other, sort_keys=True))  # fmt: skip


@given(st.dictionaries(keys, documents, min_size=2, max_size=4))
def test_the_order_of_keys_has_no_part_in_a_digest(document):
    assert digest(dict(reversed(document.items()))) == digest(document)
