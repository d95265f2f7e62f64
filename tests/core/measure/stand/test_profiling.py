from __future__ import annotations

import attrs
import pytest

from edgebench import CaseFailed
from edgebench.measure.stand.profiling import profile_on_host
from edgebench.store.splits import open_split

SLEEPS = (("sleep_ms", "5"),)


@pytest.mark.parametrize(("tier", "slowdown"), [("mobile", 4), ("edge", 2)])
def test_a_host_is_as_slow_as_it_claims(deploy, fabric, tier, slowdown):
    said = []
    deployment = deploy(tier, options=SLEEPS)
    found = profile_on_host(deployment, fabric, lambda *done: said.append(done))
    assert 0.005 * slowdown < found.stages[0] < 40 * 0.005 * slowdown
    assert (found.nodes, found.no_nodes) == (({},), "tiny gives no times by node")
    assert set(said) == {(0, 1)}


def test_every_stage_of_a_piece_has_its_time(deploy, fabric, spec):
    stages = [([spec("h", 4)], None), ([spec("y", 4)], None)]
    found = profile_on_host(deploy("mobile", stages, cuts=(), options=SLEEPS), fabric)
    assert len(found.stages) == len(found.nodes) == 2


def test_where_a_split_holds_nothing_inputs_are_drawn(deploy, fabric, split):
    deployment = deploy("mobile")
    empty = attrs.evolve(deployment, split=split.parent / "empty")
    keep_nothing(split, empty.split)
    found = profile_on_host(empty, fabric)
    assert found.stages[0] > 0
    assert (found.request_bytes, found.preprocess_s) == (None, 0)


def test_requests_are_counted_as_they_are_sent_and_their_tensors_timed(deploy, fabric, split):
    found = profile_on_host(deploy("mobile"), fabric)
    assert found.request_bytes == len(open_split(split)[0])
    assert 0 < found.preprocess_s < 1


def keep_nothing(split, place):
    import numpy as np

    place.mkdir(exist_ok=True)
    for part in ("payloads", "answers"):
        (place / f"{part}.bin").write_bytes(b"")
        np.save(place / f"{part}.npy", np.zeros(1, np.int64))


def test_a_stage_that_fails_is_its_backends_fault(deploy, fabric):
    options = (("stage", "0"), ("at", "3"), ("how", "raise"))
    with pytest.raises(CaseFailed) as failed:
        profile_on_host(deploy("mobile", options=options), fabric)
    assert str(failed.value).startswith("profiling: host mobile: backend tiny (")
    assert "RuntimeError: the chip is on fire" in str(failed.value)
    assert "and smokes" in failed.value.log


def test_outputs_that_were_not_announced_are_refused(deploy, fabric, spec):
    with pytest.raises(CaseFailed, match="as float32 of shape"):
        profile_on_host(deploy("mobile", [([spec("y", 5)], None)]), fabric)
