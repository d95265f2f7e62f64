"""On which backends a pipeline is run while it is prepared, whoever else is installed."""

from __future__ import annotations

import json
import sys

import attrs
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.parts.errors import CaseFailed, ChainError
from edgebench.prepare.make import Maker
from edgebench.store.artifacts import read_pipeline

from .conftest import toy_case

# Two vendors who open only what they compiled, a stranger whose backend comes first by name, one
# whose chip is not there, and one whose only device is no processor. Each notes what it opens.
VENDORS = """
    import json, pathlib, sys
    from contextlib import contextmanager
    import attrs
    from edgebench import Backend, Operator, hookimpl

    HERE = pathlib.Path(__file__).parent

    def note(*words):
        with (HERE / "opened").open("a") as file:
            file.write(json.dumps(words) + "\\n")

    def compiler(vendor):
        def compile_stage(stage, device, threads, options, directory):
            (directory / vendor).write_bytes(stage.file.read_bytes())
            return attrs.evolve(stage, files=[vendor], directory=directory)
        return compile_stage

    def opener(vendor):
        @contextmanager
        def open_session(stage, device, threads, options):
            note(vendor, device, stage.files[0], [spec.name for spec in stage.inputs])
            if vendor != stage.files[0] and vendor.startswith("v"):
                raise ValueError(f"{vendor} opens nothing but what it compiled")
            if vendor == "aaa":
                raise RuntimeError("nobody asked for me")
            toy = sys.modules["edgebench_file_toy"]
            with toy.open_session(stage, device, threads, options) as session:
                yield session
        return open_session

    @hookimpl
    def edgebench_backends():
        common = dict(summary="Notes.", formats=["toy-matrix"])
        yield Backend(name="aaa", open=opener("aaa"), **common)
        yield Backend(name="absent", open=opener("absent"),
                      usable=lambda facts, device: "no chip is plugged in", **common)
        yield Backend(name="npu", open=opener("npu"), devices=lambda: ["npu"], **common)
        for vendor in ("v1", "v2"):
            yield Backend(name=vendor, open=opener(vendor), compile=compiler(vendor), **common)

    def run(pipeline, context):
        import numpy as np
        ones = {"input": np.ones((2, 8), np.float32)}
        deployed = context.run(pipeline, ones)["scores"]
        said = [context.run(pipeline, ones, on=name)["scores"] for name in context.backends]
        assert all(np.allclose(one, deployed, atol=1e-5) for one in said)
        (HERE / "backends.json").write_text(json.dumps(dict(context.backends)))
        return pipeline

    def score(pipeline, context):
        context.score(pipeline, "validation")
        return pipeline

    def astray(pipeline, context):
        import numpy as np
        context.run(pipeline, {"input": np.ones((2, 8), np.float32)}, on="aaa")

    @hookimpl
    def edgebench_operators():
        yield Operator(name="run", summary="Runs.", apply=run, needs=["run"], may_keep=True)
        yield Operator(name="score", summary="Scores.", apply=score, needs=["validation"],
                       may_keep=True)
        yield Operator(name="astray", summary="Astray.", apply=astray, needs=["run"])
"""


@pytest.fixture
def opened(world, tmp_path):
    """Prepare a case; return its pipeline, and what was opened, without the name of its tensors."""

    def prepare(chain, placement, *backends, more=()):
        case = toy_case(chain, placement)
        case = attrs.evolve(case, backends=[BackendChoice(name) for name in backends])
        path = Maker(world(VENDORS, *more), lambda *_: None).prepare(case)
        file = tmp_path / "opened"
        lines = file.read_text().splitlines() if file.exists() else []
        return read_pipeline(path), [tuple(json.loads(line)) for line in lines]

    return prepare


def test_each_piece_is_run_on_the_backend_of_its_tier_compiled_as_there(opened, tmp_path):
    _, seen = opened("toy-cut+run", "mobile-edge", "v1", "v2")
    assert seen[:2] == [("v1", "cpu", "v1", ["input"]), ("v2", "cpu", "v2", ["middle"])]
    # On one that is named all of it is run; what was open already is not opened again.
    assert sorted(seen[2:]) == [("v1", "cpu", "v1", ["middle"]), ("v2", "cpu", "v2", ["input"])]
    assert json.loads((tmp_path / "backends.json").read_text()) == {"v1": "f32", "v2": "f32"}


def test_what_is_compiled_for_a_check_is_not_what_a_host_finds(opened, tmp_path):
    opened("run", "mobile", "v1")
    compiled = tmp_path / "store" / "compiled"
    assert not compiled.exists() or not list(compiled.rglob("manifest.json"))


@pytest.mark.process
@pytest.mark.parametrize("chain", ["run", "score"])
@pytest.mark.parametrize("backend", ["toy-numpy", "npu", "v1"])
def test_a_stranger_that_is_installed_is_not_opened(opened, chain, backend):
    pipeline, seen = opened(chain, "mobile", backend)
    assert {name for name, *_ in seen} <= {backend}
    assert pipeline.doubts == ()
    assert {device for _, device, *_ in seen} <= {"npu" if backend == "npu" else "cpu"}


@pytest.mark.process
@pytest.mark.parametrize("backend", ["npu", "v1", "toy-numpy"])
def test_a_pipeline_is_scored_on_the_backend_that_comes_with_its_format(opened, backend):
    _, seen = opened("score", "mobile", backend)
    assert seen == []  # the toy's own, which notes nothing


def test_a_backend_that_is_none_of_the_case_is_refused(opened):
    said = "astray runs on 'aaa', which is none of the case's backends: v1"
    with pytest.raises(ChainError, match=said):
        opened("astray", "mobile", "v1")


# A format of its own, with backends of its own beside it: the reference, and one led to exactly.
HOME = """
    import sys
    import attrs
    from edgebench import Backend, Converter, Format, hookimpl

    toy = sys.modules["edgebench_file_toy"]

    def convert(stage, examples):
        return attrs.evolve(stage.changed(stage.live), format="home")

    @hookimpl
    def edgebench_formats():
        yield Format(name="home", summary="Home.", save=toy.save, load=toy.load)

    @hookimpl
    def edgebench_converters():
        yield Converter(name="to-home", summary="Home.", source="toy-matrix", target="home",
                        convert=convert)

    @hookimpl
    def edgebench_operators():
        from edgebench import Operator
        def score(pipeline, context):
            context.score(pipeline, "validation")
            return pipeline
        yield Operator(name="score-home", summary="Scores.", apply=score, needs=["validation"],
                       may_keep=True, reads=["home"])

    @hookimpl
    def edgebench_backends():
        yield Backend(name="a-home", summary="Home.", open=print, formats=["home"],
                      usable=lambda facts, device: "it is not plugged in")
        yield Backend(name="{name}", summary="Home.", open=toy.open_session, formats=["{form}"])
"""


@pytest.mark.process
def test_a_reference_that_is_not_usable_is_not_opened_and_what_was_instead_is_said(opened):
    home = HOME.format(name="b-home", form="home")
    pipeline, _ = opened("score-home", "mobile", "b-home", more=[home])
    said = "score-home: scored on b-home: a-home is not usable here (it is not plugged in)"
    assert pipeline.doubts == (said,)


@pytest.mark.process
def test_a_backend_is_asked_once_however_many_steps_score(opened, tmp_path):
    home = HOME.format(name="b-home", form="home").replace(
        'lambda facts, device: "it is not', 'lambda facts, device: note("asked") or "it is not'
    )
    home += """
    def note(word):
        from pathlib import Path

        with Path(__file__).with_name("opened").open("a") as file:
            file.write(f'["{word}"]\\n')
    """
    pipeline, seen = opened("score-home+score-home", "mobile", "b-home", more=[home])
    hosts = 3  # the tiers, each of which is asked about
    assert seen == [("asked",)] * hosts
    assert pipeline.doubts


@pytest.mark.process
def test_without_any_reference_a_backend_of_the_case_is_taken(opened):
    stranger = HOME.format(name="unread", form="toy-sealed")
    guest = """
        import sys
        from edgebench import Backend, hookimpl

        @hookimpl
        def edgebench_backends():
            yield Backend(name="guest", summary="Guest.", formats=["home"],
                          open=sys.modules["edgebench_file_toy"].open_session)
    """
    pipeline, seen = opened("score-home", "mobile", "guest", more=[stranger, guest])
    assert seen == []
    said = "score-home: scored on guest: a-home is not usable here (it is not plugged in)"
    assert pipeline.doubts == (said,)


def test_what_no_backend_of_the_case_reads_cannot_be_run_as_deployed(opened):
    home = HOME.format(name="b-home", form="home")
    leave = """
        import attrs
        from edgebench import Operator, hookimpl

        def leave(pipeline, context):
            import numpy as np
            stages = [attrs.evolve(s, format="toy-sealed") for s in pipeline.stages]
            context.run(pipeline.replaced(stages), {"input": np.ones((2, 8), np.float32)})

        @hookimpl
        def edgebench_operators():
            yield Operator(name="leave", summary="Leaves.", apply=leave, needs=["run"])
    """
    with pytest.raises(CaseFailed, match="no converter from toy-sealed to home, which b-home"):
        opened("leave", "mobile", "b-home", more=[home, leave])


TUNE = """
    import pathlib
    from edgebench import Budget, Operator, hookimpl

    HERE = pathlib.Path(__file__).parent

    def tune(pipeline, context):
        stage = context.fit(context.live(pipeline.stages[0]), budget=Budget(epochs=1))
        context.score(pipeline.replaced([stage]), "validation")
        with (HERE / "tuned").open("a") as file:
            file.write("tuned\\n")
        return pipeline.replaced([stage.changed(stage.live * 2)])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="tune", summary="Trains and scores.", apply=tune,
                       needs=["training", "validation"], reads=["toy-matrix"])
"""


@pytest.mark.process
def test_what_is_trained_and_scored_is_made_once_for_all_backends(opened, tmp_path):
    for backend in ("toy-numpy", "v1", "v2", "npu", "toy-chip"):
        opened("tune", "mobile", backend, more=[TUNE])
    opened("tune+toy-cut", "mobile-edge", "v1", "v2", more=[TUNE])
    assert (tmp_path / "tuned").read_text() == "tuned\n"


def test_only_a_step_that_declares_it_is_made_once_a_backend(world, make):
    recipes = world(VENDORS)
    begun = [
        make(
            attrs.evolve(toy_case("toy-round+run+toy-round"), backends=[BackendChoice(name)]),
            recipes,
        )[1]
        for name in ("toy-numpy", "v1", "toy-numpy", "npu")
    ]
    assert begun == [
        ["splits of toy-points", "toy:small run", "toy:small toy-round", "toy:small toy-round",
         "toy:small trained"],
        ["toy:small run"],
        [],
        ["toy:small run"],
    ]  # fmt: skip


VARIANTS = """
    import sys
    from contextlib import contextmanager
    from edgebench import Backend, Operator, hookimpl

    toy = sys.modules["edgebench_file_toy"]
    now, most = [], [0]

    @contextmanager
    def open_session(stage, device, threads, options):
        now.append(stage)
        most[0] = max(most[0], len(now))
        with toy.open_session(stage, device, threads, options) as session:
            yield session
        now.remove(stage)

    def variants(pipeline, context):
        import numpy as np
        ones = {"input": np.ones((2, 8), np.float32)}
        (stage,) = pipeline.stages
        plain = context.run(pipeline, ones)["scores"]
        for number in range(50):
            # No variant outlives its turn, so that many lie where others lay.
            made = pipeline.replaced([stage.changed(stage.live * number)])
            for _ in range(2):
                got = context.run(made, ones)["scores"]
                assert np.allclose(got, number * plain, atol=1e-3), number
        assert most[0] < 12, most
        return pipeline.replaced([stage.changed(stage.live * 2)])

    @hookimpl
    def edgebench_backends():
        yield Backend(name="many", summary="Counts.", open=open_session, formats=["toy-matrix"])

    @hookimpl
    def edgebench_operators():
        yield Operator(name="variants", summary="Tries.", apply=variants, needs=["run"],
                       reads=["toy-matrix"])
"""


def test_an_operator_that_tries_many_variants_keeps_few_of_them_open(opened):
    opened("variants", "mobile", "many", more=[VARIANTS])
    assert sys.modules["edgebench_file_stranger_1"].now == []
