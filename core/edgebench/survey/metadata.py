"""What the metadata of a distribution says, which may be broken in any way."""

from __future__ import annotations

import csv
from contextlib import suppress
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from edgebench.catalogue.origins import GROUP
from edgebench.parts.errors import EdgebenchError, one_line
from edgebench.survey.installed import Installed

POINTS = "entry_points.txt"
MODULES = (".py", ".so", ".pyd")
"""What the files are called that can be imported."""


def identify(installed: Installed) -> tuple[str, str]:
    """Return the name and the version that a distribution gives itself.

    Where it gives itself none it goes by the directory of its metadata.
    """
    try:
        metadata = installed.distribution.metadata
    except (OSError, ValueError):
        # That it cannot be read is told where its entry points are asked for.
        return installed.place, ""
    said = {key: str(metadata[key]) for key in ("Name", "Version") if key in metadata}
    return (said["Name"], said.get("Version", "")) if said.get("Name") else (installed.place, "")


def read_points(installed: Installed) -> list[EntryPoint]:
    """Return the entry points of a distribution that are of our group.

    Raises:
        EdgebenchError: A file of its metadata cannot be read, in a clause.
    """
    distribution = installed.distribution
    try:
        _ = distribution.metadata
    except (OSError, ValueError) as error:
        raise EdgebenchError(
            f"the metadata in {installed.place} cannot be read: {one_line(error)}"
        ) from error
    try:
        return list(distribution.entry_points.select(group=GROUP))
    except (OSError, UnicodeDecodeError) as error:
        why = one_line(error)
    except Exception as error:  # noqa: BLE001 (the parser raises whatever a line leads it to)
        why = _find_strange_line(distribution.read_text(POINTS) or "") or one_line(error)
    raise EdgebenchError(f"{Path(installed.place) / POINTS} cannot be read: {why}")


def map_packages() -> dict[str, list[str]]:
    """Return, by package or module, the distributions that bring it, of those that can be read.

    `importlib.metadata.packages_distributions` gives up over a single one that cannot.
    """
    found: dict[str, list[str]] = {}
    for one in distributions():
        # What has plugins and cannot be read is told of as a fault; of the others nobody asks.
        with suppress(OSError, ValueError, csv.Error):
            name = str(one.metadata["Name"]) if "Name" in one.metadata else ""
            for package in _list_packages(one) if name else ():
                found.setdefault(package, []).append(name)
    return found


def _list_packages(distribution: Distribution) -> set[str]:
    """Return the packages and modules at the top of a distribution: as it says, or by its files."""
    if said := (distribution.read_text("top_level.txt") or "").split():
        return set(said)
    files = [one for one in distribution.files or () if one.suffix in MODULES]
    names = {one.parts[0] if one.parent.parts else one.name.partition(".")[0] for one in files}
    return {name for name in names if "." not in name}


def _find_strange_line(text: str) -> str:
    """Say which line of a file of entry points is none; nothing where each of them is one."""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        is_header = line.startswith("[") and line.endswith("]")
        if line and not line.startswith("#") and not is_header and "=" not in line:
            return f"line {number} is no `name = module`: {line!r}"
    return ""
