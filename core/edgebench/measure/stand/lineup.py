"""Who stands where on the route of a deployment, and the order that each of them gets.

A route is a line of tiers: link n leads forward from tier n to tier n + 1. The driver sends from
the first tier. A host stands on every tier; one whose tier has a piece computes, the others relay.
Only the first tier may have no host: if it computes nothing, the driver sends over the first link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.station.orders import (
    DRIVER,
    DriverOrder,
    HostOrder,
    ProfilerOrder,
    ScorerOrder,
    Work,
)
from edgebench.parts.documents import to_document
from edgebench.parts.places import Host, Link


@attrs.frozen
class Node:
    """A host of the route."""

    tier: str
    piece: int | None
    """The number of the piece that it computes; None where it only relays."""
    place: int
    """Where on the route it stands, from 0; link `place - 1` ends here, link `place` begins."""

    @property
    def name(self) -> str:
        """The name that it has, towards people too."""
        return f"host {self.tier}"


@attrs.frozen
class Lineup:
    """The driver and the hosts of a deployment, in order."""

    deployment: Deployment
    hosts: Mapping[str, Host]
    shaped: bool = True
    """Whether links and slow-downs are to be felt."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The hosts from the driver on; the first tier has one only if it computes."""
        case = self.deployment.case
        pieces = {tier: number for number, tier in enumerate(case.placement.tiers)}
        nodes = (Node(tier, pieces.get(tier), at) for at, tier in enumerate(case.route))
        return tuple(node for node in nodes if node.place or node.piece is not None)

    def sender(self, link: int) -> str:
        """Return the name of the process at the sending end of a link of the route."""
        # Link 0 has the driver at its beginning where the first tier computes nothing.
        senders = {node.place: node.name for node in self.nodes}
        return senders.get(link, DRIVER)

    def driver_order(self, controller: str) -> DriverOrder:
        """Return the order of the driver, for a controller that listens at an endpoint."""
        return DriverOrder(
            **self._describe_sender(controller),
            requests=self.deployment.requests,
            seed=self.deployment.seed,
            number=self.deployment.number,
            bound_s=self.deployment.bound_s,
        )

    def scorer_order(self, controller: str) -> ScorerOrder:
        """Return the order of the scorer, which stands in the driver's place and has its name."""
        deployment = self.deployment
        return ScorerOrder(
            **self._describe_sender(controller),
            source=deployment.source.to_json(),
            case=to_document(deployment.case),
            artifact=self.hosts[deployment.case.route[0]].put(deployment.artifact),
            scored=deployment.scored,
            limit=deployment.score_limit,
            # A whole split is sent however long that takes.
            bound_s=deployment.bound_s if deployment.scored else 0.0,
        )

    def host_orders(self, controller: str) -> Iterator[tuple[Node, HostOrder]]:
        """Yield each host with its order, from the driver on."""
        for node in self.nodes:
            last = node == self.nodes[-1]
            yield (
                node,
                HostOrder(
                    **self._describe_process(node.name, node.tier, controller),
                    forward_phase=self._forward_phase(node),
                    # Each direction of a link is paced by its receiver: forward by the host at its
                    # end, backward by whoever stands at its beginning.
                    forward_link=self._paced_link(node.place - 1, node.tier)
                    if node.place
                    else None,
                    backward_link=None if last else self._paced_link(node.place, node.tier),
                    last=last,
                    work=None if node.piece is None else self._work(node.tier, node.piece),
                ),
            )

    def profiler_orders(self, controller: str) -> Iterator[ProfilerOrder]:
        """Yield for each host that computes the order to profile what it runs."""
        for node in self.nodes:
            if node.piece is not None:
                yield ProfilerOrder(
                    **self._describe_process(node.name, node.tier, controller),
                    split=self.hosts[node.tier].put(self.deployment.split),
                    work=self._work(node.tier, node.piece),
                )

    def _describe_sender(self, controller: str) -> dict[str, Any]:
        """Return what the driver and the scorer are told alike."""
        first = self.deployment.case.route[0]
        # Where a host computes on the driver's own tier, nothing travels between the two.
        local = self.nodes[0].place == 0
        return {
            **self._describe_process(DRIVER, first, controller),
            "backward_phase": ("local-hop", 0) if local else ("downlink", 0),
            "backward_link": None if local else self._paced_link(0, first),
            "split": self.hosts[first].put(self.deployment.split),
            "batch": self.deployment.case.batch,
        }

    def _describe_process(self, name: str, tier: str, controller: str) -> dict[str, Any]:
        """Return what every order says, whoever gets it."""
        return {"name": name, "tier": tier, "controller": controller, "parent": os.getpid()}

    def _forward_phase(self, node: Node) -> tuple[str, int]:
        """Return the phase, and its index, of the way that leads forward to a host.

        Up to the first piece the input travels: that is the uplink, however many links it takes.
        From there on tensors do, and each link is a transfer of its own, numbered from the first
        piece on: a relay that passes tensors on is counted, one that passes the input on is not.
        """
        if node.place == 0:
            return "local-hop", 0
        first = next(other.place for other in self.nodes if other.piece is not None)
        if node.place <= first:
            return "uplink", 0
        return "transfer", node.place - 1 - first

    def _paced_link(self, number: int, receiver: str) -> Link | None:
        """Return a link of the route if its receiver paces it; None if it is real or unfelt."""
        paced = self.shaped and self.hosts[receiver].paced
        return self.deployment.case.links[number] if paced else None

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
            code=deployment.compilers.get(case.backends[piece].name, ""),
            chain=case.chain,
            slowdown=host.slowdown if self.shaped else 1.0,
        )

    def threads(self, tier: str) -> int:
        """Return how many threads the stages of a tier use."""
        return self.deployment.case.threads or self.hosts[tier].threads
