"""The quick tests are what they say: what starts a process or imports a framework fails or is left out."""

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from .quick import Guard, frameworks, imported

HERE = Path(__file__).parent
FILES = {
    "test_plain.py": """
        def test_plain():
            assert True

        def test_sly():
            import subprocess, sys
            try:
                subprocess.run([sys.executable, "-c", ""])
            except BaseException:
                pass

        def test_forking():
            import os
            assert os.fork() is None

        def test_importing():
            __import__("torch")

        def test_saying_so(process):
            raise AssertionError
        """,
    "test_heavy.py": "import tensorrt\n",
    "test_helped.py": "from . import heavy\n\ndef test_helped():\n    raise AssertionError\n",
    "heavy.py": "import tensorrt\n",
    "test_inside.py": "def test_inside():\n    import tensorrt\n",
    "below/conftest.py": "import tensorrt\n",
    "below/test_below.py": "def test_below():\n    raise AssertionError\n",
}


@pytest.fixture
def ran(tmp_path, process):
    """Run the quick tests of a folder of its own; return what pytest said of it."""
    place = tmp_path / "tests"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(dedent(text))
    for name in ("conftest.py", "quick.py", "__init__.py"):
        if (HERE / name).exists():
            shutil.copy(HERE / name, place)
    shutil.copy(HERE.parent / "pyproject.toml", tmp_path)
    argv = [sys.executable, "-m", "pytest", "--quick", "-rA", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=False)
    lines = [line.split(" - ") for line in done.stdout.splitlines()]
    return {words[0].split("::")[-1]: words[0].split()[0] for words in lines if "::" in words[0]}


def test_what_is_not_quick_is_left_out_or_fails(ran):
    assert ran == {
        "test_plain": "PASSED",
        "test_sly": "FAILED",
        "test_forking": "FAILED",
        "test_importing": "FAILED",
    }


def test_the_guard_refuses_what_is_slow_while_it_watches():
    guard = Guard(frozenset({"torch"}))
    guard("subprocess.Popen", ())
    with guard.watch():
        guard("open", ("torch",))
        guard("import", ("torchlight",))
        with pytest.raises(pytest.fail.Exception, match="starts a process"):
            guard("subprocess.Popen", ())
        with pytest.raises(pytest.fail.Exception, match=r"imports torch\.nn"):
            guard("import", ("torch.nn",))
    guard("import", ("torch",))
    assert len(guard.found) == 2


def test_frameworks_are_what_plugins_need_and_the_core_does_not():
    assert "numpy" not in frameworks()
    assert len(frameworks()) > 8


def test_imports_are_found_early_inside_and_in_files_beside(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(dedent(text))
    assert set(imported(tmp_path / "test_inside.py", early=True)) == set()
    assert set(imported(tmp_path / "test_inside.py")) == {"tensorrt"}
    assert set(imported(tmp_path / "test_helped.py", early=True)) == {"tensorrt"}
