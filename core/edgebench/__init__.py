"""Choose, by measurement, how a model should be deployed at the edge.

What is imported from here is public; the rest may change. A name imported `as` itself is exported:
type checkers need no second list.
"""

from edgebench.analysis.result import Result as Result
from edgebench.analysis.results import RunResults as RunResults
from edgebench.cases.case import Case as Case
from edgebench.catalogue.registry import Registry as Registry
from edgebench.parts.changes import (
    Context as Context,
    Converter as Converter,
    Format as Format,
    Operator as Operator,
    Split as Split,
    Trainer as Trainer,
)
from edgebench.parts.component import NoOptions as NoOptions, Usable as Usable
from edgebench.parts.errors import (
    CaseFailed as CaseFailed,
    CaseSkipped as CaseSkipped,
    ChainError as ChainError,
    DataError as DataError,
    EdgebenchError as EdgebenchError,
)
from edgebench.parts.hookspecs import API as API, hookimpl as hookimpl
from edgebench.parts.npz import to_npz as to_npz
from edgebench.parts.pipeline import (
    Edit as Edit,
    Exit as Exit,
    Pipeline as Pipeline,
    Stage as Stage,
    Tensors as Tensors,
    TensorSpec as TensorSpec,
)
from edgebench.parts.places import (
    Backend as Backend,
    Fabric as Fabric,
    Host as Host,
    HostFacts as HostFacts,
    Link as Link,
    Placement as Placement,
    Quantization as Quantization,
    Reporter as Reporter,
    Running as Running,
    Session as Session,
    Tier as Tier,
)
from edgebench.parts.subjects import (
    Budget as Budget,
    Dataset as Dataset,
    ExitPoint as ExitPoint,
    Metric as Metric,
    Model as Model,
    Sample as Sample,
    Unreadable as Unreadable,
    Variant as Variant,
    Weights as Weights,
)
from edgebench.records.outcomes import Block as Block, Run as Run
