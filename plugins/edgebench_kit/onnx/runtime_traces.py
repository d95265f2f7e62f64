"""What ONNX Runtime writes of the nodes that it ran, read by the names in the file."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx import node_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KERNEL = "_kernel_time"
"""How the events of its traces end that time a node."""
BODIED = frozenset(["If", "Loop", "Scan"])
"""The operators that run a body of nodes."""


def tell_nodes(file: Path) -> tuple[Path | bytes, node_times.Origins]:
    """Return a graph whose nodes can be told by their names, and what the names lead to.

    The file itself, or where nodes have no names, or the same, what it holds with others.
    """
    import onnx

    model = onnx.load_model(file, load_external_data=False)
    origins, names = node_times.Origins.of(model.graph), node_times.name_nodes(model.graph)
    told: Path | bytes = file
    if names != [node.name for node in model.graph.node]:
        for name, node in zip(names, model.graph.node, strict=True):
            node.name = name
        told = model.SerializeToString()
    return told, origins


def read_trace(
    events: Sequence[Mapping[str, Any]], origins: node_times.Origins
) -> Sequence[Mapping[str, float]]:
    """Return for each run that was traced the seconds of its nodes, by the names in the file.

    Those of the body of another are left out: that one's time is theirs too.
    """
    begins = sorted(event["ts"] for event in events if event["name"] == "model_run")
    taken: list[list[tuple[str, float]]] = [[] for _ in begins]
    timed = [one for one in events if one.get("cat") == "Node" and one["name"].endswith(KERNEL)]
    within = 0
    for event in sorted(timed, key=lambda one: (one["ts"], -one["dur"])):
        if event["ts"] < within:
            continue
        if event["args"].get("op_name") in BODIED:
            within = event["ts"] + event["dur"]
        name = origins.find(event["name"].removesuffix(KERNEL))
        taken[bisect_right(begins, event["ts"]) - 1].append((name, event["dur"] / 1e6))
    return [node_times.add_up(run) for run in taken]
