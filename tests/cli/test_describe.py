"""What the command line knows of each thing: a row for `list`, a description for `show`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

from edgebench import Link, Operator, Tier
from edgebench.catalogue.rows import KINDS
from edgebench.cli.common import Common
from edgebench.cli.describe import describe, list_items, to_plain
from edgebench.cli.kinds import LISTED, SHOWN
from edgebench.parts.errors import UnknownName


@pytest.fixture
def common(toy):
    return Common(files=(toy,))


def plugin(directory, name, text):
    """Write a plugin file, and return the common options that load it."""
    path = directory / f"{name}.py"
    path.write_text(dedent(text))
    return Common(files=(path,))


def test_every_kind_of_part_is_listed_and_what_is_shown_unasked_is_too():
    assert {f"{kind}s" for kind in KINDS} <= set(LISTED)
    assert set(SHOWN) <= set(LISTED)
    assert len(set(LISTED)) == len(LISTED)


@pytest.mark.parametrize("kind", LISTED)
def test_what_is_listed_is_shown_by_its_name(process, common, kind):
    rows = list_items(kind, common)
    assert rows
    for row in rows[-3:]:
        shown = describe(kind.removesuffix("s"), row["name"], common)
        assert list(shown)[:2] == ["name", "summary"]
        assert shown["name"] == row["name"]
        # Those of the registry have no sentence of their own: `list` shows what they stand for.
        assert shown["summary"] == row["summary"] or kind in ("hybrids", "links")


@pytest.mark.parametrize("kind", ["variant", "plugin"])
def test_what_is_no_part_is_shown_with_all_that_is_listed(common, kind):
    for row in list_items(f"{kind}s", common):
        assert row.items() <= describe(kind, row["name"], common).items()


def test_a_variant_is_listed_with_its_model_and_by_itself(common):
    (model,) = [row for row in list_items("models", common) if row["name"] == "toy"]
    (variant,) = [row for row in list_items("variants", common) if row["name"] == "toy:small"]
    (inside,) = model["variants"]
    assert inside == {"name": "small", "parameters": 24, "weights": ["trained", "random"],
                      "dataset": "toy-points"}  # fmt: skip
    assert (inside | {"name": "toy:small"}).items() <= variant.items()
    assert (variant["plugin"], variant["installed"], variant["why_not"]) == ("toy", True, None)


def test_variants_of_models_of_one_name_cannot_be_told_apart(tmp_path, toy):
    yields = """
        from edgebench import Model, hookimpl

        @hookimpl
        def edgebench_models():
            yield Model(name="toy", summary="Another.", build=print)
    """
    other = plugin(tmp_path, "other", yields)
    common = attrs.evolve(other, files=(toy, *other.files))
    assert any(
        "two plugins offer" in (row["why_not"] or "") for row in list_items("models", common)
    )
    assert "toy:small" not in {row["name"] for row in list_items("variants", common)}
    assert "two plugins offer the model 'toy'" in str(common.plugins.faults[-1])


def test_a_link_is_shown_by_either_direction(common):
    one, other = (describe("link", name, common) for name in ("mobile-edge", "edge-mobile"))
    assert one == other
    assert (one["name"], one["between"]) == ("mobile-edge", ["mobile", "edge"])
    with pytest.raises(UnknownName, match="no link is called 'edge-mobil'"):
        describe("link", "edge-mobil", common)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("operatr", "x"), "no kind is called 'operatr'; did you mean 'operator'"),
        (("suite", "quickstrt"), "no suite is called 'quickstrt'; did you mean 'quickstart'"),
        (("variant", "toy:smal"), "no variant is called 'toy:smal'; did you mean 'toy:small'"),
        (("model", "toy:smal"), "no variant of toy is called 'smal'; did you mean 'small'"),
    ],
)
def test_what_is_not_there_has_a_nearest(common, asked, said):
    with pytest.raises(UnknownName, match=said):
        describe(*asked, common)


# --- options -------------------------------------------------------------------------------------

OPTIONS = '''
    from pathlib import Path
    import attrs
    from edgebench import Operator, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        """What may be said."""

        digits: int = 2
        """Decimal places
        that are kept."""
        plain: float | None = None
        where: tuple[Path, ...] = (Path("here"),)
        """Where."""

        def method(self):
            """No text of a field."""

    Unread = attrs.make_class("Unread", {"digits": attrs.field(default=3, type=int)})

    @hookimpl
    def edgebench_operators():
        yield Operator(name="said", summary="One.", apply=print, options=Options)
        yield Operator(name="unread", summary="Two.", apply=print, options=Unread)
'''


def test_options_have_the_texts_that_stand_under_their_fields(tmp_path):
    common = plugin(tmp_path, "own", OPTIONS)
    assert describe("operator", "said", common)["options"] == [
        {"name": "digits", "type": "int", "default": 2, "doc": "Decimal places that are kept."},
        {"name": "plain", "type": "float | None", "default": None, "doc": ""},
        {"name": "where", "type": "tuple[pathlib.Path, ...]", "default": ["here"], "doc": "Where."},
    ]


def test_a_class_without_source_has_options_without_texts(tmp_path):
    common = plugin(tmp_path, "own", OPTIONS)
    assert describe("operator", "unread", common)["options"] == [
        {"name": "digits", "type": "int", "default": 3, "doc": ""}
    ]


NEEDS = """
    from typing import Literal
    import attrs
    from edgebench import Operator, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        way: Literal["plain", "trained", "timed"] = "plain"
        again: bool = attrs.field(default=False)
        steps: int = 2

        @again.validator
        def _only_when_trained(self, _, value):
            if value and self.way == "plain":
                raise ValueError("again goes with a way")

    def needs(options):
        return {"plain": ["run"], "trained": ["run", "training"], "timed": ["profile"]}[options.way]

    @hookimpl
    def edgebench_operators():
        yield Operator(name="asks", summary="One.", apply=print, options=Options, needs=needs)
        yield Operator(name="fixed", summary="One.", apply=print, options=Options, needs=["run"])
"""


def test_what_an_operator_needs_with_other_values_of_its_options_is_told(tmp_path):
    common = plugin(tmp_path, "own", NEEDS)
    asks = describe("operator", "asks", common)
    assert asks["needs"] == ["run"]
    assert asks["needs_with"] == [
        {"option": "way", "value": "trained", "needs": ["training"]},
        {"option": "way", "value": "timed", "needs": ["profile"]},
    ]
    assert describe("operator", "fixed", common)["needs_with"] == []


# --- records as what JSON has --------------------------------------------------------------------


def test_units_stand_in_the_names_of_plain_fields():
    tier = to_plain(Tier(name="edge", summary="One.", cpus=2, memory=2**30))
    assert (tier["memory_bytes"], "memory" in tier) == (2**30, False)
    link = to_plain(Link(between=("a", "b"), rate=1e6, delay=0.5))
    assert link == {"between": ["a", "b"], "rate_bit_s": 1e6, "delay_s": 0.5, "price_per_gb": None,
                    "source": ""}  # fmt: skip


def test_of_callables_only_those_that_need_not_be_there_are_told():
    plain = to_plain(Operator(name="one", summary="One.", apply=print, needs=["links", "target"]))
    assert "apply" not in plain
    assert "accepts" not in plain  # it has a default that can be called
    assert plain["replay"] is False
    assert plain["needs"] == ["links", "target"]
    given = Operator(name="one", summary="One.", apply=print, replay=print)
    assert to_plain(given)["replay"] is True


def test_whatever_json_does_not_have_is_written_as_text():
    @attrs.frozen
    class Mixed:
        path: Path
        pairs: dict[int, tuple[str, ...]]
        names: frozenset[str]
        call: Callable[[], None] | None = None

    mixed = Mixed(Path("a/b"), {1: ("x", "y")}, frozenset({"q", "p"}))
    plain = {"path": "a/b", "pairs": {"1": ["x", "y"]}, "names": ["p", "q"], "call": False}
    assert to_plain(mixed) == plain
