"""What `cut_choice.py` asks with: `rank-cuts` does as `min-latency` and tells its ranking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import attrs

from edgebench import Context, Operator, Pipeline, hookimpl
from edgebench_kit.onnx.cut_rules import find_rule
from edgebench_kit.onnx.pipeline_cuts import PipelineCuts
from edgebench_plugins.operators import partition


@attrs.frozen(kw_only=True)
class RankOptions:
    """Where the ranking is written."""

    path: str = ""


def rank(pipeline: Pipeline, context: Context) -> Pipeline:
    """Write all cuts with what they are predicted to add; cut at the first."""
    cuts = PipelineCuts(pipeline)
    listed = cuts.rank(find_rule("min-latency", cuts, 2, context)).places
    document = [
        {
            "tensor": "+".join(place.cut.names),
            "bytes": place.cut.sent,
            # What comes first tells exact cuts of a quantized graph from others.
            "exact": not place.costs[0],
            "predicted_s": place.costs[1],
        }
        for place in listed
    ]
    Path(context.options.path).write_text(json.dumps(document))
    return partition.cut_at(pipeline, cuts, listed[:1], context)


@hookimpl
def edgebench_operators() -> Iterator[Operator]:
    """Offer the operator."""
    yield Operator(
        name="rank-cuts",
        summary="Write how cuts are ranked, and cut at the best.",
        apply=rank,
        options=RankOptions,
        needs=["run", "profile", "placement", "links"],
        reads=["onnx"],
        writes="onnx",
        cuts=lambda _: 1,
        once=partition.CUT,
        accepts=partition.accepts,
    )
