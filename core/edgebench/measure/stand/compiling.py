"""Having stages compiled on the hosts that will run them, before the first block."""

from __future__ import annotations

from edgebench.measure.stand.deployment import Deployment, Stand
from edgebench.measure.stand.processes import Processes, ProcessFailed
from edgebench.parts.errors import CaseFailed
from edgebench.parts.places import Backend, Fabric

COMPILER = "edgebench.measure.station.compiler"


def compile_on_host(deployment: Deployment, fabric: Fabric) -> None:
    """Compile, on their hosts, the stages whose backends need it and that are not there yet.

    Raises:
        CaseFailed: A stage does not compile, or takes longer than the deadline.
    """
    case = deployment.case
    names = {choice.name for choice in case.backends}
    plugins = deployment.source.load()
    if all(plugins.get(Backend, name).compile is None for name in names):
        return
    if deployment.compiled is None:
        raise CaseFailed(f"{case.backend} compiles stages, and no place to keep them was given")
    deployment.compiled.mkdir(parents=True, exist_ok=True)
    logs: dict[str, str] = {}
    try:
        with (
            fabric.open(deployment.tiers, case.links) as hosts,
            Processes.open(deployment.scratch, deployment.deadline_s) as processes,
        ):
            try:
                _compile(processes, Stand(deployment, hosts))
            finally:
                logs = processes.read_logs()
    except ProcessFailed as failure:
        raise CaseFailed(f"compiling: {failure}", "\n".join(logs.values())) from failure


def _compile(processes: Processes, stand: Stand) -> None:
    """Compile on one host after the other: compilers take all processors that they find."""
    for node, order in stand.orders(processes.endpoint):
        if order.work is not None:
            host = stand.hosts[node.tier]
            processes.start(host, COMPILER, order, stand.threads(node.tier))
            processes.hear("compiled", [node.name])
