"""What the registry knows is brought by pip, from the files that it accepts and no others."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.process

PLUGIN = """
    from edgebench import Operator, hookimpl

    @hookimpl
    def edgebench_operators():
        yield Operator(name="acme-shrink", summary="Halve every layer.", apply=print)
    """


def write_wheel(place: Path, name: str, source: str, *, version: str, needs: str = "") -> Path:
    """Write a wheel of one module that is a plugin, as a builder would."""
    stem = f"edgebench_{name}-{version}"
    path = place / f"{stem}-py3-none-any.whl"
    wanted = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        f"{name}_plugin.py": dedent(source),
        f"{stem}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: edgebench-{name}\nVersion: {version}\n{wanted}"
        ),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[edgebench]\n{name} = {name}_plugin\n",
    }
    record = "".join(f"{file},,\n" for file in files) + f"{stem}.dist-info/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in {**files, f"{stem}.dist-info/RECORD": record}.items():
            wheel.writestr(file, text)
    return path


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A clean environment that has the packages of this one, and this edgebench."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    (site,) = place.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    own = Path(__file__).resolve().parents[2]
    lines = [f"import site; site.addsitedir({path!r})" for path in ours]
    paths = [str(own / "core"), str(own / "plugins")]
    (site / "ours.pth").write_text("\n".join([*paths, *lines]) + "\n")
    return place


@pytest.fixture
def index(tmp_path):
    place = tmp_path / "index"
    place.mkdir()
    return place


@pytest.fixture
def command(environment, index, tmp_path):
    """Run a command there, where pip finds the wheels of the index alone."""

    def run(*words, **more):
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("PIP_")},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(index),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "EDGEBENCH_CACHE": str(tmp_path / "cache"),
        }
        return subprocess.run(
            [environment / "bin/python", "-m", "edgebench", *map(str, words)],
            capture_output=True,
            text=True,
            env=env,
            cwd=tmp_path,
            check=False,
            **more,
        )

    yield run
    subprocess.run(
        [environment / "bin/python", "-m", "pip", "uninstall", "-y", "-q", "edgebench-acme"],
        check=False,
        capture_output=True,
    )


@pytest.fixture
def registry(tmp_path):
    """Write a registry that knows the plugin, and return the option that reads it."""

    def write(text: str = "") -> str:
        file = tmp_path / "team.toml"
        row = '[plugins.acme]\nkind = "operator"\ndistribution = "edgebench-acme"\n'
        file.write_text(f'{row}offers = ["acme-shrink"]\n{text}')
        return f"--registry={file}"

    return write


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_known_is_listed_with_what_brings_it_and_then_brought(command, index, registry):
    wheel = write_wheel(index, "acme", PLUGIN, version="1.2")
    known = registry(f'version = "==1.2"\nsha256 = ["{digest(wheel)}"]\n')
    listed = command("list", "operators", known)
    assert "acme-shrink needs the distribution" in " ".join(listed.stdout.split())
    assert "edgebench plugins install acme" in " ".join(listed.stdout.split())

    done = command("plugins", "install", "acme", known, "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "acme (edgebench-acme 1.2) is installed: operator acme-shrink\n"
    assert "--no-deps --require-hashes -r REQUIREMENTS.txt" in done.stderr
    assert f"edgebench-acme==1.2 --hash=sha256:{digest(wheel)}" in done.stderr
    assert "A plugin is code" in done.stderr
    assert "Halve every layer." in command("list", "operators", known).stdout

    again = command("plugins", "install", "acme", known)
    assert again.stdout == (
        "acme (edgebench-acme 1.2) was installed already: operator acme-shrink\n"
    )


def test_a_file_of_another_digest_is_not_installed(command, index, registry):
    write_wheel(index, "acme", PLUGIN, version="1.2")
    done = command(
        "plugins", "install", "acme", "--yes",
        registry(f'version = "==1.2"\nsha256 = ["{"0" * 64}"]\n'),
    )  # fmt: skip
    assert done.returncode == 2
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("edgebench: pip ended with status 1, see above")
    assert not done.stdout


def test_what_it_depends_on_comes_in_a_second_step(command, index, registry):
    write_wheel(index, "beside", "", version="2.0")
    wheel = write_wheel(index, "acme", PLUGIN, version="1.2", needs="edgebench-beside")
    row = registry(f'version = "==1.2"\nsha256 = ["{digest(wheel)}"]\n')
    done = command("plugins", "install", "acme", row, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commands"] == [
        "python -m pip install --no-deps --require-hashes -r REQUIREMENTS.txt",
        "python -m pip install edgebench-acme==1.2",
    ]
    assert (
        "edgebench-beside-2.0" in done.stderr.partition("Successfully installed edgebench-acme")[2]
    )


def test_versions_outside_of_the_range_are_not_taken(command, index, registry):
    for version in ("0.9", "1.4", "2.1"):
        write_wheel(index, "acme", PLUGIN, version=version)
    done = command("plugins", "install", "acme", registry('version = ">=1,<2"\n'), "--yes")
    assert "edgebench-acme 1.4" in done.stdout


def test_an_installed_version_that_is_not_known_to_work_is_doubted_and_replaced(
    command, index, registry
):
    for version in ("1.4", "2.1"):
        write_wheel(index, "acme", PLUGIN, version=version)
    assert command("plugins", "install", "acme", registry(), "--yes").returncode == 0
    known = registry('version = ">=1,<2"\n')
    listed = " ".join(command("plugins", "list", known).stdout.split())
    said = "edgebench-acme 2.1 is not among the versions known to work: >=1,<2"
    # Beside it stands where the plugin comes from, between its lines.
    assert "(doubt: edgebench-acme 2.1" in listed
    assert "is not among the versions known to work: >=1,<2)" in listed
    (item,) = [
        one
        for one in json.loads(command("plugins", "list", known, "--json").stdout)["plugins"]
        if one["name"] == "acme"
    ]
    assert (item["status"], item["doubt"]) == ("installed", said)
    done = command("plugins", "install", "acme", known, "--yes")
    assert done.stdout == "acme (edgebench-acme 1.4) is installed: operator acme-shrink\n"
    assert "doubt" not in command("plugins", "list", known).stdout


def test_a_command_that_cannot_be_read_is_said_in_one_line(command, tmp_path):
    file = tmp_path / "odd.toml"
    file.write_text(
        '[plugins.odd]\nkind = "operator"\nmodule = "odd_module"\noffers = ["odd"]\n'
        'requires = ["odd_module"]\ninstall = "pip install \'odd"\n'
    )
    done = command("plugins", "install", "odd", f"--registry={file}", "--yes")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgebench: the command that {file} has for the plugin odd cannot be")


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"y\n", 0)])
def test_whoever_is_asked_is_told_what_for(command, index, registry, quiet, answer, status):
    write_wheel(index, "acme", PLUGIN, version="1.2")
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        done = command("plugins", "install", "acme", registry(), *quiet, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == status, done.stderr
    before, _, _ = done.stderr.partition("Go on? [y/N] ")
    assert "python -m pip install edgebench-acme" in before
    assert "A plugin is code" in before
    assert bool(done.stdout) == (status == 0)


def test_a_plugin_that_is_broken_when_it_comes_is_status_1(command, index, registry):
    write_wheel(index, "acme", "raise RuntimeError('no luck')", version="1.2")
    done = command("plugins", "install", "acme", registry(), "--yes")
    assert done.returncode == 1
    assert done.stdout == (
        "acme (edgebench-acme 1.2) is here and faulty: does not load: RuntimeError: no luck\n"
    )


def test_nobody_is_asked_where_there_is_no_terminal(command, index, registry):
    write_wheel(index, "acme", PLUGIN, version="1.2")
    done = command("plugins", "install", "acme", registry(), stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "edgebench: nobody can be asked whether to install acme: pass --yes"
    )


@pytest.mark.parametrize("name", ["acme", "Edgebench_Acme"])
def test_one_that_is_here_and_in_no_registry_is_said_to_be_here(command, index, registry, name):
    write_wheel(index, "acme", PLUGIN, version="1.2")
    assert command("plugins", "install", "acme", registry(), "--yes").returncode == 0
    done = command("plugins", "install", name)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "acme (edgebench-acme 1.2) was installed already: operator acme-shrink\n"
    )
    said = json.loads(command("plugins", "install", name, "--json").stdout)
    assert (said["commands"], [one["name"] for one in said["plugins"]]) == ([], ["acme"])


def test_what_is_left_out_is_not_said_to_be_here(command, index, registry):
    write_wheel(index, "acme", PLUGIN, version="1.2")
    assert command("plugins", "install", "acme", registry(), "--yes").returncode == 0
    done = command("plugins", "install", "acme", "--without", "edgebench-acme")
    assert done.returncode == 2
    assert done.stderr == "edgebench: the plugin acme is left out by --without\n"


def test_an_unknown_plugin_gets_the_nearest_known(command, registry):
    done = command("plugins", "install", "acm", registry(), "--yes")
    assert done.returncode == 2
    assert done.stderr == (
        "edgebench: no plugin of the registry is called 'acm'; did you mean 'acme'?\n"
    )
