"""Results as JUnit's XML, a case a test case, as continuous integration shows them.

JUnit has no standard; this keeps to what its readers share (elements, attributes and their order in
the schema of the Apache Ant task, https://github.com/windyroad/JUnit-Schema), and adds the
attribute and element `skipped`, which they all know.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from edgebench import Reporter, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench import Result, RunResults

DECLARED = '<?xml version="1.0" encoding="UTF-8"?>'
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no document of XML 1.0 may hold, escaped or not (section 2.2)."""


def render(results: RunResults) -> str:
    """Return the suite of a run: skipped cases are skipped, all others but `ok` are failures."""
    run = results.run
    found = Counter(result.status for result in results.results)
    counts = {
        "tests": str(len(results.results)),
        "failures": str(found.total() - found["ok"] - found["skipped"]),
        "errors": "0",
        "skipped": str(found["skipped"]),
        "time": f"{sum(map(_find_duration, results.results)):.3f}",
    }
    name = _fit(run.suite or "edgebench")
    root = ET.Element("testsuites", {"name": name, **counts})
    # The schema's time has no zone; ours is UTC.
    more = {"timestamp": run.started.partition("+")[0], "hostname": "localhost"}
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts, **more})
    properties = ET.SubElement(suite, "properties")
    for key, value in (("run", run.id), ("tag", run.tag)):
        ET.SubElement(properties, "property", name=key, value=_fit(value))
    for result in results.results:
        _add_case(suite, result)
    answers = "\n".join(decision.sentence for decision in results.decisions)
    ET.SubElement(suite, "system-out").text = _fit(answers)
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    return f"{DECLARED}\n{ET.tostring(root, encoding='unicode')}\n"


def _add_case(suite: ET.Element, result: Result) -> None:
    case = result.case
    name = f"{case.chain} on {case.placement} with {case.backend} [{case.id}]"
    added = ET.SubElement(
        suite, "testcase", classname=_fit(case.subject), name=_fit(name),
        time=f"{_find_duration(result):.3f}",
    )  # fmt: skip
    if result.status == "skipped":
        ET.SubElement(added, "skipped", message=_fit(result.reason))
    elif result.status != "ok":
        failure = ET.SubElement(added, "failure", message=_fit(result.reason), type=result.status)
        failure.text = _fit(result.reason)
    if lines := list(_describe(result)):
        ET.SubElement(added, "system-out").text = _fit("\n".join(lines))


def _find_duration(result: Result) -> float:
    """Return the seconds that its blocks took."""
    return sum(block.duration_s for block in result.blocks)


def _describe(result: Result) -> Iterator[str]:
    """Yield what was measured, then why to doubt it."""
    if result.latency is not None:
        low, high = result.latency.interval()
        yield (
            f"median latency {result.latency.median * 1e3:.4g} ms "
            f"({low * 1e3:.4g} to {high * 1e3:.4g}), {result.samples} requests"
        )
    for figure in result.facts.figures:
        low, high = figure.ci95
        yield f"{figure.metric} {figure.value:.2%} ({low:.2%} to {high:.2%})"
    yield from (f"doubt: {text}" for text in result.doubts)


def _fit(text: str) -> str:
    """Return a text that XML can hold: what it cannot is written as in a source."""
    return NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the JUnit reporter."""
    yield Reporter(name="junit", summary="JUnit's XML, a case a test case.", render=render)
