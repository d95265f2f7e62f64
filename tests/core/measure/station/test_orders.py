import json
import os
from pathlib import Path

import pytest

from edgebench import Link
from edgebench.cases.case import BackendChoice
from edgebench.measure.station.orders import DriverOrder, HostOrder, ScorerOrder, Work
from edgebench.measure.transport.pace import Pace

COMMON = {
    "name": "host edge",
    "tier": "edge",
    "controller": "ipc:///tmp/x",
    "parent": os.getpid(),
    "backward_phase": ("transfer", 1),
    "backward_link": Link(between=("mobile", "edge"), rate=2e6, delay=0.02),
}
HOST = COMMON | {
    "forward_phase": ("transfer", 1),
    "forward_link": Link(between=("mobile", "edge"), rate=1e6, delay=0.01),
}
WORK = Work(
    source={"registry": ["r.toml"], "files": []},
    artifact=Path("store/a"),
    compiled=Path("store/c"),
    piece=1,
    model="m",
    variant="small",
    backend=BackendChoice("b", "cpu", (("threads", "2"),)),
    threads=2,
    slowdown=4.0,
)


@pytest.mark.parametrize(
    "order",
    [
        HostOrder(**HOST, work=WORK, last=False),
        HostOrder(**HOST),
        DriverOrder(**COMMON, split=Path("data/test"), requests=5, batch=2, seed=9, number=1),
        ScorerOrder(**COMMON, split=Path("s"), source={}, case={"model": "m"}, artifact=Path("a")),
    ],
    ids=["computes", "relays", "drives", "scores"],
)
def test_an_order_survives_the_file_it_is_written_to(order, tmp_path):
    assert type(order).read(order.write(tmp_path)) == order


def test_an_order_lies_in_its_file_as_plain_json(tmp_path):
    written = json.loads(HostOrder(**HOST, work=WORK).write(tmp_path).read_text())
    assert written["work"]["artifact"] == "store/a"
    assert written["work"]["backend"]["options"] == [["threads", "2"]]
    assert written["forward_phase"] == ["transfer", 1]
    assert written["forward_link"]["between"] == ["mobile", "edge"]
    assert (written["forward_link"]["rate"], written["forward_link"]["delay"]) == (1e6, 0.01)


def test_a_link_gives_its_pace():
    link = Link(between=("a", "b"), rate=8e6, delay=1e-3)
    assert Pace.of(link).due(0, 1000) == 2_000_000
    # Each end of a link begins with it idle.
    assert Pace.of(link).due(0, 1000) == 2_000_000
    assert Pace.of(None) is None


def test_an_order_of_another_kind_is_refused(tmp_path):
    file = DriverOrder(**COMMON, split=Path("data/test"), requests=5).write(tmp_path)
    with pytest.raises(TypeError, match="unexpected keyword argument 'split'"):
        HostOrder.read(file)
