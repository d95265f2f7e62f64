"""The quick tests: those that start no process and import no framework, and are held to it.

What a test stands on decides: it is marked `process` if a fixture of its own asks for the fixture
`process`, and `framework` if its file imports one. Few are marked by hand. With `--quick` both are
left out, and a test among the rest that starts a process or imports a framework after all fails.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from edgebench.catalogue.registry import Registry

STARTS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system")
"""Events of the interpreter by which a process begins."""
SLOW = ("process", "framework")


def frameworks() -> frozenset[str]:
    """Return the top-level modules that only plugins need."""
    required = {name for row in Registry.read().plugins.values() for name in row.requires}
    return frozenset(required | {"onnxscript", "sympy", "tensorrt"}) - {"numpy"}


def imported(path: Path, *, early: bool = False) -> Iterator[str]:
    """Yield the top-level modules that a file imports: anywhere, or early, when it is imported.

    What it imports of the files beside it, such as the helpers of several tests, is followed.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if early else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            place = path.parents[node.level - 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for file in (place / f"{name.replace('.', '/')}.py" for name in names):
                yield from imported(file, early=early) if file.exists() else ()
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@attrs.define(eq=False)
class Guard:
    """Refuses processes and frameworks while a test runs that does without them."""

    frameworks: frozenset[str]
    found: list[str] = attrs.field(factory=list)
    watching: bool = False

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        """Hear of what the interpreter does."""
        if not self.watching:
            return
        if event in STARTS:
            self.refuse(f"it starts a process ({event}): let it ask for the fixture `process`")
        elif event == "import" and str(args[0]).partition(".")[0] in self.frameworks:
            self.refuse(f"it imports {args[0]}: mark it `framework`")

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch for as long as this is open."""
        self.found.clear()
        self.watching = True
        try:
            yield
        finally:
            self.watching = False

    def refuse(self, why: str) -> None:
        """End the test here; and note why, as what it calls may take the exception for its own."""
        self.found.append(why)
        pytest.fail(f"no quick test: {why}")


@attrs.frozen(eq=False)
class Quick:
    """What `--quick` adds to pytest."""

    guard: Guard

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out what could not even be collected without a framework."""
        path = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
        if path.suffix != ".py" or not path.exists():
            return None
        return bool(self.guard.frameworks & set(imported(path, early=True))) or None

    def pytest_collection_modifyitems(self, config, items) -> None:
        """Leave out what is marked as slow."""
        slow = [item for item in items if any(map(item.get_closest_marker, SLOW))]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        """Watch what is imported with the tests."""
        with self.guard.watch():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item):
        """Watch what is made for a test."""
        with self.guard.watch():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        """Watch a test; what it caught of ours counts too."""
        with self.guard.watch():
            returned = yield
        assert not self.guard.found
        return returned


def mark(items: list[pytest.Item]) -> None:
    """Mark each test by what it stands on."""
    known = frameworks()
    files = {item.path for item in items}
    heavy = {path for path in files if known & set(imported(path))}
    for item in items:
        if item.path in heavy:
            item.add_marker("framework")
        if "process" in getattr(item, "fixturenames", ()):
            item.add_marker("process")


def begin(config: pytest.Config) -> None:
    """Hold the tests of this session to what makes them quick."""
    guard = Guard(frameworks())
    sys.addaudithook(guard)
    config.pluginmanager.register(Quick(guard))
