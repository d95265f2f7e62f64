"""Against a real store of MLflow, in a database on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgebench import EdgebenchError
from edgebench.analysis.result import Result
from edgebench.catalogue.registry import Registry
from edgebench.testing.results import case_of, result_of, run_of
from edgebench_plugins.reporters.mlflow import edgebench_reporters

pytestmark = [
    pytest.mark.framework,
    # What MLflow and what it stands on do of their own accord.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def client(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: the extra 'mlflow'")
    for name, value in Registry.read().plugins["mlflow"].silence.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/kept/mlflow.db")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    (tmp_path / "kept").mkdir()
    return mlflow.MlflowClient()


def log(*results, **fields):
    (reporter,) = edgebench_reporters()
    return reporter.render(run_of(results, **fields))


def runs_of(client, name="edgebench"):
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    whole = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    return whole, [run for run in runs if run not in whole]


def test_a_run_and_its_cases_are_there(client, tmp_path):
    measured = result_of(case_of("shrink"))
    said = log(measured, Result(case=case_of("b"), status="failed", reason="no way"), tag="mine")
    (whole,), cases = runs_of(client)
    assert f"2 cases to MLflow: {whole.info.run_id}" in said
    assert whole.data.tags["edgebench.tag"] == "mine"
    assert whole.data.tags["mlflow.note.content"].startswith("toy:small: ")
    by_chain = {run.data.params["chain"]: run for run in cases}
    assert by_chain["shrink"].data.metrics["latency_median_s"] == measured.median
    assert by_chain["shrink"].info.status == "FINISHED"
    assert by_chain["b"].data.tags["edgebench.reason"] == "no way"
    assert by_chain["b"].info.status == "FAILED"
    assert {run.data.tags["mlflow.parentRunId"] for run in cases} == {whole.info.run_id}
    kept = Path(client.download_artifacts(whole.info.run_id, "edgebench.json"))
    assert len(json.loads(kept.read_text(encoding="utf-8"))["cases"]) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "kept"]


def test_a_run_is_logged_once(client):
    log(result_of(case_of()))
    assert "already" in log(result_of(case_of()))
    (_,), cases = runs_of(client)
    assert len(cases) == 1


def test_the_experiment_is_the_one_that_is_named(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    log(result_of(case_of()))
    assert len(runs_of(client, "ours")[0]) == 1


def test_a_store_that_is_none_is_one_line(client, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "ftp://nowhere")
    with pytest.raises(EdgebenchError, match="MLFLOW_TRACKING_URI says where"):
        log(result_of(case_of()))
