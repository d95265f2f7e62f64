"""The tiers and links of a project: as profiles of the registry, or as its own tiers and links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import TierRow
from edgebench.cli.asking import Asker
from edgebench.cli.named_links import read_link
from edgebench.cli.project import FILE
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.parts.part import NAME
from edgebench.parts.places import Link
from edgebench.parts.units import write_link

SAID = "said to edgebench init"
"""The source of figures that a user gave."""
AS_IT_IS = "as-it-is"
"""The choice of a tier of the registry without a profile."""


def choose_tiers(
    texts: Sequence[str], registry: Registry, asker: Asker | None
) -> tuple[TierRow, ...]:
    """Return the tiers, the one that holds the input first.

    Args:
        texts: Each `NAME=DEVICE`, or the name of a tier of the registry.
        registry: Where devices and tiers are looked up.
        asker: Who asks where no text is given; without one they are the registry's.

    Raises:
        EdgebenchError: A name is unknown, given twice, or can be no tier's.
    """
    own = _list_tiers(registry)
    if asker is not None and not texts:
        tiers = tuple(_ask_tiers(own, registry, asker))
    else:
        tiers = tuple(read_tier(text, registry) for text in texts or own)
    _check_names([tier.name for tier in tiers])
    return tiers


def _check_names(names: Sequence[str]) -> list[str]:
    for name in names:
        check_name(name)
        if names.count(name) > 1:
            raise EdgebenchError(f"the tier {name!r} is given twice; leave one out")
    return list(names)


def _list_tiers(registry: Registry) -> list[str]:
    """Return the names of the registry's tiers, the one that holds the input first."""
    names = sorted(registry.tiers, key=lambda name: (registry.tiers[name].cpus, name))
    return sorted(names, key=lambda name: name != registry.defaults.input_at)


def _ask_tiers(own: Sequence[str], registry: Registry, asker: Asker) -> list[TierRow]:
    found = []
    for name in asker.ask_several(
        "Which tiers do you have, the one that holds the input first?", own, read=_check_names
    ):
        known = registry.tiers.get(name)
        choices = [(AS_IT_IS, known.summary)] if known else []
        choices += [(one, row.summary) for one, row in registry.devices.items()]
        # A tier that is called as a device is, or as its kind, is most likely one.
        like = [one for one in registry.devices if one.startswith(name)]
        default = AS_IT_IS if known else (like or list(registry.devices))[0]
        found.append(asker.ask_for(f"What is {name}?", _read_device(name, registry), default,
                                   choices))  # fmt: skip
    return found


def _read_device(name: str, registry: Registry) -> Callable[[str], TierRow]:
    return lambda device: read_tier(name if device == AS_IT_IS else f"{name}={device}", registry)


def read_tier(text: str, registry: Registry) -> TierRow:
    """Return the tier that is written `NAME=DEVICE`, or `NAME` where the registry has it.

    Raises:
        EdgebenchError: No device or tier is called so, or a tier may not be.
    """
    name, equals, device = (part.strip() for part in text.partition("="))
    check_name(name)
    if not equals:
        if name not in registry.tiers:
            raise UnknownName(
                f"{UnknownName.among('tier', name, registry.tiers)}; for one of your own write "
                f"--tier {name}=DEVICE, one of {', '.join(registry.devices)}"
            )
        return registry.tiers[name]
    if device not in registry.devices:
        raise UnknownName.among("device", device, registry.devices)
    row = registry.devices[device]
    facts = {key: value for key, value in attrs.asdict(row).items()
             if key in attrs.fields_dict(TierRow) and key not in ("name", "source")}  # fmt: skip
    return TierRow(name=name, file=Path(FILE), source=f"{device}: {row.source}", **facts)


def check_name(name: str) -> None:
    """Refuse a name that no tier may have.

    Raises:
        EdgebenchError: It is none.
    """
    if not NAME.fullmatch(name) or "-" in name:
        raise EdgebenchError(
            f"a tier's name must be one lower-case word, not {name!r}: '-' joins tiers"
        )


def choose_links(
    texts: Sequence[str], tiers: Sequence[TierRow], registry: Registry, asker: Asker | None
) -> tuple[Link, ...]:
    """Return the links: those that are given, and of each tier that none reaches one to the next.

    Raises:
        EdgebenchError: A link is malformed or of other tiers, or what joins two is not known.
    """
    names = [tier.name for tier in tiers]
    links: list[Link] = []
    for link in (_read_link(text, registry) for text in texts):
        for name in link.between:
            if name not in names:
                raise UnknownName.among("tier", name, names)
        # Of several for one pair, which are measured in turn, one is what there is elsewhere.
        if not any(link.joins(*one.between) for one in links):
            links.append(link)
    for number, name in enumerate(names[1:], start=1):
        if not any(link.joins(name, other) for link in links for other in names[:number]):
            links.append(_find_link((names[number - 1], name), registry, asker))
    return tuple(links)


def list_swept(texts: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """Return of the texts of links those of which one pair has several, to be measured in turn."""
    pairs = [frozenset(_read_link(text, registry).between) for text in texts]
    return tuple(text for text, pair in zip(texts, pairs, strict=True) if pairs.count(pair) > 1)


def _find_link(pair: tuple[str, str], registry: Registry, asker: Asker | None) -> Link:
    known = [link for link in registry.links if link.joins(*pair)]
    shown = "-".join(pair)
    if asker is None:
        if not known:
            raise EdgebenchError(
                f"what joins {pair[0]} and {pair[1]} is not known: give --link {shown}=NETWORK, "
                f"one of {', '.join(registry.networks)}, or --link {shown}=RATE,DELAY"
            )
        return attrs.evolve(known[0], between=pair)
    choices = [(write_link(known[0]).partition("=")[2], "as it is")] if known else []
    choices += [(name, row.summary) for name, row in registry.networks.items()]
    as_it_is = {choices[0][0]: attrs.evolve(known[0], between=pair)} if known else {}
    return asker.ask_for(
        f"What joins {pair[0]} and {pair[1]}: a network, or RATE,DELAY?",
        lambda answer: as_it_is.get(answer) or _read_link(f"{shown}={answer}", registry),
        choices[0][0] if choices else "",
        choices,
    )


def _read_link(text: str, registry: Registry) -> Link:
    link = read_link(text, registry.networks)
    return link if link.source else attrs.evolve(link, source=SAID)
