import json
import os
from pathlib import Path

import pytest

from edgebench import Link
from edgebench.cases.case import BackendChoice
from edgebench.measure.station.orders import DriverOrder, HostOrder, Work
from edgebench.measure.transport.pace import Pacing

COMMON = {
    "name": "host edge",
    "tier": "edge",
    "control": "ipc:///tmp/x",
    "parent": os.getpid(),
    "forward_phase": ("transfer", 1),
    "forward_pacing": Pacing(rate=1e6, delay=0.01),
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
        HostOrder(**COMMON, work=WORK, last=False),
        HostOrder(**COMMON),
        DriverOrder(**COMMON, split=Path("data/test"), requests=5, batch=2, seed=9, number=1),
    ],
    ids=["computes", "relays", "drives"],
)
def test_an_order_survives_the_file_it_is_written_to(order, tmp_path):
    file = order.write(tmp_path)
    assert type(order).from_json(json.loads(file.read_text())) == order


def test_an_order_has_no_field_that_is_not_json():
    written = json.loads(json.dumps(HostOrder(**COMMON, work=WORK).to_json()))
    assert written["work"]["artifact"] == "store/a"
    assert written["forward_phase"] == ["transfer", 1]


def test_a_link_gives_its_pace():
    pacing = Pacing.of(Link(between=("a", "b"), rate=8e6, delay=1e-3))
    assert pacing.pace().due(0, 1000) == 2_000_000
    # Each end of a link begins with it idle.
    assert pacing.pace() is not pacing.pace()


def test_an_order_that_is_not_one_is_refused():
    with pytest.raises(TypeError):
        HostOrder.from_json(HostOrder(**COMMON).to_json() | {"wings": 2})
