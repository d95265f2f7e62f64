"""The process that checks: `python -m edgebench.testing.checking.checker ORDER.json EVENTS`.

It writes one JSON line an event to the file descriptor EVENTS, so that whoever asked knows which
promise it was about when it crashed or hung.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from edgebench.cases.operations import Chains
from edgebench.catalogue.plugin import Plugin
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.rows import KINDS, WORDS
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.errors import EdgebenchError, UnknownName, one_line
from edgebench.store.lifeline import die_with
from edgebench.testing.checking.orders import (
    BROKEN,
    HELD,
    UNCHECKED,
    Event,
    Found,
    Order,
    Verdict,
)
from edgebench.testing.contracts.contract import (
    Contract,
    Doubt,
    list_promises,
    split_options,
)
from edgebench.testing.contracts.subjects import find_subject


def main(argv: list[str]) -> int:
    """Do what the order says, and return 0 whatever came of it: the events tell."""
    order = from_document(Order, json.loads(Path(argv[0]).read_text()))
    die_with(order.parent)
    with os.fdopen(int(argv[1]), "w", buffering=1) as events:
        if order.promises:
            for event in _check(order):
                _say(events, event)
        else:
            _say(events, _find(order))
    return 0


def _say(events: TextIO, event: Event) -> None:
    events.write(json.dumps(to_document(event)) + "\n")


# --- finding -------------------------------------------------------------------------------------


def _find(order: Order) -> Event:
    plugins = order.source.load()
    try:
        found = tuple(_list_found(plugins, order.target))
        _check_trial(order, plugins)
        return Event(found=found)
    except EdgebenchError as error:
        return Event(mistake=str(error))


def _list_found(plugins: Plugins, target: str) -> Iterator[Found]:
    """Yield the parts that a target names, and what is wrong with their plugins."""
    kind, _, name = target.partition(":")
    if name and kind in KINDS:
        owner = plugins.owner(KINDS[kind], name)
        yield _describe(owner, kind, name)
        return
    named = [one for one in plugins.known if _is_named(one, target)]
    # A plugin of no distribution is of the empty one.
    if not named or not target:
        raise UnknownName.among("plugin", target, [one.name for one in plugins.known])
    for plugin in named:
        yield from _list_parts(plugins, plugin)


def _is_named(plugin: Plugin, target: str) -> bool:
    if target in (plugin.name, plugin.handle, plugin.distribution):
        return True
    return plugin.given and target == plugin.origin


def _check_trial(order: Order, plugins: Plugins) -> None:
    """Refuse to try parts with what no part could be tried with: that is no part's fault.

    Raises:
        EdgebenchError: A text is malformed, or names what is not there.
    """
    trial = order.trial
    for written in trial.options:
        split_options(written, order.target)
    if trial.before:
        Chains(plugins).of(trial.before)
    if trial.model:
        find_subject(plugins, trial.model)


def _list_parts(plugins: Plugins, plugin: Plugin) -> Iterator[Found]:
    if lack := plugin.missing(plugin.name):
        yield Found(kind="plugin", name=plugin.name, plugin=plugin.label, why_not=lack)
        return
    wrong = [str(plugin.broken.cause)] if plugin.broken else []
    for kind, word in WORDS.items():
        answer = plugin.answer(kind, plugins.registry)
        wrong += [fault.cause for fault in answer.faults]
        for name in answer.parts:
            yield _describe(plugin, word, name)
    for cause in dict.fromkeys(wrong):
        yield Found(
            kind="plugin", name=plugin.name, plugin=plugin.label, why_not=cause, faulty=True
        )


def _describe(plugin: Plugin, kind: str, name: str) -> Found:
    return Found(
        kind=kind, name=name, plugin=plugin.label, promises=list_promises(find_contract(kind))
    )


def find_contract(kind: str) -> type[Contract]:
    """Return the contract of a kind of parts."""
    from edgebench import testing

    found: type[Contract] = getattr(testing, f"{kind.title()}Contract")
    return found


# --- checking ------------------------------------------------------------------------------------


def _check(order: Order) -> Iterator[Event]:
    """Check the promises of a part, one after another."""
    contract = make_contract(order)
    texts = list_promises(contract)
    yield Event(promise=order.promises[0])
    contract.setup_class()
    try:
        for promise in order.promises:
            yield Event(promise=promise)
            yield Event(promise=promise, verdict=check_promise(contract, promise, texts[promise]))
    finally:
        contract.teardown_class()


def make_contract(order: Order) -> type[Contract]:
    """Return the contract of the order's part, as an author would write it down."""
    trial = order.trial
    return type(
        "Checked",
        (find_contract(order.kind),),
        {
            "source": order.source,
            "name": order.name,
            "model": trial.model,
            "options": trial.options,
            "before": trial.before,
            "data": trial.data,
            "sample": trial.data,
        },
    )


def check_promise(contract: type[Contract], promise: str, text: str) -> Verdict:
    """Check one promise of a contract that is set up."""
    status, why = HELD, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            getattr(contract(), promise)()
        except unittest.SkipTest as reason:
            status, why = UNCHECKED, str(reason)
        except AssertionError as error:
            status, why = BROKEN, str(error)
        except EdgebenchError as error:
            status, why = BROKEN, str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a stranger may raise anything)
            status, why = BROKEN, one_line(error)
    doubts = [str(one.message) for one in caught if issubclass(one.category, Doubt)]
    return Verdict(promise=text, status=status, why=" ".join(why.split()), doubts=doubts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
