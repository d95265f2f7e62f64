"""The site builds without a warning, and nothing in it asks for a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc="?([^"\s>]+)|<link[^>]*\shref="?([^"\s>]+)"""
)
"""What a browser loads by itself, unlike what a reader may click."""


def build(root, directory):
    """Build the site of a checkout, and return how that ended."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", directory],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory, process):
    directory = tmp_path_factory.mktemp("site")
    done = build(ROOT, directory)
    assert done.returncode == 0, done.stderr
    return directory


def test_every_page_of_the_docs_is_in_it(site):
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert pages
    for page in pages:
        # A page that is called so stands for its directory.
        name = "index" if page.stem == "README" else page.stem
        assert (site / page.with_name(f"{name}.html")).exists(), page
    assert (site / "changelog.html").exists()


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = {one or other for page in site.rglob("*.html")
              for one, other in LOADED.findall(page.read_text("utf-8"))}  # fmt: skip
    assert len(loaded) > 5
    assert [each for each in loaded if re.match(r"(https?:)?//", each)] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text("utf-8")), sheet


def test_no_list_or_table_is_taken_for_running_text(site):
    for page in site.rglob("*.html"):
        text = re.sub(r"(?s)<(pre|code|script)\b.*?</\1>", "", page.read_text("utf-8"))
        for paragraph in re.findall(r"(?s)<p>(.*?)</p>", text):
            assert not re.search(r"^(- |\d\. |\|)", paragraph, re.MULTILINE), (page, paragraph)


@pytest.mark.parametrize("target", ["install.md#nowhere", "nowhere.md", "../Makefile"])
def test_a_link_to_what_is_not_there_ends_the_build(tmp_path, process, target):
    for name in ("mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "limits.md").open("a") as page:
        page.write(f"\n[there]({target})\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert target.rpartition("#")[2] in done.stderr
