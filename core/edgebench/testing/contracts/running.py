"""Running a pipeline that lies in a directory in a fresh process, as whoever measures it would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs

from edgebench.cases.case import Case
from edgebench.catalogue.plugins import PluginSource
from edgebench.parts.documents import from_document, to_document
from edgebench.parts.pipeline import Pipeline, Tensors
from edgebench.prepare.make import Maker
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.runner import Runner
from edgebench.store.artifacts import Store, read_pipeline
from edgebench.testing.contracts.afresh import answer_order, ask_afresh
from edgebench.testing.contracts.bench import Bench

INPUTS, OUTPUTS = "inputs-{}.npz", "outputs-{}.npz"


@attrs.frozen(kw_only=True)
class Order:
    """What a fresh process is to run."""

    source: PluginSource
    store: Path
    case: Case
    pipeline: Path
    place: Path
    """Where the inputs lie, and where the outputs go."""
    batches: int
    """How many batches of inputs there are; none where stages are to be loaded alone."""


def run_afresh(
    bench: Bench, case: Case, pipeline: Path, batches: list[Tensors]
) -> list[dict[str, Any]]:
    """Run batches through a pipeline in a fresh process; return the outputs of each.

    Raises:
        EdgebenchError: It failed there; a `Crashed` if the process did not even say so.
    """
    import numpy as np

    place = bench.make_place("fresh")
    for number, batch in enumerate(batches):
        np.savez(place / INPUTS.format(number), **dict[str, Any](batch))
    order = Order(
        source=bench.source,
        store=bench.store.root,
        case=case,
        pipeline=pipeline,
        place=place,
        batches=len(batches),
    )
    ask_afresh(__name__, to_document(order))
    return [read_arrays(place / OUTPUTS.format(number)) for number in range(len(batches))]


def load_afresh(bench: Bench, case: Case, pipeline: Path) -> None:
    """Load the stages of a pipeline in a fresh process.

    Raises:
        EdgebenchError: It failed there; a `Crashed` if the process did not even say so.
    """
    order = Order(
        source=bench.source,
        store=bench.store.root,
        case=case,
        pipeline=pipeline,
        place=bench.scratch,
        batches=0,
    )
    ask_afresh(__name__, to_document(order))


def read_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a file by their names."""
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def run_here(bench: Bench, case: Case, pipeline: Pipeline, batch: Tensors) -> dict[str, Any]:
    """Run a batch through a pipeline in this process, on the backends of its case."""
    with Runner.open(bench.stages, case, bench.maker.answers) as runner:
        return dict(runner.outputs(pipeline, batch, runner.list_deployed(pipeline)))


def _obey(document: Any) -> None:
    """Do what an order says."""
    import numpy as np

    order = from_document(Order, document)
    maker = Maker(Recipes(order.source.load(), Store(order.store)), lambda *_: None)
    pipeline = read_pipeline(order.pipeline)
    for stage in () if order.batches else pipeline.stages:
        maker.stages.live(stage)
    with Runner.open(maker.stages, order.case, maker.answers) as runner:
        for number in range(order.batches):
            batch = read_arrays(order.place / INPUTS.format(number))
            made = runner.outputs(pipeline, batch, runner.list_deployed(pipeline))
            np.savez(order.place / OUTPUTS.format(number), **made)


if __name__ == "__main__":
    answer_order(sys.argv[1:], _obey)
