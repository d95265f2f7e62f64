"""Choose, by measurement, how a model should be deployed at the edge.

What is imported from here is public; the rest may change. A name imported `as` itself is exported:
type checkers need no second list.
"""

import importlib
import typing

from edgebench.parts.changes import (
    Contents as Contents,
    Context as Context,
    Converter as Converter,
    Format as Format,
    Operator as Operator,
    Split as Split,
    Trainer as Trainer,
)
from edgebench.parts.cuts import Cut as Cut, Cuts as Cuts
from edgebench.parts.errors import (
    CaseFailed as CaseFailed,
    CaseSkipped as CaseSkipped,
    ChainError as ChainError,
    DataError as DataError,
    EdgebenchError as EdgebenchError,
)
from edgebench.parts.hookspecs import API as API, hookimpl as hookimpl
from edgebench.store.npz import to_npz as to_npz
from edgebench.parts.part import NoOptions as NoOptions, Usable as Usable
from edgebench.parts.pipeline import (
    Edit as Edit,
    Exit as Exit,
    Pipeline as Pipeline,
    Profile as Profile,
    Stage as Stage,
    State as State,
    Tensors as Tensors,
    TensorSpec as TensorSpec,
)
from edgebench.parts.places import (
    Backend as Backend,
    Fabric as Fabric,
    Host as Host,
    HostFacts as HostFacts,
    Importer as Importer,
    Link as Link,
    Placement as Placement,
    Quantization as Quantization,
    Reporter as Reporter,
    Running as Running,
    Session as Session,
    Tier as Tier,
)
from edgebench.parts.datasets import (
    Dataset as Dataset,
    Metric as Metric,
    Sample as Sample,
    Unreadable as Unreadable,
)
from edgebench.parts.subjects import (
    Attention as Attention,
    Budget as Budget,
    ExitPoint as ExitPoint,
    Look as Look,
    Model as Model,
    Variant as Variant,
    Weights as Weights,
)

if typing.TYPE_CHECKING:
    from edgebench.analysis.markdown import escape_markdown as escape_markdown
    from edgebench.analysis.plain_tables import Tables as Tables
    from edgebench.analysis.result import Result as Result
    from edgebench.analysis.results import RunResults as RunResults
    from edgebench.cases.case import Case as Case
    from edgebench.catalogue.registry import Registry as Registry
    from edgebench.cli.from_python import results as results, run as run
    from edgebench.records.environment import count_processors as count_processors
    from edgebench.records.imported import Imported as Imported
    from edgebench.records.outcome import Block as Block, Run as Run

_LATER = {
    "Block": "records.outcome",
    "Case": "cases.case",
    "Imported": "records.imported",
    "Registry": "catalogue.registry",
    "Result": "analysis.result",
    "Run": "records.outcome",
    "RunResults": "analysis.results",
    "Tables": "analysis.plain_tables",
    "count_processors": "records.environment",
    "escape_markdown": "analysis.markdown",
    "results": "cli.from_python",
    "run": "cli.from_python",
}
"""By its name, the module of what is imported only when it is asked for: plugins name these in
types, if at all, and neither `--help` nor `list` need wait for them."""

_RENAMED: dict[str, tuple[str, str]] = {}
"""By the name that something had, its new one, and the release in which the old one goes: for one
release before that it is still there, and warns."""

if not typing.TYPE_CHECKING:  # A checker that saw these would take any name for one of ours.
    _MODULES = {name for name, value in globals().items() if hasattr(value, "__spec__")}
    __all__ = sorted({name for name in globals() if name[0] != "_"} - _MODULES | _LATER.keys())  # noqa: PLE0605

    def __getattr__(name: str) -> object:
        if name in _RENAMED:
            import warnings

            new, until = _RENAMED[name]
            said = f"edgebench.{name} is called edgebench.{new} now, and goes with release {until}"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            return getattr(importlib.import_module(__name__), new)
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_LATER})
