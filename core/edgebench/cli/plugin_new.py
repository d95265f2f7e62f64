"""`edgebench plugins new KIND NAME`: a distribution that works, to be made one's own."""

from __future__ import annotations

import argparse
import importlib.resources
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.catalogue.rows import KINDS
from edgebench.parts.errors import EdgebenchError, UnknownName, one_line
from edgebench.parts.part import NAME

if TYPE_CHECKING:
    from edgebench.catalogue.plugins import Plugins
    from edgebench.cli.common import Common

EVENTS = "events"
"""The kind of a plugin that offers no part, and listens to what a run is doing."""
SHARED = "common"
"""The folder of what all kinds have."""
FACTS = "template.toml"
"""The file of a kind's folder that says its summary, its dependencies, and how it is checked and
tried."""
PLACES = re.compile(r"new[-_]name|NewName|\"DEPENDENCIES\"|@(?:summary|kind|check|try)@")
"""What stands in templates for what is a plugin's own."""
HIDDEN = ".in"
"""How files of a template end, beside their own ending, that would mean something where they lie.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("kind", metavar="KIND", help=f"one of {', '.join([*KINDS, EVENTS])}")
    parser.add_argument("name", metavar="NAME", help="what it is to be called")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR",
                        help="where edgebench-NAME is written (the working directory)")  # fmt: skip


def run(args: argparse.Namespace, common: Common) -> int:
    """Write the distribution, and say what to do next."""
    if args.kind not in (*KINDS, EVENTS):
        raise UnknownName.among("kind", args.kind, (*KINDS, EVENTS))
    check_name(args.kind, args.name, common.plugins)
    template = Template.find(common.registry.defaults.templates, args.kind)
    directory = args.output / f"edgebench-{args.name}"
    files = template.fill(args.name)
    write_files(directory, files)
    commands = list_next(directory, template.fill_commands(args.name))
    if common.json:
        written = {"kind": args.kind, "name": args.name, "directory": str(directory)}
        common.emit({**written, "files": list(files), "next": commands})
        return 0
    lines = [f"{directory} is a plugin that works: change it as its comments say.", ""]
    lines += [f"  {directory / file}" for file in files]
    common.print("\n".join([*lines, "", "Next:", "", *(f"  {one}" for one in commands)]))
    return 0


def check_name(kind: str, name: str, plugins: Plugins) -> None:
    """Refuse a name that is none, or is taken; rows say so, and what is installed.

    Raises:
        EdgebenchError: Another name is needed.
    """
    if not NAME.fullmatch(name):
        raise EdgebenchError(f"a name must be lower-case words joined by '-', not {name!r}")
    if kind == "tier" and "-" in name:
        raise EdgebenchError(
            f"a tier's name may hold no '-', which joins tiers in a placement: not {name!r}"
        )
    owners = plugins.owners(KINDS[kind]).get(name, ()) if kind in KINDS else ()
    if owners:
        raise EdgebenchError(f"the {kind} {name!r} is there, of {owners[0].label}; choose another")
    if name in plugins.registry.plugins:
        raise EdgebenchError(f"a plugin {name!r} is there, as the registry says; choose another")
    if find_spec(module := name_module(name)):
        raise EdgebenchError(f"a package {module} is here already; choose another name")


def name_module(name: str) -> str:
    """Return the package that a plugin of that name lies in."""
    return "edgebench_" + re.sub("[-.]", "_", name)


def name_class(kind: str, name: str) -> str:
    """Return what classes of a plugin of that name begin with."""
    words = "".join(word.capitalize() for word in re.split("[-_.]", name))
    # No class may begin with a digit, or be called None.
    sound = words.isidentifier() and not iskeyword(words)
    return words if sound else kind.capitalize() + words


@attrs.frozen
class Template:
    """A distribution in which places are left for what is a plugin's own."""

    kind: str
    folders: tuple[Traversable, ...]
    facts: Mapping[str, Any]

    @classmethod
    def find(cls, package: str, kind: str) -> Template:
        """Return the template of a kind, from the package that the registry names.

        Raises:
            EdgebenchError: There is no such package, or nothing for that kind in it.
        """
        named = f"the registry's [defaults] templates = {package!r}"
        try:
            root = importlib.resources.files(package)
            facts = tomllib.loads((root / kind / FACTS).read_text(encoding="utf-8"))
        except (ImportError, TypeError, ValueError) as error:
            said = one_line(error)
            raise EdgebenchError(f"{named} is no package of templates: {said}") from None
        except OSError:
            raise EdgebenchError(f"{named} has no template {kind}/{FACTS}") from None
        return cls(kind, (root / SHARED, root / kind), facts)

    def fill(self, name: str) -> dict[str, str]:
        """Return what stands in each file of the distribution of a plugin, by its path there."""
        found = {path: file for folder in self.folders for path, file in walk(folder)}
        del found[FACTS]
        return {
            self._put(path, name): self._put(found[path].read_text(encoding="utf-8"), name)
            for path in sorted(found)
        }

    def fill_commands(self, name: str) -> list[str]:
        """Return the commands that check and try a plugin."""
        return [self._put(one, name) for one in ("@check@", *self.facts["try"])]

    def _put(self, text: str, name: str) -> str:
        words = {
            "new-name": name,
            "new_name": name_module(name).removeprefix("edgebench_"),
            "NewName": name_class(self.kind, name),
            "@kind@": self.kind,
            "@summary@": self.facts["summary"],
            "@check@": self.facts.get("check", f"edgebench plugins check {name}"),
            '"DEPENDENCIES"': ",\n  ".join(f'"{one}"' for one in self.facts["dependencies"]),
        }
        if "@try@" in text:
            words["@try@"] = "\n".join(self.fill_commands(name)[1:])
        return PLACES.sub(lambda place: words[place[0]], text)


def walk(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the files below a folder, each with its path as a distribution has it."""
    for one in folder.iterdir():
        if one.is_file():
            yield above + one.name.removesuffix(HIDDEN), one
        # Installing compiles what is Python in the templates.
        elif one.name != "__pycache__":
            yield from walk(one, f"{above}{one.name}/")


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write files, by their paths there, into a new directory.

    Raises:
        EdgebenchError: There is something of that name, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True)
        with _remove_unfinished(directory):
            for path, text in files.items():
                target = directory / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise EdgebenchError(f"{error.filename} exists; name another directory with -o") from error
    except OSError as error:
        raise EdgebenchError(f"{directory} cannot be written: {error.strerror}") from error


@contextmanager
def _remove_unfinished(directory: Path) -> Iterator[None]:
    """Remove a directory where what was to be written into it was not written whole."""
    try:
        yield
    except BaseException:
        # What cannot be removed either is no worse than what could not be written.
        shutil.rmtree(directory, ignore_errors=True)
        raise


def list_next(directory: Path, tries: Sequence[str]) -> list[str]:
    """Return the commands with which to go on."""
    place = str(directory) if directory.is_absolute() else f".{os.sep}{directory}"
    return [
        f"python -m pip install -e {shlex.quote(place + '[test]')}",
        f"python -m pytest {shlex.quote(place)}",
        *tries,
    ]
