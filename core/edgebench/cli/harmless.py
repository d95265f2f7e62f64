"""What options a folder's file may give to parts: none that could load a file or ask a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from edgebench.cases.chain import parse_chain
from edgebench.cases.expand import expand_backends, is_pattern
from edgebench.parts.changes import Operator
from edgebench.parts.errors import ChainError, Missing, OptionError, UnknownName
from edgebench.parts.places import Backend

if TYPE_CHECKING:
    from edgebench.cases.case import BackendChoice
    from edgebench.catalogue.plugins import Plugins
    from edgebench.cli.common import Common
    from edgebench.toml.tables import Table

Kind = type[Backend] | type[Operator]
PLAIN = (bool, int, float, NoneType)
"""Types of options that name nothing."""


def refuse_harm(root: Table, common: Common) -> None:
    """Refuse a file with options that could load a library or ask a server.

    Raises:
        RegistryError: It has one, or a chain or backend of it is not what it must be.
    """
    plugins = common.plugins  # whose registry has read its tables by then
    for table, key, chains, backends in _list_said(root):
        try:
            why = why_harmful(chains, backends, plugins)
        except (ChainError, OptionError, UnknownName) as error:
            raise table.error(str(error), key) from error
        if why:
            raise table.error(why, key)


def _list_said(root: Table) -> Iterator[tuple[Table, str, Sequence[str], Sequence[str]]]:
    """Yield each table and key of a file that says chains or backends, and what it says."""
    hybrids, suites = root.table("hybrids"), root.table("suites")
    for name, text in hybrids.values.items():
        yield hybrids, name, [text], []
    rows = [one for name in suites.values for one in suites.table(name).tables("cases")]
    for row in (root.table("project"), *rows):
        yield row, "operators", row.values.get("operators", ()), ()
        yield row, "backends", (), row.values.get("backends", ())


def why_harmful(chains: Iterable[str], backends: Iterable[str], plugins: Plugins) -> str | None:
    """Return why one of these texts may not come with a folder, or None.

    Of a backend only numbers, switches and words to choose from may be said: a free text may be a
    library, a server, or a variable of the environment. An operator may be told all but a path.

    Raises:
        ChainError, OptionError, UnknownName: One of them is not what it must be.
    """
    for kind, name, key in (*_list_of_backends(backends, plugins),
                            *_list_of_chains(chains, plugins)):  # fmt: skip
        try:
            options = _find_options(kind, name, plugins)
        except Missing:  # it cannot be run here, whatever is said of it
            continue
        allowed = _is_plain if kind is Backend else _is_no_path
        if not allowed(get_type_hints(options).get(key, bool)):
            what = kind.__name__.lower()
            return (
                f"the option {key!r} of the {what} {name} may name what is loaded or asked, and a "
                "cloned folder must not run code: give it on the command line of run, with "
                f"--{what}"
            )
    return None


def _find_options(kind: Kind, name: str, plugins: Plugins) -> Any:
    # Either has a class of options; that they share is no more than being parts.
    found: Any = plugins.get(kind, name)
    return found.options


def list_choices(texts: Iterable[str], plugins: Plugins) -> Iterator[BackendChoice]:
    """Yield each backend that these texts choose, for whichever tier.

    Raises:
        ChainError, OptionError, UnknownName: One of them is not what it must be.
    """
    for text in texts:
        for one in expand_backends(text, plugins):
            yield from one.values() if isinstance(one, Mapping) else (one,)


def _list_of_backends(texts: Iterable[str], plugins: Plugins) -> Iterator[tuple[Kind, str, str]]:
    for choice in list_choices(texts, plugins):
        yield from ((Backend, choice.name, key) for key, _ in choice.options)


def _list_of_chains(texts: Iterable[str], plugins: Plugins) -> Iterator[tuple[Kind, str, str]]:
    for text in texts:
        # As `expand_chains` tells a pattern, which has no options.
        if is_pattern(text) and "(" not in text:
            continue
        for named in parse_chain(text, plugins.registry.hybrids):
            yield from ((Operator, named.name, key) for key, _ in named.options)


def _members(kind: Any) -> tuple[Any, ...]:
    """Return the types that a type may be."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(each for one in get_args(kind) for each in _members(one))
    return (kind,)


def _is_plain(kind: Any) -> bool:
    return all(one in PLAIN or get_origin(one) is Literal for one in _members(kind))


def _is_no_path(kind: Any) -> bool:
    return not any(one is Path or Path in get_args(one) for one in _members(kind))
