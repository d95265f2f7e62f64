"""What is written as TOML reads back equal, whatever texts and numbers hold."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.toml.writing import WIDTH, write_comment, write_pairs, write_text, write_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = (
    TEXTS
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.lists(TEXTS, max_size=12).map(tuple)
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True), VALUES, max_size=5))
def test_a_table_reads_back_equal(values):
    read = tomllib.loads("\n".join(write_pairs(values)))
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in read.items()} == values
    assert all(type(read[key]) is type(value) for key, value in values.items()
               if not isinstance(value, tuple))  # fmt: skip


@given(TEXTS)
def test_a_text_stays_on_its_line(text):
    assert len(write_text(text).splitlines()) == 1


@given(st.text())
def test_a_comment_is_nothing_but_a_comment(text):
    lines = list(write_comment(text))
    assert tomllib.loads("\n".join(lines)) == {}
    assert all(line.startswith("# ") for line in lines)


def test_comments_and_long_lists_are_folded():
    assert max(map(len, write_comment("word " * 100))) <= WIDTH
    assert write_value(("a",)) == '["a"]'
    assert write_value(("a" * 50, "b" * 50)).count("\n") == 3


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_no_number_that_is_none_is_written(value):
    with pytest.raises(ValueError, match="finite"):
        write_value(value)
