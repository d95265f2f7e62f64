"""Contracts and fakes for the tests of plugins: what a part promises, checked the same for all.

What is imported from here is public; the rest may change.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from edgebench.testing.contracts.backend import BackendContract as BackendContract
    from edgebench.testing.contracts.contract import (
        Contract as Contract,
    )
    from edgebench.testing.contracts.contract import (
        Doubt as Doubt,
    )
    from edgebench.testing.contracts.contract import (
        NotChecked as NotChecked,
    )
    from edgebench.testing.contracts.converter import ConverterContract as ConverterContract
    from edgebench.testing.contracts.dataset import DatasetContract as DatasetContract
    from edgebench.testing.contracts.fabric import FabricContract as FabricContract
    from edgebench.testing.contracts.format import FormatContract as FormatContract
    from edgebench.testing.contracts.importer import ImporterContract as ImporterContract
    from edgebench.testing.contracts.model import ModelContract as ModelContract
    from edgebench.testing.contracts.operator import OperatorContract as OperatorContract
    from edgebench.testing.contracts.reporter import ReporterContract as ReporterContract
    from edgebench.testing.contracts.tier import TierContract as TierContract
    from edgebench.testing.contracts.trainer import TrainerContract as TrainerContract
    from edgebench.testing.fakes import FakeContext as FakeContext
    from edgebench.testing.fakes import fake as fake

_MODULES = {
    **{
        f"{word.title()}Contract": f"contracts.{word}"
        for word in (
            "backend",
            "converter",
            "dataset",
            "fabric",
            "format",
            "importer",
            "model",
            "operator",
            "reporter",
            "tier",
            "trainer",
        )
    },
    **dict.fromkeys(("Contract", "Doubt", "NotChecked"), "contracts.contract"),
    **dict.fromkeys(("FakeContext", "fake"), "fakes"),
}
"""By its name, the module of what is imported only when it is asked for."""

if not typing.TYPE_CHECKING:  # A checker that saw these would take any name for one of ours.
    __all__ = sorted(_MODULES)  # noqa: PLE0605

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *_MODULES})
