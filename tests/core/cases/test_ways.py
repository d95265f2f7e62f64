from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import Converter
from edgebench.cases.ways import find_way, keep_known, rank_readers
from edgebench.catalogue.plugins import Plugins


def converter(source: str, target: str) -> Converter:
    return Converter(
        name=f"{source}-to-{target}", summary="x", source=source, target=target, convert=print
    )


def way(converters, source, *targets):
    found = find_way(converters, source, targets)
    return None if found is None else [each.name for each in found]


def test_a_format_that_is_read_needs_no_way():
    assert way([], "a", "b", "a") == []


def test_any_format_will_do_where_none_is_named():
    assert way([], "a") == []


def test_the_shortest_way_is_taken():
    pairs = [converter(*pair) for pair in ("ab", "bc", "cd", "ad")]
    assert way(pairs, "a", "d") == ["a-to-d"]


def test_a_shorter_way_comes_before_the_target_named_first():
    pairs = [converter(*pair) for pair in ("ab", "bc", "ad")]
    assert way(pairs, "a", "c", "d") == ["a-to-d"]


def test_of_ways_equally_short_to_one_target_the_names_decide():
    pairs = [converter(*pair) for pair in ("ac", "ab", "cd", "bd")]
    assert way(pairs, "a", "d") == way(pairs[::-1], "a", "d") == ["a-to-b", "b-to-d"]


def test_of_ways_equally_short_the_target_named_first_wins():
    pairs = [converter("a", "b"), converter("a", "c")]
    assert way(pairs, "a", "c", "b") == ["a-to-c"]


def test_there_may_be_no_way():
    assert way([converter("b", "a")], "a", "b") is None


OFFERS = """
    from edgebench import Backend, hookimpl

    @hookimpl
    def edgebench_backends():
        yield Backend(name="a-loads", summary="One.", open=print, formats=["onnx"])
        yield Backend(name="a-server", summary="Two.", open=print, formats=["onnx"], loads=False)
"""


@pytest.fixture
def ranked(registry, tmp_path):
    file = tmp_path / "stranger.py"
    file.write_text(dedent(OFFERS))
    return rank_readers("onnx", Plugins.load(registry, [file]))


def test_what_runs_what_others_have_loaded_reads_no_format(ranked):
    names = [one.backend.name for one in ranked]
    assert "a-loads" in names
    assert "a-server" not in names


def test_a_stranger_is_known_once_it_is_chosen(ranked):
    homely = {one.backend.name for one in keep_known(ranked, ())}
    assert "onnxruntime" in homely
    assert "a-loads" not in homely
    assert {one.backend.name for one in keep_known(ranked, {"a-loads"})} == {*homely, "a-loads"}


letters = st.sampled_from("abcdef")


@given(st.lists(st.tuples(letters, letters), max_size=12), letters, letters)
def test_a_way_leads_where_it_should_and_no_shorter_one_does(pairs, source, target):
    converters = [converter(*pair) for pair in dict.fromkeys(pairs)]
    found = find_way(converters, source, [target])
    reached, distance = {source}, 0
    while target not in reached:
        wider = reached | {c.target for c in converters if c.source in reached}
        if wider == reached:
            break
        reached, distance = wider, distance + 1
    if target not in reached:
        assert found is None
        return
    assert found is not None
    assert len(found) == distance
    here = source
    for each in found:
        assert each.source == here
        here = each.target
    assert here == target
