"""Read registry files into one registry, later files going before earlier ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

import attrs

from edgebench.catalogue.rows import (
    BLOCKS,
    FABRIC,
    KINDS,
    REQUESTS,
    SCENARIO,
    Asset,
    PluginRow,
    Product,
    Skip,
    Suite,
    TierRow,
)
from edgebench.catalogue.tables import Table
from edgebench.parts.component import NAME
from edgebench.parts.errors import OptionError, RegistryError
from edgebench.parts.places import Link
from edgebench.parts.units import parse_delay, parse_rate

Row = TypeVar("Row")


@attrs.frozen(kw_only=True)
class Registry:
    """Everything that the registry files say, later files going before earlier ones."""

    plugins: Mapping[str, PluginRow] = MappingProxyType({})
    tiers: Mapping[str, TierRow] = MappingProxyType({})
    links: tuple[Link, ...] = ()
    hybrids: Mapping[str, str] = MappingProxyType({})
    """Chains by the name they are known by."""
    suites: Mapping[str, Suite] = MappingProxyType({})
    assets: Mapping[str, Asset] = MappingProxyType({})
    paths: tuple[Path, ...] = ()
    """The files it was read from."""
    digest: str = hashlib.sha256().hexdigest()
    """SHA-256 of the contents of the files, in order: results keep it."""

    @classmethod
    def read(cls, extra: Sequence[Path] = ()) -> Registry:
        """Read the shipped file, then the *extra* ones, whose rows replace those of equal name.

        Raises:
            RegistryError: A file is missing or wrong, with its line, table and key.
        """
        return cls.of([shipped_registry(), *extra])

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Registry:
        """Read these files and no others."""
        registry = cls()
        for path in paths:
            registry = registry._with(Table.parse(Path(path)))
        return registry

    def _with(self, root: Table) -> Registry:
        contents = hashlib.sha256(root.text.encode()).hexdigest()
        read = attrs.evolve(
            self,
            plugins=_merged(self.plugins, _named(root, "plugins", _plugin)),
            tiers=_merged(self.tiers, _named(root, "tiers", _tier)),
            links=_merged_links(self.links, _rows(root.tables("links"), _link)),
            hybrids=_merged(self.hybrids, _hybrids(root.table("hybrids"))),
            suites=_merged(self.suites, _named(root, "suites", _suite)),
            assets=_merged(self.assets, _named(root, "assets", _asset)),
            paths=(*self.paths, root.file),
            digest=hashlib.sha256((self.digest + contents).encode()).hexdigest(),
        )
        root.close()
        return read


def shipped_registry() -> Path:
    """Return the path of the registry that ships: beside the package, or the checkout's root."""
    here = Path(__file__).resolve()
    # An editable install does not get the file that the wheel has beside the package.
    for path in (here.parents[1] / "registry.toml", here.parents[3] / "registry.toml"):
        if path.is_file():
            return path
    raise RegistryError(f"registry.toml is missing in {here.parents[1]}: install edgebench again")


def _merged(known: Mapping[str, Row], rows: Mapping[str, Row]) -> Mapping[str, Row]:
    return MappingProxyType({**known, **rows})


def _merged_links(known: Sequence[Link], links: Sequence[Link]) -> tuple[Link, ...]:
    kept = [link for link in known if not any(new.joins(*link.between) for new in links)]
    return (*kept, *links)


def _row(table: Table, make: Callable[[Table], Row]) -> Row:
    """Make a row of a table; what a record refuses is reported with its place."""
    try:
        row = make(table)
    except (ValueError, OptionError) as error:
        raise table.error(str(error)) from error
    table.close()
    return row


def _rows(tables: Iterable[Table], make: Callable[[Table], Row]) -> tuple[Row, ...]:
    return tuple(_row(table, make) for table in tables)


def _named(root: Table, key: str, make: Callable[[Table], Row]) -> dict[str, Row]:
    parent = root.table(key)
    return {_slug(parent, name): _row(parent.table(name), make) for name in parent.names()}


def _slug(parent: Table, name: str) -> str:
    if not NAME.fullmatch(name):
        raise parent.error("a name must be lower-case words joined by '-'", name)
    return name


def _hybrids(table: Table) -> dict[str, str]:
    return {_slug(table, name): table.string(name) for name in table.names()}


def _plugin(table: Table) -> PluginRow:
    requires = table.strings("requires", ())
    for name in requires:
        # Looking for a submodule would import its parent.
        if "." in name:
            raise table.error(f"name the package alone, not {name!r}", "requires")
    return PluginRow(
        name=table.name,
        kind=table.choice("kind", KINDS),
        module=table.string("module"),
        offers=table.strings("offers"),
        requires=requires,
        install=table.string("install", ""),
        file=table.file,
    )


def _tier(table: Table) -> TierRow:
    if "-" in table.name:
        raise table.error("a tier's name may hold no '-', which joins tiers in a placement")
    return TierRow(
        name=table.name,
        cpus=table.whole("cpus"),
        memory=int(table.real("memory_gib") * 2**30),
        accelerator=table.string("accelerator", ""),
        summary=table.string("summary"),
        source=table.string("source"),
    )


def _link(table: Table) -> Link:
    between = table.strings("between")
    if len(set(between)) != 2 or len(between) != 2:
        raise table.error(f"must name two tiers, not {list(between)}", "between")
    return Link(
        between=(between[0], between[1]),
        rate=_unit(table, "rate", parse_rate),
        delay=_unit(table, "delay", parse_delay, "0ms"),
        source=table.string("source"),
    )


def _unit(
    table: Table, key: str, parse: Callable[[str], float], default: str | None = None
) -> float:
    try:
        return parse(table.string(key, default))
    except OptionError as error:
        raise table.error(str(error), key) from error


def _suite(table: Table) -> Suite:
    products = _rows(table.tables("cases"), _product)
    if not products:
        raise table.error("needs [[cases]], the combinations to run")
    return Suite(
        name=table.name,
        summary=table.string("summary"),
        blocks=table.whole("blocks", BLOCKS),
        requests=table.whole("requests", REQUESTS),
        links=_rows(table.tables("links"), _link),
        products=products,
        skips=_rows(table.tables("skip"), _skip),
    )


def _product(table: Table) -> Product:
    return Product(
        models=table.strings("models"),
        operators=table.strings("operators"),
        placements=table.strings("placements"),
        backends=table.strings("backends"),
        fabric=table.string("fabric", FABRIC),
        scenario=table.string("scenario", SCENARIO),
    )


def _skip(table: Table) -> Skip:
    why = table.string("why")
    skip = Skip(
        models=table.strings("models", ()),
        operators=table.strings("operators", ()),
        placements=table.strings("placements", ()),
        backends=table.strings("backends", ()),
        why=why,
    )
    if skip == Skip(why=why):
        raise table.error("skips everything: name models, operators, placements or backends")
    return skip


def _asset(table: Table) -> Asset:
    return Asset(
        name=table.name,
        summary=table.string("summary"),
        url=_url(table),
        sha256=_sha256(table),
        size=table.optional("size", table.whole),
        licence=table.string("licence"),
        score=table.optional("score", _share(table)),
    )


def _url(table: Table) -> str:
    url = table.string("url")
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.netloc or re.search(r"\s", url):
        raise table.error(f"must be an address of a file, http:// or https://, not {url!r}", "url")
    return url


def _sha256(table: Table) -> str:
    sha256 = table.string("sha256")
    if not re.fullmatch("[0-9a-f]{8,64}", sha256):
        message = "must be 64 hexadecimal digits in lower case, or the first of them, at least 8"
        raise table.error(message, "sha256")
    return sha256


def _share(table: Table) -> Callable[[str], float]:
    def read(key: str) -> float:
        if (share := table.real(key)) > 1:
            raise table.error(f"must be a share, at most 1, not {share}", key)
        return share

    return read
