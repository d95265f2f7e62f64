"""What an operator may see and do, asked from inside one."""

from __future__ import annotations

import json

import pytest

from edgebench.parts.errors import ChainError
from edgebench.parts.subjects import Weights
from edgebench.prepare.make import Maker
from edgebench.store.artifacts import read_pipeline

from .conftest import toy_case

NEEDS = ("calibration", "training", "validation", "placement", "links", "target", "run")

# Each operator does one thing, and writes down what came of it; one of the pair declares the need.
ASKING = """
    import json, pathlib
    import attrs
    from edgebench import (Backend, Budget, Exit, Operator, Quantization, TensorSpec, Trainer,
                           hookimpl)

    HERE = pathlib.Path(__file__).parent

    def seen(context, split):
        rows = list(context.inputs(split))
        return [len(context.inputs(split)), len(rows), rows[0][0]["input"].shape, rows[0][1]]

    def live(pipeline, context):
        return context.live(pipeline.stages[0])

    ASKS = dict(
        calibration=lambda p, c: seen(c, "calibration"),
        validation=lambda p, c: seen(c, "validation"),
        training=lambda p, c: seen(c, "training"),
        placement=lambda p, c: str(c.placement),
        links=lambda p, c: [link.rate for link in c.links],
        target=lambda p, c: attrs.asdict(c.target),
        fit=lambda p, c: c.fit(live(p, c), budget=Budget(epochs=3), teacher=p.stages[0]).precision,
        score=lambda p, c: dict(c.score(p, "validation")),
        scoretest=lambda p, c: dict(c.score(p, "test")),
        test=lambda p, c: seen(c, "test"),
        run=lambda p, c: run(p, c),
        exits=lambda p, c: exits(p, c),
        seed=lambda p, c: c.seed,
        prepared=lambda p, c: c.prepared("toy:small", "").model,
    )
    NEED = {"fit": "training", "score": "validation", "scoretest": "validation", "exits": "run"}

    def run(pipeline, context):
        import numpy as np
        rows = np.ones((5, 8), dtype=np.float32)
        outputs = context.run(pipeline, {"input": rows})
        changed = live(pipeline, context).live * 2
        doubled = pipeline.replaced([pipeline.stages[0].changed(changed)])
        again = context.run(doubled, {"input": rows})
        return [list(outputs), outputs["scores"].shape,
                bool(np.allclose(again["scores"], 2 * outputs["scores"]))]

    def exits(pipeline, context):
        import numpy as np
        (stage,) = pipeline.stages
        sure = TensorSpec(name="sure", dtype="float32", shape=("batch",))
        early = attrs.evolve(stage.outputs[0], name="early", port="scores")
        doubled = stage.changed(context.live(stage).live * 2)
        leaves = Exit(condition="sure", answer=["early"], threshold=1e-4)
        first = attrs.evolve(doubled, outputs=[early, sure], exit=leaves)
        both = pipeline.replaced([first, stage])
        rows = np.ones((2, 8), dtype=np.float32) * np.float32([[1], [1e-6]])
        plain = context.run(pipeline, {"input": rows})["scores"]
        with_exit = context.run(both, {"input": rows})
        return [list(with_exit), (with_exit["scores"] / plain).round(3).tolist()]

    def asking(name):
        def apply(pipeline, context):
            said = ASKS[name](pipeline, context)
            (HERE / "said.json").write_text(json.dumps(said))
            return pipeline
        return apply

    @hookimpl
    def edgebench_operators():
        for name in ASKS:
            yield Operator(name=f"rash-{name}", summary="Declares nothing.", apply=asking(name),
                           may_keep=True)
            if name not in ("test", "seed", "prepared"):
                yield Operator(name=name, summary="Declares.", apply=asking(name),
                               may_keep=True,
                               needs=[NEED.get(name, name)])
        yield Operator(name="prepared", summary="Announces.", apply=asking("prepared"),
                       may_keep=True,
                       companions=lambda options, model, variant: [("toy:small", "")])
"""


@pytest.fixture
def ask(world, tmp_path):
    recipes = world(ASKING)

    def run(chain, *place, **changes):
        case = toy_case(chain, *place, **changes)
        Maker(recipes, lambda *_: None).prepare(case)
        return json.loads((tmp_path / "said.json").read_text())

    return run


@pytest.mark.parametrize("need", NEEDS)
def test_nothing_is_given_that_was_not_declared(ask, need):
    said = f"rash-{need} uses '{need}' and does not declare that it needs it"
    with pytest.raises(ChainError, match=f"^{said}$"):
        ask(f"rash-{need}")


CHIP = """
    import sys
    from contextlib import contextmanager
    from edgebench import Backend, CaseFailed, hookimpl

    @contextmanager
    def open_session(stage, device, threads, options):
        if device != "npu":
            raise CaseFailed(f"a chip has no device {device}")
        with sys.modules["edgebench_file_toy"].open_session(stage, device, threads, None) as opened:
            yield opened

    @hookimpl
    def edgebench_backends():
        yield Backend(name="a-chip", summary="A chip.", open=open_session,
                      formats=["toy-matrix"], devices=lambda: ("npu",))
"""


def test_what_is_run_here_is_run_on_the_first_device_of_its_backend(world, tmp_path):
    recipes = world(ASKING, CHIP)
    Maker(recipes, lambda *_: None).prepare(toy_case("run", backend="a-chip"))
    assert json.loads((tmp_path / "said.json").read_text())[0] == ["scores"]


@pytest.mark.parametrize(("asked", "need"), [("fit", "training"), ("score", "validation")])
def test_nor_may_it_be_used_on_a_way_round(ask, asked, need):
    with pytest.raises(ChainError, match=f"rash-{asked} uses '{need}' and does not declare"):
        ask(f"rash-{asked}")


@pytest.mark.parametrize("asked", ["rash-test", "scoretest"])
def test_nobody_sees_the_test_split(ask, asked):
    with pytest.raises(ChainError, match=f"^{asked} asks for the test split, which no operator"):
        ask(asked)


@pytest.mark.parametrize(("split", "samples"), [("calibration", 20), ("training", 120)])
def test_inputs_are_preprocessed_batches_of_one(ask, split, samples):
    assert ask(split) == [samples, samples, [1, 8], 0]


def test_what_was_declared_is_given(ask):
    assert ask("placement", "edge") == "edge"
    assert ask("links", "cloud") == [1e6, 1e6]
    assert ask("links", "mobile") == []
    assert ask("target")["activation"] == "uint8"


def test_a_pipeline_is_scored_and_run_where_it_is_prepared(ask):
    assert 0.8 < ask("score")["accuracy"] <= 1.0
    assert ask("run") == [["scores"], [5, 3], True]


def test_a_sample_that_leaves_has_the_answer_of_its_exit_while_preparing_too(ask):
    assert ask("exits") == [["scores"], [[2.0] * 3, [1.0] * 3]]


def test_a_stage_is_trained_again_with_a_teacher_and_a_budget(ask):
    assert ask("fit") == "f32"


def test_a_second_model_must_be_announced(ask):
    assert ask("prepared") == "toy"
    with pytest.raises(ChainError, match="rash-prepared asks for toy:small '', which its"):
        ask("rash-prepared")


def test_the_seed_follows_from_the_runs_seed_and_the_operators_name(ask):
    seeds = [ask("rash-seed", seed=seed) for seed in range(3)]
    assert len(set(seeds)) == 3


SEEDS = """
    import pathlib
    from edgebench import Model, Operator, Trainer, Variant, hookimpl

    HERE = pathlib.Path(__file__).parent

    def note(what, seed):
        with (HERE / "seeds").open("a") as seeds:
            seeds.write(f"{what} {seed}\\n")

    def build(variant, weights):
        import sys
        note("build", weights.seed)
        pipeline = sys.modules["edgebench_file_toy"].build(variant, weights)
        stage = pipeline.stages[0]
        import attrs
        return pipeline.replaced([attrs.evolve(stage, format="noting")])

    def fit(stage, loss, training, validation, budget, seed, progress, teacher=None):
        note("fit", seed)
        return stage.changed(stage.live)

    def tune(pipeline, context):
        stage = context.fit(pipeline.stages[0])
        return pipeline.replaced([stage])

    @hookimpl
    def edgebench_models():
        yield Model(name="noting", summary="Notes.", build=build, dataset="toy-points",
                    variants=[Variant(name="small", weights=["trained"])],
                    format="noting", loss=lambda outputs, answers: 0.0)

    @hookimpl
    def edgebench_trainers():
        yield Trainer(name="noting", summary="Notes.", format="noting", fit=fit)

    @hookimpl
    def edgebench_formats():
        import sys
        from edgebench import Format
        toy = sys.modules["edgebench_file_toy"]
        yield Format(name="noting", summary="Notes.", save=toy.save, load=toy.load)

    @hookimpl
    def edgebench_backends():
        from edgebench import Backend
        yield Backend(name="noting", summary="Notes.", open=print, formats=["noting"])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="tune", summary="Trains on.", apply=tune, needs=["training"],
                       reads=["noting"])
"""


def test_weights_are_trained_with_their_seed_and_operators_with_one_of_their_own(world, tmp_path):
    recipes = world(SEEDS)
    for seed in (5, 6):
        case = toy_case("tune", model="noting", backend="noting", seed=seed)
        Maker(recipes, lambda *_: None).prepare(case)
    said = [line.split() for line in (tmp_path / "seeds").read_text().splitlines()]
    assert [each for each in said if each[1] in "56"] == [
        ["build", "5"], ["fit", "5"], ["build", "6"], ["fit", "6"],
    ]  # fmt: skip
    tuned = [int(seed) for what, seed in said if what == "fit" and seed not in "56"]
    assert len(set(tuned)) == 2
    assert all(0 <= seed < 2**31 for seed in tuned)


BATCHES = """
    import attrs, json, pathlib
    from edgebench import Backend, Converter, Format, hookimpl

    HERE = pathlib.Path(__file__).parent

    def convert(stage, examples):
        with (HERE / "examples").open("a") as file:
            file.write(json.dumps({name: [list(a.shape), a.astype(float).tolist()]
                                   for name, a in examples.items()}) + "\\n")
        return attrs.evolve(stage.changed(stage.live), format="noted")

    @hookimpl
    def edgebench_converters():
        yield Converter(name="note", summary="Notes.", source="toy-matrix", target="noted",
                        convert=convert)

    @hookimpl
    def edgebench_formats():
        import sys
        toy = sys.modules["edgebench_file_toy"]
        yield Format(name="noted", summary="Noted.", save=toy.save, load=toy.load)

    @hookimpl
    def edgebench_backends():
        import sys
        toy = sys.modules["edgebench_file_toy"]
        yield Backend(name="noted", summary="Noted.", open=toy.open_session, formats=["noted"])
"""


def test_converters_are_given_real_inputs_of_their_own_stage(world, tmp_path):
    import numpy as np

    recipes = world(BATCHES)
    maker = Maker(recipes, lambda *_: None)
    case = toy_case("toy-cut", "mobile-edge", "noted")
    front, back = read_pipeline(maker.prepare(case)).stages
    first, second = map(json.loads, (tmp_path / "examples").read_text().splitlines())
    assert list(first) == ["input"]
    assert list(second) == ["middle"]
    assert (first["input"][0], second["middle"][0]) == ([8, 8], [8, 3])
    split = maker.stages.split(case, "validation", read_pipeline(maker.prepare(case)))
    rows = [tensors["input"] for tensors, _ in list(split)[:8]]
    assert np.allclose(first["input"][1], np.concatenate(rows))
    through = np.concatenate(rows) @ maker.stages.live(front).live
    assert np.allclose(second["middle"][1], through, atol=1e-6)
    assert back.format == "noted"


TILES = """
    import attrs, io, json, pathlib
    from contextlib import contextmanager
    from edgebench import (Backend, Converter, Dataset, Format, Metric, Model, Operator, Pipeline,
                           Stage, TensorSpec, Variant, hookimpl)

    HERE = pathlib.Path(__file__).parent
    SHAPES = [(3, 2), *[(2, 2)] * 5, (3, 2), (3, 2)]

    def note(what, shape):
        with (HERE / "shapes").open("a") as file:
            file.write(json.dumps([what, *shape]) + "\\n")

    def samples(split, seed):
        import numpy as np
        shapes = {"validation": SHAPES, "test": [(1, 1)]}
        for number, shape in enumerate(shapes.get(split, ())):
            buffer = io.BytesIO()
            np.save(buffer, np.full(shape, number, np.float32))
            yield buffer.getvalue(), number

    def metrics():
        return [Metric(name="mean", count=lambda got, answer: [got[0] == answer, 1.0],
                       value=lambda sums: sums[0] / sums[1])]

    def build(variant, weights):
        first = int(variant) if variant.isdigit() else "batch"
        tile = TensorSpec(name="input", dtype="float32", shape=(first, "height", "width"))
        mean = TensorSpec(name="mean", dtype="float32", shape=(first, 1))
        stage = Stage(format="tiles", inputs=[tile], outputs=[mean], live=0)
        return Pipeline(model="tiles", variant=variant, stages=[stage], outputs=["mean"])

    def convert(stage, examples):
        note("example", examples["input"].shape)
        return attrs.evolve(stage.changed(stage.live), format="hung")

    class Session:
        def run(self, inputs):
            note("run", inputs["input"].shape)
            return {"mean": inputs["input"].mean(axis=(1, 2))[:, None]}

    @contextmanager
    def open_session(stage, device, threads, options):
        yield Session()

    def apply(pipeline, context):
        (HERE / "said.json").write_text(json.dumps(dict(context.score(pipeline, "validation"))))
        return pipeline

    def save(stage, directory):
        (directory / "nothing").touch()
        return ["nothing"]

    @hookimpl
    def edgebench_models():
        yield Model(name="tiles", summary="Means.", build=build, dataset="tiles", format="tiles",
                    variants=[Variant(name="open"), Variant(name="1")])

    @hookimpl
    def edgebench_datasets():
        yield Dataset(name="tiles", summary="Tiles.", samples=samples, metrics=metrics)

    @hookimpl
    def edgebench_formats():
        for name in ("tiles", "hung"):
            yield Format(name=name, summary="Nothing.", save=save, load=lambda stage, rebuild: 0)

    @hookimpl
    def edgebench_converters():
        yield Converter(name="hang", summary="Hangs.", source="tiles", target="hung",
                        convert=convert)

    @hookimpl
    def edgebench_backends():
        yield Backend(name="wall", summary="A wall.", open=open_session, formats=["hung"])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="look", summary="Scores.", apply=apply, needs=["validation"],
                       may_keep=True, reads=["tiles"])
"""


@pytest.fixture
def scored(world, tmp_path):
    """Score tiles of different shapes in an operator: the figure, and what was run on what."""

    def run(variant):
        case = toy_case(
            "look", model="tiles", variant=variant, dataset="tiles", backend="wall",
            weights=Weights(kind="own"),
        )  # fmt: skip
        Maker(world(TILES), lambda *_: None).prepare(case)
        shapes = [json.loads(line) for line in (tmp_path / "shapes").read_text().splitlines()]
        return json.loads((tmp_path / "said.json").read_text()), shapes

    return run


def test_inputs_of_different_shapes_are_scored_in_batches_of_one_shape(scored):
    figures, shapes = scored("open")
    assert figures == {"mean": 1.0}
    # What is converted is given two at least, or it would take the batch for a constant.
    assert shapes[0] == ["example", 2, 3, 2]
    assert [shape for shape in shapes if shape[0] == "run"] == [
        ["run", 1, 3, 2], ["run", 5, 2, 2], ["run", 2, 3, 2],
    ]  # fmt: skip


def test_no_more_inputs_are_scored_at_once_than_fit_the_bound(scored, monkeypatch):
    monkeypatch.setattr("edgebench.prepare.context.AT_ONCE", 2 * 16)
    figures, shapes = scored("open")
    assert figures == {"mean": 1.0}
    assert [count for what, count, *_ in shapes if what == "run"] == [1, 2, 2, 1, 1, 1]


def test_a_stage_that_takes_one_sample_is_scored_with_one_at_a_time(scored):
    figures, shapes = scored("1")
    assert figures == {"mean": 1.0}
    assert shapes[0] == ["example", 1, 3, 2]
    assert {count for what, count, *_ in shapes if what == "run"} == {1}
