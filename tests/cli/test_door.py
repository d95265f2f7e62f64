"""What a newcomer meets first: the version, the help, exit statuses, and what is not installed."""

from __future__ import annotations

import collections
import importlib.metadata
import re
from pathlib import Path

import pytest

import edgebench.cli
from edgebench import Registry
from edgebench.store.artifacts import Store


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_that_of_the_distribution(here, word):
    said = here(word)
    assert (said.status, said.out) == (0, f"edgebench {importlib.metadata.version('edgebench')}\n")


def test_a_kind_may_be_named_in_the_singular(here):
    assert here("list", "operator", "tier").out == here("list", "operators", "tiers").out
    assert list(here("list", "operator", "--json").json) == ["schema", "operators"]


def test_the_help_names_every_exit_status_and_every_variable_that_is_read(here):
    said = here("--help").out
    core = Path(edgebench.cli.__file__).parents[1]
    read = set()
    for path in core.rglob("*.py"):
        named = r'"(EDGEBENCH_[A-Z]+|NO_COLOR|COLUMNS|XDG_[A-Z_]+)"'
        read |= set(re.findall(named, path.read_text()))
    page = Path(core.parents[1], "docs", "command-line.md").read_text()
    # Of plugins' modules, and what processes are told by those that start them.
    read -= {"EDGEBENCH_API", "EDGEBENCH_CONTRACT", "EDGEBENCH_OWNER"}
    assert {"EDGEBENCH_DB", "EDGEBENCH_STORE", "EDGEBENCH_CACHE"} <= read
    for text in (said, page):
        assert [name for name in read if name not in text] == []
        assert [one for one in (0, 1, 2, 130) if not re.search(rf"\b{one}\b", text)] == []


def test_the_database_is_the_one_that_the_environment_names(here, mistaken, measured, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_DB", str(measured.db))
    assert here("report", "--json").json["run"] == measured.document["run"]
    mistaken(here("report", "--db", "other.db"), "there are no results in other.db yet")
    monkeypatch.setenv("EDGEBENCH_DB", "")
    mistaken(here("report"), "there are no results in edgebench.db yet")


@pytest.mark.process
def test_a_run_that_measured_nothing_says_so_by_its_status(here, toy, tmp_path):
    choosy = tmp_path / "choosy.py"
    choosy.write_text(
        "from edgebench import Operator, hookimpl\n"
        "@hookimpl\n"
        "def edgebench_operators():\n"
        "    yield Operator(name='choosy', summary='No.', apply=print, accepts=lambda _: 'no')\n"
    )
    words = ("--plugin", toy, "--plugin", choosy, "--model", "toy", "--backend", "toy-numpy")
    said = here("run", "--json", *words, "--operator", "choosy")
    assert [case["status"] for case in said.json["cases"]] == ["skipped"]
    assert said.status == 1


@pytest.fixture
def core_alone(tmp_path):
    """The options of a command in a place where two backends are known, and none is installed."""
    rows = Registry.read().plugins.values()
    file = tmp_path / "alone.toml"
    file.write_text(
        "".join(
            f'[plugins.{name}]\nkind = "backend"\nmodule = "absent"\noffers = ["{name}"]\n'
            f'requires = ["absent"]\ninstall = "pip install \'edgebench[{name}]\'"\n'
            for name in ("fast", "small")
        )
    )
    out = [word for row in rows if "backend" in row.offers for word in ("--without", row.name)]
    return ("--registry", file, *out)


def test_without_a_backend_it_is_said_how_to_get_one(here, mistaken, core_alone):
    words = ("--model", "vgg:small", "--operator", "identity", *core_alone)
    for command in ("plan", "run"):
        mistaken(
            here(command, *words),
            "no backend is installed: fast needs the package 'absent': "
            "pip install 'edgebench[fast]'; small needs",
        )


@pytest.mark.process
def test_skipped_cases_of_one_reason_are_one_line_unless_more_is_asked_for(here, toy, core_alone):
    words = ("plan", "--plugin", toy, "--model", "toy", "--operator", "toy-cut", *core_alone,
             "--operator", "identity", "--placement", "*", "--backend", "fast",
             "--backend", "toy-numpy")  # fmt: skip
    skipped = here(*words, "--json").json["skipped"]
    reasons = collections.Counter(one["reason"] for one in skipped)
    short, long = here(*words).out, here(*words, "--verbose").out
    assert [one["id"] for one in skipped if one["id"] not in long] == []
    many = [reason for reason, count in reasons.items() if count >= 4]
    assert [reason.partition(" ")[0] for reason in many] == ["fast"]
    for one in skipped:
        assert (one["id"] in short) == (one["reason"] not in many)
    assert all(f"{reasons[reason]} cases" in short for reason in many)


def test_the_size_of_the_store_is_short_unless_more_is_asked_for(here, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path / "store"))
    store = Store()
    for number in range(14):
        store.make(
            f"{number:02}" + "0" * 62,
            f"thing {number}",
            lambda directory, size=number: (directory / "it").write_bytes(bytes(1 + 100 * size)),
        )
    short, whole = here("store", "size").out, here("store", "size", "--verbose").out
    assert short.count("thing") == 10
    assert "14 artifacts, 9.1 kB; 4 others, 604 bytes, with --verbose" in " ".join(short.split())
    assert whole.count("thing") == 14
    assert "with --verbose" not in whole
    assert len(here("store", "size", "--json").json["entries"]) == 14
