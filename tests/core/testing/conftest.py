"""Parts that break a promise, made for the purpose: each is told by that promise and no other."""

from __future__ import annotations

import os
from textwrap import dedent

import pytest

from edgebench.testing import toy
from edgebench.testing.checking.checker import check_promise, make_contract
from edgebench.testing.checking.orders import Order, Trial
from edgebench.testing.contracts.bench import find_source
from edgebench.testing.contracts.contract import list_promises

HEAD = """
    from contextlib import contextmanager

    import attrs

    from edgebench import *
    from edgebench.testing import toy
"""


@pytest.fixture
def plugin(tmp_path):
    """Write a plugin file that may use the toy's functions; return its path."""

    def write(*texts):
        path = tmp_path / "bad_plugin.py"
        path.write_text("\n".join(map(dedent, (HEAD, *texts))))
        return path

    return write


@pytest.fixture
def verdicts(plugin, process):
    """Check all promises of the part `bad` that a plugin offers; return verdicts by promise."""

    def check(kind, *texts, name="bad", but=("test_its_plugin_imports_no_framework",), **trial):
        order = Order(
            source=find_source([toy, plugin(*texts)]),
            parent=os.getpid(),
            kind=kind,
            name=name,
            trial=Trial(**trial),
        )
        contract = make_contract(order)
        contract.setup_class()
        try:
            return {
                promise: check_promise(contract, promise, sentence)
                for promise, sentence in list_promises(contract).items()
                if promise not in but
            }
        finally:
            contract.teardown_class()

    return check


@pytest.fixture
def broken(verdicts):
    """Return what is not held of the part `bad`: why, by promise."""

    def check(kind, *texts, **more):
        found = verdicts(kind, *texts, **more)
        return {name: one.why for name, one in found.items() if one.status == "not held"}

    return check
