from __future__ import annotations

import re

import attrs
import pytest
from markdown_it import MarkdownIt

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.markdown import edgebench_reporters

EVIL = "</script><img src=x onerror=alert(1)> | `a` *b* [c](http://d) #1 @you\n# head $x$ ~~y~~"


def markdown_of(results, **fields):
    (reporter,) = edgebench_reporters()
    return reporter.render(run_of(results, **fields))


def rendered(text):
    """What a reader of Markdown makes of it; embedded HTML is kept, as GitHub keeps some."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)


@pytest.fixture
def results():
    plain = result_of(case_of("identity"), median_s=8e-3, seed=1)
    fast = result_of(case_of("shrink"), median_s=4e-3, seed=2)
    return [plain, fast, Result(case=case_of("c"), status="failed", reason="no way")]


def test_the_answer_stands_first_with_what_is_gained(results):
    text = markdown_of(results)
    first = text.split("\n\n")[1]
    assert first.startswith(
        "**toy:small**: the fastest that is shown to keep its accuracy is shrink"
    )
    assert re.search(r"\*\*It is 2 times \([\d.]+ to 2\.\d+\) as fast as doing nothing", first)


def test_tables_are_tables_with_a_row_a_strategy(results):
    html = rendered(markdown_of(results))
    assert html.count("<table>") == 1
    assert html.count("<tr>") == 3
    assert html.index("shrink<br>mobile") < html.index("identity<br>mobile")


def test_what_failed_is_folded_away_with_its_reason(results):
    html = rendered(markdown_of(results))
    assert "<details><summary>Not measured, or not to the end</summary>" in html
    assert "<li>1 failed: no way (toy:small c on mobile with eager)</li>" in html


def test_what_users_wrote_is_shown_as_it_is():
    case = attrs.evolve(case_of("identity"), model=EVIL)
    failed = Result(case=attrs.evolve(case, chain=EVIL), status="failed", reason=EVIL)
    html = rendered(markdown_of([result_of(case), failed], suite=EVIL, tag=EVIL))
    assert "@you" not in html
    html = html.replace("\u200b", "")
    tags = set(re.findall(r"<(/?\w+)", html))
    assert not tags & {"img", "script", "/script", "a", "em", "code", "h1", "s"}
    shown = (
        "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; | `a` *b* [c](http://d) #1 @you # head"
    )
    assert html.count(shown) >= 5


def test_a_run_without_results_says_so():
    assert "This run has no cases." in markdown_of([])
    failed = Result(case=case_of(), status="failed", reason="no way")
    assert "Nothing was measured to the end." in markdown_of([failed])


def test_of_many_strategies_the_first_are_listed():
    many = [result_of(case_of(f"c{n}"), median_s=(n + 1) / 1e3, blocks=2) for n in range(32)]
    text = markdown_of(many)
    assert rendered(text).count("<tr>") == 31
    assert "2 more strategies have higher medians." in text
