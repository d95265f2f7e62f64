"""Choose, by measurement, how a model should be deployed at the edge.

What is imported from here is public; the rest may change.
"""

import importlib
import typing

from edgebench.parts.changes import Context, Converter, Format, Operator, Split, Trainer
from edgebench.parts.component import NoOptions, Usable
from edgebench.parts.errors import CaseFailed, CaseSkipped, ChainError, DataError, EdgebenchError
from edgebench.parts.hookspecs import API, hookimpl
from edgebench.parts.npz import to_npz
from edgebench.parts.pipeline import Edit, Exit, Pipeline, Stage, Tensors, TensorSpec
from edgebench.parts.places import (
    Backend,
    Fabric,
    Host,
    HostFacts,
    Link,
    Placement,
    Quantization,
    Reporter,
    Running,
    Session,
    Tier,
)
from edgebench.parts.subjects import (
    Budget,
    Dataset,
    ExitPoint,
    Metric,
    Model,
    Sample,
    Unreadable,
    Variant,
    Weights,
)

if typing.TYPE_CHECKING:
    from edgebench.analysis.result import Result
    from edgebench.analysis.results import RunResults
    from edgebench.cases.case import Case
    from edgebench.catalogue.registry import Registry
    from edgebench.records.outcomes import Block, Run

__all__ = [
    "API",
    "Backend",
    "Block",
    "Budget",
    "Case",
    "CaseFailed",
    "CaseSkipped",
    "ChainError",
    "Context",
    "Converter",
    "DataError",
    "Dataset",
    "EdgebenchError",
    "Edit",
    "Exit",
    "ExitPoint",
    "Fabric",
    "Format",
    "Host",
    "HostFacts",
    "Link",
    "Metric",
    "Model",
    "NoOptions",
    "Operator",
    "Pipeline",
    "Placement",
    "Quantization",
    "Registry",
    "Reporter",
    "Result",
    "Run",
    "RunResults",
    "Running",
    "Sample",
    "Session",
    "Split",
    "Stage",
    "TensorSpec",
    "Tensors",
    "Tier",
    "Trainer",
    "Unreadable",
    "Usable",
    "Variant",
    "Weights",
    "hookimpl",
    "to_npz",
]

_LATER = {
    "Block": "records.outcomes",
    "Case": "cases.case",
    "Registry": "catalogue.registry",
    "Result": "analysis.result",
    "Run": "records.outcomes",
    "RunResults": "analysis.results",
}
"""By its name, the module of what is imported only when it is asked for: plugins name these in
types, if at all, and neither `--help` nor `list` need wait for them."""

if not typing.TYPE_CHECKING:  # A checker that saw these would take any name for one of ours.

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})
