"""What all tests share: a plugin of numpy alone, and a store of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench.artifacts import Store
from edgebench.plugins import Plugins
from edgebench.prepare.recipe import Recipes
from edgebench.registry import Registry

TOY = Path(__file__).with_name("toy.py")


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory, monkeypatch):
    """Keep tests out of the store of whoever runs them."""
    monkeypatch.setenv("EDGEBENCH_STORE", str(tmp_path_factory.getbasetemp() / "store"))
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def registry():
    return Registry.read()


@pytest.fixture(scope="session")
def toy_plugins(registry):
    """The shipped plugins and the toy, whatever else is installed here."""
    return Plugins.load(registry, [TOY], entry_points=False)


@pytest.fixture
def recipes(toy_plugins, registry, tmp_path):
    """Recipes over an empty store."""
    return Recipes(toy_plugins, registry, Store(tmp_path / "store"))
