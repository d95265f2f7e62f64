"""How a step was made is kept beside it, and makes nothing that follows another."""

from __future__ import annotations

import json

import pytest

from edgebench.parts.changes import Contents
from edgebench.parts.errors import CaseFailed
from edgebench.prepare.make import Maker
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.provenance import Provenance, read_provenance
from edgebench.prepare.steps import follow
from edgebench.store.artifacts import ASIDE, digest_content

from .conftest import toy_case

COUNTING = """
    from edgebench import Contents, Format, Operator, hookimpl
    import sys

    toy = sys.modules["edgebench_file_toy"]

    def describe(stage):
        return Contents(nodes={"MatMul": 1, "rows": len(stage.live)}, operations=stage.live.size)

    @hookimpl
    def edgebench_formats():
        yield Format(name="counted", summary="A file.", save=toy.save, load=toy.load,
                     describe=describe)

    def halve(pipeline, context):
        import attrs
        (stage,) = pipeline.stages
        context.doubt("halved")
        context.chose("rows", 4)
        context.chose("how", "every other")
        return pipeline.replaced([attrs.evolve(stage.changed(stage.live[::2]), format="counted")])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="halve", summary="Halve.", apply=halve,
                       reads=["toy-matrix"], writes="counted")
        yield Operator(name="keep", summary="Keep.", apply=lambda p, c: p, may_keep=True)
        yield Operator(name="tune", summary="Train.", apply=tune, needs=["training"],
                       reads=["toy-matrix"])

    def tune(pipeline, context):
        return pipeline.replaced([context.fit(stage) for stage in pipeline.stages])
"""


def walk(recipes, case, obtain):
    """Go through the steps of a case but what its backend would still need converted."""
    found = []

    def note(step):
        found.append(obtain(step))
        return found[-1]

    follow(recipes.steps(case, for_backends=False), note)
    return found


def trace(recipes, chain):
    """Make a case's steps, and return where each lies with how it was made."""
    maker = Maker(recipes, lambda *_: None)
    return [(path, read_provenance(path)) for path in walk(recipes, toy_case(chain), maker.make)]


def test_a_step_keeps_what_it_took_and_what_of_that_was_training(world):
    recipes = world(COUNTING)
    built, tuned, kept = (one for _, one in trace(recipes, "tune+keep"))
    assert 0 < built.training_s < built.seconds
    assert 0 < tuned.training_s < tuned.seconds
    assert kept.training_s == 0
    assert kept.seconds > 0


def test_a_step_counts_what_is_in_its_stages_where_the_format_can_tell(world):
    recipes = world(COUNTING)
    built, halved, kept = (one for _, one in trace(recipes, "halve+keep"))
    assert built.contents == (None,)
    counted = Contents(nodes={"MatMul": 1, "rows": 4}, operations=12)
    assert halved.contents == kept.contents == (counted,)


def test_a_step_keeps_what_its_operator_chose(world):
    recipes = world(COUNTING)
    built, halved, kept = (one for _, one in trace(recipes, "halve+keep"))
    assert halved.chosen == {"rows": 4, "how": "every other"}
    assert built.chosen == kept.chosen == {}


def test_what_a_step_took_is_no_part_of_what_it_holds(world):
    recipes = world(COUNTING)
    for path, _ in trace(recipes, "halve"):
        before = digest_content(path)
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["files"][ASIDE]["sha256"] = "another"
        (path / "manifest.json").write_text(json.dumps(manifest))
        assert digest_content(path) == before


def test_what_an_older_version_made_is_read_as_not_known(world):
    recipes = world(COUNTING)
    ((path, made), *_) = trace(recipes, "")
    assert made.seconds is not None
    (path / ASIDE).unlink()
    assert read_provenance(path) == Provenance()


def test_a_case_is_traced_step_by_step_without_those_of_a_second_model(world):
    recipes = world(
        COUNTING,
        """
        from edgebench import Operator, hookimpl

        def copy(pipeline, context):
            return context.prepared("toy:small", "tune")

        @hookimpl
        def edgebench_operators():
            yield Operator(name="copy", summary="Copy.", apply=copy,
                           companions=lambda *_: [("toy:small", "tune")])
        """,
    )
    case = toy_case("copy")
    preparer = Preparer(recipes=recipes, progress=lambda *_: None)
    assert preparer.trace(case) == ()
    Maker(recipes, lambda *_: None).prepare(case)
    made = preparer.trace(case)
    assert [step.what for step, _ in made] == ["toy:small trained", "toy:small copy"]
    assert [step.case for step, _ in made] == [case, case]


def test_a_format_that_fails_to_count_is_named(world):
    recipes = world(COUNTING.replace("len(stage.live)", "len(stage.lives)"))
    with pytest.raises(CaseFailed, match="counted.*lives"):
        trace(recipes, "halve")
