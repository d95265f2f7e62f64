"""What a plugin's digest is made of: what it says, and all code that its version does not tell."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from edgebench import Registry
from edgebench.prepare import source
from edgebench.prepare.source import read_source

PLUGIN = "import json\n\ndef apply():\n    import fast.lib\n    from acme.deep import x\n"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def install(directory: Path) -> None:
    """Make of a source tree a directory in which many distributions are installed."""
    write(directory / "acme-1.2.dist-info" / "METADATA", "Name: acme\nVersion: 1.2\n")


@pytest.fixture(params=["src", "installed"])
def package(request, tmp_path, monkeypatch):
    """A package with a plugin, what it shares with others, and what it does not."""
    root = tmp_path / request.param / "acme"
    write(root / "__init__.py")
    write(root / "operators" / "__init__.py")
    write(root / "shared.py", "import os, torchlike\n")
    write(root / "deep.py", "from . import shared\n")
    write(root / "other.py", "import nothing_of_ours\n")
    write(root / "operators" / "shrink.py", PLUGIN)
    if request.param == "installed":
        install(root.parent)
    monkeypatch.syspath_prepend(root.parent)
    before = set(sys.modules)
    yield root
    assert not {name for name in set(sys.modules) - before if name.startswith("acme")}


def read(root):
    return read_source(root / "operators" / "shrink.py", "acme.operators.shrink")


def digest(root):
    return read(root).digest


def test_imports_are_what_it_stands_on_in_functions_and_in_what_it_shares(package):
    assert read(package).imports == ("fast", "torchlike")


SHARED = ["operators/shrink.py", "deep.py", "shared.py", "__init__.py", "operators/__init__.py"]


@pytest.mark.parametrize("name", SHARED)
def test_a_change_of_it_or_of_what_it_shares_changes_the_digest(package, name):
    """The packages that it lies in are run before it, so what they say counts too."""
    before = digest(package)
    with (package / name).open("a") as file:
        file.write("changed = 1\n")
    assert digest(package) != before


@pytest.mark.parametrize("name", SHARED)
def test_a_comment_or_a_docstring_changes_nothing(package, name):
    before = digest(package)
    text = (package / name).read_text()
    (package / name).write_text(f'"""What this is."""\n# why\n\n{text}\n# the end\n')
    assert digest(package) == before


def test_a_change_of_what_it_does_not_import_leaves_the_digest(package):
    before = digest(package)
    (package / "other.py").write_text("import something_else\n")
    assert digest(package) == before


def test_which_module_says_what_is_part_of_the_digest(package):
    """Two modules that change places say the same together, and do something else."""
    write(package / "operators" / "shrink.py", "from acme import deep, shared\n")
    write(package / "deep.py", "x = 1\n")
    write(package / "shared.py", "x = 2\n")
    before = digest(package)
    write(package / "deep.py", "x = 2\n")
    write(package / "shared.py", "x = 1\n")
    assert digest(package) != before


def test_a_file_alone_goes_by_what_it_says_and_not_by_its_name(tmp_path):
    mine, other = (write(tmp_path / name, "x = 1\n") for name in ("mine.py", "other.py"))
    assert (
        read_source(mine, "edgebench_file_mine").digest
        == read_source(other, "edgebench_file_other").digest
    )


def test_a_relative_import_is_followed(package):
    write(package / "operators" / "shrink.py", "from ..deep import x\n")
    assert read(package).imports == ("torchlike",)


# --- what is said --------------------------------------------------------------------------------

SAID = '''
import attrs

LIMIT = 8


@attrs.frozen
class Options:
    """Choices."""

    share: float = 0.5
    """How much is kept."""


def shrink(values, limit=LIMIT, *, deep: bool = False):
    """Return less."""
    if deep:
        return [value + 1 for value in values if value < limit]
    return lambda: ("a", 'b')  # of which there is none
'''


def said(tmp_path, text):
    return read_source(write(tmp_path / "mine.py", dedent(text)), "edgebench_file_mine").digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # of which there is none", ""),
        ("LIMIT = 8", "# eight\nLIMIT = 8\n\n"),
        ('    """How much is kept."""\n', ""),
        ('"""Return less."""', '"""Return fewer,\n\n    and say so.\n    """'),
        ('"""Choices."""\n\n', "# none\n"),
        ("""("a", 'b')""", """(\n        'a',\n        "b",\n    )"""),
        ("value + 1 for", "(value + 1)\n            for"),
        ("LIMIT = 8", "LIMIT = 0x8"),
    ],
)
def test_the_layout_the_comments_and_the_docstrings_are_forgiven(tmp_path, old, new):
    assert old in SAID
    assert said(tmp_path, SAID.replace(old, new)) == said(tmp_path, SAID)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 8", "LIMIT = 9"),
        ("LIMIT = 8", "LIMIT = 8.0"),
        ("0.5", "0.25"),
        ("value + 1", "value - 1"),
        ("value < limit", "value <= limit"),
        ("limit=LIMIT", "limit=None"),
        ("deep: bool = False", "deep: bool = True"),
        ("share: float", "share: int"),
        ("@attrs.frozen", "@attrs.define"),
        ('"a"', '"c"'),
        ("if deep:\n        return", "if deep:\n        pass\n    return"),
    ],
)
def test_whatever_runs_otherwise_is_another_digest(tmp_path, old, new):
    assert old in SAID
    assert said(tmp_path, SAID.replace(old, new, 1)) != said(tmp_path, SAID)


def test_what_is_for_type_checkers_alone_is_not_followed(package):
    plain = "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nx = 1\n"
    write(package / "operators" / "shrink.py", plain)
    before = read(package)
    checked = "if TYPE_CHECKING:\n    from acme import shared\n    import numpy\n"
    write(package / "operators" / "shrink.py", plain + checked)
    assert read(package).modules.keys() == before.modules.keys()
    assert read(package).imports == before.imports
    write(
        package / "operators" / "shrink.py", f"{plain}{checked}else:\n    from acme import deep\n"
    )
    assert read(package).imports == ("torchlike",)


@pytest.mark.parametrize(
    "block",
    [
        "try:\n    pass\nexcept OSError:\n    import shared\n",
        "try:\n    pass\nfinally:\n    import shared\n",
        "for x in ():\n    pass\nelse:\n    import shared\n",
        "with open('x') as x:\n    import shared\n",
        "match 1:\n    case 1:\n        import shared\n",
        "class X:\n    def f(self):\n        while True:\n            import shared\n",
        "async def f():\n    async with x:\n        import shared\n",
    ],
)
def test_an_import_is_found_in_whatever_block_it_stands(tmp_path, block):
    write(tmp_path / "shared.py", "import torchlike\n")
    plugin = write(tmp_path / "mine.py", block)
    assert read_source(plugin, "edgebench_file_mine").imports == ("torchlike",)


# --- how far it goes -----------------------------------------------------------------------------


def test_a_single_file_shares_what_lies_beside_it(tmp_path):
    plugin = write(tmp_path / "mine.py", "import helpers\nimport numpy\nimport more.parts\n")
    write(tmp_path / "helpers.py", "import scipy\n")
    write(tmp_path / "more" / "__init__.py")
    write(tmp_path / "more" / "parts.py", "import rich\n")
    before = read_source(plugin, "edgebench_file_mine")
    assert before.imports == ("numpy", "rich", "scipy")
    write(tmp_path / "helpers.py", "import scipy\nchanged = 1\n")
    assert read_source(plugin, "edgebench_file_mine").digest != before.digest


def test_a_directory_that_happens_to_have_a_frameworks_name_hides_it_from_no_key(tmp_path):
    (tmp_path / "numpy").mkdir()
    plugin = write(tmp_path / "mine.py", "import numpy\n")
    assert read_source(plugin, "edgebench_file_mine").imports == ("numpy",)


@pytest.mark.parametrize(("tree", "followed"), [("src", True), ("installed", False)])
def test_another_package_counts_by_what_it_says_where_no_version_tells_of_it(
    tmp_path, tree, followed
):
    """In a source tree a version stands still; among installed packages it tells all."""
    plugin = write(tmp_path / tree / "acme" / "shrink.py", "import acme_common.tools\n")
    tools = write(tmp_path / tree / "acme_common" / "tools.py", "a = 1\n")
    write(tmp_path / tree / "acme_common" / "__init__.py")
    if not followed:
        install(tmp_path / tree)
    before = read_source(plugin, "acme.shrink")
    assert before.imports == (() if followed else ("acme_common",))
    write(tools, "a = 2\n")
    assert (read_source(plugin, "acme.shrink").digest != before.digest) is followed


def test_a_package_of_plugins_code_counts_wherever_it_lies(tmp_path, monkeypatch):
    plugin = write(tmp_path / "theirs" / "acme" / "shrink.py", "from edgebench_common import tools")
    shared = tmp_path / "site-packages" / "edgebench_common"
    write(shared / "__init__.py")
    install(shared.parent)
    write(shared / "tools.py", "import torchlike\nx = 1\n")
    monkeypatch.syspath_prepend(shared.parent)
    before = read_source(plugin, "acme.shrink")
    assert before.imports == ("torchlike",)
    write(shared / "tools.py", "import torchlike\nx = 2\n")
    assert read_source(plugin, "acme.shrink").digest != before.digest


def test_figures_of_merit_count_and_nothing_else_of_the_core_does(tmp_path):
    plugin = write(
        tmp_path / "mine.py",
        "from edgebench import Model\nfrom edgebench.metrics.segmentation import mean_iou\n",
    )
    closure = read_source(plugin, "edgebench_file_mine")
    assert set(closure.modules) == {
        "edgebench_file_mine",
        "edgebench.metrics",
        "edgebench.metrics.segmentation",
    }
    assert closure.outside == {"edgebench"} | {"__future__", "numpy", "typing"}


def test_a_source_that_many_share_is_parsed_once(monkeypatch):
    """Work that does not depend on the plugin is not done once a plugin."""
    modules = [importlib.import_module(row.module) for row in Registry.read().plugins.values()]
    source._read.cache_clear()
    shared = set()
    for module in modules * 2:
        shared |= read_source(Path(module.__file__), module.__name__).modules.keys()
    assert source._read.cache_info().misses <= len(shared)
    assert len(shared) > len(modules)


# --- what must not be taken for layout -----------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("if not TYPE_CHECKING:\n    x = 1\n", "if not TYPE_CHECKING:\n    x = 2\n"),
        ("if a or TYPE_CHECKING:\n    x = 1\n", "if a or TYPE_CHECKING:\n    x = 2\n"),
        ("if RUNTIME_TYPE_CHECKING:\n    x = 1\n", "if RUNTIME_TYPE_CHECKING:\n    x = 2\n"),
        ("TYPE_CHECKING = True\nif TYPE_CHECKING:\n    x = 1\n",
         "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    x = 2\n"),
        ('"""Say a."""\nprompt = __doc__\n', '"""Say b."""\nprompt = __doc__\n'),
        ("def f(x):\n    # type: (int) -> int\n    return x\n",
         "def f(x):\n    # type: (float) -> int\n    return x\n"),
    ],
)  # fmt: skip
def test_what_runs_or_is_read_counts(tmp_path, one, other):
    assert said(tmp_path, one) != said(tmp_path, other)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + " + ".join(["a"] * 3000),
        "x = y" + ".f()" * 3000,
        "x = 0x" + "f" * 5000,
        "def broken(:",
    ],
    ids=["sum", "calls", "digits", "broken"],
)
def test_a_source_that_cannot_be_written_out_again_goes_by_its_bytes(tmp_path, text):
    assert said(tmp_path, text) != said(tmp_path, text + "\n# a comment\n")


def test_what_is_imported_in_code_that_runs_counts_and_for_checkers_alone_not(tmp_path):
    text = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import for_checkers
        else:
            import for_all
        if not TYPE_CHECKING:
            import fast
        """
    file = write(tmp_path / "mine.py", dedent(text))
    assert read_source(file, "edgebench_file_mine").imports == ("fast", "for_all")


def test_a_package_that_lies_in_two_directories_counts_whole(tmp_path, monkeypatch):
    plugin = write(tmp_path / "a" / "spread" / "plug.py", "from spread import tools\n")
    tools = write(tmp_path / "b" / "spread" / "tools.py", "x = 1\n")
    monkeypatch.syspath_prepend(tmp_path / "a")
    monkeypatch.syspath_prepend(tmp_path / "b")
    before = read_source(plugin, "spread.plug").digest
    write(tools, "x = 2\n")
    assert read_source(plugin, "spread.plug").digest != before


def test_a_relative_import_that_leads_nowhere_is_left_out(tmp_path):
    file = write(tmp_path / "mine.py", "def f():\n    from ... import nowhere\n")
    assert read_source(file, "edgebench_file_mine").imports == ()
