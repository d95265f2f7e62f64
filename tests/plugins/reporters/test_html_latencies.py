from __future__ import annotations

import attrs
import numpy as np
import pytest

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of
from edgebench_kit.html import latencies


@pytest.mark.framework
def test_latencies_that_are_all_equal_are_drawn_in_a_range_with_a_width(monkeypatch):
    plots = []
    finish = latencies.finish
    monkeypatch.setattr(
        latencies, "finish", lambda plot, name: plots.append(plot) or finish(plot, name)
    )
    made = result_of(case_of())
    blocks = [attrs.evolve(one, latency_s=np.full(100, 2e-3)) for one in made.blocks]
    result = Result(case=made.case, status="ok", planned=3, blocks=tuple(blocks), facts=made.facts)
    document = {**result.to_json(), "subject": "toy:small"}
    key = made.case.id
    assert latencies.draw_blocks("blocks", [document], {key: result}, {key: 1}) is not None
    (plot,) = plots
    assert plot.x_range.start < 2.0 < plot.x_range.end
