"""`edgebench.toml`: one file that says what `run` and `plan` do in its folder, as options would.

Whoever clones a folder runs no code by running what it asks for. So the file holds facts and
questions, never what is imported or loaded: it is read by the readers of a registry, but most of
their tables are refused, and so are options that could name a library or a server.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from edgebench.analysis.bounds import find_twice, parse_bound
from edgebench.cli.blaming import find_key
from edgebench.cli.common import Common
from edgebench.cli.numbers import margin
from edgebench.cli.outside import list_outside
from edgebench.parts.errors import ChainError, EdgebenchError, OptionError, UnknownName
from edgebench.parts.part import NAME
from edgebench.toml.tables import Table

FILE = "edgebench.toml"
"""What it is called; it is looked for in the working directory and nowhere else."""
MOST_BYTES = 1 << 20
"""Of such a file: a person can read it."""
TABLES = ("project", "tiers", "links", "hybrids", "suites")
"""What it may hold."""
CODE = "a cloned folder must not run code"
REFUSED: Mapping[str, str] = {
    "plugins": f"names what is imported, and {CODE}: install the plugin, or give --plugin",
    "extends": f"reads files from elsewhere, which may name plugins, and {CODE}: give --registry",
    "defaults": f"may name what is imported, and {CODE}: say it in [project]",
    "assets": f"names what is downloaded and loaded, and {CODE}: give --registry",
    "conclusions": "is what studies concluded: give it with --registry",
}
"""Tables of a registry that it may not hold, and why."""
INSTEAD: Mapping[str, tuple[str, ...]] = {
    "backend": ("backend",),
    "blocks": ("until", "precision", "max_blocks", "quick"),
    "calibration": ("calibration", "data", "input_data"),
    "data": ("data", "input_data"),
    "link": ("link",),
    "operator": ("operator",),
    "placement": ("placement",),
    "requests": ("quick",),
}
"""By option, those of which any that is given takes its place, by the names that `args` has for
them; what may be said once is said anew by being said later."""
Check = Callable[[str], object]


def _readable(check: Check) -> Callable[[object, object, Any], None]:
    """Return a validator that asks the reader of an option, for one text or each of several."""

    def validate(_: object, __: object, value: Any) -> None:
        for text in filter(None, (value,) if isinstance(value, str) else value):
            try:
                check(text)
            except argparse.ArgumentTypeError as error:
                raise ValueError(str(error)) from error

    return validate


def refuse_twice(texts: Sequence[str], option: str = "") -> None:
    """Refuse bounds of which two are of one figure.

    Raises:
        OptionError: Two are, or one is no bound; what it says begins with the *option*.
    """
    if twice := find_twice([parse_bound(text).figure for text in texts]):
        raise OptionError(f"{option} bounds {twice} twice; leave one out".strip())


@attrs.frozen(kw_only=True)
class Project:
    """The table `[project]`: each key is an option of `run`, in its plural where it repeats."""

    models: tuple[str, ...] = attrs.field(default=(), metadata={"option": "model"})
    data: str = ""
    calibration: str = ""
    weights: str = ""
    operators: tuple[str, ...] = attrs.field(default=(), metadata={"option": "operator"})
    placements: tuple[str, ...] = attrs.field(default=(), metadata={"option": "placement"})
    backends: tuple[str, ...] = attrs.field(default=(), metadata={"option": "backend"})
    suite: str = ""
    """In place of these and of models: a suite of this file, or one that ships."""
    input_at: str = ""
    sweep: tuple[str, ...] = attrs.field(default=(), metadata={"option": "link"})
    """Links to measure in turn; what links there are stands in `[[links]]`."""
    margin: str = attrs.field(default="", validator=_readable(margin))
    blocks: int | None = None
    requests: int | None = None
    batch: int | None = None
    seed: int | None = None
    max: tuple[str, ...] = attrs.field(
        default=(), validator=lambda _, __, texts: refuse_twice(texts)
    )
    """What `recommend` keeps to."""

    def __attrs_post_init__(self) -> None:
        """Refuse one that says nothing to run, or two things."""
        product = [key for key in ("models", "operators", "placements", "backends")
                   if getattr(self, key)]  # fmt: skip
        if self.suite and product:
            raise ValueError(f"the suite {self.suite!r} says what to run; leave out {product[0]}")
        # As a word of a command line `--case=ID` would be another thing to do.
        if self.suite and not NAME.fullmatch(self.suite):
            raise ValueError(f"no suite can be called {self.suite!r}")
        if not (self.suite or self.models):
            raise ValueError("needs the key 'models', or 'suite'")

    def write_words(self, given: Collection[str] = ()) -> list[str]:
        """Return it as options of `run`, without those for which others are *given*.

        Args:
            given: The names of options that stand on the command line, as `args` has them.
        """
        words = [self.suite] if self.suite else []
        for field in attrs.fields(Project):
            option = field.metadata.get("option", field.name)
            value = getattr(self, field.name)
            if field.name in ("suite", "max") or not value:
                continue
            if not set(INSTEAD.get(option, ())).isdisjoint(given):
                continue
            texts = value if isinstance(value, tuple) else (value,)
            words += [f"--{option.replace('_', '-')}={text}" for text in texts]
        return words


@attrs.frozen(kw_only=True)
class ProjectFile:
    """A file `edgebench.toml` that was read."""

    root: Table
    project: Project

    @classmethod
    def read(cls, path: Path) -> ProjectFile:
        """Read such a file; the tables that a registry has too are only looked over here.

        Raises:
            RegistryError: It is not one, with its line, table and key, or names what it must not.
        """
        if path.exists() and not path.is_file():
            raise EdgebenchError(f"{path} is no file; edgebench init writes one")
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise EdgebenchError(f"{path} has more than {MOST_BYTES} bytes; that is no such file")
        try:
            root = Table.parse(path)
            _refuse_tables(root)
            return cls(root=root, project=root.table("project").row(Project))
        except RecursionError:
            raise EdgebenchError(f"{path}: tables or lists are nested too deeply") from None

    @contextmanager
    def blame(self, given: Sequence[str] = ()) -> Iterator[None]:
        """Say of a name that turns out to be unknown, or of its options, where it stands.

        What the words that were *given* on the command line say is not the file's.
        """
        try:
            yield
        except (ChainError, OptionError, UnknownName) as error:
            for table in (self.root.table("project"), self.root.table("hybrids")):
                if key := find_key(table.values, str(error), given):
                    raise table.error(str(error), key) from error
            raise

    def describe(self, words: Sequence[str]) -> str:
        """Return in one line what it says, and which paths lie outside of its folder."""
        names = {key: list(self.root.values.get(key, ())) for key in ("tiers", "hybrids", "suites")}
        own = [f"{key} {', '.join(found)}" for key, found in names.items() if found]
        joined = ["-".join(one.values.get("between", ())) for one in self.root.tables("links")]
        own += [f"links {', '.join(joined)}"] if joined else []
        parts = [f"{self.root.file} says: run {shlex.join(words)}", *own]
        if outside := list_outside(self.root, words):
            parts.append(f"it reads outside of its folder: {', '.join(outside)}")
        return "; ".join(parts)


def _refuse_tables(root: Table) -> None:
    for key, why in REFUSED.items():
        if key in root.values:
            raise root.error(f"{FILE} may not hold it: it {why}", key)
    root.close(TABLES)
    if "project" not in root.values:
        raise root.error("needs the table [project]; edgebench init writes one")


def take_project(args: argparse.Namespace, common: Common) -> tuple[argparse.Namespace, Common]:
    """Return what to do: as the options say, and where they name nothing, as the folder's file.

    What stands on the command line goes before what the file says. That it was read is said.

    Raises:
        EdgebenchError: The file is not what it must be.
    """
    # Imported here because `--help` need not load what reads chains.
    from edgebench.cli.harmless import refuse_harm

    if not os.path.lexists(FILE):
        return args, common
    if args.suite or args.model:
        if Path(FILE).resolve() not in [one.resolve() for one in common.registries]:
            common.note(f"edgebench: {FILE} is not read: options say what to run")
        return args, common
    file = ProjectFile.read(Path(FILE))
    if args.db.is_symlink():
        common.note(f"edgebench: {args.db} is a link: results are kept in {args.db.resolve()}")
    if getattr(args, "case", None):
        common = _add_tables(file, common)
        refuse_harm(file.root, common)
        return args, common
    filled, words = fill(args, file.project)
    # A run keeps what was measured, whatever becomes of the file.
    common = attrs.evolve(common, words=(*common.words, *words),
                          registries=(Path(FILE), *common.registries))  # fmt: skip
    refuse_harm(file.root, common)
    common.note(f"edgebench: {file.describe(words)}")
    return argparse.Namespace(**{**vars(filled), "project": file}), common


def read_here() -> ProjectFile | None:
    """Return the folder's file, if there is one."""
    return ProjectFile.read(Path(FILE)) if os.path.lexists(FILE) else None


def take_places(common: Common) -> Common:
    """Return the options with the tiers and links of the folder's file, and say so.

    Raises:
        EdgebenchError: The file is not what it must be.
    """
    file = read_here()
    return common if file is None else _add_tables(file, common)


def _add_tables(file: ProjectFile, common: Common) -> Common:
    """Return the options with all that a file has as a registry has it, and say what that is."""
    if not (found := [key for key in TABLES if key in file.root.values and key != "project"]):
        return common
    common.note(f"edgebench: {FILE} was read for its {', '.join(found)}")
    return attrs.evolve(common, registries=(file.root.file, *common.registries))


def fill(args: argparse.Namespace, project: Project) -> tuple[argparse.Namespace, list[str]]:
    """Return options, with what a project says where they say nothing, and its words."""
    own = vars(args.parser.parse_args(args.words))
    given = {name for name, value in own.items() if value not in (None, "", [], False)}
    words = project.write_words(given)
    filled = args.parser.parse_args([*words, *args.words])
    return argparse.Namespace(**{**vars(args), **vars(filled), "project": args.project}), words
