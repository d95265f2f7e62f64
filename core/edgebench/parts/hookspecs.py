"""Every hook: when it is called, with what, what may come back, and an example.

A catalogue hook yields records and does nothing else: it is called when parts are listed or looked
up, in any process, so it must be quick and import no framework. Its argument `registry` holds the
rows of all registry files that were read. An event hook is told what a run is doing. An
implementation may leave out arguments that it does not use. Arguments may be added in later
versions, never renamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    # The hooks speak of what authors import; nothing of it is imported when this is.
    from edgebench import (
        Backend,
        Block,
        Case,
        Converter,
        Dataset,
        Fabric,
        Format,
        Importer,
        Model,
        Operator,
        Registry,
        Reporter,
        Result,
        Tier,
        Trainer,
    )

API = (2, 1)
"""The version of the plugin interface: the first number rises when something is taken away."""

hookspec = pluggy.HookspecMarker("edgebench")
hookimpl = pluggy.HookimplMarker("edgebench")
"""Marks a function of a plugin as the implementation of the hook of the same name."""


class Hooks(Protocol):
    """The hooks, each implemented by a function of the same name in a plugin's module."""

    @hookspec
    def edgebench_models(self, registry: Registry) -> Iterable[Model]:
        """Offer models.

        Called when models are listed or looked up. Yield `Model` records, or nothing. Building,
        decoding and the rest happen later, when a case is prepared or measured. `registry` holds
        the rows of all registry files, such as the `assets` that weights are downloaded from.

        ```python
        @hookimpl
        def edgebench_models():
            yield Model(name="mnasnet", summary="A small mobile network.", build=build)
        ```
        """
        ...

    @hookspec
    def edgebench_datasets(self, registry: Registry) -> Iterable[Dataset]:
        """Offer datasets.

        Called when datasets are listed or looked up. Yield `Dataset` records, or nothing. Samples
        are asked for later, by split; no two splits may share a payload, and this is checked.
        `registry` holds the rows of all registry files, for datasets that follow from them.

        ```python
        @hookimpl
        def edgebench_datasets():
            yield Dataset(name="leaves", summary="Photos of leaves.", samples=samples)
        ```
        """
        ...

    @hookspec
    def edgebench_operators(self, registry: Registry) -> Iterable[Operator]:
        """Offer operators.

        Called when operators are listed or a chain is parsed. Yield `Operator` records, or
        nothing. `apply` runs later, once for each artifact, in a process that prepares.
        `registry` holds the rows of all registry files, for operators that follow from them.

        ```python
        @hookimpl
        def edgebench_operators():
            yield Operator(name="shrink", summary="Halve every layer.", apply=shrink)
        ```
        """
        ...

    @hookspec
    def edgebench_tiers(self, registry: Registry) -> Iterable[Tier]:
        """Offer tiers.

        Called when tiers are listed or a placement is parsed. Yield `Tier` records: facts only,
        known to the plugin or from the rows in `registry.tiers`, a user's own among them.

        ```python
        @hookimpl
        def edgebench_tiers():
            yield Tier(name="watch", summary="On a wrist.", cpus=1, memory=512 * 2**20)
        ```
        """
        ...

    @hookspec
    def edgebench_backends(self, registry: Registry) -> Iterable[Backend]:
        """Offer backends.

        Called when backends are listed or looked up. Yield `Backend` records, or nothing.
        `usable` is asked later in a process of its own, and `open` is called on a host; only
        there may the runtime be imported. `registry` holds the rows of all registry files, for
        backends that follow from them.

        ```python
        @hookimpl
        def edgebench_backends():
            yield Backend(name="npu", summary="Our chip.", open=load, formats=["npu-blob"])
        ```
        """
        ...

    @hookspec
    def edgebench_fabrics(self, registry: Registry) -> Iterable[Fabric]:
        """Offer fabrics.

        Called when fabrics are listed or looked up. Yield `Fabric` records. `open` is called for
        each block and must leave nothing behind when its context ends. `registry` holds the rows
        of all registry files: a fabric that shares one machine out needs all its `tiers`.

        ```python
        @hookimpl
        def edgebench_fabrics():
            yield Fabric(name="shelf", summary="Boards on a shelf.", open=connect)
        ```
        """
        ...

    @hookspec
    def edgebench_formats(self, registry: Registry) -> Iterable[Format]:
        """Offer formats.

        Called when formats are listed or a stage is saved or loaded. Yield `Format` records.
        `registry` holds the rows of all registry files, for formats that follow from them.

        ```python
        @hookimpl
        def edgebench_formats():
            yield Format(name="npu-blob", summary="What our chip runs.", save=save, load=load)
        ```
        """
        ...

    @hookspec
    def edgebench_converters(self, registry: Registry) -> Iterable[Converter]:
        """Offer converters.

        Called when a way from one format to another is looked for. Yield `Converter` records; the
        shortest way is taken. `registry` holds the rows of all registry files, for converters that
        follow from them.

        ```python
        @hookimpl
        def edgebench_converters():
            yield Converter(name="npu", summary="Ours.", source="graph", target="npu", convert=pack)
        ```
        """
        ...

    @hookspec
    def edgebench_trainers(self, registry: Registry) -> Iterable[Trainer]:
        """Offer trainers.

        Called when a stage must be trained. Yield `Trainer` records, one for each format.
        `registry` holds the rows of all registry files, for trainers that follow from them.

        ```python
        @hookimpl
        def edgebench_trainers():
            yield Trainer(name="linear", summary="Least squares.", format="linear", fit=fit)
        ```
        """
        ...

    @hookspec
    def edgebench_reporters(self, registry: Registry) -> Iterable[Reporter]:
        """Offer reporters.

        Called when results are laid out. Yield `Reporter` records. `registry` holds the rows of
        all registry files, for reporters that follow from them.

        ```python
        @hookimpl
        def edgebench_reporters():
            yield Reporter(name="haiku", summary="Three lines.", render=render)
        ```
        """
        ...

    @hookspec
    def edgebench_importers(self, registry: Registry) -> Iterable[Importer]:
        """Offer importers.

        Called when results are imported. Yield `Importer` records. What one reads becomes ordinary
        results in the database. `registry` holds the rows of all registry files, for importers that
        follow from them.

        ```python
        @hookimpl
        def edgebench_importers():
            yield Importer(name="lab", summary="Our sheets.", claims=is_sheet, read=read_sheet)
        ```
        """
        ...

    @hookspec
    def edgebench_case_started(self, case: Case) -> None:
        """Take note that *case* is about to be prepared and measured.

        Called once for each case that is to be measured, in the process that controls the run,
        with nothing loaded yet. It is not called for cases that were skipped when the run was
        planned, nor for cases that a resumed run has measured already. An exception here fails the
        case, not the suite.

        ```python
        @hookimpl
        def edgebench_case_started(case):
            tracker.note("next", case.label)
        ```
        """
        ...

    @hookspec
    def edgebench_block_finished(self, case: Case, block: Block) -> None:
        """Take note that one *block* of *case* was measured and is in the database.

        Called in the process that controls the run, between two blocks, never while one is
        measured. An exception here fails the case; the block is kept.

        ```python
        @hookimpl
        def edgebench_block_finished(case, block):
            tracker.log(case.id, block.number)
        ```
        """
        ...

    @hookspec
    def edgebench_case_finished(self, case: Case, result: Result) -> None:
        """Take note of the *result* of *case*, whatever its status.

        Called once for each case of a run when its last block is in the database, and for each
        case that failed or was skipped, also where `edgebench_case_started` was never called for
        it. An exception here is logged as a doubt of the result.

        ```python
        @hookimpl
        def edgebench_case_finished(case, result):
            tracker.upload(result.to_json())
        ```
        """
        ...
