"""What ships keeps what it promises, by the same contracts that strangers are held to."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

from edgebench import Registry
from edgebench.testing.checking.check import Checking
from edgebench.testing.checking.checker import check_promise, make_contract
from edgebench.testing.checking.orders import Found, Order, Trial
from edgebench.testing.contracts.bench import find_source
from edgebench.testing.contracts.contract import list_promises

ROWS = Registry.read().plugins
PARTS = [
    (kind, name, row.requires)
    for row in ROWS.values()
    for kind, names in row.offers.items()
    for name in names
]
LIGHT = [
    (kind, name)
    for kind, name, requires in PARTS
    if kind in ("tier", "reporter", "importer") and not requires
]
"""Those whose promises need no process and no framework, but for what importing them brings."""
HEAVY = [part for part in PARTS if part[:2] not in LIGHT]
IMPORTS = "test_its_plugin_imports_no_framework"
TRIALS = {"fuse-exits": Trial(before="early-exit(mode=dynamic)")}
REASONS = (
    "it takes no options",
    "it has to be given",
    "its dataset",
    "it has no dataset",
    "it is a file",
    "there is one real input only",
    "nobody says",
    "it runs what others have loaded",
    *(["no model here leads to tflite"] if find_spec("litert_torch") is None else []),
)
"""How the reasons begin for which a promise of what ships may be left unchecked."""


def sample_of(tmp_path):
    """What the importer that ships reads."""
    lines = ["Experiment Results", *(f"{0.5 + n / 1000}" for n in range(600))]
    (tmp_path / "mobile_resnet_results.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def check_promises(found):
    """Hold the verdicts on a part; what may be left unchecked has its reasons."""
    assert {v.promise: v.why for v in found if v.status == "not held"} == {}
    unchecked = {v.promise: v.why for v in found if v.status == "not checked"}
    assert {why for why in unchecked.values() if not why.startswith(REASONS)} == set()
    assert sum(v.status == "held" for v in found) >= 2


@pytest.mark.parametrize(("kind", "name"), LIGHT)
def test_a_light_part_keeps_its_promises(kind, name, tmp_path):
    data = sample_of(tmp_path) if kind == "importer" else None
    source, trial = find_source([]), Trial(data=data)
    contract = make_contract(
        Order(source=source, parent=os.getpid(), kind=kind, name=name, trial=trial)
    )
    promises = {one: text for one, text in list_promises(contract).items() if one != IMPORTS}
    contract.setup_class()
    try:
        check_promises([check_promise(contract, one, text) for one, text in promises.items()])
    finally:
        contract.teardown_class()


@pytest.mark.parametrize(
    ("kind", "name", "requires"), HEAVY, ids=[f"{kind}-{name}" for kind, name, _ in HEAVY]
)
def test_a_part_keeps_its_promises(kind, name, requires, process):
    if missing := [package for package in requires if find_spec(package) is None]:
        pytest.skip(f"{kind} {name} needs {', '.join(missing)}, which is not installed")
    checking = Checking(source=find_source([]), trial=TRIALS.get(name, Trial()), limit_s=240)
    (part,) = checking.find(f"{kind}:{name}")
    assert isinstance(part, Found)
    check_promises(checking.check(part).verdicts)
