"""Having a whole pipeline profiled on one tier's host, from which operators choose."""

from __future__ import annotations

from collections.abc import Callable

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.launch import open_lineup
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import (
    Processes,
    ProcessFailed,
    Progress,
    ignore_progress,
)
from edgebench.parts.errors import CaseFailed
from edgebench.parts.pipeline import Profile
from edgebench.parts.places import Fabric

PROFILER_MODULE = "edgebench.measure.station.profiler"


def profile_on_host(
    deployment: Deployment,
    fabric: Fabric,
    progress: Progress = ignore_progress,
    stopping: Callable[[], bool] | None = None,
) -> Profile:
    """Measure how long the host of a deployment's one tier takes over its pipeline.

    The deployment's split holds the inputs; where it is empty, some are drawn. What is compiled for
    the host must be so already. The deadline begins anew with each report of progress.

    Raises:
        CaseFailed: The host failed, or what its backend gave is no profile; with what was printed.
    """
    logs: dict[str, str] = {}
    try:
        with open_lineup(deployment, fabric, logs, progress=progress, stopping=stopping) as (
            processes,
            lineup,
        ):
            return _profile(processes, lineup)
    except ProcessFailed as failure:
        raise CaseFailed(f"profiling: {failure}", "\n".join(logs.values())) from failure


def _profile(processes: Processes, lineup: Lineup) -> Profile:
    (order,) = lineup.profiler_orders(processes.endpoint)
    code = lineup.deployment.code.get(order.tier, ())
    processes.start(lineup.hosts[order.tier], PROFILER_MODULE, order, code)
    return Profile(**processes.hear("profiled", [order.name])[order.name].values)
