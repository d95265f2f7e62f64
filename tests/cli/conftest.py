"""What the tests of the command line share: a database with a real run, and how a mistake looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.resources import files

import attrs
import pytest
from jsonschema import Draft202012Validator

from edgebench.cli import main

from ..conftest import TOY, Said

TOY_CASES = (
    *("--model", "toy", "--backend", "toy-numpy", "--blocks", "1", "--requests", "3"),
    *("--operator", "identity", "--operator", "toy-round", "--operator", "toy-cut"),
    *("--placement", "mobile", "--placement", "mobile-edge"),
)


@attrs.frozen
class Measured:
    """A database that holds one run of toys, and what that run printed with `--json`."""

    db: object
    document: dict
    err: str

    def case(self, chain):
        return next(c for c in self.document["cases"] if c["chain"] == chain and c["latency_s"])


@pytest.fixture(scope="session")
def measured(shared_store, tmp_path_factory, process):
    """Run the toys once for all tests that only read results."""
    db = tmp_path_factory.mktemp("measured") / "results.db"
    options = ("run", "--json", "--tag", "reading", "--plugin", str(TOY), "--db", str(db))
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", *options, *TOY_CASES],
        capture_output=True,
        text=True,
        env={**os.environ, "EDGEBENCH_STORE": str(shared_store)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Measured(db, json.loads(done.stdout), done.stderr)


@pytest.fixture
def here(capsys, monkeypatch, tmp_path):
    """Run a command in this process, as a program does: quicker by far, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = main([*map(str, words)])
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def one():
    """The options of a run of one case, as short as it gets."""
    return (*TOY_CASES[:8], "--seed", "0")


@pytest.fixture
def conforms():
    """Hold a document against the schema that ships under a name."""

    def check(document, name):
        schema = json.loads(files("edgebench").joinpath("schemas", f"{name}.json").read_text())
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(document)
        return document

    return check


@pytest.fixture
def mistaken():
    """Check that a command ended with the user's mistake in one line, and return the line."""

    def check(said, *words):
        assert said.status == 2, said
        assert said.out == ""
        assert said.err.startswith("edgebench: ")
        assert said.err.count("\n") == 1
        for word in words:
            assert str(word) in said.err
        return said.err

    return check
