import json
from collections.abc import Mapping
from pathlib import Path

import attrs
from hypothesis import given
from hypothesis import strategies as st

from edgebench.parts.documents import from_document, to_document


@attrs.frozen(kw_only=True)
class Leaf:
    name: str
    where: Path | None = None
    pairs: tuple[tuple[str, str], ...] = ()


@attrs.frozen(kw_only=True)
class Tree:
    leaves: tuple[Leaf, ...] = ()
    sizes: Mapping[str, float | None] = attrs.field(factory=dict)
    bound: tuple[float, float] | None = None


words = st.text(max_size=5)
leaves = st.builds(
    Leaf,
    name=words,
    where=st.none() | st.sampled_from([Path("a/b"), Path("/c")]),
    pairs=st.lists(st.tuples(words, words), max_size=3).map(tuple),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
trees = st.builds(
    Tree,
    leaves=st.lists(leaves, max_size=3).map(tuple),
    sizes=st.dictionaries(words, st.none() | floats, max_size=3),
    bound=st.none() | st.tuples(floats, floats),
)


@given(trees)
def test_a_record_comes_back_through_json_as_it_was(tree):
    assert from_document(Tree, json.loads(json.dumps(to_document(tree)))) == tree


def test_a_document_of_another_version_is_read():
    document = {"name": "x", "colour": "green"}
    assert from_document(Leaf, document) == Leaf(name="x")
