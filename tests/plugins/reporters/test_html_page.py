"""The page in a real browser, without a network: it draws, sorts, filters, and changes its colours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import attrs
import pytest

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.html import edgebench_reporters

pytestmark = [pytest.mark.browser, pytest.mark.framework]

EVIL = "</script><img src=x onerror=alert(1)>"
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def browser(process) -> Iterator[object]:
    if CHROMIUM is None:
        why = "chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra 'test' has playwright")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    cases = [("identity", ("mobile",), 8.0, 0.0), ("shrink", ("mobile",), 4.0, 0.002),
             ("shrink+cut", ("mobile", "edge"), 6.0, 0.002), ("careless", ("edge",), 3.5, 0.04)]  # fmt: skip
    results = [
        result_of(case_of(chain, *tiers), median_s=ms / 1e3, loss=loss, value=0.98 - loss, seed=at)
        for at, (chain, tiers, ms, loss) in enumerate(cases)
    ]
    results.append(result_of(attrs.evolve(case_of("identity"), model=EVIL), median_s=5e-3))
    results.append(Result(case=case_of("broken"), status="failed", reason=EVIL))
    (reporter,) = edgebench_reporters()
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_text(reporter.render(run_of(results, suite="toys", tag=EVIL)), encoding="utf-8")
    return path


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=str)
def page(browser, report, request):
    """The page when all is drawn; whatever its console says or it asks of a network is an error."""
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    opened, complaints = context.new_page(), []
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on(
        "request",
        lambda asked: complaints.append(asked.url) if not asked.url.startswith("file:") else None,
    )
    opened.goto(report.as_uri())
    opened.wait_for_selector("html[data-drawn=all]")
    yield opened
    context.close()
    assert complaints == []


def listed(page):
    """The strategies of the rows that are shown, in order."""
    return page.evaluate(
        """[...document.querySelectorAll("#table tbody tr")].filter((row) => !row.hidden)
            .map((row) => row.cells[2].firstChild.textContent.trim())"""
    )


def heads(page):
    return page.eval_on_selector_all("#table th", "all => all.map((one) => one.textContent)")


def colours(page, name):
    """How many pixels of each colour a chart shows, in red, green and blue."""
    return page.evaluate(
        """(name) => {
            const seen = new Map();
            const walk = (node) => {
                if (node.tagName === "CANVAS" && node.width * node.height) {
                    const data = node.getContext("2d").getImageData(0, 0, node.width, node.height).data;
                    for (let at = 0; at < data.length; at += 4) {
                        if (data[at + 3] > 100) {
                            const colour = data.slice(at, at + 3).join();
                            seen.set(colour, (seen.get(colour) ?? 0) + 1);
                        }
                    }
                }
                for (const child of node.children) walk(child);
                if (node.shadowRoot) walk(node.shadowRoot);
            };
            walk(document.getElementById(name));
            return Object.fromEntries(seen);
        }""",
        name,
    )


def settle(page):
    """Wait until what was asked to be drawn is painted."""
    page.evaluate("new Promise((done) => setTimeout(done, 400))")


def test_the_charts_are_there_and_the_page_is_no_wider_than_its_window(page):
    settle(page)
    for name in ("tradeoff-0", "blocks-0", "parts-0", "tradeoff-1"):
        assert sum(colours(page, name).values()) > 2000, name
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(fits)


def test_texts_of_a_run_are_texts(page):
    assert page.locator("img").count() == 0
    assert page.locator("h3", has_text=EVIL).count() >= 2
    assert EVIL in page.inner_text("header")
    assert EVIL in page.inner_text("#unmeasured")


def test_a_head_sorts_by_its_column_both_ways_and_what_has_no_figure_stands_last(page):
    assert listed(page)[:4] == ["careless", "shrink", "shrink+cut", "identity"]
    at = heads(page).index("median ms")
    button = page.locator("#table th button").nth(at)
    button.focus()
    page.keyboard.press("Enter")
    assert listed(page) == ["careless", "shrink", "identity", "shrink+cut", "identity", "broken"]
    assert page.locator("#table th").nth(at).get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert listed(page) == ["identity", "shrink+cut", "identity", "shrink", "careless", "broken"]
    assert page.locator("#table th").nth(at).get_attribute("aria-sort") == "descending"
    assert page.locator("#table th[aria-sort]").count() == 1


def test_words_and_choices_filter_and_the_count_is_said(page):
    page.fill("#search", "shrink EDGE")
    assert listed(page) == ["shrink+cut"]
    assert page.inner_text("#count") == "1 of 6 cases"
    page.fill("#search", "")
    page.select_option("[data-filter=status]", "failed")
    assert listed(page) == ["broken"]
    page.select_option("[data-filter=model]", f"{EVIL}:small")
    assert listed(page) == []
    page.click("button[type=reset]")
    page.get_by_text("6 of 6 cases").wait_for()
    assert len(listed(page)) == 6


def test_the_switch_changes_the_colours_of_page_and_charts(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for theme in ("light", "dark"):
        page.select_option("#theme", theme)
        settle(page)
        ink = page.evaluate("getComputedStyle(document.body).color.match(/\\d+/g).join()")
        painted = colours(page, "blocks-0")
        assert painted[ink] > 100
        seen[theme] = (page.evaluate(ground), ink)
    assert seen == {
        "light": ("rgb(255, 255, 255)", "27,32,38"),
        "dark": ("rgb(20, 23, 28)", "228,232,238"),
    }


def test_it_prints_with_all_charts_and_all_rows(page):
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(page.pdf(format="A4")) > 50_000
    assert not page.is_visible("#theme")
    page.emulate_media(media="screen")
