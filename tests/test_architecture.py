"""The page on the architecture: each file and each function that it names is there."""

import ast
import re
from pathlib import Path

import pytest

import edgebench
from edgebench.measure.transport.wire import PHASES

from .test_layers import LAYERS
from .trees import parse

CORE = Path(edgebench.__file__).parent
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PLAIN = {*PHASES, "edgebench", "edgebench.metrics", "edgebench_kit", "run"}
"""Words in code quotes that are no files: phases, packages, a session's method."""


def quoted(page):
    """Return what stands in code quotes outside of drawings."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))


def names_in(tree, prefix=""):
    """Yield the functions and classes of a module, methods as `Class.method`."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from names_in(node, f"{node.name}.")


def missing(page):
    """Return what a page names in code quotes and is not there."""
    found = []
    for text in quoted(page):
        file, _, name = text.partition(":")
        path = next((p for p in (CORE / file, ROOT / file) if p.exists()), None)
        if text in PLAIN:
            continue
        if path is None or (name and name not in names_in(parse(path))):
            found.append(text)
    return found


def test_every_file_and_function_that_is_named_is_there():
    assert len(quoted(PAGE)) > 50
    assert missing(PAGE) == []


@pytest.mark.parametrize(
    "text", ["measure/nowhere.py", "measure/stand/block.py:measure_blocks", "Watch", "tests/none/"]
)
def test_what_is_not_there_is_found(text):
    assert missing(f"In `{text}` it is.") == [text]


def test_the_drawing_shows_the_layers_that_are_held():
    (drawn,) = re.findall(r"```text\n( parts/.*?)```", PAGE, flags=re.DOTALL)
    shown = re.findall(r"^ +([a-z]+)/", drawn, flags=re.MULTILINE)
    assert [name for name in shown if name != "measure"] == [
        layer.rpartition(".")[2] for layer in LAYERS if (CORE / layer.replace(".", "/")).is_dir()
    ]


def test_no_word_of_the_glossary_is_explained_twice():
    glossary = PAGE.partition("## Glossary")[2]
    cells = re.findall(r"^\| ([^|]+) \|", glossary, flags=re.MULTILINE)
    words = [w for cell in cells if cell not in ("word", "---") for w in cell.split(", ")]
    assert len(words) > 50
    assert len(words) == len(set(words))
