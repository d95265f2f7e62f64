"""What a block is made of, and who stands where on its route."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from edgebench.cases.case import Case
from edgebench.measure.station.orders import DRIVER, DriverOrder, HostOrder, Work
from edgebench.measure.transport.pace import Pacing
from edgebench.parts.pipeline import Pipeline, as_tuple
from edgebench.parts.places import Host, Link, Tier

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
    """So many samples of the split are scored; None for all."""
    order: int = 0
    number: int = 0
    seed: int = 0
    compiled: Path | None = None
    """Where stages that were compiled on a host are kept."""

    def __attrs_post_init__(self) -> None:
        """Refuse a placement that does not fit the pipeline, and a route that does not fit it."""
        pieces, tiers = len(self.pipeline.pieces), self.case.placement.tiers
        if pieces != len(tiers):
            raise ValueError(f"{self.case.placement} needs {len(tiers)} pieces, not {pieces}")
        if [tier.name for tier in self.tiers] != list(self.case.route):
            raise ValueError(f"the tiers must be those of the route {self.case.route}")
        if len(self.case.links) != len(self.tiers) - 1:
            raise ValueError(f"a route of {len(self.tiers)} tiers needs as many links less one")


@attrs.frozen
class Node:
    """A host of the route."""

    tier: str
    piece: int | None
    """What it runs; None where it only relays."""
    place: int
    """Where on the route it stands, from 0."""

    @property
    def name(self) -> str:
        """What it is called, towards people too."""
        return f"host {self.tier}"


@attrs.frozen
class Stand:
    """Who stands where: the driver on the first tier, and hosts from there on."""

    deployment: Deployment
    hosts: Mapping[str, Host]
    shaped: bool = True
    """Whether links and slow-downs are to be felt."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The hosts in order; the first tier has one only if it computes."""
        case = self.deployment.case
        pieces = {tier: number for number, tier in enumerate(case.placement.tiers)}
        nodes = (Node(tier, pieces.get(tier), at) for at, tier in enumerate(case.route))
        return tuple(node for node in nodes if node.place or node.piece is not None)

    def sender(self, link: int) -> str:
        """Return the name of who stands at the sending end of a link of the route."""
        senders = {node.place: node.name for node in self.nodes}
        return senders.get(link, DRIVER)

    def driver(self, controller: str) -> DriverOrder:
        """Return the order of the driver."""
        deployment, case = self.deployment, self.deployment.case
        first = self.nodes[0]
        local = first.place == 0
        return DriverOrder(
            name=DRIVER,
            tier=case.route[0],
            controller=controller,
            parent=os.getpid(),
            backward_phase=("local-hop", 0) if local else ("downlink", 0),
            backward_pacing=None if local else self._pacing(0, case.route[0]),
            split=self.hosts[case.route[0]].put(deployment.split),
            requests=deployment.requests,
            batch=case.batch,
            seed=deployment.seed,
            number=deployment.number,
            bound_s=deployment.bound_s,
            source=deployment.source.to_json(),
            case=case.to_json(),
            artifact=self.hosts[case.route[0]].put(deployment.artifact),
            scored=deployment.scored,
        )

    def orders(self, controller: str) -> Iterator[tuple[Node, HostOrder]]:
        """Yield the order of each host, from the driver's side on."""
        started = False
        for node in self.nodes:
            yield node, self._order(node, controller, started)
            started = started or node.piece is not None

    def _order(self, node: Node, controller: str, started: bool) -> HostOrder:
        """Return the order of one host; *started* says whether a piece comes before it."""
        last = node == self.nodes[-1]
        return HostOrder(
            name=node.name,
            tier=node.tier,
            controller=controller,
            parent=os.getpid(),
            forward_phase=self._forward_phase(node, started),
            forward_pacing=self._pacing(node.place - 1, node.tier) if node.place else None,
            backward_pacing=None if last else self._pacing(node.place, node.tier),
            last=last,
            work=None if node.piece is None else self._work(node.tier, node.piece),
        )

    def _forward_phase(self, node: Node, started: bool) -> tuple[str, int]:
        """Return what the way to a host is called: the input's, or the tensors' hop by hop."""
        if node.place == 0:
            return "local-hop", 0
        if not started:
            return "uplink", 0
        return "transfer", node.place - 1 - self._first_piece()

    def _first_piece(self) -> int:
        return next(node.place for node in self.nodes if node.piece is not None)

    def _pacing(self, link: int, receiver: str) -> Pacing | None:
        """Return how the receiver paces a link of the route, if it must."""
        paced = self.shaped and self.hosts[receiver].paced
        return Pacing.of(self.deployment.case.links[link]) if paced else None

    def _work(self, tier: str, piece: int) -> Work:
        deployment, case, host = self.deployment, self.deployment.case, self.hosts[tier]
        return Work(
            source=deployment.source.to_json(),
            artifact=host.put(deployment.artifact),
            compiled=host.put(deployment.compiled) if deployment.compiled else None,
            piece=piece,
            model=case.model,
            variant=case.variant,
            backend=case.backends[piece],
            threads=self.threads(tier),
            slowdown=host.slowdown if self.shaped else 1.0,
        )

    def threads(self, tier: str) -> int:
        """Return how many threads the stages of a tier use."""
        return self.deployment.case.threads or self.hosts[tier].threads

    def link(self, number: int) -> Link:
        """Return a link of the route."""
        return self.deployment.case.links[number]
