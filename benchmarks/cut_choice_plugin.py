"""What `cut_choice.py` asks with: `rank-cuts` does as `min-latency` and tells its predictions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import attrs

from edgebench import Context, Operator, Pipeline, hookimpl
from edgebench_kit.onnx.cut_rules import find_sizes, predict_latency
from edgebench_kit.onnx.pipeline_cuts import PipelineCuts
from edgebench_plugins.operators import partition


@attrs.frozen(kw_only=True)
class RankOptions:
    """Where the ranking is written."""

    path: str = ""


def rank(pipeline: Pipeline, context: Context) -> Pipeline:
    """Write what all cuts, and none, are predicted to add; cut at the first."""
    cuts = PipelineCuts(pipeline, find_sizes(context))
    prediction = predict_latency(cuts, context)
    listed = cuts.rank(prediction.predict).places
    ranked = [
        {
            "tensor": "+".join(place.cut.names),
            "bytes": place.cut.sent,
            # What comes first tells exact cuts of a quantized graph from others.
            "exact": not place.costs[0],
            "predicted_s": place.costs[1],
        }
        for place in listed
    ]
    whole = dict(zip(context.placement.tiers, prediction.predict_whole(), strict=True))
    Path(context.options.path).write_text(json.dumps({"cuts": ranked, "whole": whole}))
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
