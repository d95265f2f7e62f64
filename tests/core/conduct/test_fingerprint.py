"""A resumed run puts no block beside those of something else."""

from __future__ import annotations

from importlib.metadata import version
from textwrap import dedent
from types import SimpleNamespace

import pytest

from edgebench.cases.case import BackendChoice, Case
from edgebench.cases.operations import Chains
from edgebench.cases.plan import Plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry, shipped_registry
from edgebench.catalogue.rows import Suite
from edgebench.conduct.fingerprint import describe_environment, fingerprint
from edgebench.conduct.scoring import Scores
from edgebench.parts.places import Placement
from edgebench.parts.subjects import Weights
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store

PINNED = """
    from edgebench import Model, Variant, hookimpl

    @hookimpl
    def edgebench_models():
        yield Model(name="pinned", summary="One matrix.", build=print, dataset="toy-points",
                    variants=[Variant(name="small", weights=["hub", "random"], asset="matrix")])
"""


@pytest.fixture
def stamped(toy, tmp_path):
    """Stamp a run of weights of a kind, whose pinned file has a digest."""
    plugin, rows = tmp_path / "pinned.py", tmp_path / "mine.toml"
    plugin.write_text(dedent(PINNED))

    def stamped(kind, sha256):
        rows.write_text(
            f'[assets.matrix]\nsummary = "A matrix."\nurl = "http://localhost/matrix"\n'
            f'sha256 = "{sha256}"\nlicence = "MIT"\n'
        )
        registry = Registry.of([shipped_registry(), rows])
        plugins = Plugins.load(registry, [toy, plugin])
        case = Case(
            model="pinned",
            variant="small",
            weights=Weights(kind=kind),
            dataset="toy-points",
            placement=Placement(["mobile"]),
            backends=[BackendChoice("toy-numpy")],
            route=["mobile"],
        )
        plan = Plan(
            study=Study(suite=Suite(name="", summary="")),
            cases=(case,),
            skipped=(),
            references={},
            chains=Chains(plugins),
        )
        return fingerprint(plan, Recipes(plugins, Store(tmp_path / "store")))

    return stamped


@pytest.mark.parametrize(("kind", "other"), [("hub", True), ("random", False)])
def test_a_pinned_file_of_another_digest_makes_another_run(stamped, kind, other):
    assert stamped(kind, "0" * 64) == stamped(kind, "0" * 64)
    assert (stamped(kind, "0" * 64) != stamped(kind, "1" * 64)) is other


NOTED = """
    from pathlib import Path

    import attrs

    from edgebench import Backend, hookimpl

    @attrs.frozen(kw_only=True)
    class Options:
        library: Path | None = None

    @hookimpl
    def edgebench_backends():
        yield Backend(name="noted", summary="A chip.", open=print, formats=["toy-matrix"],
                      options=Options)
"""


@pytest.fixture
def told(toy, tmp_path):
    """A plan whose one case tells its backend of a library, its recipes, and the library."""
    plugin, library = tmp_path / "noted.py", tmp_path / "libchip.so"
    plugin.write_text(dedent(NOTED))
    plugins = Plugins.load(Registry.of([shipped_registry()]), [toy, plugin])
    case = Case(
        model="toy",
        variant="small",
        weights=Weights(kind="random"),
        dataset="toy-points",
        placement=Placement(["mobile"]),
        backends=[BackendChoice("noted", options=[("library", str(library))])],
        route=["mobile"],
    )
    study = Study(suite=Suite(name="", summary=""))
    chains = Chains(plugins)
    plan = Plan(study=study, cases=(case,), skipped=(), references={}, chains=chains)
    return plan, Recipes(plugins, Store(tmp_path / "store")), library


def test_a_library_that_was_built_anew_makes_another_run_and_another_score(told, tmp_path):
    plan, recipes, library = told
    prepared = tmp_path / "artifact"
    prepared.mkdir()
    prepared.joinpath("manifest.json").write_text('{"files": {}}')
    preparer = SimpleNamespace(recipes=recipes)
    deployments = SimpleNamespace(plan=plan, plugins=recipes.plugins, preparer=preparer)
    scores = Scores(deployments=deployments)

    def identify():
        return fingerprint(plan, recipes), scores._key(plan.cases[0], prepared, few=True)

    library.write_text("built")
    before = identify()
    assert identify() == before
    library.write_text("built anew")
    assert not any(one == other for one, other in zip(before, identify(), strict=True))


def test_a_run_keeps_the_versions_of_what_it_stands_on(tmp_path):
    rows = tmp_path / "mine.toml"
    rows.write_text(
        '[plugins.mine]\nkind = "model"\nmodule = "mine"\noffers = ["mine"]\n'
        'requires = ["no_such_module"]\ninstall = "pip install mine"\n'
    )
    registry = Registry.of([rows])
    plugins = Plugins.load(registry, [])
    versions = describe_environment(Recipes(plugins, Store(tmp_path / "store")))["versions"]
    assert versions["attrs"] == version("attrs")
    assert versions["zmq"] == version("pyzmq")
    assert versions["no_such_module"] is None
