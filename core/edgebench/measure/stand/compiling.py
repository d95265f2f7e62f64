"""Having stages compiled on the hosts that will run them, before the first block."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.launch import open_lineup
from edgebench.measure.stand.lineup import Lineup
from edgebench.measure.stand.processes import Processes, ProcessFailed
from edgebench.parts.errors import CaseFailed
from edgebench.parts.places import Backend, Fabric

COMPILER_MODULE = "edgebench.measure.station.compiler"


def compile_on_hosts(
    deployment: Deployment,
    fabric: Fabric,
    backends: Iterable[Backend],
    stopping: Callable[[], bool] | None = None,
) -> None:
    """Compile, on their hosts, the stages that are not there yet, if any of the backends compiles.

    Args:
        deployment: Whose stages are compiled.
        fabric: What makes its hosts.
        backends: Those that the case names.
        stopping: Asked now and then whether to end before.

    Raises:
        CaseFailed: A stage does not compile, or takes longer than the deadline.
    """
    if all(backend.compile is None for backend in backends):
        return
    if deployment.compiled is None:
        backend = deployment.case.backend
        raise CaseFailed(f"{backend} compiles stages, and no place to keep them was given")
    deployment.compiled.mkdir(parents=True, exist_ok=True)
    logs: dict[str, str] = {}
    try:
        with open_lineup(deployment, fabric, logs, stopping=stopping) as (processes, lineup):
            _compile(processes, lineup)
    except ProcessFailed as failure:
        raise CaseFailed(f"compiling: {failure}", "\n".join(logs.values())) from failure


def _compile(processes: Processes, lineup: Lineup) -> None:
    """Compile on one host after the other: compilers take all processors that they find."""
    for node, order in lineup.host_orders(processes.endpoint):
        if order.work is not None:
            processes.start(
                lineup.hosts[node.tier],
                COMPILER_MODULE,
                order,
                lineup.deployment.code.get(node.tier, ()),
            )
            processes.hear("compiled", [node.name])
