"""An example of what goes into an exported pipeline, and of what comes out of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from edgebench.cases.case import Case
from edgebench.parts.errors import EdgebenchError
from edgebench.parts.pipeline import Pipeline, Tensors, join_batches
from edgebench.parts.subjects import Model
from edgebench.prepare.data import draw_tensors, preprocess
from edgebench.prepare.runner import take_answers
from edgebench.sessions.compiled import open_here
from edgebench.store.splits import open_split

if TYPE_CHECKING:
    from edgebench.prepare.preparer import Preparer
    from edgebench.sessions.opening import Opening


@attrs.frozen(kw_only=True)
class Example:
    """The tensors of one request, and the outputs of the pipeline for them."""

    inputs: Tensors
    outputs: Tensors
    what: str
    """What the inputs are, in words."""


def find_example(
    case: Case, pipeline: Pipeline, openings: Sequence[Opening], preparer: Preparer
) -> Example:
    """Return the first request of the test split, or a drawn one where there are no inputs.

    The outputs are those of the deployed pipeline, its stages opened here as they were measured:
    same backends, devices, threads and options.
    """
    try:
        inputs, what = _take_first(case, pipeline, preparer)
    except EdgebenchError as error:
        inputs = dict(draw_tensors(pipeline.inputs, case.batch, seed=0))
        what = f"drawn at random, as there are no others here ({error})"
    known = {spec.name: spec.dtype for spec in pipeline.inputs}
    inputs = {name: inputs[name] for name in known}
    return Example(inputs=inputs, outputs=run_deployed(pipeline, openings, inputs), what=what)


def _take_first(case: Case, pipeline: Pipeline, preparer: Preparer) -> tuple[dict[str, Any], str]:
    plugins = preparer.recipes.plugins
    model = plugins.get(Model, case.model).bound(case.variant, pipeline.resources)
    split = open_split(preparer.inputs(case) / "test")
    payloads: Iterator[bytes] = (payload for payload, _ in split)
    samples = [preprocess(one, model, case.variant) for one in islice(payloads, case.batch)]
    many = f"first {len(samples)} samples" if len(samples) > 1 else "first sample"
    return join_batches(samples), f"the {many} of the test split of {case.dataset or 'its inputs'}"


def run_deployed(
    pipeline: Pipeline, openings: Sequence[Opening], inputs: Tensors
) -> dict[str, Any]:
    """Run a pipeline in this process as its hosts do, piece by piece."""
    tensors = dict(inputs)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgebench-")))
        for piece, opening in zip(pipeline.pieces, openings, strict=True):
            for number in piece:
                stage = pipeline.stages[number]
                with open_here(opening, stage, scratch / "compiled") as session:
                    feeds = {spec.inside: tensors[spec.name] for spec in stage.inputs}
                    given = session.run(feeds)
                    written = {spec.name: given[spec.inside] for spec in stage.outputs}
                    # A session may give memory that goes with it.
                    tensors |= {name: array.copy() for name, array in written.items()}
    return take_answers(pipeline, tensors)
