"""Use the built wheel as strangers do: install it, write plugins for it, move shipped ones out.

    python .ci/check_distributions.py

Everything is done in clean environments that have the packages of this one, and of edgebench the
wheel alone: neither the checkout nor an editable install of it. Nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "edgebench-shrink"
QUICK = ("--blocks", "1", "--requests", "5", "--json", "--quiet")
MOVED = {
    "sptq": ("operators/sptq.py", ("--model", "vgg:tiny", "--operator", "sptq")),
    "bert": (
        "models/bert.py",
        (
            "--model",
            "bert:tiny",
        ),
    ),
}
"""Shipped plugins that are moved into distributions of their own: the file, and what is run."""
PACKAGING = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "edgebench-{name}"
version = "0.1.0"
dependencies = ["edgebench"]

[project.entry-points.edgebench]
{name} = "edgebench_{name}"
"""


@attrs.frozen
class Environment:
    """A virtual environment, and a directory to work in."""

    path: Path

    @classmethod
    def make(cls, path: Path, wheel: Path) -> Environment:
        """Make one with the wheel in it, and see that this is the edgebench that it has."""
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
        made = cls(path)
        # A path alone: the files in it that lead to editable installs are not followed.
        packages = [one for one in sys.path if Path(one).name == "site-packages"]
        made.site.joinpath("packages.pth").write_text("\n".join(packages) + "\n")
        made.install(str(wheel))
        place = made.run("python", "-c", "import edgebench; print(edgebench.__file__)").strip()
        if not Path(place).is_relative_to(path):
            raise SystemExit(f"edgebench is {place}, and not the wheel's")
        return made

    @property
    def site(self) -> Path:
        """Where its packages lie."""
        (found,) = self.path.glob("lib/python*/site-packages")
        return found

    def install(self, what: str) -> None:
        """Install a wheel or a directory; what it stands on is there."""
        pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
        self.run("python", *pip, what)

    def run(self, program: str, *words: str, **more: str) -> str:
        """Run a program of it and return what it printed; end if it fails."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        paths = f"{self.path / 'bin'}{os.pathsep}{kept['PATH']}"
        done = subprocess.run(
            [str(self.path / "bin" / program), *words],
            cwd=self.path,
            env={**kept, "PATH": paths, **more},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(
                f"{program} {' '.join(words)}: status {done.returncode}\n{done.stdout}"
            )
        return done.stdout

    def edgebench(self, *words: str, **more: str) -> Any:
        """Run edgebench and return its document, or its text."""
        said = self.run("python", "-m", "edgebench", *words, **more)
        return json.loads(said) if "--json" in words else said


def say(text: str) -> None:
    """Say what holds."""
    print(text, flush=True)


def check_sound(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the cases of a run; end if one is not ok."""
    for case in document["cases"]:
        if case["status"] != "ok":
            raise SystemExit(f"{case['chain']} with {case['backend']}: {case['reason']}")
    return list(document["cases"])


def check_plugin(there: Environment, kind: str, name: str, directory: Path, *run: str) -> None:
    """Install a distribution, run its tests, list it, check it, and measure with it."""
    there.install(str(directory))
    tested = there.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(directory))
    listed = there.edgebench("list", f"{kind}s", "--json")[f"{kind}s"]
    (item,) = [one for one in listed if one["name"] == name]
    if item["distribution"] != f"edgebench-{name}":
        raise SystemExit(f"{name} comes from {item['distribution']}")
    there.edgebench("plugins", "check", name)
    cases = check_sound(there.edgebench("run", *run, *QUICK))
    passed = tested.strip().splitlines()[-1]
    say(f"{kind} {name}: {passed}; listed, checked, {len(cases)} cases ok")
    there.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", f"edgebench-{name}")


def check_written(there: Environment) -> None:
    """Write an operator and a backend, and use them as they are."""
    for kind, name, run in (
        ("operator", "shrink", ("--operator", "shrink+sptq", "--backend", "onnxruntime")),
        ("backend", "plain", ("--operator", "sptq", "--backend", "plain")),
    ):
        there.edgebench("plugins", "new", kind, name)
        check_plugin(
            there, kind, name, there.path / f"edgebench-{name}", "--model", "vgg:small", *run
        )


DIGEST = """\
import sys
from edgebench.store.artifacts import Store, digest_content
print(digest_content(Store().locate(sys.argv[1])))
"""


def find_digest(there: Environment, case: Mapping[str, Any]) -> str:
    """Return the digest of what a case's artifact holds; its key tells who made it as well."""
    return there.run("python", "-c", DIGEST, case["artifact"]).strip()


def check_moved(there: Environment, name: str) -> None:
    """Move a shipped plugin into a distribution of its own; it makes the same artifact."""
    file, words = MOVED[name]
    words = (*words, "--backend", "onnxruntime")
    (before,) = check_sound(there.edgebench("run", *words, *QUICK))
    source = there.site / "edgebench_plugins" / file
    distribution = there.path / f"moved-{name}"
    package = distribution / f"edgebench_{name}"
    package.mkdir(parents=True)
    shutil.move(source, package / "__init__.py")
    (distribution / "pyproject.toml").write_text(PACKAGING.format(name=name))
    registry = there.site / "edgebench" / "registry.toml"
    rows = re.sub(rf"(?ms)^\[plugins\.{name}\]\n.*?(?=^\[|^# ---)", "", registry.read_text())
    registry.write_text(rows)
    there.install(str(distribution))
    (after,) = check_sound(there.edgebench("run", *words, *QUICK))
    artifacts = [find_digest(there, case) for case in (before, after)]
    if artifacts[0] != artifacts[1] or before["accuracy"] != after["accuracy"]:
        raise SystemExit(
            f"{name}, moved: {artifacts} and {before['accuracy']}, {after['accuracy']}"
        )
    same = f"artifact {artifacts[0][:12]}, accuracy {after['accuracy']}"
    say(f"{name}, moved into a distribution of its own: the same {same}")


def main() -> int:
    """Do all of it, in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        place = Path(scratch).resolve()
        building = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(ROOT))
        subprocess.run([sys.executable, *building], check=True, stdout=subprocess.DEVNULL)
        (wheel,) = place.glob("edgebench-*.whl")
        there = Environment.make(place / "clean", wheel)
        shrunk = ("--model", "vgg:small", "--operator", "shrink+sptq", "--backend", "onnxruntime")
        check_plugin(there, "operator", "shrink", EXAMPLE, *shrunk)
        check_written(there)
        for name in MOVED:
            check_moved(there, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
