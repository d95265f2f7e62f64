"""What ONNX Runtime writes of the nodes that it ran, read by the names in the file."""

from __future__ import annotations

import json
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench_kit.onnx import node_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

KERNEL = "_kernel_time"
"""How the events of its traces end that time a node."""
WARM_UP = 3
"""Runs that are traced and not counted."""
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


def time_nodes(
    session: Any,
    origins: node_times.Origins,
    outputs: Sequence[str],
    inputs: Mapping[str, NDArray[Any]],
    runs: int,
) -> Mapping[str, float]:
    """Return the median seconds of each node in a run, by its name in the file.

    Args:
        session: One that was opened to write a trace, which it ends.
        origins: What the names in the trace lead to.
        outputs: The graph's, by name.
        inputs: A batch.
        runs: How many are counted, after a few that are not.
    """
    for _ in range(WARM_UP + runs):
        session.run(outputs, inputs)
    trace = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return node_times.find_medians(read_trace(trace, origins)[WARM_UP:])


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
