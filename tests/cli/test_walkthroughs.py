"""The walkthroughs with one's own model and data are true: all that they say is run, as it is said."""

from __future__ import annotations

import shutil

import pytest

from .. import pages

WALKS = ("howto/own-onnx.md", "howto/own-pictures.md", "howto/own-texts.md")
MAKERS = ("own_pictures.py", "own_texts.py")


@pytest.fixture(scope="module")
def made(tmp_path_factory, process):
    """Make the models and the data of all walkthroughs once."""
    directory = tmp_path_factory.mktemp("made")
    for name in MAKERS:
        shutil.copy(pages.DOCS / "examples" / name, directory)
        pages.run(pages.Step(f"python {name}", 0, ""), directory)
    return directory


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", WALKS)
def test_a_walkthrough_is_true(page, made, tmp_path):
    for file in made.iterdir():
        (tmp_path / file.name).symlink_to(file)
    steps = list(pages.find_steps(page))
    assert len(steps) >= 4
    for step in steps:
        if step.command.startswith("edgebench "):
            missing = pages.find_missing(step, pages.run(step, tmp_path, errors_last=False))
            assert missing is None, missing
        else:
            assert step.command.removeprefix("python ") in MAKERS
