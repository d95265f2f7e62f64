"""What all tests share: a plugin of numpy alone, and a store of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent

import attrs
import pytest
from hypothesis import HealthCheck, settings

from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.prepare.recipe import Recipes
from edgebench.store.artifacts import Store
from edgebench.testing import toy as toy_world

from . import quick

TOY = Path(toy_world.__file__)


def pytest_addoption(parser):
    parser.addoption(
        "--quick", action="store_true", help="no process and no framework: see quick.py"
    )


def pytest_configure(config):
    """Take interrupts, and let what is started take them, even where a shell had us ignore them.

    Shells do so with whatever they start in the background, and it is inherited.
    """
    # Users have no such variable, and what a process printed is in its log all the same.
    os.environ.pop("PYTHONUNBUFFERED", None)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # No test is a timed one, on a busy machine neither.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    if config.getoption("--quick"):
        quick.begin(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    quick.mark(items)


@pytest.fixture(scope="session")
def process():
    """Whatever starts a process asks for this: a test that does is none of the quick ones."""


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory):
    """The one store of all tests: a model is trained once, and not again with EDGEBENCH_TEST_STORE.

    Its keys hold the digests of the sources, so what a change touches is made anew.
    """
    named = os.environ.get("EDGEBENCH_TEST_STORE")
    return Path(named).resolve() if named else shared_place(tmp_path_factory) / "store"


def shared_place(tmp_path_factory):
    """Where all workers of this session keep what they share; the store's locks are for that."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(autouse=True)
def _own_store(shared_store, tmp_path_factory, monkeypatch):
    """Keep tests out of the store and the cache of whoever runs them."""
    monkeypatch.setenv("EDGEBENCH_STORE", str(shared_store))
    monkeypatch.setenv("EDGEBENCH_CACHE", str(shared_place(tmp_path_factory) / "cache"))
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session")
def registry():
    return Registry.read()


@pytest.fixture(scope="session")
def toy_plugins(registry):
    """The shipped plugins and the toy, whatever else is installed here."""
    return Plugins.load(registry, [TOY])


@pytest.fixture
def recipes(toy_plugins, tmp_path):
    """Recipes over an empty store."""
    return Recipes(toy_plugins, Store(tmp_path / "store"))


@attrs.frozen
class Said:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def cases(self):
        """The cases of a run by chain, placement and backend."""
        return {f"{c['chain']} {c['placement']} {c['backend']}": c for c in self.json["cases"]}


@pytest.fixture
def cli(tmp_path, process):
    """Run `edgebench` as a user does: a process of its own, in an empty directory."""

    def run(*words, **env):
        done = subprocess.run(
            [sys.executable, "-m", "edgebench", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **env},
            timeout=280,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def python(process):
    """Run a program in a fresh interpreter, which has to succeed; return how it ended."""

    def run(program, *arguments, **options):
        done = subprocess.run(
            [sys.executable, "-c", dedent(program), *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def toy():
    """The plugin file of numpy alone."""
    return TOY


@pytest.fixture
def serving(monkeypatch):
    """Serve on this machine with a handler, past whatever proxy it is set to use."""
    monkeypatch.setenv("no_proxy", "*")

    @contextmanager
    def serve(handler):
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield server
            server.shutdown()
            thread.join()

    return serve
