"""Conclusions of studies, as rows of a registry, held against results."""

from __future__ import annotations

from textwrap import dedent

import attrs
import pytest

from edgebench import Registry
from edgebench.analysis.conclusions import Conclusion, hold_all, read_conclusions
from edgebench.analysis.verdicts import Verdicts
from edgebench.parts.errors import RegistryError
from edgebench.testing.results import case_of, result_of


def at(chain, *tiers, ms=2.0, loss=0.0, seed=0, blocks=8, model="toy"):
    case = case_of(chain, *tiers, model=model)
    return result_of(case, median_s=ms / 1e3, blocks=blocks, spread=0.01, seed=seed, loss=loss)


def conclude(**fields):
    row = {"name": "it", "study": "ours", "source": "here", "words": "It is.", "models": ("toy:*",)}
    return Conclusion(**{**row, **fields})


def hold(conclusion, results):
    (held,) = hold_all([conclusion], results, Verdicts.of(results, 0.02))
    return held


FASTER = conclude(
    relation="faster", strategies=("int8 on edge",), others=("plain on edge", "cut on mobile-edge")
)


def test_data_that_shows_it_agrees():
    held = hold(
        FASTER,
        [
            at("int8", "edge", ms=1),
            at("plain", "edge", ms=2, seed=1),
            at("cut", "mobile", "edge", ms=3, seed=2),
        ],
    )
    assert (held.verdict, held.summary) == ("agrees", "agrees in 1 of 1")
    (found,) = held.findings
    assert found.subject == "toy:small"
    assert "int8 on edge" in found.words
    assert "is faster than plain on edge" in found.words


@pytest.mark.parametrize("ms", [1.0, 0.5])
def test_what_is_slower_or_equal_disagrees_and_is_named_alone(ms):
    held = hold(
        FASTER,
        [
            at("int8", "edge", ms=1),
            at("plain", "edge", ms=ms, seed=1),
            at("cut", "mobile", "edge", ms=3, seed=2),
        ],
    )
    assert held.verdict == "disagrees"
    assert "cut on mobile-edge" not in held.findings[0].words


def test_what_was_not_measured_leaves_it_open_unless_something_else_disagrees():
    fast, slow = at("int8", "edge", ms=1), at("plain", "edge", ms=2, seed=1)
    held = hold(FASTER, [fast, slow])
    assert held.verdict == "cannot decide"
    assert held.findings[0].words == "cut on mobile-edge was not measured"
    quick = attrs.evolve(at("plain", "edge", ms=0.5, seed=1))
    assert hold(FASTER, [fast, quick]).verdict == "disagrees"
    assert hold(FASTER, [slow]).findings[0].words == "int8 on edge was not measured"


def test_too_few_rounds_cannot_decide():
    held = hold(
        FASTER,
        [
            at("int8", "edge", ms=1, blocks=1),
            at("plain", "edge", ms=2, seed=1, blocks=1),
            at("cut", "mobile", "edge", ms=3, seed=2, blocks=1),
        ],
    )
    assert held.verdict == "cannot decide"
    assert "at least 2 are needed" in held.findings[0].words


def test_one_model_that_disagrees_refutes_it_and_models_it_is_not_about_are_not_asked():
    models = conclude(
        models=("toy:*", "toys:*"),
        relation="faster",
        strategies=("int8 on edge",),
        others=("plain on edge",),
    )
    held = hold(
        models,
        [
            at("int8", "edge", ms=1), at("plain", "edge", ms=2, seed=1),
            at("int8", "edge", ms=2, model="toys", seed=2), at("plain", "edge", ms=1, model="toys", seed=3),
            at("int8", "edge", ms=2, model="lathe", seed=4), at("plain", "edge", ms=1, model="lathe", seed=5),
        ],
    )  # fmt: skip
    assert held.summary == "disagrees in 1 of 2, 1 agree"
    assert hold(
        conclude(models=("bird:*",), relation="faster", strategies=("int8 on edge",)),
        [at("int8", "edge")],
    ).summary == ("cannot decide: no strategy of bird:* was measured")


def test_the_same_chain_elsewhere_is_written_with_a_sign():
    anywhere = conclude(
        relation="faster", strategies=("* on edge",), others=("= on mobile", "=+cut on mobile-edge")
    )
    results = [
        at("identity", "edge", ms=1), at("identity", "mobile", ms=2, seed=1),
        at("cut", "mobile", "edge", ms=3, seed=2),
        at("int8", "edge", ms=1, seed=3), at("int8+cut", "mobile", "edge", ms=2, seed=4),
        at("alone", "edge", ms=1, seed=5),
    ]  # fmt: skip
    held = hold(anywhere, results)
    assert held.verdict == "agrees"
    (found,) = held.findings
    assert "identity on edge (1 ms) is faster than identity on mobile" in found.words
    assert "cut on mobile-edge" in found.words
    assert "int8 on edge (1 ms) is faster than int8+cut on mobile-edge" in found.words
    assert "alone" not in found.words


@pytest.mark.parametrize(
    ("relation", "loss", "verdict"),
    [
        ("keeps accuracy", 0.0, "agrees"),
        ("keeps accuracy", 0.1, "disagrees"),
        ("keeps accuracy", 0.01, "cannot decide"),
        ("keeps accuracy", None, "cannot decide"),
        ("loses accuracy", 0.1, "agrees"),
        ("loses accuracy", 0.0, "disagrees"),
    ],
)
def test_accuracy_against_the_untransformed_model(relation, loss, verdict):
    held = hold(
        conclude(relation=relation, strategies=("int8 on *",)),
        [at("int8", loss=loss), at("x", seed=1)],
    )
    assert held.verdict == verdict


@pytest.mark.parametrize(
    ("loss", "verdict"), [(0.05, "agrees"), (-0.05, "disagrees"), (0.001, "cannot decide")]
)
def test_accuracy_of_one_against_anothers(loss, verdict):
    more = conclude(
        relation="more accurate", strategies=("int8 on mobile",), others=("short on *",)
    )
    assert hold(more, [at("int8"), at("short", loss=loss, seed=1)]).verdict == verdict


def test_those_that_ship_are_of_both_studies_and_every_row_says_something_of_it():
    shipped = read_conclusions(Registry.read())
    assert {one.study for one in shipped} == {"black-box", "white-box"}
    assert len(shipped) >= 15
    for one in shipped:
        arxiv = {"black-box": "2403.17154", "white-box": "2411.00907"}[one.study]
        assert arxiv in one.source
        assert bool(one.others) == (one.relation in ("faster", "more accurate"))


ROW = """
    [conclusions.mine]
    study = "ours"
    source = "here"
    words = "It is."
    models = ["toy:*"]
    relation = "faster"
    strategies = ["int8 on edge"]
    others = ["= on mobile"]
    """


def test_a_users_row_replaces_one_of_the_same_name(tmp_path):
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(dedent(ROW))
    other.write_text(dedent(ROW).replace("It is.", "It is not."))
    (found,) = read_conclusions(Registry.of([one, other]))
    assert found.words == "It is not."


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"faster"',
            '"better"',
            "line 7: [conclusions.mine] relation: must be one of faster, more",
        ),
        ("int8 on edge", "int8@edge", "strategies: a strategy is written `CHAIN on PLACEMENT`"),
        ("words", "wurds", "unknown key; did you mean 'words'?"),
        ('study = "ours"', "", "needs the key 'study'"),
    ],
)
def test_a_malformed_row_is_said_with_its_line(tmp_path, old, new, said):
    file = tmp_path / "mine.toml"
    file.write_text(dedent(ROW).replace(old, new))
    with pytest.raises(RegistryError) as refused:
        read_conclusions(Registry.of([file]))
    assert said in str(refused.value)
    assert str(file) in str(refused.value)
