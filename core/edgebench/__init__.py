"""Choose, by measurement, how a model should be deployed at the edge.

What is imported from here is public; the rest may change.
"""

from edgebench.case import Case
from edgebench.components import (
    Backend,
    Budget,
    Context,
    Converter,
    Dataset,
    ExitPoint,
    Fabric,
    Format,
    Host,
    HostFacts,
    Link,
    Metric,
    Model,
    NoOptions,
    Operator,
    Placement,
    Quantization,
    Reporter,
    Running,
    Sample,
    Session,
    Split,
    Tier,
    Trainer,
    Unreadable,
    Usable,
    Variant,
    Weights,
)
from edgebench.errors import CaseFailed, CaseSkipped, ChainError, DataError, EdgebenchError
from edgebench.hookspecs import hookimpl
from edgebench.npz import to_npz
from edgebench.pipeline import Edit, Exit, Pipeline, Stage, Tensors, TensorSpec
from edgebench.registry import Registry
from edgebench.results import Block, Result, Run, RunResults

API = (1, 0)
"""The version of the plugin interface: the first number rises when something is taken away."""

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
