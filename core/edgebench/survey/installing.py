"""Installing what the registry knows: the steps that pip is asked for, and doing them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import attrs

from edgebench.catalogue.rows import PluginRow
from edgebench.parts.errors import EdgebenchError, Missing

REQUIREMENTS = "REQUIREMENTS.txt"
"""Stands in a step for the file of its pinned files."""
STRANGE = re.compile(r"^-|^[;&|<>]|[;&|]$")
"""Options of pip, and what a shell would take for the end of a command."""


@attrs.frozen(kw_only=True)
class Step:
    """One call of pip in this environment."""

    what: str
    """What it does, a clause."""
    arguments: tuple[str, ...]
    """Of pip; `REQUIREMENTS` stands for the file with what follows."""
    requirements: str = ""
    """A requirements file, written only for the call."""

    @property
    def command(self) -> str:
        """The command as a user could type it."""
        return shlex.join(("python", "-m", "pip", *self.arguments))


def list_steps(row: PluginRow) -> tuple[Step, ...]:
    """Return what pip is asked for to bring a plugin.

    Where the row has digests of files, the distribution is installed alone and from such a file
    only (`--require-hashes`, `--no-deps`), and what it depends on in a step of its own, by the
    names and versions that it asks for.

    Raises:
        Missing: The row does not say what brings it, or says more than that.
    """
    if not row.distribution:
        return (_read_command(row),)
    wanted = f"{row.distribution}{row.version}"
    if not row.sha256:
        said = f"installs {wanted} and what it depends on, whatever files the index has"
        return (Step(what=said, arguments=("install", wanted)),)
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in row.sha256)
    alone = ("install", "--no-deps", "--require-hashes", "-r", REQUIREMENTS)
    return (
        Step(
            what=f"installs {wanted} alone, from a file whose SHA-256 the registry has",
            arguments=alone,
            requirements=f"{wanted} {hashes}\n",
        ),
        Step(
            what="installs what it depends on, whatever files the index has",
            arguments=("install", wanted),
        ),
    )


def _read_command(row: PluginRow) -> Step:
    """Return the step that a row's own command is."""
    try:
        words = shlex.split(row.install)
    except ValueError as error:
        raise Missing(
            f"the command that {row.file} has for the plugin {row.name} cannot be read "
            f"({error}): {row.install}"
        ) from error
    if words[:2] != ["pip", "install"]:
        how = row.install or f"install the packages {', '.join(row.requires)}"
        raise Missing(f"pip does not bring the plugin {row.name}: {how}")
    if why := _refuse(words[2:]):
        raise Missing(
            f"the command that {row.file} has for the plugin {row.name} {why}; a command is "
            f"`pip install` and requirements, and any other is yours to type: {row.install}"
        )
    return Step(what="installs what it stands on", arguments=tuple(words[1:]))


def _refuse(words: Sequence[str]) -> str:
    """Return why pip is not asked for these words: a row may choose no index, nor end the call."""
    if not words:
        return "names nothing to install"
    strange = next((word for word in words if STRANGE.search(word)), "")
    return f"holds {strange!r}, which is no requirement" if strange else ""


def take_step(step: Step) -> None:
    """Have pip do a step; what it prints goes to standard error.

    Raises:
        EdgebenchError: There is no pip here, or it failed.
    """
    if not find_spec("pip"):
        raise EdgebenchError(f"there is no pip in this environment; install by: {step.command}")
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        file = Path(scratch) / REQUIREMENTS
        file.write_text(step.requirements, encoding="utf-8")
        arguments = [str(file) if one == REQUIREMENTS else one for one in step.arguments]
        done = _call_pip(arguments)
    if done:
        raise EdgebenchError(f"pip ended with status {done}, see above: {step.command}")


def _call_pip(arguments: Sequence[str]) -> int:
    words = [sys.executable, "-P", "-m", "pip", *arguments]
    done = subprocess.run(words, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False)
    return done.returncode
