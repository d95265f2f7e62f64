"""What one block is made of: a prepared case, and how it is to be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.cases.case import Case
from edgebench.parts.pipeline import Pipeline, as_tuple
from edgebench.parts.places import Tier

if TYPE_CHECKING:
    from edgebench.catalogue.plugins import PluginSource


@attrs.frozen(kw_only=True)
class Deployment:
    """A prepared case, and how one block of it is to be measured."""

    case: Case
    artifact: Path
    """The prepared pipeline, as a directory."""
    pipeline: Pipeline
    split: Path
    """The test split, materialised: a directory below that of its dataset."""
    tiers: tuple[Tier, ...] = attrs.field(converter=as_tuple)
    """Of the route, in order."""
    source: PluginSource
    """Where hosts find the same plugins."""
    scratch: Path
    """A directory for orders and logs while the block lasts."""
    deadline_s: float
    """How long the block may take in all."""
    requests: int = 1
    bound_s: float = 0.0
    """No request of the block is begun later, once there are enough; 0 for no bound."""
    scored: int | None = None
    """So many samples of the split are scored, for their outputs alone; None for all, counted."""
    score_limit: int | None = None
    """So many samples of the split are scored, drawn at random; None for all."""
    order: int = 0
    number: int = 0
    resumption: int = 0
    seed: int = 0
    code: Mapping[str, Sequence[str]] = {}
    """By tier, whose code its host runs, in words: named where it ends without saying why."""
    compiled: Path | None = None
    """Where stages that were compiled on a host are kept."""
    compilers: Mapping[str, str] = {}
    """By backend that compiles, a digest of its code: what other code has compiled is not used."""

    def __attrs_post_init__(self) -> None:
        """Refuse a placement that does not fit the pipeline, and a route that does not fit it."""
        # Pieces, tiers and links belong together by their places alone, so one too many would not
        # fail later: it would measure another case under this one's name.
        pieces, tiers = len(self.pipeline.pieces), self.case.placement.tiers
        if pieces != len(tiers):
            raise ValueError(f"{self.case.placement} needs {len(tiers)} pieces, not {pieces}")
        if [tier.name for tier in self.tiers] != list(self.case.route):
            raise ValueError(f"the tiers must be those of the route {self.case.route}")
        if len(self.case.links) != len(self.tiers) - 1:
            raise ValueError(f"a route of {len(self.tiers)} tiers needs as many links less one")
