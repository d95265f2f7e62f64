"""`edgebench plugins`: what is done about plugins, one module an action."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import import_module

from edgebench.cli.common import Common

ACTIONS: Mapping[str, str] = {
    "list": "list plugins: installed, known, faulty, blocked",
    "install": "bring a plugin that the registry knows into this environment",
    "new": "write a plugin of a kind that works, to be changed",
    "check": "check what a plugin's parts promise, in another process",
}
"""What each action does; its module is `plugin_` and its name."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions, each with its own options."""
    actions = parser.add_subparsers(metavar="ACTION", title="actions", required=True)
    for name, text in ACTIONS.items():
        made = actions.add_parser(name, help=text, description=text)
        module = import_module(f"edgebench.cli.plugin_{name}")
        module.configure(made)
        made.set_defaults(act=module.run)


def run(args: argparse.Namespace, common: Common) -> int:
    """Do what was asked for."""
    return int(args.act(args, common))
