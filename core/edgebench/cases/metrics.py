"""The figures of merit that a case is scored by."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.cases.case import Case
from edgebench.cases.inputs import dataset_of
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.subjects import Dataset, Metric, Model


def metrics_of(case: Case, plugins: Plugins) -> Sequence[Metric]:
    """Return the metrics of a case's dataset, the one that decides first; none if it has none.

    Those of the record that a plugin offers: a host that scores need not have the directory that
    the user gave. Only a model that is a file says by its file and options what it is judged by.
    """
    if plugins.get(Model, case.model).inputs is not None and case.weights.path is not None:
        dataset = dataset_of(case, plugins)
        return dataset.metrics() if dataset else ()
    return plugins.get(Dataset, case.dataset).metrics() if case.dataset else ()
