"""`--data PATH` and directories as models on the command line, with a stranger's model."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

SHELVES = """
    from pathlib import Path

    import attrs

    from edgebench import Dataset, Model, hookimpl

    @attrs.frozen(kw_only=True)
    class ShelfOptions:
        text: str = ""
        calibration: Path | None = attrs.field(
            default=None, converter=attrs.converters.optional(lambda path: Path(path).resolve())
        )

    def inputs(path, options, data):
        def look():
            return [f"{data and data.name}: column {options.text!r}"]
        return Dataset(name="books", summary="Books.", samples=lambda split, seed: [], look=look)

    @hookimpl
    def edgebench_models():
        yield Model(
            name="shelf", summary="A shelf.", build=lambda variant, weights: None,
            files=["*/shelf.json"], from_file=lambda path, options: None, inputs=inputs,
            options=ShelfOptions, format="toy-matrix",
        )
"""


@pytest.fixture
def shelf(here, tmp_path):
    """A directory that a stranger's model claims, and data beside it."""
    (tmp_path / "books").mkdir()
    (tmp_path / "books/shelf.json").touch()
    (tmp_path / "a=b (c).csv").touch()
    (tmp_path / "read.csv").touch()
    (tmp_path / "books(1)").mkdir()
    (tmp_path / "shelves.py").write_text(dedent(SHELVES))

    def plan(*words, plugins=()):
        given = [option for one in plugins for option in ("--plugin", one)]
        return here("plan", "--plugin", "shelves.py", *given, "--backend", "onnxruntime", *words)

    return plan


MINE = ("--model", "books")
LONG = "x" * 300
"""No file can be called so."""


def test_what_was_understood_is_said_first_and_stands_in_the_document(shelf, conforms):
    data = ("--data", "read.csv(text=words)")
    said = shelf("--json", *MINE, *data)
    document = conforms(said.json, "plan")
    assert document["understood"] == ["read.csv: column 'words'"]
    assert "edgebench: read.csv: column 'words'\n" in shelf(*MINE, *data).err
    assert "column" not in shelf("--quiet", *MINE, *data).err


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("read.csv", "read.csv: column ''"),
        ("./read.csv", "read.csv: column ''"),
        ("a=b (c).csv", "a=b (c).csv: column ''"),
        ('a=b (c).csv(text="x, y")', "a=b (c).csv: column 'x, y'"),
        ("books(1)(text=x)", "books(1): column 'x'"),
        (f"read.csv(text={'x' * 300})", f"read.csv: column '{'x' * 300}'"),
    ],
)
def test_a_path_may_hold_what_options_are_written_with(shelf, text, understood):
    assert shelf("--json", *MINE, "--data", text).json["understood"] == [understood]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "nothing.csv"), "--data: there is no file or directory 'nothing.csv'"),
        (("--data", "imagnet=books"), "no dataset is called 'imagnet'; did you mean 'imagenet'?"),
        (("--data", "read.csv", "--data", "books"), "read.csv is given too; leave one out"),
        (("--data", "read.csv", "--input-data", "books"), "leave one out"),
        (("--data", "read.csv(txt=a)"), "has no option 'txt'; did you mean 'text'?"),
        (("--data", "read.csv(text=a"), "there is no file or directory 'read.csv(text=a'"),
        (("--calibration", "no.csv"), "--calibration: there is no file or directory 'no.csv'"),
        (("--data", LONG), f"--data: there is no file or directory '{LONG}'"),
        (("--data", f"imagenet={LONG}"), f"{LONG} is no directory"),
        (("--calibration", LONG), f"--calibration: there is no file or directory '{LONG}'"),
        (("--model", LONG), f"no model is called '{LONG}'"),
        (("--model", f"./{LONG}"), f"there is no file or directory './{LONG}'"),
    ],
)
def test_data_that_is_given_amiss_is_refused_in_one_line(shelf, mistaken, words, told):
    mistaken(shelf(*MINE, *words), told)


def test_that_a_known_model_is_meant_and_no_directory_is_said(shelf, tmp_path, toy):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/shelf.json").touch()
    named, placed = (shelf("--model", one, plugins=[toy]).err for one in ("toy", "./toy"))
    assert "edgebench: toy is the model called so; the directory is ./toy\n" in named
    assert "called so" not in placed


@pytest.mark.parametrize("text", ["pic/", "./pic", "pic"])
def test_of_a_directory_that_is_no_model_it_is_said_what_was_looked_for(shelf, mistaken, text):
    Path("pic").mkdir()
    told = "no installed model claims the directory pic: it holds no "
    assert "shelf.json" in mistaken(shelf("--model", text), told)


def test_of_a_path_where_nothing_is_no_name_is_guessed(shelf, mistaken, toy):
    said = mistaken(shelf("--model", "./my-toy", plugins=[toy]), "no file or directory './my-toy'")
    assert "did you mean" not in said
