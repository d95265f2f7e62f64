"""Links as options write them: `mobile-edge=10mbit,20ms`, or with a network, `mobile-edge=4g`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from edgebench.parts.errors import OptionError, nearest
from edgebench.parts.units import parse_delay, parse_link, parse_rate, write_delay, write_rate

if TYPE_CHECKING:
    from edgebench.parts.places import Link
    from edgebench.toml.profiles import NetworkRow


def read_link(text: str, networks: Mapping[str, NetworkRow]) -> Link:
    """Return the link of an option; where it names a network, with its rate, delay and source.

    A delay that is written goes before the network's.

    Raises:
        OptionError: It is malformed, or no network is called so; with the nearest name.
    """
    pair, equals, said = text.partition("=")
    name, comma, delay = (part.strip() for part in said.partition(","))
    if not equals or name not in networks:
        _refuse_unknown(name, networks)
        return parse_link(text)
    network = networks[name]
    own = write_delay(parse_delay(delay) if comma else network.delay)
    link = parse_link(f"{pair}={write_rate(network.rate)},{own}")
    return attrs.evolve(link, source=f"{name}: {network.source}")


def _refuse_unknown(name: str, networks: Mapping[str, NetworkRow]) -> None:
    """Refuse what stands for a rate and is neither one nor a network."""
    if not name:
        return  # what is missing is said of the whole
    try:
        parse_rate(name)
    except OptionError as error:
        said = f"{error}, and no network is called so{nearest(name, networks)}"
        raise OptionError(said) from error
