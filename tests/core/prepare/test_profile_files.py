"""Operators that are told how long tiers take: what is measured when, and what shares it."""

from __future__ import annotations

import shutil

import attrs
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.parts.errors import CaseFailed, ChainError
from edgebench.parts.pipeline import Profile
from edgebench.parts.places import Link, Placement
from edgebench.prepare.make import Maker
from edgebench.prepare.preparer import Preparer
from edgebench.prepare.profile_files import read_profile, write_profile
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.steps import Measure, follow
from edgebench.store.artifacts import read_pipeline
from edgebench.store.splits import open_split

from .conftest import toy_case

STRANGER = """
    import json, attrs
    from edgebench import Backend, Operator, hookimpl

    def told(pipeline, context):
        profiles = [[str(context.placement), tier, one.stages, one.nodes, one.no_nodes]
                    for tier, one in context.profiles.items()]
        first, *others = pipeline.stages
        changed = first.changed(first.live * 2, precision=json.dumps(profiles))
        return pipeline.replaced([changed, *others])

    def untold(pipeline, context):
        return context.profiles

    @hookimpl
    def edgebench_operators():
        yield Operator(name="told", summary="Notes what it is told.", apply=told,
                       needs=["profile"], reads=["toy-matrix"])
        yield Operator(name="untold", summary="Asks all the same.", apply=untold)

    @hookimpl
    def edgebench_backends():
        yield Backend(name="same", summary="Another.", open=print, formats=["toy-matrix"])
"""


@pytest.fixture
def recipes(world):
    return world(STRANGER)


@attrs.define
class Stopwatch:
    """Measures by looking at a clock that it is told to read."""

    recipes: Recipes
    seconds: float = 0.5
    asked: list[Measure] = attrs.field(factory=list)

    def measure(self, step, splits):
        assert len(open_split(splits / "validation"))
        self.asked.append(step)

        def fill(directory):
            seconds = self.seconds * len(self.asked)
            profile = Profile(
                stages=[seconds], nodes=[{"n": seconds / 2}], doubts=["a busy machine"]
            )
            write_profile(profile, directory)

        return self.recipes.store.make(step.key, step.what, fill)


@pytest.fixture
def stopwatch(recipes):
    return Stopwatch(recipes)


@pytest.fixture
def prepare(recipes, stopwatch):
    """Prepare here, as the controller and a worker do by turns; return what is in the pipeline."""
    maker = Maker(recipes, lambda *_: None)

    def obtain(step):
        if isinstance(step, Measure):
            found = recipes.store.find(step.key)
            return found or stopwatch.measure(step, maker.inputs(step.case))
        return maker.make(step)

    def run(case):
        path = follow(recipes.steps(case), obtain)
        return path, read_pipeline(path).stages[0].precision

    return run


def test_a_profile_is_read_as_it_was_written(tmp_path):
    profile = Profile(
        stages=[0.5, 0.25], nodes=[{"a": 0.125}, {}], no_nodes="x gives none", doubts=["a", "b"]
    )
    write_profile(profile, tmp_path)
    assert read_profile(tmp_path) == profile


def test_an_operator_is_told_of_each_tier_of_the_placement(prepare, stopwatch):
    _, told = prepare(toy_case("told+toy-cut", placement="mobile-edge"))
    assert told == (
        '[["mobile-edge", "mobile", [0.5], [{"n": 0.25}], ""], '
        '["mobile-edge", "edge", [1.0], [{"n": 0.5}], ""]]'
    )
    for step, tier in zip(stopwatch.asked, ("mobile", "edge"), strict=True):
        assert step.case.placement == Placement((tier,))
        assert step.case.route == (tier,)


def test_what_is_profiled_is_what_the_operator_starts_from_as_the_backend_reads_it(
    prepare, stopwatch
):
    mixed = [BackendChoice("toy-numpy"), BackendChoice("toy-chip")]
    prepare(toy_case("toy-cut+told", placement="mobile-edge", backends=mixed))
    mobile, edge = (read_pipeline(step.before) for step in stopwatch.asked)
    assert [stage.format for stage in mobile.stages] == ["toy-matrix", "toy-matrix"]
    assert [stage.format for stage in edge.stages] == ["toy-sealed", "toy-sealed"]


def test_what_speaks_against_a_profile_speaks_against_what_is_made_of_it(prepare):
    path, _ = prepare(toy_case("told"))
    assert read_pipeline(path).doubts == ("a busy machine",)


@pytest.mark.parametrize(
    "other",
    [
        {"chain": "told+toy-round"},
        {"links": [Link(between=("mobile", "edge"), rate=2e6)]},
        {"scenario": "another"},
        {"batch": 4},
    ],
)
def test_a_profile_is_measured_once_for_cases_that_share_it(prepare, stopwatch, other):
    prepare(toy_case("told"))
    prepare(attrs.evolve(toy_case("told"), **other))
    assert len(stopwatch.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"chain": "toy-round+told"},
        {"placement": Placement(("edge",))},
        {"backends": [BackendChoice("toy-numpy", "cpu")]},
        {"backends": [BackendChoice("same")]},
        {"threads": 2},
    ],
)
def test_what_changes_the_time_is_measured_anew(prepare, stopwatch, other):
    first, _ = prepare(toy_case("told"))
    second, _ = prepare(attrs.evolve(toy_case("told"), **other))
    assert len(stopwatch.asked) == 2
    assert first != second


def test_another_speed_of_a_tier_is_another_profile(recipes, registry, tmp_path):
    base = Maker(recipes, lambda *_: None).base(toy_case())
    pipeline = read_pipeline(base)
    key = recipes.keys.profile(toy_case(), base.name, pipeline)
    faster = tmp_path / "faster.toml"
    faster.write_text(
        '[tiers.mobile]\nsummary = "Fast."\ncpus = 2\nmemory_gib = 2\nspeed = 0.9\n'
        'threads = 1\nsource = "a test"\n'
    )
    plugins = Plugins.load(Registry.of([*registry.paths, faster]), recipes.plugins.source.files)
    others = attrs.evolve(recipes, plugins=plugins)
    assert others.keys.profile(toy_case(), base.name, pipeline) != key


def test_an_artifact_belongs_to_the_profile_that_its_operator_saw(prepare, stopwatch, recipes):
    first, told = prepare(toy_case("told"))
    assert prepare(toy_case("told")) == (first, told)
    (step,) = stopwatch.asked
    # As if the profile had been removed from the store, and were measured anew.
    shutil.rmtree(recipes.store.locate(step.key))
    second, other = prepare(toy_case("told"))
    assert first != second
    assert told != other


def test_the_controller_measures_between_two_workers(recipes, stopwatch, process):
    case = toy_case("told+toy-cut", placement="mobile-edge")
    preparer = Preparer(recipes=recipes, progress=lambda *_: None, measure=stopwatch.measure)
    made = preparer.prepare(case)
    assert '"mobile", [0.5]' in read_pipeline(made.path).stages[0].precision
    assert [step.case.placement.tiers for step in stopwatch.asked] == [("mobile",), ("edge",)]
    again = preparer.prepare(case)
    assert again.path == made.path


def test_a_worker_does_not_measure(recipes):
    assert Maker(recipes, lambda *_: None).prepare(toy_case("told")) is None


def test_where_nothing_measures_the_case_fails(recipes, process):
    preparer = Preparer(recipes=recipes, progress=lambda *_: None)
    with pytest.raises(
        CaseFailed, match="it needs a profile, and nothing measures here: toy:small"
    ):
        preparer.prepare(toy_case("told"))


def test_what_goes_wrong_while_measuring_comes_with_what_the_worker_printed(recipes, process):
    def fail(step, splits):
        raise CaseFailed("no such chip", log="smoke\n")

    preparer = Preparer(recipes=recipes, progress=lambda *_: None, measure=fail)
    with pytest.raises(CaseFailed, match="no such chip") as failed:
        preparer.prepare(toy_case("told"))
    assert failed.value.log.endswith("smoke\n")


def test_a_profile_is_not_given_undeclared(prepare):
    with pytest.raises(ChainError, match="untold uses 'profile' and does not declare"):
        prepare(toy_case("untold"))
