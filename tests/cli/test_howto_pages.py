"""The how-to pages are true: their files are written, their commands run and print what is shown."""

from __future__ import annotations

import re
import shlex

import pytest

from edgebench.cli import parse_words

from .. import pages

HOWTO = sorted(
    f"howto/{path.name}"
    for path in (pages.DOCS / "howto").glob("*.md")
    if not path.name.startswith("own-")  # `test_walkthroughs` runs those
)
PAGES = ["index.md", "plugins.md", *HOWTO]


@pytest.fixture(scope="module")
def made(tmp_path_factory, process):
    """Make `net.onnx` and `inputs.npz`, as the page on ONNX does, once for all pages."""
    directory = tmp_path_factory.mktemp("made")
    pages.write_files("howto/onnx.md", directory)
    first = next(pages.find_steps("howto/onnx.md"))
    assert first.command == "python make_net.py"
    pages.run(first, directory)
    return directory


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_print_what_it_shows(page, made, tmp_path):
    for file in made.iterdir():
        (tmp_path / file.name).symlink_to(file)
    pages.write_files(page, tmp_path)
    steps = [step for step in pages.find_steps(page) if step.command.startswith("edgebench ")]
    assert steps
    for step in steps:
        missing = pages.find_missing(step, pages.run(step, tmp_path))
        assert missing is None, missing


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_could_be(page):
    text = (pages.DOCS / page).read_text(encoding="utf-8")
    unrun = [body for language, _, body in pages.BLOCK.findall(text) if language in ("", "yaml")]
    for line in "\n".join(unrun).splitlines():
        _, found, words = line.partition("edgebench ")
        if found and not words.startswith("["):
            parse_words(shlex.split(re.sub(r"\$\{\{.*?\}\}", "X", words)))


def test_a_page_that_shows_what_is_not_printed_would_be_seen():
    step = pages.Step("edgebench list tiers", 0, "tiers\n...\n phone   A phone.\n")
    assert pages.find_missing(step, "tiers\n\n name\n phone     A phone.  \n") is None
    assert pages.find_missing(step, "tiers\n\n name\n phone     A bone.\n")
    assert pages.find_missing(step, " phone   A phone.\ntiers\n")
    measured = pages.Step("edgebench run quickstart", 0, "3 cases\n...\nsptq 1.5 ms\n")
    assert pages.find_missing(measured, "7 cases\nidentity\nsptq   20 ms") is None
    assert pages.find_missing(measured, "7 cases\nidentity\nqat   20 ms")
