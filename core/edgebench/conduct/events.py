"""Telling plugins what a run is doing, by their event hooks."""

from __future__ import annotations

import attrs

from edgebench.analysis.result import Result
from edgebench.cases.case import Case
from edgebench.catalogue.plugins import Plugins
from edgebench.records.outcome import Block


@attrs.frozen
class Events:
    """Calls the event hooks of plugins; each raises `PluginFault` when all were told."""

    plugins: Plugins

    def case_started(self, case: Case) -> None:
        """Tell that a case is about to be prepared."""
        self.plugins.tell("edgebench_case_started", case=case)

    def block_finished(self, case: Case, block: Block) -> None:
        """Tell that a block is in the database."""
        self.plugins.tell("edgebench_block_finished", case=case, block=block)

    def case_finished(self, case: Case, result: Result) -> None:
        """Tell what a case gave, whatever its status."""
        self.plugins.tell("edgebench_case_finished", case=case, result=result)
