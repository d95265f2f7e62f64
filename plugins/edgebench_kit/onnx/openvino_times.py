"""What OpenVINO says that nodes take, and where they run, by the nodes of the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx import node_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PART = re.compile(r"^subgraph\d+: ")
"""What stands before the names of nodes where several devices share a graph."""
MERGED = "originalLayersNames"
"""Where it keeps which nodes one that it runs is made of."""


def find_origins(request: Any, origins: node_times.Origins) -> Mapping[str, str]:
    """Return by node that runs the one of the file that it is made of, empty for none."""
    found = {}
    for node in request.get_compiled_model().get_runtime_model().get_ops():
        name, info = node.get_friendly_name(), node.get_rt_info()
        merged = info[MERGED].astype(str).split(",") if MERGED in info else ()
        found[name] = origins.find(name, *merged)
    return found


def take_times(request: Any, origins: Mapping[str, str]) -> Mapping[str, float]:
    """Return what the nodes of the last run took, in seconds, by the names in the file."""
    return node_times.add_up(
        (origins.get(PART.sub("", node.node_name), ""), node.real_time.total_seconds())
        for node in request.get_profiling_info()
        if node.status == node.Status.EXECUTED
    )


def sort_by_device(
    placed: Mapping[str, str], origins: node_times.Origins
) -> Mapping[str, Sequence[str]]:
    """Return by device the nodes of the file, each once, of where each node that runs is placed."""
    found: dict[str, list[str]] = {device: [] for device in dict.fromkeys(placed.values())}
    for name, device in placed.items():
        origin = origins.find(name)
        if origin and origin not in found[device]:
            found[device].append(origin)
    return found
