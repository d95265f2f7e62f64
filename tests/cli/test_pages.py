"""What `list` printed is printed again while all that it follows from is the same."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from edgebench.cli import describe
from edgebench.survey import installed

BROKEN = "raise OSError('no chip')"
TEAM = """
    from edgebench import Operator, hookimpl

    @hookimpl
    def edgebench_operators():
        yield Operator(name="team", summary="{}", apply=print)
"""


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Keep pages in a cache of its own; return of which kinds items were collected."""
    kinds = []
    collect = describe.list_items
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        describe, "list_items", lambda kind, common: (kinds.append(kind), collect(kind, common))[1]
    )
    return kinds


@pytest.fixture
def team(tmp_path, monkeypatch):
    """A registry file with a row whose module lies on the path; write that module."""
    file = tmp_path / "team.toml"
    file.write_text('[plugins.team]\nkind = "operator"\nmodule = "own_team"\noffers = ["team"]\n')
    place = tmp_path / "modules"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))

    def write(text, **names):
        (place / "own_team.py").write_text(dedent(text.format(*names.values())))
        sys.modules.pop("own_team", None)
        return file

    yield write
    sys.modules.pop("own_team", None)


@pytest.mark.parametrize("words", [("list",), ("list", "operators"), ("list", "links", "--json")])
def test_it_is_printed_again_as_it_was(here, made, words):
    first = here(*words)
    assert first.status == 0
    assert made
    before = list(made)
    assert here(*words) == first
    assert made == before


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("operators", "links"), {}),
        (("links", "--json"), {}),
        (("links", "--without", "sptq"), {}),
        (("links",), {"COLUMNS": "61"}),
        (("links",), {"FORCE_COLOR": "1"}),
    ],
)
def test_what_is_asked_for_otherwise_is_made_for_itself(here, made, monkeypatch, words, env):
    here("list", "links")
    assert made == ["links"]
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    asked = [word for word in words if word in ("operators", "links")]
    here("list", *words)
    assert made == ["links", *asked]


def test_a_fault_is_said_each_time(here, made, tmp_path, monkeypatch, process):
    info = tmp_path / "site/edgebench_acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edgebench-acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[edgebench]\nacme = acme_chip\n")
    (tmp_path / "site/acme_chip.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    said = [here("list", "links", "--verbose") for _ in range(2)]
    assert made == ["links", "links"]  # it may be the moment's fault
    for one in said:
        assert "the plugin acme (edgebench-acme 1.0) does not load: OSError: no chip" in one.err
        assert "Traceback" in one.err
    (info.parent / "acme_chip.py").write_text("")
    assert "no chip" not in here("list", "links").err


def test_a_change_of_a_rows_module_is_seen(here, made, team):
    file = team(TEAM, summary="The first.")
    words = ("list", "operators", "--registry", file)
    assert "The first." in here(*words).out
    team(TEAM, summary="Another text.")
    assert "Another text." in here(*words).out


def test_a_change_of_the_registry_is_seen(here, made, team):
    file = team(TEAM, summary="The first.")
    words = ("list", "operators", "--registry", file)
    assert "missing_package" not in here(*words).out
    file.write_text(file.read_text() + 'requires = ["missing_package"]\n')
    assert "missing_package" in here(*words).out


def test_a_package_that_comes_is_seen(here, made, team, tmp_path):
    file = team(TEAM, summary="The first.")
    file.write_text(file.read_text() + 'requires = ["own_missing"]\n')
    words = ("list", "operators", "--registry", file, "--json")
    find = lambda: {one["name"]: one for one in json.loads(here(*words).out)["operators"]}  # noqa: E731
    assert not find()["team"]["installed"]
    (tmp_path / "modules/own_missing.py").write_text("")
    assert find()["team"]["installed"]


def test_a_change_of_what_ships_is_seen(registry, monkeypatch, tmp_path):
    """In a checkout by its files, the helpers beside the plugins too; elsewhere by its RECORD."""
    before = installed.find_state(registry, None)
    assert installed.find_state(registry, None) == before
    files = list(installed._list_shipped({"edgebench_plugins"}))
    assert any("/edgebench_kit/" in line for line in files)
    assert any("/edgebench/cli/list_.py " in line for line in files)
    (package := tmp_path / "edgebench_plugins").mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "edgebench_plugins", raising=False)
    assert installed.find_state(registry, None) != before


@pytest.mark.parametrize("content", [b"", b'"lin', b"null", b"[1]", b"\xff\x00"])
def test_a_page_that_was_harmed_is_made_anew(here, made, tmp_path, content):
    first = here("list", "links")
    (file,) = tmp_path.rglob("page-*.json")
    file.write_bytes(content)
    assert here("list", "links") == first
    assert made == ["links", "links"]
    assert here("list", "links") == first
    assert made == ["links", "links"]


def test_a_file_of_code_has_it_made_each_time(here, made, toy):
    for _ in range(2):
        assert here("list", "links", "--plugin", toy).status == 0
    assert made == ["links", "links"]


def test_where_nothing_can_be_kept_it_is_printed_all_the_same(here, made, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr("tempfile.gettempdir", lambda: os.devnull)
    said = [here("list", "links") for _ in range(2)]
    assert said[0] == said[1]
    assert "Mbit/s" in said[0].out
    assert made == ["links", "links"]


def test_where_the_disk_is_full_it_is_printed_all_the_same(here, made, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    assert "Mbit/s" in here("list", "links").out
    assert [file for file in tmp_path.rglob("page-*") if file.is_file()] == []


def test_a_row_that_was_broken_for_a_moment_is_not_kept_broken(here, made, team, monkeypatch):
    file = team("""
        import os
        from edgebench import Operator, hookimpl
        os.environ["TEAM_SDK"]

        @hookimpl
        def edgebench_operators():
            yield Operator(name="team", summary="It works.", apply=print)
    """)
    words = ("list", "operators", "--registry", file)
    assert "KeyError" in here(*words).err
    monkeypatch.setenv("TEAM_SDK", "there")
    said = here(*words)
    assert "It works." in said.out
    assert not said.err
