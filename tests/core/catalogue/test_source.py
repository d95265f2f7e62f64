from __future__ import annotations

import sys

import pytest

from edgebench.catalogue.source import read_source


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a plugin, what it shares with others, and what it does not."""
    root = tmp_path / "acme"
    (root / "operators").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "operators" / "__init__.py").write_text("")
    (root / "shared.py").write_text("import os, torchlike\n")
    (root / "deep.py").write_text("from . import shared\n")
    (root / "other.py").write_text("import nothing_of_ours\n")
    plugin = root / "operators" / "shrink.py"
    plugin.write_text(
        "import json\n\ndef apply():\n    import fast.lib\n    from acme.deep import x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]


def digest(root):
    return read_source(root / "operators" / "shrink.py", "acme.operators.shrink").digest


def test_imports_are_what_it_stands_on_in_functions_and_in_what_it_shares(package):
    found = read_source(package / "operators" / "shrink.py", "acme.operators.shrink")
    assert found.imports == ("fast", "torchlike")


@pytest.mark.parametrize("name", ["operators/shrink.py", "deep.py", "shared.py"])
def test_a_change_of_it_or_of_what_it_shares_changes_the_digest(package, name):
    before = digest(package)
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert digest(package) != before


def test_a_change_of_what_it_does_not_import_leaves_the_digest(package):
    before = digest(package)
    (package / "other.py").write_text("import something_else\n")
    assert digest(package) == before


def test_a_relative_import_is_followed(package):
    plugin = package / "operators" / "shrink.py"
    plugin.write_text("from ..deep import x\n")
    assert read_source(plugin, "acme.operators.shrink").imports == ("torchlike",)


def test_a_single_file_shares_what_lies_beside_it(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text("import helpers\nimport numpy\n")
    (tmp_path / "helpers.py").write_text("import scipy\n")
    before = read_source(plugin, "edgebench_file_mine")
    assert before.imports == ("numpy", "scipy")
    (tmp_path / "helpers.py").write_text("import scipy  # changed\n")
    assert read_source(plugin, "edgebench_file_mine").digest != before.digest
