"""What this listener notes of a run."""

import json

from edgebench.testing.results import case_of, result_of

import edgebench_new_name


def test_each_case_is_noted_as_it_starts_and_as_it_ends(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEBENCH_NOTES", str(tmp_path / "notes.jsonl"))
    case = case_of()
    result = result_of(case, median_s=2e-3)
    edgebench_new_name.edgebench_case_started(case)
    edgebench_new_name.edgebench_case_finished(case, result)
    started, finished = map(json.loads, (tmp_path / "notes.jsonl").read_text().splitlines())
    assert started == {"case": case.id, "label": case.label, "status": "started"}
    assert finished["status"] == "ok"
    assert 1.9e-3 < finished["s"] < 2.1e-3


def test_nothing_is_noted_where_no_file_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("EDGEBENCH_NOTES", raising=False)
    monkeypatch.chdir(tmp_path)
    edgebench_new_name.edgebench_case_started(case_of())
    assert not list(tmp_path.iterdir())
