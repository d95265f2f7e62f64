"""Scoring a prepared case through its real hosts, untimed, links and tiers as fast as can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.launch import collect_reports, open_lineup, start_processes
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import (
    Processes,
    ProcessFailed,
    Progress,
    Reply,
    ignore_progress,
)
from edgebench.measure.station.orders import DRIVER
from edgebench.parts.errors import CaseFailed
from edgebench.parts.places import Fabric
from edgebench.records.outcome import Score


def score_deployment(
    deployment: Deployment,
    fabric: Fabric,
    progress: Progress = ignore_progress,
    stopping: Callable[[], bool] | None = None,
) -> Score:
    """Send the test split once through the hosts, and count what the answers are worth.

    All of it, or the first samples where the deployment says that so many will do; without metrics
    only outputs are kept, for agreement. The score has no key: that is for whoever keeps it. A
    split may take hours, so the deadline is one of silence: it begins anew with each report of
    progress, which *progress* is called with. Whether to end before is asked by *stopping*.

    Raises:
        CaseFailed: A host failed, or no sample was answered within the deadline; with what the
            processes printed.
    """
    logs: dict[str, str] = {}
    try:
        with open_lineup(
            deployment, fabric, logs, shaped=False, progress=progress, stopping=stopping
        ) as (processes, lineup):
            names = start_processes(processes, lineup, lineup.scorer_order(processes.endpoint))
            scored = processes.ask(DRIVER, "score")
            remarks = _ask_for_remarks(processes, lineup)
            said = collect_reports(processes, names)
    except ProcessFailed as failure:
        raise CaseFailed(f"scoring: {failure}", "\n".join(logs.values())) from failure
    return attrs.evolve(_score(deployment, scored, said), **remarks)


def _ask_for_remarks(processes: Processes, lineup: Lineup) -> Mapping[str, Any]:
    """Return what the sessions of all hosts say of how they run, as the fields of a score."""
    computing = [node for node in lineup.nodes if node.piece is not None]
    said = [processes.ask(node.name, "explain").values for node in computing]
    known = [one["remarks"] for one in said if one["remarks"] is not None]
    return {
        "remarks": tuple(one for remarks in known for one in remarks) if known else None,
        "doubts": tuple((number, text) for one in said for number, text in one["doubts"]),
        "assignments": {n: shared for one in said for n, shared in one["assignments"].items()},
    }


def _score(deployment: Deployment, scored: Reply, said: Mapping[str, Mapping[str, Any]]) -> Score:
    import numpy as np

    versions: dict[str, str] = {}
    for report in said.values():
        versions.update(report.get("versions", {}))
    devices = [report["device"] for report in said.values() if report.get("device")]
    arrays = [
        (what, np.frombuffer(raw, what["dtype"]).reshape(what["shape"]))
        for what, raw in zip(scored.values["arrays"], scored.raw, strict=True)
    ]
    samples = scored.values["samples"]
    exited = scored.values["exited"]
    return Score(
        key="",
        device=",".join(devices),
        counts={what["metric"]: values for what, values in arrays if "metric" in what},
        outputs=tuple(values for what, values in arrays if "output" in what),
        kept=scored.values["kept"],
        exit_rates={
            str(number): exited.get(str(number), 0) / samples
            for number, stage in enumerate(deployment.pipeline.stages)
            if stage.exit is not None
        },
        samples=samples,
        not_finite=scored.values["not_finite"],
        versions=versions,
    )
