"""A user's own directory as a model, and a user's own data, as a stranger's plugin takes them."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest

from edgebench import ChainError, DataError
from edgebench.cases.expand import is_there, split_options
from edgebench.cases.inputs import find_dataset
from edgebench.cases.plan import make_plan, plan_again
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Product, Suite
from edgebench.parts.errors import EdgebenchError, OptionError, UnknownName

SHELVES = """
    import json
    from pathlib import Path

    import attrs

    from edgebench import DataError, Dataset, Look, Model, Operator, Variant, hookimpl

    @attrs.frozen(kw_only=True)
    class ShelfOptions:
        depth: int = 1
        text: str = ""
        student: str = ""
        calibration: Path | None = attrs.field(
            default=None, converter=attrs.converters.optional(lambda path: Path(path).resolve())
        )

    def inputs(path, options, data):
        def look():
            if options.text == "wrong":
                raise DataError(f"{data} has no column 'wrong'")
            return [f"{data}: 3 books, column {options.text}", f"calibration {options.calibration}"]
        return Dataset(name="books", summary="Books.", samples=lambda split, seed: [], look=look)

    def look(variant, path, options):
        return Look(configuration=(path / "shelf.json").read_text())

    def configured(variant, configuration):
        facts = json.loads(configuration)
        student = "half" if facts["rows"] > 1 and variant != "half" else ""
        return attrs.evolve(SHELF, variants=[Variant(name=variant, student=student)],
                            loss=lambda outputs, answers: 0.0 if facts["trains"] else None)

    SHELF = Model(
        name="shelf", summary="A shelf.", build=lambda variant, weights: None, files=["*/shelf.json"],
        from_file=lambda path, options: None, inputs=inputs, options=ShelfOptions, look=look,
        configured=configured, format="toy-matrix",
    )

    @hookimpl
    def edgebench_models():
        yield SHELF

    @hookimpl
    def edgebench_operators():
        yield Operator(
            name="learn", summary="Learn.", apply=lambda pipeline, context: pipeline,
            companions=lambda options, model, variant: [(f"{model.name}:{variant.student}", "")]
            if variant.student else [("nobody:at-all", "")],
        )
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A directory that the stranger's model claims, and data beside it; they are here."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books/shelf.json").write_text('{"rows": 2, "trains": true}')
    (tmp_path / "read.csv").write_text("text\na\n")
    (tmp_path / "other.csv").write_text("text\nb\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def planned(shelf, toy, registry, answering):
    def make(*models, operators=("identity",), source=SHELVES, **changes):
        (shelf / "shelves.py").write_text(dedent(source))
        row = Product(
            models=models or ("books",), operators=operators, placements=("mobile",),
            backends=("toy-numpy",),
        )  # fmt: skip
        study = Study(suite=Suite(name="", summary="", products=(row,)), **changes)
        plugins = Plugins.load(registry, [toy, shelf / "shelves.py"])
        made = make_plan(study, plugins, ask=answering({}))
        return made, plugins

    return make


def test_a_directory_is_the_model_that_looks_for_a_file_in_it(planned, shelf):
    for written in ("books", "./books", f"{shelf}/books/", "books(depth=2)"):
        (case,) = planned(written)[0].cases
        assert (case.model, case.variant) == ("shelf", "books")
        assert case.weights.path == shelf / "books"
        assert dict(case.options) == ({"depth": "2"} if "depth" in written else {})


def test_a_directory_with_a_dot_in_its_name_keeps_it(planned, shelf):
    (shelf / "books").rename("books-v1.2")
    (case,) = planned("books-v1.2")[0].cases
    assert case.variant == "books-v1-2"


def test_the_directory_one_stands_in_is_a_model_too(planned, shelf, monkeypatch):
    monkeypatch.chdir(shelf / "books")
    (case,) = planned(".")[0].cases
    assert case.variant == "books"


def test_a_model_that_is_known_goes_before_a_directory_of_its_name(planned, shelf):
    (shelf / "books").rename("toy")
    assert [case.model for case in planned("toy")[0].cases] == ["toy"]
    assert [case.model for case in planned("./toy")[0].cases] == ["shelf"]


def test_a_directory_that_nothing_claims_says_what_was_looked_for(planned, shelf):
    (shelf / "empty").mkdir()
    for written in ("empty", "./empty"):
        with pytest.raises(
            UnknownName, match=r"claims the directory empty: it holds no shelf\.json"
        ):
            planned(written)


def test_what_is_said_of_data_reaches_the_model_and_not_its_name(planned, shelf):
    given = {
        "input_data": shelf / "read.csv",
        "data_options": (("text", "words"),),
        "calibration": shelf / "other.csv",
    }
    made, plugins = planned(**given)
    (case,) = made.cases
    assert case.subject == "shelf:books"
    assert case.data == shelf / "read.csv"
    assert case.calibration == shelf / "other.csv"
    assert made.understood == (
        f"{shelf / 'read.csv'}: 3 books, column words",
        f"calibration {shelf / 'other.csv'}",
    )
    assert find_dataset(case, plugins).name == "books"


def test_an_id_says_that_data_is_calibrated_with_and_not_where_it_lies(planned, shelf):
    def id_of(**changes):
        return planned(input_data=shelf / "read.csv", **changes)[0].cases[0].id

    plain, calibrated = id_of(), id_of(calibration=shelf / "other.csv")
    (shelf / "moved").mkdir()
    (shelf / "other.csv").rename("moved/other.csv")
    assert plain != calibrated == id_of(calibration=shelf / "moved" / "other.csv")
    assert id_of(data_options=(("text", "a"),)) != id_of(data_options=(("text", "b"),))


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        (
            {"data_options": (("txet", "a"),)},
            OptionError,
            "--data for shelf has no option 'txet'; did",
        ),
        ({"data_options": (("text", "wrong"),)}, DataError, "has no column 'wrong'"),
        (
            {"models": ("books(text=a)",), "data_options": (("text", "b"),)},
            OptionError,
            "text is said of the model and of its data; leave one out",
        ),
        (
            {"data_options": (("calibration", "a"),), "calibration": "other.csv"},
            OptionError,
            "the brackets of --data say it too",
        ),
        (
            {"models": ("toy",)},
            ChainError,
            "no model that is to be run takes data of your own",
        ),
    ],
)
def test_what_is_said_amiss_of_data_is_told_when_it_is_planned(
    planned, shelf, changes, error, told
):
    models = changes.pop("models", ())
    with pytest.raises(error) as caught:
        planned(*models, input_data=shelf / "read.csv", **changes)
    assert told in str(caught.value)


def test_calibration_without_a_taker_is_no_silent_option(planned, shelf):
    with pytest.raises(ChainError, match="is measured on data of your own; give --data too"):
        planned("toy", calibration=shelf / "other.csv")
    lacking = SHELVES.replace("        calibration: Path", "        calibration_: Path")
    lacking = lacking.replace("options.calibration", "options.calibration_")
    with pytest.raises(ChainError, match="--calibration: the model shelf takes none"):
        planned(source=lacking, calibration=shelf / "other.csv")


def test_a_configuration_says_what_operators_ask_of_a_file(planned, shelf):
    assert len(planned(operators=("learn",))[0].cases) == 1
    (shelf / "books/shelf.json").write_text('{"rows": 1, "trains": true}')
    (skipped,) = planned(operators=("learn",))[0].skipped
    assert skipped.reason.startswith("learn: no model is called 'nobody'")


GIVEN = """
    from pathlib import Path

    import attrs

    from edgebench import Dataset, Metric, Model, Variant, hookimpl

    METRIC = Metric(name="right", count=lambda a, b: [1.0, 1.0], value=lambda c: 1.0, proportion=True)

    def open_directory(directory):
        def samples(split, seed):
            yield f"{directory.name} {split}".encode(), 0
        return attrs.evolve(PHOTOS, samples=samples, look=lambda: [f"{directory.name}: photos"])

    PHOTOS = Dataset(name="photos", summary="Photos.", from_directory=open_directory,
                     layout="photos", metrics=lambda: [METRIC])

    @hookimpl
    def edgebench_datasets():
        yield PHOTOS
        yield attrs.evolve(PHOTOS, name="pictures")

    @hookimpl
    def edgebench_models():
        yield Model(name="seer", summary="Sees.", build=lambda variant, weights: None,
                    dataset="photos", format="toy-matrix", variants=[
                        Variant(name="one"), Variant(name="two", datasets=["pictures"])])
"""


def test_data_that_was_changed_is_read_anew_by_the_next_plan(planned, shelf, answering):
    """A program may change a file, or a directory, and go on in the same process."""
    source = GIVEN.replace(
        "    def samples(split, seed):",
        "    said = (directory / 'name').read_text()\n        def samples(split, seed):",
    ).replace("{directory.name}: photos", "{said}: photos")
    (shelf / "mine").mkdir()
    (shelf / "mine/name").write_text("first")
    made, plugins = planned("seer:one", source=source, input_data=shelf / "mine")
    assert made.understood == ("first: photos",)
    (shelf / "mine/name").write_text("second")
    assert make_plan(made.study, plugins, answering({})).understood == ("second: photos",)
    (shelf / "mine/name").write_text("third")
    again = plan_again(made.study, made.cases, plugins, answering({}))
    assert again.understood == ("third: photos",)


def test_data_without_a_name_is_that_of_the_only_dataset_it_may_be(planned, shelf):
    (shelf / "mine").mkdir()
    (shelf / "yours").mkdir()
    made, plugins = planned(
        "seer:one", source=GIVEN, input_data=shelf / "mine", calibration=shelf / "yours"
    )
    (case,) = made.cases
    assert (case.dataset, case.data, case.calibration) == (
        "photos",
        shelf / "mine",
        shelf / "yours",
    )
    assert made.understood == ("mine: photos",)
    samples = find_dataset(case, plugins).samples
    assert [payload for payload, _ in samples("test", 0)] == [b"mine test"]
    assert [payload for payload, _ in samples("calibration", 0)] == [b"yours calibration"]
    with pytest.raises(EdgebenchError, match="say what it is for seer: --data photos="):
        planned("seer:two", source=GIVEN, input_data=shelf / "mine")
    with pytest.raises(ChainError, match="photos takes no options; leave the brackets out"):
        planned("seer:one", source=GIVEN, input_data=shelf / "mine", data_options=(("a", "b"),))


def test_of_what_may_not_be_looked_for_it_is_not_said_that_it_is_not_there(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    user = os.geteuid()
    if not user:  # who may look everywhere
        os.seteuid(65534)
    try:
        with pytest.raises(UnknownName, match="locked/in' cannot be looked at: Permission denied"):
            is_there(locked / "in")
    finally:
        os.seteuid(user)


def test_options_are_taken_off_the_longest_path_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "photos(1)"):
        (tmp_path / name).mkdir()
    assert split_options("photos(1)(label=x)") == ("photos(1)", (("label", "x"),))
    assert split_options("photos(label=x)") == ("photos", (("label", "x"),))
    assert split_options("photos(1)") == ("photos(1)", ())
    assert split_options("nowhere(label=x)") == ("nowhere", (("label", "x"),))
