"""Results as one page of HTML that needs no network: the answer, charts, and what they rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebench import Reporter, hookimpl
from edgebench_kit.html.page import make_page

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def edgebench_reporters() -> Iterator[Reporter]:
    """Offer the HTML reporter."""
    yield Reporter(
        name="html", summary="One page with charts, complete in itself.", render=make_page
    )
