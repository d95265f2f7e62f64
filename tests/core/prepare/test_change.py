"""Whether what an operator did is in what it gave back."""

from __future__ import annotations

import pytest

from edgebench.parts.errors import CaseFailed
from edgebench.prepare.make import Maker
from edgebench.store.artifacts import read_pipeline

from .conftest import toy_case

LOSING = """
    import attrs
    from edgebench import Operator, hookimpl

    def zeroed(pipeline):
        for stage in pipeline.stages:
            stage.live[:] = 0
        return pipeline

    def first(pipeline):
        stage = pipeline.stages[0]
        return pipeline.replaced([stage.changed(stage.live + 1), *pipeline.stages[1:]])

    def other(pipeline):
        return [attrs.evolve(stage, live=stage.live + 1) for stage in pipeline.stages]


    DO = {
        "nothing": lambda p, c: p,
        "rebuilt": lambda p, c: p.replaced(list(p.stages)),
        "in-place": lambda p, c: zeroed(p),
        "in-place-rebuilt": lambda p, c: zeroed(p).replaced(list(p.stages)),
        "in-place-relabelled": lambda p, c: zeroed(p).replaced(
            [attrs.evolve(stage, precision="int8") for stage in p.stages]),
        "files-kept": lambda p, c: p.replaced(other(p)),
        "half": lambda p, c: first(zeroed(p)),
        "seen": lambda p, c: [c.live(s).live.fill(0) for s in p.stages] and p,
        "in-place-changed": lambda p, c: p.replaced([s.changed(s.live) for s in zeroed(p).stages]),
        "none": lambda p, c: None,
        "stages": lambda p, c: p.stages,
        "one": lambda p, c: first(p),
        "relabelled": lambda p, c: p.replaced(
            [attrs.evolve(stage, precision="int8") for stage in p.stages]),
        "copied": lambda p, c: p.replaced([s.changed(s.live.copy()) for s in p.stages]),
    }

    @hookimpl
    def edgebench_operators():
        for name, does in DO.items():
            reads = [] if name == "seen" else ["toy-matrix"]
            for prefix, keeps in (("", False), ("may-", True)):
                yield Operator(name=prefix + name, summary="Loses.", apply=does, reads=reads,
                               may_keep=keeps)
        yield Operator(name="only-cuts", summary="Cuts.", reads=["toy-matrix"],
                       apply=lambda p, c: p.replaced(p.stages, cuts=[1]), cuts=lambda options: 1)
        yield Operator(name="cuts-zeroed", summary="Cuts.", reads=["toy-matrix"],
                       apply=lambda p, c: zeroed(p).replaced(p.stages, cuts=[1]),
                       cuts=lambda options: 1)
        yield Operator(name="two", summary="Makes two stages.", reads=["toy-matrix"], apply=two)

    def two(pipeline, context):
        import numpy as np
        from edgebench import TensorSpec
        stage = pipeline.stages[0]
        middle = TensorSpec(name="middle", dtype="float32", shape=("batch", 8))
        eye = attrs.evolve(stage.changed(np.eye(8, dtype=np.float32)), outputs=[middle])
        return pipeline.replaced([eye, attrs.evolve(stage, inputs=[middle])])
"""
LOST = r"^operator {} \(.*\): it changed the live object of stage {} and gave .* give it to `stage.changed\(...\)`$"
NOTHING = r"^operator {} \(.*\): it changed nothing: it gave back the pipeline that it was given; .* `may_keep=True`$"


@pytest.fixture
def prepare(world):
    recipes = world(LOSING)

    def run(chain, placement="mobile"):
        path = Maker(recipes, lambda *_: None).prepare(toy_case(chain, placement))
        return read_pipeline(path)

    return run


@pytest.mark.parametrize(
    "chain",
    ["in-place", "in-place-rebuilt", "in-place-relabelled", "files-kept", "may-in-place"],
)
def test_a_live_object_that_is_not_what_the_files_hold_is_an_error(prepare, chain):
    with pytest.raises(CaseFailed, match=LOST.format(chain, 0)):
        prepare(chain)


def test_a_stage_that_is_kept_beside_one_that_is_changed_is_looked_at_too(prepare):
    with pytest.raises(CaseFailed, match=LOST.format("half", 1)):
        prepare("two+half")
    assert len(prepare("two+one").stages) == 2


@pytest.mark.parametrize("chain", ["nothing", "rebuilt", "seen"])
def test_an_operator_that_changes_nothing_is_an_error_unless_it_declares_it(prepare, chain):
    with pytest.raises(CaseFailed, match=NOTHING.format(chain)):
        prepare(chain)
    assert prepare(f"may-{chain}").doubts == ()


def test_what_is_changed_in_place_and_given_as_changed_is_kept(prepare):
    import numpy as np

    assert not np.load(prepare("in-place-changed").stages[0].file).any()


@pytest.mark.parametrize(("chain", "kind"), [("none", "NoneType"), ("stages", "tuple")])
def test_what_is_no_pipeline_is_an_error(prepare, chain, kind):
    with pytest.raises(
        CaseFailed, match=rf"^operator {chain} \(.*\): it gave back {kind}, not a Pipeline$"
    ):
        prepare(chain)


def test_another_precision_alone_is_a_change(prepare):
    assert prepare("relabelled").doubts == ()


def test_a_cut_alone_is_a_change_that_hides_no_other(prepare):
    assert prepare("two+only-cuts", "mobile-edge").cuts == (1,)
    with pytest.raises(CaseFailed, match=LOST.format("cuts-zeroed", 0)):
        prepare("two+cuts-zeroed", "mobile-edge")


def test_what_comes_out_the_same_to_the_byte_is_doubted(prepare):
    said = "copied: what it made is to the byte what it was given"
    assert prepare("copied").doubts == (said,)
    assert prepare("copied+toy-round").doubts == (said,)
    assert prepare("may-copied").doubts == ()


NOISY = """
    import itertools
    import attrs
    from edgebench import Format, Operator, hookimpl

    COUNT = itertools.count()

    def save(stage, directory):
        (directory / "stamp").write_text(str(next(COUNT)))
        return ["stamp"]

    def stamped(pipeline, context):
        return pipeline.replaced(
            [attrs.evolve(s.changed(s.live), format="stamped") for s in pipeline.stages])

    @hookimpl
    def edgebench_formats():
        yield Format(name="stamped", summary="Notes when.", save=save,
                     load=lambda stage, rebuild: stage.file.read_text())

    @hookimpl
    def edgebench_operators():
        yield Operator(name="stamp", summary="Stamps.", apply=stamped, reads=["toy-matrix"],
                       writes="stamped")
        yield Operator(name="label", summary="Labels.", reads=["stamped"],
                       apply=lambda p, c: p.replaced(
                           [attrs.evolve(s, precision="int8") for s in p.stages]))

    @hookimpl
    def edgebench_backends():
        from edgebench import Backend
        yield Backend(name="stamped", summary="Stamps.", open=print, formats=["stamped"])
"""


def test_a_format_that_never_writes_the_same_twice_accuses_nobody(world):
    case = toy_case("stamp+label", backend="stamped")
    pipeline = read_pipeline(Maker(world(NOISY), lambda *_: None).prepare(case))
    assert pipeline.stages[0].precision == "int8"
    (doubt,) = pipeline.doubts
    assert doubt.startswith("label: whether it changed stage 0 in place cannot be told, as stamped")
