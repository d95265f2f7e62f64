"""What a run says of accuracy, by the margin that it is told."""

from __future__ import annotations

import pytest

TOYS = (
    *("run", "--json", "--model", "toy", "--backend", "toy-numpy", "--placement", "mobile"),
    *("--operator", "identity", "--operator", "toy-cut+toy-round", "--operator", "toy-round"),
    *("--blocks", "2", "--requests", "3"),
)


@pytest.fixture
def losses(cli, toy, tmp_path):
    """Run the toys, and return the document and the losses by chain."""

    def run(*words):
        said = cli(*TOYS, *words, "--plugin", toy, "--db", tmp_path / "kept.db")
        assert said.status == 0, said.err
        cases = said.json["cases"]
        found = {
            case["chain"]: case["accuracy_loss"]["accuracy"] for case in cases if case["blocks"]
        }
        return said.json, found

    return run


def test_a_suites_margin_is_a_point_and_few_labels_show_nothing_of_it(losses, here, tmp_path):
    """The toy has 60 labels: without a difference 6 points are open."""
    document, found = losses()
    assert document["accuracy_margin"] == 1.0
    assert found["identity"]["verdict"] == "shown"  # against itself
    assert found["identity"]["ci95"] == [0, 0]
    rounded = found["toy-round"]
    assert (rounded["verdict"], rounded["margin"], rounded["labels"]) == ("open", 1.0, 60)
    assert rounded["open_points"] == rounded["ci95"][1] > 6
    assert rounded["labels_needed"] > 300
    (decision,) = document["decisions"]
    cases = {case["id"]: case["chain"] for case in document["cases"]}
    assert "toy-round" in [cases[one] for one in decision["open"]]
    assert cases.get(decision["fastest"]) in (None, "identity")
    said = " ".join(here("report", "--db", str(tmp_path / "kept.db")).out.split())
    assert "lies under 1 point;" in said

    wider, found = losses("--margin", "accuracy=20")
    assert wider["accuracy_margin"] == 20.0
    assert wider["plan_digest"] != document["plan_digest"]  # none goes on with the other
    assert found["toy-round"]["verdict"] == "shown"
    assert found["toy-round"]["points"] == rounded["points"]
    said = " ".join(here("report", "--db", str(tmp_path / "kept.db")).out.split())
    assert "lies under 20 points;" in said


def test_a_case_measured_again_is_judged_as_it_was(losses, cli, toy, tmp_path):
    document, _ = losses("--margin", "accuracy=20")
    chosen = next(case["id"] for case in document["cases"] if case["chain"] == "toy-round")
    again = cli("run", "--json", "--case", chosen, "--plugin", toy, "--db", tmp_path / "kept.db")
    assert again.json["accuracy_margin"] == 20.0


def test_a_suite_shows_its_margin(here):
    assert here("show", "suite", "quickstart", "--json").json["accuracy_margin"] == 3
