from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import attrs
import pytest

from edgebench import Link
from edgebench.analysis.result import Result
from edgebench.records.facts import StageFacts
from edgebench.testing.results import block_of, case_of, facts_of, result_of, run_of
from edgebench_plugins.reporters.html import edgebench_reporters

pytestmark = pytest.mark.framework

EVIL = "</script><img src=x onerror=alert(1)>"


def page_of(*results, **fields):
    (reporter,) = edgebench_reporters()
    return reporter.render(run_of(results, **fields))


class Page(HTMLParser):
    """What a page holds: its texts, its scripts, and every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.texts, self.inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self.inside = tag
            self.scripts.append((dict(attributes) if tag == "script" else None, ""))

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data):
        if self.inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        else:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def find(self, tag, **attributes):
        wanted = attributes.items()
        return [has for name, has in self.tags if name == tag and wanted <= has.items()]

    @property
    def items(self):
        """The charts, by name."""
        scripts = [(has, text) for has, text in self.scripts if has and "data-chart" in has]
        return {has["data-chart"]: json.loads(text) for has, text in scripts}


@pytest.fixture(scope="module")
def results():
    plain = result_of(case_of("identity"), median_s=8e-3, seed=1)
    fast = result_of(case_of("shrink", "mobile", "edge"), median_s=4e-3, value=0.97, seed=2)
    return [plain, fast, Result(case=case_of("c"), status="failed", reason="no way")]


@pytest.fixture(scope="module")
def page(results):
    return Page(page_of(*results, tag="mine"))


def test_the_answer_stands_before_everything_else(page):
    answer = page.text.index(
        "The fastest that is shown to keep its accuracy is shrink on mobile-edge"
    )
    assert "times as fast" not in page.text[:answer]
    assert answer < page.text.index("as fast as doing nothing: identity on mobile")
    assert answer < page.text.index("accuracy against latency") < page.text.rindex("All cases")


def test_there_are_the_charts_of_a_model_and_their_figures_as_tables(page):
    assert set(page.items) == {"tradeoff-0", "blocks-0", "parts-0"}
    assert {has["id"] for has in page.find("div", role="group")} == set(page.items)
    assert page.text.count("The same as a table") == 3


def test_every_case_has_its_row_and_those_that_failed_their_reasons(page, results):
    assert len(page.find("tr", **{"data-model": "toy:small"})) == len(results)
    assert "1 failed: no way (toy:small c on mobile with eager)" in page.text


def test_it_says_how_tiers_and_links_were_made_and_on_what(page):
    assert "cpu emulated: waits 1 x each computation, memory not enforced" in page.text
    assert "mobile to edge: 100 Mbit/s and a delay of 1 ms claimed" in page.text
    assert "A Processor" in page.text


def test_doubts_are_gathered_by_cause_with_their_counts():
    doubted = []
    for chain in "abc":
        result = result_of(case_of(chain), median_s=1e-2)
        blocks = [attrs.evolve(one, machine={"busy": 0.9, "steal": 0.0}) for one in result.blocks]
        doubted.append(attrs.evolve(result, blocks=blocks))
    text = Page(page_of(*doubted)).text
    doubts = text.partition("Reasons to doubt")[2]
    assert "machine 3 cases" in doubts
    assert doubts.count("other programs took up to 90% of the processor time") == 1


def test_nothing_is_fetched_and_no_script_runs_but_the_two_that_are_named(page):
    (policy,) = [
        has["content"] for has in page.find("meta", **{"http-equiv": "Content-Security-Policy"})
    ]
    assert policy.startswith("default-src 'none'; ")
    allowed = re.findall(r"'(sha256-[^']+)'", policy)
    running = [text for has, text in page.scripts if has is not None and "type" not in has]
    digests = [hashlib.sha256(text.encode()).digest() for text in running]
    assert [f"sha256-{base64.b64encode(one).decode()}" for one in digests] == allowed
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy
    sources = {
        value for _, has in page.tags for key, value in has.items() if key in ("src", "href")
    }
    assert {source for source in sources if not source.startswith("#")} == set()


def test_the_script_is_that_of_the_package_with_its_licence():
    text = page_of(result_of(case_of()))
    licence = files("bokeh").joinpath("LICENSE.txt").read_text("utf-8")
    assert licence in text
    script = files("bokeh").joinpath("server", "static", "js", "bokeh.min.js").read_text("utf-8")
    assert script[-2000:].strip() in text


def test_what_is_in_a_run_is_shown_as_text_wherever_it_comes_from():
    case = attrs.evolve(case_of("identity"), model=EVIL)
    named = result_of(attrs.evolve(case, chain=EVIL), seed=1)
    doubted = attrs.evolve(
        result_of(case, seed=2), facts=attrs.evolve(facts_of(case), doubts=(EVIL,), inputs=EVIL)
    )
    failed = Result(case=attrs.evolve(case, chain="x"), status="failed", reason=EVIL)
    text = page_of(
        named, doubted, failed, tag=EVIL, suite=EVIL, arguments=(EVIL,), environment={EVIL: EVIL}
    )
    page = Page(text)
    assert page.find("img") == []
    assert "alert(1)>" not in text
    assert page.text.count(EVIL) > 12
    # Two charts name strategies by their chain; what they are given is the text itself.
    assert any(EVIL in json.dumps(item) for item in page.items.values())


def test_it_keeps_within_three_megabytes_with_a_hundred_strategies():
    many = [
        result_of(case_of(f"c{n}", backend="x" * 40), median_s=(n + 1) / 1e3, blocks=2)
        for n in range(100)
    ]
    text = page_of(*many)
    assert len(text.encode()) < 3e6
    assert "60 more are in the table" in text


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], "This run has no cases."),
        ([Result(case=case_of(), status="failed", reason="no way")], "Nothing was measured"),
    ],
)
def test_where_nothing_was_measured_there_is_a_page_without_charts(results, said):
    text = page_of(*results)
    assert said in text
    assert "Anaconda" not in text
    assert len(text) < 50_000


def test_without_accuracy_size_is_held_against_latency():
    sized = [
        attrs.evolve(
            result_of(case_of(f"c{n}"), median_s=n / 1e3),
            facts=attrs.evolve(facts_of(case_of()), figures=(), no_accuracy="random weights"),
        )
        for n in (1, 2)
    ]
    assert "Size against latency" in page_of(*sized)


def test_a_block_that_failed_is_not_drawn_and_a_case_of_one_block_is():
    case = case_of("identity")
    lost = attrs.evolve(block_of(case, 1), status="failed", reason="x", latency_s=None, phases_s={})
    partial = Result(case=case, status="partial", planned=2, blocks=(block_of(case), lost),
                     facts=facts_of(case))  # fmt: skip
    page = Page(page_of(partial))
    assert "blocks-0" in page.items


def test_several_settings_of_a_link_are_drawn_with_the_point_where_the_best_changes():
    results = [result_of(case_of("identity"), median_s=0.1)]
    for rate in (1e6, 1e8):
        case = case_of("identity", "cloud")
        links = [Link(between=link.between, rate=rate, delay=0.001) for link in case.links]
        case = attrs.evolve(case, links=links)
        results.append(result_of(case, median_s=0.01 + 1e6 / rate, spread=1e-9))
    page = Page(page_of(*results))
    assert "sweep-0" in page.items
    assert "from about 11.1 Mbit/s on that of identity on cloud with eager" in page.text
    assert page.text.count("mobile-cloud 1 Mbit/s 1 ms") == 1


def test_several_cuts_are_drawn_as_a_curve():
    results = []
    for at in (1, 2, 3):
        result = result_of(case_of(f"cut(at={at})", "mobile", "edge"), median_s=at / 100)
        stages = [
            StageFacts(tier="mobile", operations=at),
            StageFacts(tier="edge", operations=4 - at),
        ]
        results.append(attrs.evolve(result, facts=attrs.evolve(result.facts, stages=tuple(stages))))
    page = Page(page_of(*results))
    assert "cuts-0" in page.items
    assert "the lowest is #1 cut(at=1), with 25.0 % of the work on the first tier" in page.text


def test_what_the_page_is_made_of_ships_with_the_package():
    templates = files("edgebench_kit.html").joinpath("templates")
    assert {one.name for one in templates.iterdir()} == {
        "macros.html", "report.css", "report.html", "report.js",
    }  # fmt: skip
