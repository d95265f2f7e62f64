from __future__ import annotations

from typing import Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.cases.chain import (
    Named,
    list_options,
    parse_backend,
    parse_chain,
    parse_named,
    structure,
    write_differing,
)
from edgebench.parts.errors import ChainError, OptionError

names = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?", fullmatch=True)
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
# A double quote is what quotes a value, so it is the one character that none may hold.
values = st.text(
    st.characters(codec="utf-8", exclude_characters='"', exclude_categories=["Cs", "Cc"]),
    max_size=12,
).filter(lambda text: text == text.strip())
parts = st.builds(
    lambda name, options: Named(name, tuple(sorted(options.items()))),
    names,
    st.dictionaries(keys, values, max_size=3),
)


@given(st.lists(parts, min_size=1, max_size=4))
def test_what_is_written_is_read_again(chain):
    assert parse_chain("+".join(map(str, chain)), {}) == tuple(chain)


@given(st.text(max_size=30))
def test_any_text_is_a_chain_or_a_chain_error(text):
    try:
        parsed = parse_chain(text, {})
    except ChainError as error:
        assert "\n" not in str(error) or "\n" in text
    else:
        assert all(part.name for part in parsed)


def test_options_are_read_with_spaces_and_quotes():
    (part,) = parse_chain('cut( at = "a,b (c)+d" , most=3 )', {})
    assert part == Named("cut", (("at", "a,b (c)+d"), ("most", "3")))


def test_a_hybrid_stands_for_its_chain():
    assert [p.name for p in parse_chain("one+both", {"both": "two+three(n=1)"})] == [
        "one",
        "two",
        "three",
    ]


def test_a_hybrid_takes_no_options():
    with pytest.raises(ChainError, match="'both' takes no options; write its chain: two"):
        parse_chain("both(n=1)", {"both": "two"})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+a", "at character 1"),
        ("a+", "at character 3"),
        ("a(b)", "at character 3"),
        ("a(b=1", "at character 6"),
        ("a b", "at character 3"),
        ("a(b=1)c", "at character 7"),
    ],
)
def test_a_malformed_chain_names_the_place(text, place):
    with pytest.raises(ChainError, match=place):
        parse_chain(text, {})


def test_an_option_is_given_once():
    with pytest.raises(ChainError, match="'n' is given twice"):
        parse_chain("a(n=1,n=2)", {})


def test_no_operators_is_a_chain():
    assert parse_chain("  ", {}) == ()


def test_a_backend_has_a_device_and_options():
    plain = parse_backend("torch:cuda:0")
    assert (plain.name, plain.device, str(plain)) == ("torch", "cuda:0", "torch:cuda:0")
    assert parse_backend("tensorrt:cuda:1(max_batch=8)").device == "cuda:1"
    choice = parse_backend("fast:npu0(precision=bf16,threads=2)")
    assert (choice.name, choice.device) == ("fast", "npu0")
    assert choice.options == (("precision", "bf16"), ("threads", "2"))
    assert str(choice) == "fast:npu0(precision=bf16,threads=2)"


def test_nothing_may_follow_a_backend():
    with pytest.raises(ChainError, match="the end is expected, but found '\\+'"):
        parse_backend("fast+slow")


def test_a_name_alone_with_its_options():
    assert parse_named("max-rate(p99=50)", "scenario") == Named("max-rate", (("p99", "50"),))


@attrs.frozen(kw_only=True)
class Options:
    count: int = attrs.field(default=3, validator=attrs.validators.gt(0))
    share: float = 0.5
    mode: Literal["low", "high"] = "low"
    fast: bool = False
    at: str = ""
    limit: int | None = None


def test_values_take_the_types_of_their_fields():
    pairs = (("count", "7"), ("share", "0.25"), ("mode", "high"), ("fast", "true"), ("at", "x"))
    assert structure(Options, pairs, "shrink") == Options(
        count=7, share=0.25, mode="high", fast=True, at="x"
    )


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("cuont", "1"), "shrink has no option 'cuont'; did you mean 'count'?"),
        (("count", "many"), "shrink: count must be a whole number, not 'many'"),
        (("mode", "middle"), "shrink: mode must be low or high, not 'middle'"),
        (("fast", "perhaps"), "shrink: fast must be true or false, not 'perhaps'"),
        (("count", "0"), "shrink: count must be more than 0, not 0"),
    ],
)
def test_a_wrong_option_is_one_clear_line(pair, said):
    with pytest.raises(OptionError) as caught:
        structure(Options, (pair,), "shrink")
    assert str(caught.value) == said


@attrs.frozen(kw_only=True)
class Limited:
    least: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    most: float = attrs.field(default=1.0, validator=attrs.validators.le(1))
    below: float = attrs.field(default=1.0, validator=attrs.validators.lt(9.5))
    one: int = attrs.field(default=2, validator=attrs.validators.in_([2, 4, 8]))
    word: str = attrs.field(default="a", validator=attrs.validators.max_len(3))


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        (("least", "0"), "least must be a number from 1, not 0"),
        (("most", "1.5"), "most must be at most 1, not 1.5"),
        (("below", "nan"), "below must be less than 9.5, not nan"),
        (("one", "3"), "one must be 2 or 4 or 8, not 3"),
        # What is not a limit is as its validator says it.
        (("word", "long"), "Length of 'word' must be <= 3: 4"),
    ],
)
def test_limits_are_said_in_words(pair, said):
    with pytest.raises(OptionError) as caught:
        structure(Limited, (pair,), "shrink")
    assert str(caught.value) == f"shrink: {said}"


def test_canonical_options_leave_out_what_says_the_default():
    assert write_differing(Options(count=3, fast=True, at="x")) == (("at", "x"), ("fast", "true"))


def test_list_options_are_plain_and_complete():
    assert list_options(Options(share=0.1)) == {
        "count": 3, "share": 0.1, "mode": "low", "fast": False, "at": "", "limit": None,
    }  # fmt: skip


def test_a_key_may_be_written_with_hyphens():
    (one,) = parse_chain("sptq(per-channel=no)", {})
    assert one.options == (("per_channel", "no"),)
    with pytest.raises(ChainError, match="'per_channel' is given twice"):
        parse_chain("sptq(per-channel=no,per_channel=yes)", {})
