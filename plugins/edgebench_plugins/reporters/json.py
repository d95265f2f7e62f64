"""Results as the one JSON document that `run --json` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgebench import Reporter, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench import RunResults


def render(results: RunResults) -> str:
    """Return the document of a run; a number that JSON does not have is a bug, not `NaN`."""
    return json.dumps(results.to_json(), indent=2, allow_nan=False, ensure_ascii=False)


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the JSON reporter."""
    yield Reporter(
        name="json",
        summary="One JSON document, for other programs.",
        render=render,
        shows=("operators", "questions"),
    )
