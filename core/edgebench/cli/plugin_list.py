"""`edgebench plugins list`: installed, missing, faulty and blocked plugins."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from edgebench.cli.common import Common
from edgebench.cli.describe import list_plugin
from edgebench.cli.survey import find_offers_aloud
from edgebench.survey.statuses import list_statuses

SCHEMA = 3
"""The version of the document that this command prints."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the action's own options: it has none."""


def run(args: argparse.Namespace, common: Common) -> int:
    """Print how every plugin stands, looking again at what was faulty; status 1 if one is."""
    find_offers_aloud(common.registry, common.note, again=True)
    statuses = list_statuses(common.plugins)
    items = [{**list_plugin(status), "hooks": list(status.hooks)} for status in statuses]
    if common.json:
        common.emit({"schema": SCHEMA, "plugins": items})
    else:
        from edgebench.cli.tables import table

        columns = ("name", "status", "offers, or what is wrong", "from")
        common.show(table("plugins", columns, map(_cells, items)))
    return int(any(item["status"] == "faulty" for item in items))


def _cells(item: Mapping[str, Any]) -> list[str]:
    from edgebench.cli.tables import write_origin

    said = item["why_not"] or ", ".join(filter(None, (item["summary"], *_list_others(item))))
    said = f"{said} (doubt: {item['doubt']})" if item["doubt"] else said
    return [item["name"], item["status"], said, write_origin(item)]


def _list_others(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the hooks of which no part that it offers tells: of events, or that yield none."""
    offered = {f"edgebench_{one.split()[0]}s" for one in item["summary"].split(", ") if one}
    yield from (hook for hook in item["hooks"] if hook not in offered)
