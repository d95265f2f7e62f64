"""What identifies the code of a part: also a helper that no distribution's version covers."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from edgebench import Operator, Registry
from edgebench.catalogue.plugins import Plugins
from edgebench.prepare import makers
from edgebench.prepare.makers import identify_maker

PLUGIN = """
    from edgebench import Operator, hookimpl
    import own_helper

    @hookimpl
    def edgebench_operators():
        yield Operator(name="own", summary="Own.", apply=own_helper.apply)
"""


@pytest.fixture
def identify(tmp_path, monkeypatch):
    """Return what identifies an operator whose module lies among installed distributions."""
    site = tmp_path / "site"
    (site / "other-1.0.dist-info").mkdir(parents=True)
    (site / "own_plugin.py").write_text(dedent(PLUGIN))
    monkeypatch.syspath_prepend(str(site))
    row = tmp_path / "own.toml"
    row.write_text('[plugins.own]\nkind = "operator"\nmodule = "own_plugin"\noffers = ["own"]\n')

    def run(helper):
        (site / "own_helper.py").write_text(helper)
        for name in ("own_plugin", "own_helper"):
            sys.modules.pop(name, None)
        makers._identify_module.cache_clear()
        return identify_maker(Plugins.load(Registry.of([row])), Operator, "own")

    yield run
    makers._identify_module.cache_clear()
    for name in ("own_plugin", "own_helper"):
        sys.modules.pop(name, None)


def test_a_helper_without_a_version_counts_by_what_it_says(identify):
    one = identify("apply = print")
    assert len(one["versions"]["own_helper"]) == 64
    assert identify("apply = print") == one
    assert identify("apply = len") != one
