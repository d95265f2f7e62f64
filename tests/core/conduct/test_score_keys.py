"""By what a score is found again: of what others have loaded, by the session that made it alone."""

from __future__ import annotations

import json
from textwrap import dedent
from types import SimpleNamespace

import attrs
import pytest

from edgebench.cases.case import BackendChoice
from edgebench.cases.plan import Plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import Suite
from edgebench.conduct.scoring import Scores
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store
from edgebench.testing import toy
from edgebench.testing.results import case_of

SERVED = """
    from edgebench import Backend, hookimpl
    from edgebench.testing import toy

    @hookimpl
    def edgebench_backends():
        yield Backend(name="server", summary="One.", open=toy.open_session,
                      formats=["toy-matrix"], loads=False)
"""


@pytest.fixture
def find_key(registry, tmp_path):
    """Return the key of the score of a case on some backends, in a session of its own."""
    file = tmp_path / "served.py"
    file.write_text(dedent(SERVED))
    plugins = Plugins.load(registry, [file], modules=[toy.__name__])
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    (artifact / "manifest.json").write_text(json.dumps({"files": {}}))

    def find(*backends):
        case = attrs.evolve(
            case_of("identity", *("mobile", "edge")[: len(backends)]),
            dataset="toy-points",
            backends=[BackendChoice(name) for name in backends],
        )
        study = Study(suite=Suite(name="", summary=""))
        deployments = SimpleNamespace(
            plan=Plan(study=study, cases=[case], skipped=(), references={}, chains=None),
            plugins=plugins,
            preparer=SimpleNamespace(recipes=Recipes(plugins, Store(tmp_path / "store"))),
        )
        scores = Scores(deployments=deployments)
        assert scores._key(case, artifact) == scores._key(case, artifact)
        return scores._key(case, artifact)

    return find


def test_a_score_of_what_is_loaded_is_found_by_the_next_session(find_key):
    assert find_key("toy-numpy") == find_key("toy-numpy")


@pytest.mark.parametrize("backends", [["server"], ["toy-numpy", "server"]])
def test_a_score_of_what_others_have_loaded_is_the_sessions_own(find_key, backends):
    assert find_key(*backends) != find_key(*backends)
