"""Starting the processes of a route, and what each reports at the end."""

import attrs
import pytest

from edgebench.measure.stand.launch import collect_reports, start_processes
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import Processes, ProcessFailed, TimedOut
from edgebench.measure.station.orders import DRIVER


def start(processes, lineup):
    return start_processes(processes, lineup, lineup.driver_order(processes.endpoint))


@pytest.fixture
def started(deploy, fabric):
    """Return what starts a deployment and gives its reports, and what was done between."""

    def start_and_report(placement, between=lambda processes: None, **changes):
        deployment = deploy(placement, **changes)
        with (
            fabric.open(deployment.tiers, deployment.case.links) as hosts,
            Processes.open(deployment.scratch, deployment.deadline_s) as processes,
        ):
            names = start(processes, Lineup(deployment, hosts))
            between(processes)
            return names, collect_reports(processes, names)

    return start_and_report


@pytest.mark.parametrize(
    ("placement", "names"),
    [
        ("mobile", [DRIVER, "host mobile"]),
        ("edge", [DRIVER, "host edge"]),
        ("cloud", [DRIVER, "host edge", "host cloud"]),
        ("mobile-cloud", [DRIVER, "host mobile", "host edge", "host cloud"]),
    ],
)
def test_there_is_a_process_for_each_that_computes_or_relays(started, placement, names):
    found, said = started(placement)
    assert found == names == list(said)
    assert all(report["peak"] > 5e6 for report in said.values())


def test_nothing_was_sent_where_nobody_asked_for_it(started):
    _, said = started("mobile-edge")
    assert said[DRIVER]["forward"] == said["host mobile"]["forward"] == []
    assert "first" not in said["host edge"]["cold"]


def test_only_those_that_compute_have_versions(started):
    _, said = started("cloud")
    assert said["host edge"]["versions"] == {}
    assert said["host cloud"]["versions"] == {"tiny": "1"}


def test_a_link_is_probed_by_its_sending_end(started):
    found = {}

    def probe(processes):
        for name in ("host mobile", "host edge"):
            found[name] = processes.ask(name, "probe", rate=50e6).values

    started("mobile-edge-cloud", probe)
    # The first link has a delay of one millisecond each way, the second none.
    assert found["host mobile"]["round_trip"] >= 2e-3
    assert set(found["host edge"]) == {"round_trip", "forward", "backward"}


def test_a_host_answers_to_its_name_while_it_waits(started):
    def ping(processes):
        assert processes.ask("host mobile", "ping").values == {"foreign": 0}

    started("mobile", ping)


def test_every_host_may_be_asked_for_its_speed(started):
    found = {}
    started(
        "mobile-edge", lambda processes: found.update(processes.ask("host edge", "speed").values)
    )
    assert len(found["plain"]) == len(found["limited"]) > 1


def test_a_host_that_does_not_load_is_a_failure(started):
    with pytest.raises(ProcessFailed, match="host mobile: backend tiny .*: OSError: no such chip"):
        started("mobile", options=(("stage", "0"), ("at", "0")))


def test_starting_has_the_blocks_own_deadline(started):
    with pytest.raises(TimedOut, match=r"no answer within 0\.01 s"):
        started("mobile", deadline_s=0.01)


def test_a_split_that_is_not_there_is_told_in_one_line(deploy, fabric):
    deployment = attrs.evolve(deploy("mobile"), split=deploy("mobile").scratch / "none")
    with (
        fabric.open(deployment.tiers, ()) as hosts,
        Processes.open(deployment.scratch, 60) as processes,
        pytest.raises(ProcessFailed, match="has no none split"),
    ):
        start(processes, Lineup(deployment, hosts))
