"""The records that hooks yield: one frozen record a hook.

A record has a `name`, a one-sentence `summary`, and callables that do the heavy work later; its
name, its summary and its main callable are all that it requires. Nothing here imports a framework,
and no callable is called while parts are being listed.
"""

from edgebench.components.changes import (
    NEEDS,
    Context,
    Converter,
    Format,
    Operator,
    Split,
    Trainer,
)
from edgebench.components.common import NAME, Component, NoOptions, Usable
from edgebench.components.places import (
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
from edgebench.components.subjects import (
    SPLITS,
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

__all__ = [
    "NAME",
    "NEEDS",
    "SPLITS",
    "Backend",
    "Budget",
    "Component",
    "Context",
    "Converter",
    "Dataset",
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
    "Placement",
    "Quantization",
    "Reporter",
    "Running",
    "Sample",
    "Session",
    "Split",
    "Tier",
    "Trainer",
    "Unreadable",
    "Usable",
    "Variant",
    "Weights",
]
