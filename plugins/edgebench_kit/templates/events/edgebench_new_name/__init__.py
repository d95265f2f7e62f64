"""The listener `new-name`: it notes each case of a run as it is done.

The file is named by the environment variable EDGEBENCH_NOTES; without it nothing is noted.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import edgebench as eb

if TYPE_CHECKING:
    from edgebench import Case, Result

EDGEBENCH_API = (2, 0)

FILE = "EDGEBENCH_NOTES"


@eb.hookimpl
def edgebench_case_started(case: Case) -> None:
    """Be told that a case is about to be prepared and measured."""
    note({"case": case.id, "label": case.label, "status": "started"})


# edgebench_block_finished(case, block) is called after each block, between two of them.


@eb.hookimpl
def edgebench_case_finished(case: Case, result: Result) -> None:
    """Be told of the result of a case, whatever became of it. `result.to_json()` has all of it."""
    note({"case": case.id, "label": case.label, "status": result.status, "s": result.median})


def note(line: dict[str, object]) -> None:
    """Add a line to the file. What is raised here fails the case, and the suite goes on."""
    if named := os.environ.get(FILE):
        with Path(named).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
