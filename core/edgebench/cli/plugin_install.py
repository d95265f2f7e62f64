"""`edgebench plugins install NAME`: bring what the registry knows into this environment."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any

import attrs

from edgebench.catalogue.origins import normalise
from edgebench.catalogue.rows import PluginRow
from edgebench.cli.common import Common
from edgebench.cli.describe import list_plugin
from edgebench.cli.printing import print_error
from edgebench.parts.errors import EdgebenchError, UnknownName
from edgebench.survey.installing import Step, list_steps, take_step
from edgebench.survey.statuses import PluginStatus, list_statuses

SCHEMA = 1
"""The version of the document that this action prints."""
WARNING = "A plugin is code: once it is installed it runs as you do, whenever edgebench asks it."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the action's own options."""
    parser.add_argument("name", metavar="NAME", help="a plugin that the registry knows")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, common: Common) -> int:
    """Show what pip will be asked for, ask, and do it; status 1 if what came is faulty."""
    row = common.registry.plugins.get(args.name)
    before = _find_statuses(row, common) if row else _find_strangers(args.name, common)
    if any(status.status == "blocked" for status in before):
        raise EdgebenchError(f"the plugin {args.name} is left out by --without")
    here = not any(one.status in ("missing", "known") or one.doubt for one in before)
    steps = list_steps(row) if row and not here else ()
    if row and steps and not _may_go_on(row, steps, args.yes, common):
        return 1
    for step in steps:
        take_step(step)
    importlib.invalidate_caches()
    # Everything is looked at anew: what was found before did not know of it.
    statuses = _find_statuses(row, attrs.evolve(common)) if row and steps else before
    _tell(statuses, steps, common)
    return int(any(status.status != "installed" for status in statuses))


def _find_statuses(row: PluginRow, common: Common) -> list[PluginStatus]:
    """Return how the plugins stand that a row tells of."""
    found = list_statuses(common.plugins)
    if not row.distribution:
        return [one for one in found if one.plugin.name == row.name and one.plugin.row]
    wanted = normalise(row.distribution)
    known = [one for one in found if one.plugin.row and one.plugin.row.name == row.name]
    brought = [one for one in found if normalise(one.plugin.distribution) == wanted]
    return known or brought


def _find_strangers(name: str, common: Common) -> list[PluginStatus]:
    """Return how the plugins stand that are here under a name, or its distribution's, unregistered.

    Raises:
        UnknownName: None is here either.
    """
    brought = [one for one in list_statuses(common.plugins) if one.plugin.distribution]
    found = [one for one in brought if one.plugin.name == name] or [
        one for one in brought if normalise(one.plugin.distribution) == normalise(name)
    ]
    if not found:
        raise UnknownName.among("plugin of the registry", name, common.registry.plugins)
    return found


def _may_go_on(row: PluginRow, steps: Sequence[Step], yes: bool, common: Common) -> bool:
    """Say what will be done, and ask.

    Raises:
        EdgebenchError: Nobody can be asked.
    """
    about = f" ({row.homepage})" if row.homepage else ""
    lines = [f"edgebench: to bring the plugin {row.name}{about}:"]
    for step in steps:
        lines += [f"  {step.command}", f"    {step.what}{_show_file(step)}"]
    said = "\n".join([*lines, WARNING])
    if yes:
        common.note(said)
        return True
    if not sys.stdin.isatty():
        common.note(said)
        raise EdgebenchError(f"nobody can be asked whether to install {row.name}: pass --yes")
    # Whoever is asked is told what for, `--quiet` or not.
    print_error(f"{said}\nGo on? [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _show_file(step: Step) -> str:
    return f"; REQUIREMENTS.txt is: {step.requirements.strip()}" if step.requirements else ""


def _tell(statuses: Sequence[PluginStatus], steps: Sequence[Step], common: Common) -> None:
    items = [{**list_plugin(one), "hooks": list(one.hooks)} for one in statuses]
    if common.json:
        commands = [step.command for step in steps]
        common.emit({"schema": SCHEMA, "commands": commands, "plugins": items})
        return
    for item in items:
        common.print(_say(item, bool(steps)))


def _say(item: dict[str, Any], came: bool) -> str:
    name = f"{item['name']} ({item['distribution']} {item['version']})".replace(" )", ")")
    if not item["installed"]:
        return f"{name} is here and {item['status']}: {item['why_not']}"
    said = item["summary"] or "listens to runs"
    said += f" (doubt: {item['doubt']})" if item["doubt"] else ""
    return f"{name} {'is installed' if came else 'was installed already'}: {said}"
