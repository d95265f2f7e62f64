"""A stranger writes one file, and runs it beside a model of their own."""

from __future__ import annotations

from textwrap import dedent

import pytest

QUICK = ("--blocks", "1", "--requests", "6", "--json")


@pytest.fixture
def measured(cli, toy, tmp_path):
    """Write a plugin file, measure with it and the toy, and return the cases by their label."""

    def run(plugin: str, *words: str, status: int = 0):
        file = tmp_path / "stranger.py"
        file.write_text(dedent(plugin))
        said = cli("run", "--plugin", toy, "--plugin", file, *words, *QUICK)
        assert said.status == status, said.err + said.out
        return said.cases()

    return run
