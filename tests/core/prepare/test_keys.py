"""What a key is made of, where that is a user's own file."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.cases.chain import structure, write_differing
from edgebench.cases.inputs import read_model_options
from edgebench.parts.errors import ChainError, DataError, OptionError
from edgebench.parts.pipeline import Pipeline, Stage, TensorSpec
from edgebench.parts.subjects import Model, Weights
from edgebench.prepare import keys
from edgebench.prepare.named_files import find_files

from .conftest import toy_case

SHEETS = """
    from pathlib import Path

    import attrs

    from edgebench import Model, Operator, hookimpl

    @attrs.define(kw_only=True)
    class Options:
        labels: Path | None = None
        factor: float = 1.0
        near: Path | None = attrs.field(init=False)

        @near.default
        def _find_near(self):
            return self.labels and self.labels.with_suffix(".near")

    def beside(path):
        path.open().close()
        return [path.with_suffix(".more")]

    @hookimpl
    def edgebench_models():
        yield Model(name="sheet", summary="Any sheet.", build=print, files=["*.csv"],
                    from_file=print, inputs=print, options=Options, format="toy-matrix",
                    beside=beside)

    def second(options, model, variant):
        return [(f"{model.name}:{variant.name}", ""), ("toy:small", "")]

    @hookimpl
    def edgebench_operators():
        yield Operator(name="look", summary="At a file.", apply=print, options=Options,
                       companions=second)
"""


@pytest.fixture
def sheet(tmp_path):
    """A case of a model that is a file, with an option that is another."""
    for name in ("a.csv", "a.more", "labels.npy", "labels.near", "given.npz"):
        tmp_path.joinpath(name).write_text(name)
    return toy_case(
        "look",
        model="sheet",
        variant="a",
        dataset="",
        weights=Weights(kind="file", path=tmp_path / "a.csv"),
        options=[("labels", str(tmp_path / "labels.npy"))],
        data=tmp_path / "given.npz",
    )


@pytest.mark.parametrize("file", ["a.csv", "a.more", "labels.npy", "labels.near"])
def test_a_file_that_changes_changes_what_is_built_of_it(world, sheet, tmp_path, file):
    writer = world(SHEETS).keys
    before = writer.base(sheet), writer.inputs(sheet)
    tmp_path.joinpath(file).write_text("changed")
    assert not {*before} & {writer.base(sheet), writer.inputs(sheet)}


def test_a_file_that_moves_with_what_it_holds_changes_nothing(world, sheet, tmp_path):
    writer = world(SHEETS).keys
    before = writer.base(sheet)
    for name in ("npy", "near"):
        tmp_path.joinpath(f"labels.{name}").rename(tmp_path / f"moved.{name}")
    moved = attrs.evolve(sheet, options=[("labels", str(tmp_path / "moved.npy"))])
    assert writer.base(moved) == before
    assert writer.base(attrs.evolve(moved, options=())) != before


def test_what_a_model_is_follows_from_what_its_files_hold_and_not_from_where_they_lie(
    world, sheet, tmp_path
):
    writer = world(SHEETS).keys
    before = writer.subject(sheet)
    (tmp_path / "moved").mkdir()
    for name in ("a.csv", "a.more"):
        tmp_path.joinpath(name).rename(tmp_path / "moved" / name)
    moved = attrs.evolve(sheet, weights=Weights(kind="file", path=tmp_path / "moved/a.csv"))
    assert writer.subject(moved) == before
    assert writer.subject(attrs.evolve(moved, chain="", data=None)) == before
    assert writer.subject(attrs.evolve(moved, options=[("factor", "2")])) != before
    (tmp_path / "moved/a.csv").write_text("another of this name")
    assert writer.subject(moved) != before


def test_weights_that_no_file_holds_take_as_long_whatever_they_are_drawn_with(recipes):
    drawn = [toy_case(weights=Weights(kind="random", seed=seed)) for seed in (1, 2)]
    assert len({recipes.keys.subject(case) for case in drawn}) == 1


def test_what_follows_from_options_is_neither_said_nor_written(world, sheet):
    recipes = world(SHEETS)
    options = read_model_options(sheet, recipes.plugins)
    assert options.near.name == "labels.near"
    assert dict(write_differing(options)) == dict(sheet.options)
    with pytest.raises(OptionError, match="has no option 'near'"):
        structure(type(options), (("near", "x"),), "a.csv")


def test_a_file_that_an_operator_is_given_is_part_of_its_key(world, sheet, tmp_path):
    recipes = world(SHEETS)

    def key():
        case = attrs.evolve(sheet, chain=f"look(labels={tmp_path / 'labels.npy'})")
        (operation,) = recipes.chains.of(case.chain)
        return recipes.keys.operate(case, operation, 0, [], [])

    before = key()
    tmp_path.joinpath("labels.npy").write_text("changed")
    assert key() != before


CHIP = """
    from pathlib import Path

    import attrs

    from edgebench import Backend, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        library: Path | None = None

    @hookimpl
    def edgebench_backends():
        yield Backend(name="chip", summary="A chip.", open=print, formats=["toy-matrix"],
                      options=Options)
"""


@pytest.fixture
def built(tmp_path):
    """A library that a backend is told of, and the case that tells it."""
    library = tmp_path / "libchip.so"
    choice = BackendChoice("chip", options=[("library", str(library))])
    return library, attrs.evolve(toy_case(), backends=[choice])


def test_a_library_that_is_built_anew_is_another_wherever_its_backend_counts(world, built):
    library, case = built
    recipes = world(CHIP)
    row = TensorSpec(name="x", dtype="float32", shape=("batch", 1))
    stage = Stage(format="toy-matrix", inputs=[row], outputs=[row])
    pipeline = Pipeline(model="toy", variant="small", stages=[stage], outputs=["x"])

    def identify():
        return (
            recipes.keys.profile(case, "", pipeline),
            recipes.keys._runners(case, "toy-matrix")[0][1],
            *find_files(case.backends[0], recipes.plugins),
        )

    library.write_text("built")
    before = identify()
    assert identify() == before
    library.write_text("built anew")
    assert not any(one == other for one, other in zip(before, identify(), strict=True))


def test_a_library_that_is_not_there_is_for_its_backend_to_say(world, built):
    plugins = world(CHIP).plugins
    assert find_files(built[1].backends[0], plugins) == []
    assert find_files(BackendChoice("chip"), plugins) == []


def test_a_file_that_is_gone_is_one_clear_line(world, sheet, tmp_path):
    writer = world(SHEETS).keys
    tmp_path.joinpath("a.csv").unlink()
    with pytest.raises(ChainError, match="no file or directory is called '.*a.csv'"):
        writer.base(sheet)


def test_what_cannot_be_read_beside_a_file_is_one_clear_line(world, sheet, tmp_path):
    plugin = SHEETS.replace("path.open()", 'path.with_suffix(".lost").open()')
    with pytest.raises(DataError, match=r"a\.lost cannot be read: No such file or directory"):
        world(plugin).keys.base(sheet)


def test_a_directory_that_is_given_is_walked_once(world, monkeypatch, tmp_path):
    walked = []
    digest = keys.listing_digest
    monkeypatch.setattr(keys, "listing_digest", lambda path: walked.append(path) or digest(path))
    recipes, case = world(), toy_case(data=tmp_path)
    assert recipes.keys.inputs(case) == recipes.keys.inputs(case)
    recipes.keys.base(case)
    assert walked == [tmp_path]
    world().keys.inputs(case)
    assert walked == [tmp_path] * 2


def test_a_second_model_that_is_the_cases_own_keeps_what_was_given_for_it(world, sheet):
    recipes = world(SHEETS)
    (operation,) = recipes.chains.of(sheet.chain)
    model = recipes.plugins.get(Model, sheet.model)
    variant = model.variant(sheet.variant)
    pairs = operation.operator.companions(operation.options, model, variant)
    own, other = (recipes._second(sheet, *pair) for pair in pairs)
    assert own == attrs.evolve(sheet, chain="")
    assert (other.model, other.options, other.data) == ("toy", (), None)
    assert other.weights.path is None
    assert isinstance(sheet.data, Path)


def test_an_options_class_need_not_be_hashable(world, sheet):
    from edgebench.cases.inputs import find_dataset

    plugin = SHEETS.replace("inputs=print", "inputs=lambda path, options, data: (path, options)")
    path, options = find_dataset(sheet, world(plugin).plugins)
    assert (path, options.factor) == (sheet.weights.path, 1.0)
    with pytest.raises(TypeError, match="unhashable"):
        hash(options)
