"""What is known of each thing in the catalogue: an item for `list`, a description for `show`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.catalogue.rows import KINDS
from edgebench.cli.kinds import LISTED
from edgebench.cli.needs import list_needs_with
from edgebench.parts.changes import Operator
from edgebench.parts.errors import Missing, UnknownName
from edgebench.parts.places import Backend, Tier
from edgebench.parts.subjects import Model
from edgebench.survey.describing import describe_part
from edgebench.survey.statuses import PluginStatus, list_statuses
from edgebench.testing.field_texts import read_field_texts

if TYPE_CHECKING:
    from edgebench.catalogue.listing import Listed
    from edgebench.catalogue.plugin import Plugin
    from edgebench.cli.common import Common
    from edgebench.parts.part import Part

Item = dict[str, Any]


def list_items(kind: str, common: Common) -> list[Item]:
    """Return an item for each thing of a kind, named in the plural.

    Raises:
        UnknownName: No kind is called so.
    """
    if kind not in LISTED:
        raise UnknownName.among("kind", kind, LISTED)
    word = kind.removesuffix("s")
    if word in KINDS:
        return [_list_part(line, common) for line in common.plugins.listed(KINDS[word])]
    return [item for item, _ in _OTHERS[word](common)]


def describe(kind: str, name: str, common: Common) -> Item:
    """Return what is known of one thing: `name`, `summary`, then what its kind has.

    Raises:
        UnknownName: There is no such kind, or none of that kind is called so.
    """
    if kind in KINDS:
        return _describe_part(KINDS[kind], name, common)
    if kind not in _OTHERS:
        raise UnknownName.among("kind", kind, [*KINDS, *_OTHERS])
    found = {item["name"]: description for item, description in _OTHERS[kind](common)}
    # A link joins its tiers both ways, and may be named either way.
    turned = "-".join(reversed(name.split("-")))
    named = turned if kind == "link" and turned in found else name
    if named not in found:
        raise UnknownName.among(kind, name, found)
    return found[named]


# --- parts ---------------------------------------------------------------------------------------

_APART = ("name", "summary", "options", "variants")
"""Fields of records that do not stand among the others in a description."""
_UNITS = {"memory": "memory_bytes", "rate": "rate_bit_s", "delay": "delay_s"}
"""Fields of records whose unit their documents name."""


def _list_part(line: Listed, common: Common) -> Item:
    said = _say(line)
    item: Item = {
        "name": line.name,
        "summary": said.pop("summary", ""),
        **_name_plugin(line.plugin, "distribution"),
        "installed": not line.why_not,
        "why_not": line.why_not or None,
    }
    if "variants" in said:
        said["variants"] = [_pick_not("summary", variant) for variant in said["variants"]]
    return item | said | (_find_file(line.name, common) if line.kind is Tier else {})


def _say(line: Listed) -> Item:
    """Return what is said of a part beside its name; nothing where nobody can tell."""
    seen = line.seen or (describe_part(line.part) if line.part else {})
    return dict(seen)


def _pick_not(key: str, item: Item) -> Item:
    return {name: value for name, value in item.items() if name != key}


def _find_file(tier: str, common: Common) -> Item:
    """Return the registry file that a tier's facts stand in; None for a plugin's own."""
    row = common.registry.tiers.get(tier)
    return {"registry": str(row.file) if row else None}


def _describe_part(kind: type[Part], name: str, common: Common) -> Item:
    stem, _, variant = name.partition(":") if kind is Model else (name, "", "")
    record, owner, lack = _find_part(kind, stem, common)
    described: Item = {"name": record.name, "summary": record.summary}
    if lack:
        described["why_not"] = lack
    described |= {key: value for key, value in to_plain(record).items() if key not in _APART}
    described |= _name_plugin(owner, "distribution", "version", "origin")
    if isinstance(record, Tier):
        row = common.registry.tiers.get(record.name)
        described |= {**_find_file(record.name, common), "gflops": row and row.gflops}
    if isinstance(record, Operator):
        described["needs"] = sorted(record.needed(record.options()))
        described["needs_with"] = list(list_needs_with(record))
        described["cuts"] = record.cuts(record.options())
    if isinstance(record, Model):
        sizes = [record.variant(variant)] if variant else record.variants
        described["variants"] = to_plain(sizes)
        described["assets"] = list(_describe_assets({one.asset for one in sizes}, common))
    if isinstance(record, Backend):
        described["devices"] = [] if lack else _ask_devices(record.name, common)
    if options := getattr(record, "options", None):
        described["options"] = _describe_options(options)
    return described


def _find_part(kind: type[Part], name: str, common: Common) -> tuple[Any, Plugin, str]:
    """Return a part and its plugin, also where only what it stands on is missing, and what is."""
    plugins = common.plugins
    try:
        return plugins.get(kind, name), plugins.owner(kind, name), ""
    except Missing as lack:
        for line in plugins.listed(kind):
            if line.name == name and line.part:
                return line.part, line.plugin, str(lack)
        raise


def _ask_devices(backend: str, common: Common) -> list[str]:
    """Return the devices that a backend finds here, asked in a process of its own."""
    # Imported here because only this asks; the others describe what is on record.
    from edgebench.sessions.asking import ask_in_processes

    return list(ask_in_processes(common.plugins, {backend: ()}, {})[backend].devices)


def _describe_assets(names: Iterable[str], common: Common) -> Iterator[Item]:
    """Yield what is known of the files that hold weights; without a row none can be downloaded."""
    for name in sorted(names):
        if asset := common.registry.assets.get(name):
            yield {
                **_pick(asset, "name", "summary", "licence"),
                "size_bytes": asset.size,
                "sha256": asset.sha256,
                "sha256_digits": len(asset.sha256),
                "score": asset.score,
            }


def _pick(record: object, *names: str) -> Item:
    return {name: getattr(record, name) for name in names}


def to_plain(value: Any) -> Any:
    """Return a record as what JSON has; of its callables, whether those are there that need not."""
    if attrs.has(type(value)):
        return dict(_plain_fields(value))
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _plain_fields(record: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if callable(value) or (value is None and "Callable" in str(field.type)):
            if field.default is None:
                yield field.name, value is not None
        else:
            yield _UNITS.get(field.name, field.name), to_plain(value)


def _describe_options(options: type) -> list[Item]:
    texts = read_field_texts(options)
    defaults = options()
    return [
        {
            "name": field.name,
            "type": field.type.__name__ if isinstance(field.type, type) else str(field.type),
            "default": to_plain(getattr(defaults, field.name)),
            "doc": texts.get(field.name, ""),
        }
        for field in attrs.fields(options)
        if field.init
    ]


# --- what is no part: of each its item and its description ---------------------------------------

Known = Iterator[tuple[Item, Item]]


def _read_variants(common: Common) -> Known:
    for line in common.plugins.listed(Model):
        if line.why_not is None:
            for variant in _say(line)["variants"]:
                item = variant | {"name": f"{line.name}:{variant['name']}"}
                item |= _standing(line.plugin.name)
                yield item, item


def _read_hybrids(common: Common) -> Known:
    for name, chain in common.registry.hybrids.items():
        item = _name_item(name, chain) | _standing()
        yield item, _name_item(name, f"Short for {chain}.") | {"chain": chain}


def _read_links(common: Common) -> Known:
    for link in common.registry.links:
        name, plain = "-".join(link.between), to_plain(link)
        rates = {key: plain[key] for key in ("rate_bit_s", "delay_s")}
        item = _name_item(name, link.source) | _standing() | rates
        yield item, _name_item(name, f"What joins {name}.") | plain


def _read_devices(common: Common) -> Known:
    for device in common.registry.devices.values():
        facts = _pick(device, "cpus", "memory_gib", "accelerator", "gflops", "threads", "source")
        facts["memory_bytes"] = int(facts.pop("memory_gib") * 2**30)
        named = _name_item(device.name, device.summary)
        yield named | _standing() | _pick(device, "gflops", "cpus"), named | facts


def _read_networks(common: Common) -> Known:
    for network in common.registry.networks.values():
        named, rates = _name_item(network.name, network.summary), to_plain(network)
        rates = {key: rates[key] for key in ("rate_bit_s", "delay_s")}
        yield named | _standing() | rates, named | rates | _pick(network, "source")


def _read_suites(common: Common) -> Known:
    complete = common.registry.defaults.complete
    for suite in common.registry.suites.values():
        named, sizes = _pick(suite, "name", "summary"), _pick(suite, "blocks", "requests")
        sizes |= {"input_at": suite.input_at or common.registry.defaults.input_at}
        products = [complete(product) for product in suite.products]
        margin = _pick(suite, "accuracy_margin")
        cases = {"cases": products, "skip": suite.skips, "links": suite.links}
        yield named | _standing() | sizes, named | sizes | margin | to_plain(cases)


def _read_plugins(common: Common) -> Known:
    for status in list_statuses(common.plugins):
        item, own = list_plugin(status), common.registry.plugins.get(status.plugin.name)
        requires, install = (list(own.requires), own.install) if own else ([], "")
        yield item, item | {"requires": requires, "install": install}


def list_plugin(status: PluginStatus) -> Item:
    """Return what is known of how a plugin stands."""
    offers = ", ".join(f"{kind} {name}" for kind, name in status.offers)
    return {
        **_name_item(status.plugin.name, offers),
        **_name_plugin(status.plugin, "distribution", "version", "origin"),
        "status": status.status,
        "installed": status.status == "installed",
        "why_not": status.why or None,
        "doubt": status.doubt or None,
    }


def _name_plugin(plugin: Plugin, *fields: str) -> Item:
    return {"plugin": plugin.name, **_pick(plugin, *fields)}


def _name_item(name: str, summary: str) -> Item:
    return {"name": name, "summary": summary}


def _standing(plugin: str = "registry") -> Item:
    """Return what `list` says of a thing that is there."""
    return {"plugin": plugin, "installed": True, "why_not": None}


_OTHERS: Mapping[str, Callable[[Common], Known]] = {
    "variant": _read_variants,
    "hybrid": _read_hybrids,
    "link": _read_links,
    "device": _read_devices,
    "network": _read_networks,
    "suite": _read_suites,
    "plugin": _read_plugins,
}
