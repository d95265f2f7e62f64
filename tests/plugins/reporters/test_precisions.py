"""What every report says of a backend that does not compute in f32."""

from __future__ import annotations

import attrs
import pytest

from edgebench.records.facts import StageFacts
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters import html, markdown, terminal

HEAD, LINE = "What is not computed in f32", "fast computes in f16"


def write_html(results):
    (one,) = html.edgebench_reporters()
    return one.render(results)


def write_markdown(results):
    (one,) = markdown.edgebench_reporters()
    return one.render(results)


def write_terminal(results):
    from rich.console import Console

    console = Console(width=100)
    with console.capture() as caught:
        console.print(next(iter(terminal.edgebench_reporters())).render(results))
    return caught.get()


@pytest.mark.parametrize(
    "write",
    [pytest.param(write_html, marks=pytest.mark.framework), write_markdown, write_terminal],
)
@pytest.mark.parametrize(
    ("kept", "precision", "said"),
    [("f32", "f16", True), ("f32", "f32", False), ("f16", "f16", False), ("int8", "int8", False)],
)
def test_each_report_says_what_a_backend_computes_in(write, kept, precision, said):
    found = result_of(case_of("plain", backend="fast"))
    stages = [attrs.evolve(one, precision=kept) for one in found.facts.stages]
    stages = stages or [StageFacts(tier="mobile", precision=kept)]
    found = attrs.evolve(found, facts=attrs.evolve(found.facts, precision=precision, stages=stages))
    written = write(run_of([found]))
    assert (HEAD in written, LINE in written) == (said, said)
