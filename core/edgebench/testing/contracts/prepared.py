"""A stage in a format, that what changes stages is tried on."""

from __future__ import annotations

from pathlib import Path

from edgebench.cases.case import Case
from edgebench.parts.errors import EdgebenchError
from edgebench.testing.contracts.contract import Contract, NotChecked
from edgebench.testing.contracts.subjects import prepare_format


class FormatTrial(Contract):
    """What the promises of a part stand on that takes stages of one format."""

    def prepare_in(self, form: str) -> tuple[Case, Path]:
        """Return where a small model lies in a format, and its case, prepared the first time.

        Raises:
            NotChecked: There is none, or none can be prepared.
        """
        if "prepared" not in self.tried:
            try:
                self.tried["prepared"] = prepare_format(self.bench, form, self.model)
            except EdgebenchError as error:
                raise NotChecked(str(error)) from error
        prepared: tuple[Case, Path] = self.tried["prepared"]
        return prepared
