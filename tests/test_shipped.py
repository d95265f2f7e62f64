"""What ships is what the registry says of it, and telling of it needs no framework."""

import importlib
import inspect
from textwrap import dedent

import pytest

from edgebench import Registry
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import shipped_registry
from edgebench.catalogue.rows import KINDS, WORDS
from edgebench.parts.hookspecs import Hooks
from edgebench.parts.part import Part
from edgebench.survey.statuses import list_statuses

from .quick import frameworks

SHIPPED = shipped_registry().parent / "plugins" / "edgebench_plugins"
ROWS = Registry.read().plugins
HOOKS = {name: spec for name, spec in vars(Hooks).items() if name.startswith("edgebench_")}
FRAMEWORKS = frameworks() | {"numpy", "scipy"}


@pytest.fixture
def loaded(python):
    """Return which frameworks a program has loaded when it ends."""

    def run(program: str) -> str:
        told = f"import sys\n{dedent(program)}\n"
        told += f"print(sorted({{n.partition('.')[0] for n in sys.modules}} & {FRAMEWORKS!r}))"
        return python(told).stdout.splitlines()[-1]

    return run


def test_a_framework_that_is_loaded_is_seen(loaded):
    assert loaded("import numpy") == "['numpy']"


def test_no_framework_is_imported_with_any_plugin(loaded):
    modules = sorted(row.module for row in ROWS.values())
    assert loaded(f"import importlib\nfor m in {modules!r}: importlib.import_module(m)") == "[]"


def test_no_framework_is_imported_when_everything_is_listed(loaded):
    program = """
        from edgebench import Registry
        from edgebench.catalogue.plugins import Plugins
        from edgebench.catalogue.rows import KINDS

        plugins = Plugins.load(Registry.read())
        for kind in KINDS.values():
            plugins.listed(kind)
        """
    assert loaded(program) == "[]"


@pytest.mark.parametrize("command", ["list", "--help"])
def test_no_framework_is_imported_by_a_command_that_only_tells(loaded, command):
    program = f"""
        from edgebench.cli import main

        try:
            main([{command!r}])
        except SystemExit as ended:
            assert not ended.code
        """
    assert loaded(program) == "[]"


def test_rows_offer_exactly_what_their_modules_yield():
    wrong = []
    for row in ROWS.values():
        alone = Plugins.of(Registry.read(), [importlib.import_module(row.module)])
        yielded = {kind: tuple(alone.all(record)) for kind, record in KINDS.items()}
        offered = {kind: names for kind, names in yielded.items() if names}
        if alone.faults or offered != dict(row.offers):
            wrong.append(f"{row.module} yields {offered}, {row.name} says {row.offers}")
    assert len(ROWS) > 20
    assert wrong == []


def test_nothing_shipped_is_faulty():
    rows = list_statuses(Plugins.load(Registry.read()))
    assert [row for row in rows if row.status == "faulty"] == []


def test_plugins_lie_in_the_folders_of_their_hooks_and_each_has_a_row():
    found = {
        f"{SHIPPED.name}.{word}s.{path.stem}"
        for word in KINDS
        for path in (SHIPPED / f"{word}s").glob("*.py")
        if path.stem != "__init__"
    }
    assert found == {row.module for row in ROWS.values()}
    wrong = [
        row.name
        for row in ROWS.values()
        if row.module.split(".")[1] not in [f"{kind}s" for kind in row.offers]
    ]
    assert wrong == []


def test_every_kind_has_its_hook_and_every_catalogue_hook_its_kind():
    catalogue = {
        name for name, spec in HOOKS.items() if "registry" in inspect.signature(spec).parameters
    }
    assert catalogue == {f"edgebench_{word}s" for word in KINDS}
    assert dict(WORDS) == {record: word for word, record in KINDS.items()}
    assert set(WORDS) == set(Part.__subclasses__())
