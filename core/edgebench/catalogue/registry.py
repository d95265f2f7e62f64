"""Read registry files into one registry, later files going before earlier ones."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import attrs

from edgebench.catalogue.rows import KINDS, Asset, Defaults, PluginRow, Suite, TierRow
from edgebench.parts.errors import RegistryError, nearest
from edgebench.parts.part import NAME
from edgebench.parts.places import Link
from edgebench.toml.profiles import DeviceRow, NetworkRow, read_like
from edgebench.toml.tables import Table, some_text, text, texts

Row = TypeVar("Row")
_TABLES = (
    "plugins", "tiers", "links", "devices", "networks", "hybrids", "defaults", "suites", "assets",
    "conclusions",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Registry:
    """Everything that the registry files say, later files going before earlier ones."""

    plugins: Mapping[str, PluginRow] = MappingProxyType({})
    tiers: Mapping[str, TierRow] = MappingProxyType({})
    links: tuple[Link, ...] = ()
    devices: Mapping[str, DeviceRow] = MappingProxyType({})
    networks: Mapping[str, NetworkRow] = MappingProxyType({})
    gflops: float | None = None
    """This machine's own figure, as `TierRow.gflops`; None where nobody asked for it."""
    hybrids: Mapping[str, str] = MappingProxyType({})
    """Chains by the name they are known by."""
    defaults: Defaults = attrs.field(factory=Defaults)
    suites: Mapping[str, Suite] = MappingProxyType({})
    assets: Mapping[str, Asset] = MappingProxyType({})
    paths: tuple[Path, ...] = ()
    """The files it was read from."""
    digest: str = hashlib.sha256().hexdigest()
    """SHA-256 of the contents of the files, in order: results keep it."""

    def silence_libraries(self) -> None:
        """Set what keeps libraries from calling home, except what the user has set otherwise.

        All rows' variables are set, whatever is installed or blocked: one library may load another.
        """
        for row in self.plugins.values():
            for name, value in row.silence.items():
                os.environ.setdefault(name, value)

    def place(self, error: Exception, suite: str, product: int | None) -> RegistryError:
        """Return what is wrong with a product of a suite, or with where its input is, placed."""
        # Read again: what is wrong with a name shows only when the plugins are asked.
        files = (Table.parse(path).table("suites") for path in reversed(self.paths))
        table = next(one for one in files if suite in one.values).table(suite)
        row = table if product is None else table.tables("cases")[product]
        return row.error(str(error), "input_at" if product is None else "")

    def against(self, gflops: float | None) -> Registry:
        """Return it with the speed of each tier that states its `gflops`, over this machine's."""
        if gflops is None:
            return self
        # Rounded, as a figure that was measured has no more digits to tell.
        tiers = {
            name: attrs.evolve(row, speed=float(f"{row.gflops / gflops:.3g}"))
            for name, row in self.tiers.items()
            if row.gflops
        }
        return attrs.evolve(self, gflops=gflops, tiers=_merge_rows(self.tiers, tiers))

    @classmethod
    def read(cls, extra: Sequence[Path] = ()) -> Registry:
        """Read the shipped file, then the *extra* ones, whose rows replace those of equal name.

        Raises:
            RegistryError: A file is missing or wrong, with its line, table and key.
        """
        return cls.of([shipped_registry(), *extra])

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Registry:
        """Read these files and no others; raises what `read` raises."""
        registry = cls()
        for path in map(Path, paths):
            try:
                for table in _follow(path):
                    # Two files may extend one; and what is read again elsewhere names all of them.
                    registry = registry if table.file in registry.paths else registry._with(table)
            except RecursionError:
                raise RegistryError(f"{path}: tables or lists are nested too deeply") from None
        return registry

    def _with(self, root: Table) -> Registry:
        contents = hashlib.sha256(root.text.encode()).hexdigest()
        devices = _merge_rows(self.devices, _read_rows(root.table("devices"), DeviceRow))
        networks = _merge_rows(self.networks, _read_rows(root.table("networks"), NetworkRow))
        tiers = _read_each(root.table("tiers"), partial(_read_tier, devices=devices))
        suites = _read_each(root.table("suites"), partial(_read_suite, networks=networks))
        hybrids = root.table("hybrids")
        chains = {name: hybrids.read(name, some_text) for name in _check_names(hybrids)}
        read = attrs.evolve(
            self,
            plugins=_merge_rows(self.plugins, _read_each(root.table("plugins"), _read_plugin)),
            tiers=_merge_rows(self.tiers, tiers),
            links=overlay_links(self.links, _read_links(root, networks)),
            devices=devices,
            networks=networks,
            hybrids=_merge_rows(self.hybrids, chains),
            defaults=_read_defaults(root.table("defaults"), self.defaults),
            suites=_merge_rows(self.suites, suites),
            assets=_merge_rows(self.assets, _read_rows(root.table("assets"), Asset)),
            paths=(*self.paths, root.file),
            digest=hashlib.sha256((self.digest + contents).encode()).hexdigest(),
        )
        root.close((*_TABLES, "extends", "project"))
        return read


def _follow(path: Path, above: tuple[str, ...] = ()) -> Iterator[Table]:
    """Yield the files that a registry file extends, each before what extends it, and itself."""
    table = Table.parse(path)
    for name in table.read("extends", texts) if "extends" in table.values else ():
        base = path.parent / name
        if os.path.realpath(base) in (*above, os.path.realpath(path)):
            raise table.error(f"{name} extends this file in turn", "extends")
        yield from _follow(base, (*above, os.path.realpath(path)))
    yield table


@cache
def shipped_registry() -> Path:
    """Return the path of the registry that ships: beside the package, or the checkout's root."""
    here = Path(__file__).resolve()
    # An editable install does not get the file that the wheel has beside the package.
    for path in (here.parents[1] / "registry.toml", here.parents[3] / "registry.toml"):
        if path.is_file():
            return path
    raise RegistryError(f"registry.toml is missing in {here.parents[1]}: install edgebench again")


def _merge_rows(known: Mapping[str, Row], rows: Mapping[str, Row]) -> Mapping[str, Row]:
    return MappingProxyType({**known, **rows})


def overlay_links(known: Sequence[Link], newer: Sequence[Link]) -> tuple[Link, ...]:
    """Return the links with the newer ones in place of those between the same tiers.

    The newer one keeps the older one's direction, so that a link is always written alike.
    """
    links = list(known)
    for new in newer:
        same = [i for i, old in enumerate(links) if old.joins(*new.between)]
        if same:
            links[same[0]] = attrs.evolve(new, between=links[same[0]].between)
        else:
            links.append(new)
    return tuple(links)


def _check_names(table: Table) -> Iterator[str]:
    for name in table.values:
        if not NAME.fullmatch(name):
            raise table.error("a name must be lower-case words joined by '-'", name)
        yield name


def _read_each(table: Table, read: Callable[[Table, str], Row]) -> Mapping[str, Row]:
    return {name: read(table.table(name), name) for name in _check_names(table)}


def _read_rows(table: Table, kind: Callable[..., Row]) -> Mapping[str, Row]:
    return _read_each(table, lambda row, name: row.row(kind, name=name))


def _read_tier(table: Table, name: str, devices: Mapping[str, DeviceRow]) -> TierRow:
    if {"speed", "gflops"} <= set(table.values):
        raise table.error("says anew what `speed` says: leave one of the two out", "gflops")
    row = read_like(table, "device", devices, TierRow, name=name, file=table.file)
    return attrs.evolve(row, gflops=None) if row.speed else row


def _read_suite(table: Table, name: str, networks: Mapping[str, NetworkRow]) -> Suite:
    return table.row(Suite, ("links",), name=name, links=_read_links(table, networks))


def _read_links(table: Table, networks: Mapping[str, NetworkRow]) -> tuple[Link, ...]:
    found: list[Link] = []
    for one in table.tables("links"):
        link = read_like(one, "network", networks, Link)
        if any(link.joins(*other.between) for other in found):
            why = (
                f"joins {' and '.join(link.between)} again: leave one out, or measure them in turn"
            )
            raise one.error(f"{why} with --link, or `sweep` of [project]")
        found.append(link)
    return tuple(found)


def _read_defaults(table: Table, known: Defaults) -> Defaults:
    """Return the defaults that are known, with those that a table has in place of theirs."""
    table.close(attrs.fields_dict(Defaults))
    return attrs.evolve(known, **{key: table.read(key, some_text) for key in table.values})


def _read_plugin(table: Table, name: str) -> PluginRow:
    # As `Table.row` does it, which comes too late for a misspelt `offers`.
    table.close({"kind", *attrs.fields_dict(PluginRow)} - {"name", "file"})
    also, offers = ("kind", "offers"), _read_offers(table)
    row = table.row(PluginRow, also, name=name, file=table.file, offers=offers)
    if row.sha256 and not re.fullmatch(r"\s*==\s*[\w.!+-]+\s*", row.version):
        why = 'files are accepted of one version: write it, as `version = "==1.2"`'
        raise table.error(why, "version")
    return row


def _read_offers(table: Table) -> Mapping[str, tuple[str, ...]]:
    """Return the names by kind, be they of one kind (`kind` and a list) or of several (a table)."""
    if "kind" in table.values:
        return {table.read("kind", _read_kind): table.read("offers", _read_names)}
    if isinstance(table.values.get("offers"), list):
        raise table.error(
            "needs the key 'kind', or a table of kinds in place of the list", "offers"
        )
    offers = table.table("offers")
    offers.close(KINDS)
    return {kind: offers.read(kind, _read_names) for kind in offers.values}


def _read_kind(value: Any) -> str:
    if text(value) not in KINDS:
        raise ValueError(f"no such kind: {value!r}{nearest(value, KINDS)}")
    return str(value)


def _read_names(value: Any) -> tuple[str, ...]:
    if not texts(value):
        raise ValueError("must not be empty")
    return texts(value)
