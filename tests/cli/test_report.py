"""`edgebench report`: where reports go, and reporters that somebody else wrote."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from edgebench import Registry

BINARY = dedent(
    """
    from edgebench import Reporter, hookimpl

    @hookimpl
    def edgebench_reporters():
        yield Reporter(name="raw", summary="Bytes.", render=lambda results: b"\\x00\\xff\\n\\r\\n")
        yield Reporter(name="odd", summary="No text for a file.", render=lambda results: "\\ud800é\\n")
    """
)

SHORT = dedent(
    """
    import json

    from edgebench import Reporter, hookimpl

    def render(results):
        document = results.to_json()
        shown = [document["run"], results.run.id, document["decisions"][0]["sentence"]]
        # What a document does not have: every sample.
        samples = sum(len(block.latency_s) for one in results.results for block in one.measured)
        return json.dumps([*shown, samples])

    @hookimpl
    def edgebench_reporters():
        yield Reporter(name="short", summary="Mine.", render=render)
    """
)


@pytest.fixture
def plugin(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


def test_bytes_are_written_to_a_file_as_they_are(here, measured, plugin, tmp_path):
    words = ("report", "--db", measured.db, "--plugin", plugin(BINARY), "--format", "raw")
    said = here(*words, "-o", tmp_path / "raw.bin")
    assert (said.status, said.out) == (0, "")
    assert (tmp_path / "raw.bin").read_bytes() == b"\x00\xff\n\r\n"


@pytest.mark.parametrize("form", ["html", "csv", "json", "terminal"])
def test_no_report_is_written_over_a_database(here, mistaken, measured, tmp_path, form):
    other = tmp_path / "other.db"
    other.write_bytes(Path(measured.db).read_bytes())
    link = tmp_path / "link.html"
    link.symlink_to(other)
    for path in (other, link):
        said = here("report", "--db", measured.db, "--format", form, "-o", path)
        mistaken(said, f"{path} is a database")
    assert other.read_bytes() == Path(measured.db).read_bytes()


def test_bytes_go_through_a_pipe_as_they_are(measured, plugin, tmp_path):
    words = ("report", "--db", measured.db, "--plugin", plugin(BINARY), "--format", "raw")
    command = [sys.executable, "-m", "edgebench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"\x00\xff\n\r\n"


def test_bytes_are_not_shown_in_a_terminal(measured, plugin, process):
    words = ("report", "--db", measured.db, "--plugin", plugin(BINARY), "--format", "raw")
    shown, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", *map(str, words)],
        stdout=terminal, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(terminal)
    os.close(shown)
    assert done.returncode == 2
    assert "is no text; write it to a file with -o FILE" in done.stderr


def test_a_file_is_utf_8_and_what_has_no_place_in_it_is_escaped(here, measured, plugin, tmp_path):
    words = ("report", "--db", measured.db, "--plugin", plugin(BINARY), "--format", "odd")
    assert here(*words, "-o", tmp_path / "odd.txt").status == 0
    assert (tmp_path / "odd.txt").read_bytes() == b"\\ud800\xc3\xa9\n"


def test_a_reporter_of_a_stranger_gets_what_ours_get(here, measured, plugin):
    said = here("report", "--db", measured.db, "--plugin", plugin(SHORT), "--format", "short")
    run, same, sentence, samples = json.loads(said.out)
    assert run == same == measured.document["run"]
    assert sentence == measured.document["decisions"][0]["sentence"]
    assert samples == sum(case["samples"] for case in measured.document["cases"])


def test_the_example_of_the_page_does_what_it_says(here, measured, plugin):
    page = Path(__file__).parents[2].joinpath("docs", "reports.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    words = ("report", "--db", measured.db, "--plugin", plugin(example), "--format", "answers")
    sentences = [decision["sentence"] for decision in measured.document["decisions"]]
    assert here(*words).out.splitlines() == sentences


def test_the_page_tells_of_every_form_that_ships():
    page = Path(__file__).parents[2].joinpath("docs", "reports.md").read_text(encoding="utf-8")
    table = page.partition("| form |")[2].partition("\n\n")[0]
    shipped = {
        name for row in Registry.read().plugins.values() for name in row.offers.get("reporter", ())
    }
    assert (
        set(re.findall(r"`([a-z]+)`", "".join(re.findall(r"^\|[^|]+", table, re.MULTILINE))))
        == shipped
    )


@pytest.mark.parametrize("name", ["csv", "markdown", "junit", "bencher"])
def test_every_shipped_form_is_printed_and_written_alike(here, measured, tmp_path, name):
    words = ("report", "--db", measured.db, "--format", name)
    printed = here(*words)
    assert printed.status == 0, printed.err
    assert here(*words, "-o", tmp_path / "report").status == 0
    assert (tmp_path / "report").read_text(encoding="utf-8") == printed.out


def test_the_page_names_what_to_install_where_its_charts_are_missing(python, measured):
    program = """
        import sys

        (at,) = (n for n, one in enumerate(sys.meta_path) if getattr(one, "__name__", "") == "PathFinder")
        found = sys.meta_path[at].find_spec

        class Others:
            @staticmethod
            def find_spec(name, path=None, target=None):
                return None if name.partition(".")[0] == "bokeh" else found(name, path, target)

        sys.meta_path[at] = Others
        from edgebench.cli import main

        sys.stderr = sys.stdout
        assert main(["report", "--format", "html", "--db", sys.argv[1]]) == 2
        """
    (line,) = python(program, measured.db).stdout.splitlines()
    assert "pip install 'edgebench[html]'" in line


@pytest.mark.parametrize("form", ["csv", "markdown", "junit", "bencher"])
@pytest.mark.parametrize("asked", ["--questions", "--operators"])
def test_a_form_that_does_not_show_what_is_asked_for_says_so(here, mistaken, measured, form, asked):
    said = here("report", "--db", measured.db, "--format", form, asked)
    mistaken(said, f"reporter {form} does not show what {asked} asks for", "terminal")


def test_a_reporter_of_somebody_says_what_it_shows(here, mistaken, measured, plugin):
    words = ("report", "--db", measured.db, "--plugin")
    asks = 'render=lambda results: f"{results.questions is not None}"'
    text = SHORT.replace("render=render", asks)
    shown = text.replace(asks, f'{asks}, shows=("questions",)')
    mistaken(here(*words, plugin(text), "--format", "short", "--questions"), "does not show")
    said = here(*words, plugin(shown), "--format", "short", "--questions")
    assert (said.status, said.out.strip()) == (0, "True")
    mistaken(here(*words, plugin(shown), "--format", "csv", "--questions"), "or short")


def test_both_are_shown_where_both_are_asked_for(here, measured):
    words = ("report", "--db", measured.db)
    both = here(*words, "--operators", "--questions").out
    for one in ("--operators", "--questions"):
        _, *lines = here(*words, one).out.splitlines()
        assert "\n".join(lines).strip() in both
