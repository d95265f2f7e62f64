"""The process that compiles what one host will run, for backends that compile on their host.

Started by the controller as `python -m edgebench.measure.station.compiler ORDER.json`: a process of
its own, because compiling may leave memory and threads in a state that no measured process has.
"""

from __future__ import annotations

import os
import sys

from edgebench.measure.station.orders import HostOrder
from edgebench.parts.places import Backend


def main(argv: list[str]) -> None:
    """Compile what the order in the file named by the first argument names."""
    from edgebench.catalogue.blame import blame
    from edgebench.catalogue.plugins import PluginSource
    from edgebench.measure.station.controller import Controller
    from edgebench.sessions.compiled import compile_stage
    from edgebench.sessions.opening import Opening
    from edgebench.store.artifacts import read_pipeline

    order = HostOrder.read(argv[0])
    controller = Controller.join(order, sorted(os.sched_getaffinity(0)))
    if order.work is None or order.work.compiled is None:
        raise ValueError("an order to compile needs work, and a place to keep it")
    with controller.report_faults(f"{order.name}: "):
        plugins = PluginSource.from_json(order.work.source).load()
        pipeline = read_pipeline(order.work.artifact)
        backend = plugins.get(Backend, order.work.backend.name)
        with blame(plugins, Backend, backend.name):
            opening = Opening.of(backend, order.work.backend, order.work.threads, order.work.code)
            for number in pipeline.pieces[order.work.piece]:
                compile_stage(opening, pipeline, number, order.work.compiled)
    controller.tell("compiled", {})
    controller.hear()


if __name__ == "__main__":
    main(sys.argv[1:])
