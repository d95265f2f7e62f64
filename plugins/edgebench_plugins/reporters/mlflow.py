"""Results as runs of MLflow: one of the whole, and below it one for each case.

They go where MLflow's own variables say: `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench import EdgebenchError, Reporter, hookimpl
from edgebench_kit.reports.flat import list_flat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench import RunResults
    from edgebench_kit.reports.flat import Value

EXPERIMENT = "edgebench"
"""Where runs go if no variable names an experiment."""
MARK = "edgebench.run"
"""The tag by which a run is found again."""
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
"""Characters that MLflow takes."""
STATUSES = {"ok": "FINISHED", "skipped": "KILLED"}
"""How a case ended in MLflow's words; otherwise `FAILED`."""


def render(results: RunResults) -> str:
    """Log a run, unless it is there, and say where it is.

    Raises:
        EdgebenchError: MLflow's store does not take it.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return _log(mlflow.MlflowClient(), results.to_json())
    except (MlflowException, OSError) as error:
        uri = _hide_password(mlflow.get_tracking_uri())
        raise EdgebenchError(
            f"MLflow at {uri} does not take the run: {error}; MLFLOW_TRACKING_URI says where to log"
        ) from error


def _log(client: Any, document: Mapping[str, Any]) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        place = client.create_experiment(name, artifact_location=_find_place(client.tracking_uri))
    else:
        place = experiment.experiment_id
    # Ids are of the database's own making, unless they were imported.
    wanted = document["run"].replace("\\", "").replace('"', "")
    there = client.search_runs([place], f'tags.`{MARK}` = "{wanted}"', max_results=1)
    if there:
        return f"MLflow has run {document['run']} already: {there[0].info.run_id} in {name}\n"
    whole = client.create_run(place, run_name=document["run"], tags=dict(_list_tags(document)))
    whole_id = whole.info.run_id
    rows = list(list_flat(document))
    for row in rows:
        _log_case(client, place, whole_id, row)
    client.log_text(whole_id, json.dumps(document, indent=2, allow_nan=False), "edgebench.json")
    # Last, so that what was broken off is logged anew.
    client.set_tag(whole_id, MARK, wanted)
    client.set_terminated(whole_id)
    return f"logged run {document['run']} and {len(rows)} cases to MLflow: {whole_id} in {name}\n"


def _hide_password(uri: str) -> str:
    """Return where MLflow is, without who logs there."""
    scheme, slashes, rest = uri.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"


def _find_place(uri: str) -> str | None:
    """Return where files go: beside a local database, and not in the working directory."""
    path = uri.removeprefix("sqlite:///")
    return None if path == uri else (Path(path).resolve().parent / "mlartifacts").as_uri()


def _list_tags(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "edgebench.suite", document["suite"][:LONGEST_TAG]
    yield "edgebench.tag", document["tag"][:LONGEST_TAG]
    answers = "\n".join(decision["sentence"] for decision in document["decisions"])
    yield "mlflow.note.content", answers[:LONGEST_TAG]


def _log_case(client: Any, place: str, whole: str, row: Mapping[str, Value]) -> None:
    """Log one case: its figures as metrics, what it is as parameters, the rest as tags."""
    from mlflow.entities import Metric, Param, RunTag

    tags = {"mlflow.parentRunId": whole, "edgebench.case": str(row["id"])}
    name = f"{row['model']}:{row['variant']} {row['chain']} on {row['placement']}"
    run = client.create_run(place, run_name=name[:250], tags=tags).info.run_id
    now = int(time.time() * 1000)
    figures = {key: value for key, value in row.items() if isinstance(value, int | float)}
    words = {key: value for key, value in row.items() if isinstance(value, str) and value}
    told = {"reason", "doubts"}
    client.log_batch(
        run,
        metrics=[Metric(key, float(value), now, 0) for key, value in figures.items()],
        params=[
            Param(key, value[:LONGEST_PARAM]) for key, value in words.items() if key not in told
        ],
        tags=[
            RunTag(f"edgebench.{key}", value[:LONGEST_TAG])
            for key, value in words.items()
            if key in told
        ],
    )
    client.set_terminated(run, STATUSES.get(str(row["status"]), "FAILED"))


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the MLflow reporter."""
    yield Reporter(name="mlflow", summary="Runs of MLflow, a case each.", render=render)
