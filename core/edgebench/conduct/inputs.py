"""What results say of a case's inputs: what they are, and why they give no accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench.cases.case import Case
from edgebench.cases.inputs import find_dataset
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.subjects import Model

if TYPE_CHECKING:
    from edgebench.conduct.deployments import Deployments


def why_no_accuracy(case: Case, deployments: Deployments) -> str:
    """Return why a case has no accuracy in a run; empty if it has one."""
    plugins = deployments.plugins
    if deployments.plan.study.copies > 1:
        return "not scored, as copies of one case are measured for latency alone"
    if case.weights.kind == "random":
        return "random weights"
    dataset = find_dataset(case, plugins)
    if dataset is None:
        return "no labelled inputs"
    if own := _stood_in_for(case, plugins):
        return f"inputs of {case.dataset} stand in for {own}; give --data {own}=DIR"
    if not dataset.metrics():
        given = "no metric is asked for" if case.data is not None else "no labelled inputs"
        return f"{case.dataset} has no metric" if case.dataset else given
    return ""


def _stood_in_for(case: Case, plugins: Plugins) -> str:
    """Return the dataset whose place a case's takes; empty if that is one of its model's."""
    model = plugins.get(Model, case.model)
    if not case.dataset or case.dataset in model.datasets_of(case.variant):
        return ""
    return model.dataset_of(case.variant)


def describe_inputs(case: Case, plugins: Plugins) -> str:
    """Say in words what a case's requests are made of."""
    dataset = find_dataset(case, plugins)
    if dataset is None:
        return "random inputs"
    notes = ["synthetic"] if dataset.synthetic else []
    notes += [dataset.payloads] if dataset.payloads else []
    if own := _stood_in_for(case, plugins):
        notes.append(f"stands in for {own}")
    return dataset.name + (f" ({', '.join(notes)})" if notes else "")
