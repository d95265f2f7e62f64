"""Which steps share an artifact, and which never do."""

from __future__ import annotations

import attrs
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.parts.errors import CaseFailed, ChainError
from edgebench.parts.places import Link
from edgebench.prepare.make import Maker
from edgebench.store.artifacts import Store, digest_content, read_pipeline

from .conftest import toy_case

STRANGERS = """
    import attrs
    from edgebench import (Backend, Dataset, Edit, Model, Operator, Quantization, Variant,
                           hookimpl)

    def recording(context_field):
        def apply(pipeline, context):
            said = str(getattr(context, context_field))
            stage = pipeline.stages[0]
            return pipeline.replaced([stage.changed(stage.live, precision=said)])
        return apply

    def same(pipeline, context):
        return pipeline

    @hookimpl
    def edgebench_operators():
        yield Operator(name="nothing", summary="Nothing.", apply=same, may_keep=True)
        yield Operator(name="doing-nothing", summary="Nothing.", apply=same,
                       may_keep=True, reads=["toy-matrix"])
        for need in ("placement", "links", "target"):
            yield Operator(name=f"by-{need}", summary="Follows.", apply=recording(need),
                           needs=[need], reads=["toy-matrix"])
        yield Operator(name="by-seed", summary="Follows.", apply=recording("seed"),
                       reads=["toy-matrix"])

    @hookimpl
    def edgebench_backends():
        yield Backend(name="picky", summary="Signed.", open=print, formats=["toy-matrix"],
                      quantization=Quantization(activation="int8"))
"""


def test_a_prefix_that_was_prepared_once_is_not_prepared_again(make):
    _, new = make(toy_case("toy-round"))
    assert new == ["splits of toy-points", "toy:small toy-round", "toy:small trained"]
    _, new = make(toy_case("toy-round+toy-cut", "mobile-edge"))
    assert new == ["toy:small toy-cut"]


def test_a_longer_chain_leaves_its_prefixes_behind(make):
    make(toy_case("toy-round+toy-cut", "mobile-edge"))
    assert make(toy_case("toy-round"))[1] == []
    assert make(toy_case())[1] == []


def test_steps_that_leave_the_same_bytes_share_all_that_follows(make, world):
    recipes = world(STRANGERS)
    plain, _ = make(toy_case(backend="toy-chip"), recipes)
    for chain in ("nothing", "doing-nothing", "nothing+nothing"):
        path, new = make(toy_case(chain, backend="toy-chip"), recipes)
        assert path == plain
        assert [what for what in new if "sealed" in what] == []


def test_what_shares_is_the_content_and_nothing_else(make, world):
    recipes = world(STRANGERS)
    plain, _ = make(toy_case(), recipes)
    same, _ = make(toy_case("nothing"), recipes)
    rounded, _ = make(toy_case("toy-round"), recipes)
    assert plain != same
    assert digest_content(plain) == digest_content(same) != digest_content(rounded)


@pytest.mark.parametrize(
    ("chain", "other"),
    [
        ("toy-round", {"chain": "toy-round(digits=1)"}),
        ("toy-round", {"chain": "toy-round(samples=11)"}),
        ("by-seed", {"seed": 1}),
        ("by-placement", {"placement": toy_case(placement="edge").placement}),
        ("by-links", {"links": [Link(between=("mobile", "edge"), rate=2e6)]}),
        ("by-links", {"links": [Link(between=("mobile", "edge"), rate=1e6, delay=0.1)]}),
        ("by-target", {"backends": [BackendChoice("picky")]}),
    ],
)
def test_what_an_operator_declared_is_part_of_its_key(make, world, chain, other):
    recipes = world(STRANGERS)
    first, _ = make(toy_case(chain), recipes)
    second, new = make(attrs.evolve(toy_case(chain), **other), recipes)
    assert first != second
    assert len(new) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"placement": toy_case(placement="cloud").placement},
        {"links": [Link(between=("mobile", "edge"), rate=2e6)]},
        {"links": [], "route": ["mobile"]},
        {"backends": [BackendChoice("picky")]},
        {"backends": [BackendChoice("toy-numpy", "cpu")]},
        {"fabric": "another"},
        {"scenario": "another"},
        {"batch": 4},
        {"threads": 2},
    ],
)
def test_what_no_operator_asked_for_is_not(make, world, other):
    recipes = world(STRANGERS)
    case = toy_case("toy-round+by-seed")
    path, _ = make(case, recipes)
    assert make(attrs.evolve(case, **other), recipes) == (path, [])


def test_the_seed_reaches_weights_and_operators(make, world):
    recipes = world(STRANGERS)
    said = [
        read_pipeline(make(toy_case("by-seed", seed=seed), recipes)[0]).stages[0].precision
        for seed in (0, 1, 0)
    ]
    assert said[0] == said[2] != said[1]


def test_the_same_case_has_the_same_keys_and_bytes_anywhere(make, world, tmp_path):
    recipes = world(STRANGERS)
    elsewhere = attrs.evolve(recipes, store=Store(tmp_path / "elsewhere"))
    case = toy_case("toy-round+by-seed", backend="toy-chip", seed=3)
    paths = [make(case, each)[0] for each in (recipes, elsewhere)]
    assert paths[0] != paths[1]
    assert paths[0].name == paths[1].name
    assert digest_content(paths[0]) == digest_content(paths[1])


def test_every_code_that_may_run_is_part_of_the_key(make, world):
    keys = []
    for shift in range(2):
        recipes = world(STRANGERS, OTHERS, MODEL.format(shift=shift))
        keys.append(make(toy_case("", model="mine", backend="toy-chip"), recipes)[0])
        keys.append(make(toy_case("toy-round", model="mine"), recipes)[0])
    assert len(set(keys)) == 4


OTHERS = """
    from edgebench import Operator, hookimpl

    @hookimpl
    def edgebench_operators():
        yield Operator(name="unrelated", summary="Another.", apply=print)
"""
# What `preprocess` does reaches operators and converters as inputs, whatever `build` gives.
MODEL = """
    from edgebench import Model, TensorSpec, Stage, Pipeline, Variant, hookimpl

    def build(variant, weights):
        import numpy as np

        specs = [TensorSpec(name=name, dtype="float32", shape=("batch", width))
                 for name, width in (("input", 8), ("scores", 3))]
        stage = Stage(format="toy-matrix", inputs=specs[:1], outputs=specs[1:],
                      live=np.ones((8, 3), dtype=np.float32))
        return Pipeline(model="mine", variant=variant, stages=[stage], outputs=["scores"])

    @hookimpl
    def edgebench_models():
        yield Model(name="mine", summary="Ones.", build=build, dataset="toy-points",
                    variants=[Variant(name="small", weights=["own", "trained"])],
                    format="toy-matrix", loss=lambda outputs, answers: 0.0,
                    preprocess=lambda row, variant: {{"input": row[None] + {shift}}})
"""


def test_what_gives_later_stages_their_examples_is_part_of_the_key_of_converting(make, world):
    form = """
        from edgebench import Format, hookimpl

        @hookimpl
        def edgebench_formats():
            yield Format(name="far", summary="Far.", save=print, load=print)
    """
    readers = """
        from edgebench import Backend, hookimpl

        @hookimpl
        def edgebench_backends():
            for name in ("one", "two"):
                yield Backend(name=name, summary="Reads.", open=print, formats=["far"])
    """
    keys = world(form, readers).keys
    two = read_pipeline(make(toy_case("toy-cut", "mobile-edge"))[0])
    far = two.replaced([attrs.evolve(stage, format="far") for stage in two.stages])
    alone = attrs.evolve(
        far, stages=far.stages[:1], cuts=(), outputs=[far.stages[0].outputs[0].name]
    )

    def convert(backend, pipeline):
        case = toy_case("toy-cut", "mobile-edge", backend)
        return keys.convert(case, [()] * len(pipeline.stages), "", pipeline)

    assert convert("one", far) != convert("two", far)
    assert convert("one", alone) == convert("two", alone)
    # The reference of a format is the same for all.
    assert convert("one", two) == convert("two", two)


def test_a_stranger_who_has_no_part_in_it_changes_no_key(make, world):
    path, _ = make(toy_case("toy-round"), world())
    assert make(toy_case("toy-round"), world(STRANGERS, OTHERS)) == (path, [])


def test_an_entry_that_was_damaged_is_made_again_and_nothing_else(make, world):
    path, _ = make(toy_case("toy-round"), world())
    made = times(path.parents[1])
    (path / "stage-0" / "matrix.npy").write_bytes(b"")
    assert make(toy_case("toy-round"), world()) == (path, [])
    again = times(path.parents[1])
    assert [place for place in made if made[place] != again[place]] == [path]
    assert read_pipeline(path).stages[0].size > 0


def times(root):
    """When each entry was written; its manifest is touched by whoever looks at it."""
    files = [file for file in root.glob("??/*/*.json") if file.name != "manifest.json"]
    return {file.parent: file.stat().st_mtime_ns for file in files}


CASCADE = """
    from edgebench import Operator, hookimpl

    def ask(pipeline, context):
        second = context.prepared("toy:small", "{chain}")
        return pipeline.replaced([pipeline.stages[0].changed(context.live(second.stages[0]).live)])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="ask", summary="Take another's.", apply=ask, reads=["toy-matrix"],
                       companions=lambda options, model, variant: [("toy:small", "{chain}")])
        yield Operator(name="twice", summary="Ask one who asks.",
                       apply=lambda p, c: c.prepared("toy:small", "ask"),
                       companions=lambda options, model, variant: [("toy:small", "ask")])
"""


def test_a_second_model_is_prepared_first_and_joins_the_key(make, world):
    recipes = world(CASCADE.format(chain="toy-round"))
    _, new = make(toy_case("ask"), recipes)
    assert "toy:small toy-round" in new
    changed = world(CASCADE.format(chain="toy-round(digits=1)"))
    assert make(toy_case("twice"), changed)[1] == [
        "toy:small ask",
        "toy:small toy-round(digits=1)",
        "toy:small twice",
    ]


def test_second_models_in_a_circle_are_refused(world):
    recipes = world(CASCADE.format(chain="ask"))
    with pytest.raises(ChainError, match="toy ask needs itself prepared first"):
        Maker(recipes, lambda *_: None).prepare(toy_case("twice"))


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ('"tony:small", ""', "its companions name 'tony:small' '': no model is called 'tony'"),
        ('"toy:huge", ""', "its companions name 'toy:huge' '': no .* is called 'huge'"),
        ('"toy", "toy-rond"', "its companions name 'toy' 'toy-rond': no operator is called"),
        ('"toy"', "ValueError: not enough values"),
    ],
)
def test_an_operator_whose_companions_name_nothing_is_named(world, pair, said):
    text = CASCADE.replace('"toy:small", "{chain}"', pair + ",")
    with pytest.raises(CaseFailed, match=f"^operator ask .*: {said}"):
        Maker(world(text), lambda *_: None).prepare(toy_case("ask"))


def test_a_second_model_has_weights_of_its_own_kind(world):
    recipes = world(CASCADE.format(chain=""), MODEL.format(shift=0))
    case = toy_case("ask", model="mine", weights=attrs.evolve(toy_case().weights, kind="own"))
    path = Maker(recipes, lambda *_: None).prepare(case)
    trained = Maker(recipes, lambda *_: None).prepare(toy_case())
    files = [(each / "stage-0" / "matrix.npy").read_bytes() for each in (path, trained)]
    assert files[0] == files[1]


REPLACED = """
    from edgebench import ChainError, Operator, hookimpl

    def stand_in(pipeline, context):
        second = context.prepared("toy:small", "")
        return pipeline.replaced([pipeline.stages[0].changed(context.live(second.stages[0]).live)])

    def want_toy(options, model, variant):
        if model.name != "toy":
            raise ChainError(f"{model.name} is no toy")
        return ()

    @hookimpl
    def edgebench_operators():
        yield Operator(name="swap", summary="Another model.", apply=stand_in, replaces=True,
                       companions=lambda *_: [("toy:small", "")], reads=["toy-matrix"])
        yield Operator(name="want", summary="Toys only.", apply=lambda p, c: p, may_keep=True,
                       companions=want_toy)
"""


def test_what_follows_an_operator_that_replaces_the_model_is_asked_of_the_new_one(world):
    recipes = world(REPLACED, MODEL.format(shift=0))
    case = toy_case("swap+want", model="mine")
    assert Maker(recipes, lambda *_: None).prepare(case)
    with pytest.raises(ChainError, match="mine is no toy"):
        Maker(recipes, lambda *_: None).prepare(attrs.evolve(case, chain="want+swap"))
