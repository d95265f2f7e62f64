"""Fixtures that see the plugins that they are given, whatever else is installed.

Named by a test suite, in its own configuration or in its topmost `conftest.py`:
`pytest_plugins = ["edgebench.testing.pytest_plugin"]`. It also keeps doubts from being errors where
a suite takes warnings for errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgebench.catalogue.plugins import Plugins
    from edgebench.testing.contracts.bench import Bench


def pytest_configure(config: pytest.Config) -> None:
    """Let doubts be told as what they are."""
    config.addinivalue_line("filterwarnings", "default::edgebench.testing.Doubt")


@pytest.fixture
def edgebench_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a store of the test's own, empty, which everything that edgebench makes goes to."""
    for variable in ("EDGEBENCH_STORE", "EDGEBENCH_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    return tmp_path / "edgebench_store"


@pytest.fixture
def edgebench_seen() -> Callable[..., Plugins]:
    """Return what ships and the given plugins: modules, or paths of files."""
    from edgebench.testing.contracts.bench import find_source

    def see(*given: object) -> Plugins:
        return find_source(given).load()

    return see


@pytest.fixture
def edgebench_only() -> Callable[..., Plugins]:
    """Return the given modules as plugins, without what ships: where that would be in the way."""
    from edgebench.catalogue.plugins import Plugins
    from edgebench.catalogue.registry import Registry

    def see(*given: object) -> Plugins:
        return Plugins.of(Registry.read(), given)

    return see


@pytest.fixture
def edgebench_bench() -> Iterator[Callable[..., Bench]]:
    """Set up the bench on which contracts try parts: it prepares, converts and opens as a run."""
    from edgebench.testing.contracts.bench import Bench, find_source

    with ExitStack() as opened:
        yield lambda *given: opened.enter_context(Bench.open(find_source(given)))
