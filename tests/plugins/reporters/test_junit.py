from __future__ import annotations

from xml.etree import ElementTree as ET

import attrs
import pytest

from edgebench.analysis.result import Result
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.junit import edgebench_reporters

EVIL = "</failure><img src=x>\x00\x1b[2J\ud800 & ]]>"


def read(results, **fields):
    (reporter,) = edgebench_reporters()
    text = reporter.render(run_of(results, **fields))
    return ET.fromstring(text.encode("utf-8"))  # noqa: S314 (our own)


@pytest.fixture
def root():
    statuses = ["skipped", "failed", "timeout", "partial"]
    others = [Result(case=case_of(one), status=one, reason=f"why {one}") for one in statuses]
    return read([result_of(case_of("plain")), *others])


def test_counts_are_those_of_what_is_there(root):
    (suite,) = root
    for element in (root, suite):
        assert {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "5", "failures": "3", "errors": "0", "skipped": "1",
        }  # fmt: skip
    assert len(suite.findall("testcase")) == 5
    assert len(suite.findall("testcase/failure")) == 3
    assert len(suite.findall("testcase/skipped")) == 1


def test_elements_stand_in_the_order_of_the_schema_with_what_it_requires(root):
    (suite,) = root
    order = [element.tag for element in suite]
    assert order == ["properties", *["testcase"] * 5, "system-out", "system-err"]
    assert set(suite.keys()) >= {"name", "timestamp", "hostname", "tests", "failures", "time"}
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    for case in suite.findall("testcase"):
        assert set(case.keys()) == {"name", "classname", "time"}
        assert [one.tag for one in case] in (["system-out"], ["skipped"], ["failure"])
    for failure in suite.iter("failure"):
        assert set(failure.keys()) == {"message", "type"}


def test_no_two_cases_have_one_name(root):
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == 5


def test_what_was_measured_and_why_to_doubt_it_stands_with_its_case(root):
    (out,) = root.findall("testsuite/testcase/system-out")
    assert out.text.startswith("median latency 2.002 ms (")
    assert "accuracy 98.00% (97.00% to 99.00%)" in out.text
    whole = root.find("testsuite/system-out").text
    assert whole.startswith("toy:small: the fastest that is shown")


def test_what_is_no_xml_is_written_as_in_a_source():
    case = attrs.evolve(case_of(), model=EVIL)
    root = read([Result(case=case, status="failed", reason=EVIL)], suite=EVIL, tag=EVIL)
    failure = root.find("testsuite/testcase/failure")
    assert failure.text == "</failure><img src=x>\\u0000\\u001b[2J\\ud800 & ]]>"
    assert len(list(root.iter())) == 9


def test_an_empty_run_is_an_empty_suite():
    assert read([]).get("tests") == "0"
