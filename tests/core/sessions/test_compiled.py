import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from edgebench import Backend, Exit, Pipeline, Stage, TensorSpec
from edgebench.cases.case import BackendChoice
from edgebench.parts.errors import CaseFailed
from edgebench.sessions.compiled import compile_stage, find_compiled, identify_compiled
from edgebench.sessions.opening import Opening
from edgebench.store.artifacts import Store

VERSIONS = {"chip": "1"}
COMMON = {"name": "chip", "summary": "A chip.", "open": print, "versions": lambda: VERSIONS}


@pytest.fixture
def pipeline(tmp_path):
    """Return a pipeline of two stages, one file each; samples may leave after the first."""
    stages = []
    for number in range(2):
        place = tmp_path / "source" / f"stage-{number}"
        place.mkdir(parents=True)
        (place / "graph").write_text(f"graph {number}")
        given, made, sure = (
            TensorSpec(name=name, dtype="float32", shape=("batch", 4))
            for name in (f"h{number}", f"h{number + 1}", f"sure{number}")
        )
        leaves = Exit(condition=sure.name, answer=[made.name], threshold=0.5)
        plain = Stage(format="graph", inputs=[given], outputs=[made, sure], files=["graph"])
        stages.append(attrs.evolve(plain, directory=place, exit=None if number else leaves))
    return Pipeline(model="m", variant="small", stages=stages, outputs=["h2"], cuts=[1])


@pytest.fixture
def compiles():
    """Return an opening whose backend compiles, and the stages that it was asked to."""
    asked = []

    def compile_slowly(stage, device, threads, options, directory):
        asked.append(stage)
        time.sleep(0.3)
        (directory / "engine").write_text(f"engine of {stage.file.read_text()}")
        return attrs.evolve(stage, directory=directory, files=["engine"])

    backend = Backend(**COMMON, compile=compile_slowly)
    return Opening.of(backend, BackendChoice("chip"), 2), asked


def test_what_was_compiled_is_found_and_not_compiled_again(pipeline, compiles, tmp_path):
    opening, asked = compiles
    for _ in range(2):
        compile_stage(opening, pipeline, 1, tmp_path)
    assert len(asked) == 1
    stage, seconds = find_compiled(opening, pipeline.stages[1], tmp_path, VERSIONS)
    assert stage.file.read_text() == "engine of graph 1"
    assert 0.3 <= seconds < 5


def test_two_runs_that_compile_one_stage_at_once_compile_it_once(pipeline, compiles, tmp_path):
    opening, asked = compiles
    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(compile_stage, opening, pipeline, 0, tmp_path) for _ in range(2)]:
            done.result()
    assert len(asked) == 1
    assert len(list(Store(tmp_path).entries())) == 1


def test_a_stage_with_an_exit_is_compiled_alone(pipeline, compiles, tmp_path):
    opening, _ = compiles
    compile_stage(opening, pipeline, 0, tmp_path)
    stage, _ = find_compiled(opening, pipeline.stages[0], tmp_path, VERSIONS)
    assert stage.exit is None
    assert [spec.name for spec in stage.outputs] == ["h1", "sure0"]


@pytest.mark.parametrize(
    "change", [{"device": "dsp"}, {"threads": 3}, {"backend": Backend(**{**COMMON, "name": "b"})}]
)
def test_what_determines_a_compiled_stage_is_in_its_key(pipeline, compiles, change):
    opening, _ = compiles
    stage = pipeline.stages[0]
    key = identify_compiled(opening, stage, VERSIONS)
    assert key == identify_compiled(opening, stage, dict(VERSIONS))
    assert key != identify_compiled(attrs.evolve(opening, **change), stage, VERSIONS)


def test_other_files_and_other_versions_are_compiled_anew(pipeline, compiles):
    opening, _ = compiles
    key = identify_compiled(opening, pipeline.stages[0], VERSIONS)
    assert key != identify_compiled(opening, pipeline.stages[0], {"chip": "2"})
    Path(pipeline.stages[0].file).write_text("another graph")
    assert key != identify_compiled(opening, pipeline.stages[0], VERSIONS)


@attrs.frozen
class Libraries:
    library: Path | None = None
    cache: str = ""


def test_a_file_that_an_option_names_counts_by_what_it_holds(pipeline, compiles, tmp_path):
    """One that is named as text counts by its name: a cache may change with every build."""
    built, cache = tmp_path / "libchip.so", tmp_path / "cache"
    options = Libraries(built, str(cache))

    def key():
        opening = attrs.evolve(compiles[0], options=options)
        return identify_compiled(opening, pipeline.stages[0], VERSIONS)

    keys = [key()]
    for text in ("built", "built anew"):
        built.write_text(text)
        keys.append(key())
        cache.write_text(text)
        assert key() == keys[-1]
    assert len({*keys}) == 3


@pytest.mark.parametrize("ends", ["inputs", "outputs"])
def test_a_stage_that_calls_its_tensors_otherwise_is_compiled_anew(pipeline, compiles, ends):
    """What was compiled is found as a stage, and says what its tensors are."""
    opening, _ = compiles
    stage = pipeline.stages[0]
    first, *rest = getattr(stage, ends)
    other = attrs.evolve(stage, **{ends: [attrs.evolve(first, name="other", port="h"), *rest]})
    assert identify_compiled(opening, stage, VERSIONS) != identify_compiled(
        opening, other, VERSIONS
    )


@pytest.mark.parametrize("somewhere", [True, False])
def test_a_stage_that_was_not_compiled_is_said(pipeline, compiles, tmp_path, somewhere):
    opening, _ = compiles
    root = tmp_path if somewhere else None
    with pytest.raises(CaseFailed, match="^a stage was not compiled by chip for this host$"):
        find_compiled(opening, pipeline.stages[0], root, VERSIONS)


def test_a_compiler_that_raises_leaves_nothing(pipeline, compiles, tmp_path):
    def fail(*_):
        raise RuntimeError("no such chip")

    opening = attrs.evolve(compiles[0], backend=Backend(**COMMON, compile=fail))
    with pytest.raises(RuntimeError, match="no such chip"):
        compile_stage(opening, pipeline, 0, tmp_path)
    assert list(Store(tmp_path).entries()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("compiled", "said"),
    [
        (lambda stage, *_: None, "compile gave back NoneType, not the compiled Stage"),
        (lambda stage, *_: stage, "whose files are not in the directory that it was given: write"),
        (
            lambda stage, *rest: attrs.evolve(stage, directory=rest[-1], files=["engine"]),
            "compile gave back a stage that names 'engine', which it did not write",
        ),
        (
            lambda stage, *rest: attrs.evolve(stage, directory=rest[-1], files=[]),
            "compile gave back a stage that names no files",
        ),
    ],
)
def test_what_is_no_compiled_stage_is_said(pipeline, compiles, tmp_path, compiled, said):
    opening = attrs.evolve(compiles[0], backend=Backend(**COMMON, compile=compiled))
    with pytest.raises(CaseFailed, match=said):
        compile_stage(opening, pipeline, 0, tmp_path)
    assert list(Store(tmp_path).entries()) == []


def test_a_backend_that_does_not_compile_keeps_nothing(pipeline, compiles, tmp_path):
    opening = attrs.evolve(compiles[0], backend=Backend(**COMMON))
    compile_stage(opening, pipeline, 0, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
