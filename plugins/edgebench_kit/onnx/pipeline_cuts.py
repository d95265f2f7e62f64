"""Where a pipeline of ONNX graphs may be cut: within its stages, and between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import Pipeline, TensorSpec
from edgebench_kit.onnx.crossings import MOST_TENSORS
from edgebench_kit.onnx.cut_lists import (
    MOST_COUNTED,
    MOST_LISTED,
    Cut,
    CutFinder,
    Weighed,
)
from edgebench_kit.onnx.cuts import Graph
from edgebench_kit.onnx.node_operations import OPEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rule = Callable[[Weighed, int, int], "Sequence[NDArray[Any]]"]
"""From cuts within or before a stage, its number, and the number of the piece before the cut, to
what is to be least. What several cuts of one pipeline cost is the sum."""
COMPARED = 200
"""How many cuts before each piece are put together at first, the best of each; all that are listed
where none of these lie one behind the other."""


@attrs.frozen(kw_only=True)
class Place:
    """One place where a pipeline may be cut."""

    stage: int
    """The number of the stage that it lies in, or before."""
    cut: Cut
    """What crosses and lies on each side, of the whole pipeline."""
    inside: bool
    """Whether it lies in the stage, and not before it."""
    costs: tuple[float, ...]
    """What it is ranked by."""


@attrs.frozen(kw_only=True)
class Ranked:
    """The best places of a pipeline, and how many there are."""

    places: tuple[Place, ...]
    total: int
    more: bool
    """Whether there are more than that."""


@attrs.frozen(eq=False, slots=False)
class PipelineCuts:
    """Finds where a pipeline may be cut; its stages have their graphs."""

    pipeline: Pipeline
    given: Mapping[str, int] = attrs.field(factory=dict)
    """Sizes of inputs that are open, by their names; others are taken as 64."""

    @cached_property
    def assumed(self) -> dict[str, int]:
        """The sizes of inputs that are open, by their names, and what they are taken as."""
        specs = [spec for stage in self.pipeline.stages for spec in stage.inputs]
        names = dict.fromkeys(n for spec in specs for n in spec.shape[1:] if isinstance(n, str))
        return {name: self.given.get(name, OPEN) for name in names}

    @cached_property
    def graphs(self) -> list[Graph]:
        """The graph of each stage."""
        return [Graph.of(stage.live) for stage in self.pipeline.stages]

    @cached_property
    def finders(self) -> list[CutFinder]:
        """What finds the cuts within each stage."""
        return [self._make_finder(number) for number in range(len(self.graphs))]

    @property
    def parameters(self) -> int:
        """How many trained values the pipeline has."""
        return sum(finder.parameters for finder in self.finders)

    def _make_finder(self, number: int) -> CutFinder:
        stage, passing = self.pipeline.stages[number], self._list_passing(number)
        kept = frozenset(spec.inside for spec in stage.inputs if spec.name in passing)
        most = MOST_TENSORS - len(passing) + len(kept)
        return CutFinder(graph=self.graphs[number], kept=kept, most=max(0, most), given=self.given)

    def _list_passing(self, number: int) -> set[str]:
        """Return what is there before a stage and wanted after it."""
        pipeline = self.pipeline
        return set(pipeline.crossing(number)).intersection(pipeline.crossing(number + 1))

    @cached_property
    def _specs(self) -> dict[str, TensorSpec]:
        stages = self.pipeline.stages
        specs = [*self.pipeline.inputs, *(one for stage in stages for one in stage.outputs)]
        return {spec.name: spec for spec in specs}

    def count_bytes(self, spec: TensorSpec) -> int:
        """Return the bytes of a tensor for one sample."""
        import numpy as np

        sizes = [
            size if isinstance(size, int) else self.given.get(size, OPEN) if axis else 1
            for axis, size in enumerate(spec.shape)
        ]
        return np.dtype(spec.dtype).itemsize * prod(sizes)

    def _list_beside(self, number: int) -> list[TensorSpec]:
        """Return what passes by a stage that does not read it."""
        own = {spec.name for spec in self.pipeline.stages[number].inputs}
        return [self._specs[name] for name in sorted(self._list_passing(number) - own)]

    def rank(self, rule: Rule, hop: int = 0, most: int = MOST_LISTED) -> Ranked:
        """Return the places of least cost for the cut behind a piece."""
        found, total, more = [], 0, False
        for number, finder in enumerate(self.finders):
            if finder.most:
                listed = finder.rank(partial(self._cost, rule, number, hop), most)
                total, more = total + listed.total, more or listed.more
                found += [
                    Place(stage=number, cut=self.widen(cut, number), inside=True, costs=costs)
                    for cut, costs in zip(listed.cuts, listed.costs, strict=True)
                ]
        between = list(self._rank_between(rule, hop))
        found = sorted(found + between, key=lambda one: one.costs)
        total += len(between)
        more = more or total > MOST_COUNTED
        return Ranked(places=tuple(found[:most]), total=min(total, MOST_COUNTED), more=more)

    def _cost(self, rule: Rule, number: int, hop: int, weighed: Weighed) -> Sequence[NDArray[Any]]:
        return rule(self._shift(weighed, number), number, hop)

    def _shift(self, weighed: Weighed, number: int) -> Weighed:
        """Add what lies in other stages to what cuts within one weigh."""
        return attrs.evolve(
            weighed,
            front=weighed.front + sum(self._weights[:number]),
            tail=weighed.tail + sum(self._weights[number + 1 :]),
            sent=weighed.sent + sum(map(self.count_bytes, self._list_beside(number))),
            widths=weighed.widths + len(self._list_beside(number)),
        )

    @cached_property
    def _weights(self) -> list[int]:
        return [sum(graph.constants.values()) for graph in self.graphs]

    @cached_property
    def _between(self) -> dict[int, Cut]:
        """By the stage behind it, each cut between two stages."""
        found = {}
        for number in range(1, len(self.graphs)):
            crossing = tuple(self._specs[name] for name in self.pipeline.crossing(number))
            sides = [range(number), range(number, len(self.graphs))]
            found[number] = Cut(
                names=tuple(spec.name for spec in crossing),
                crossing=crossing,
                weights=self._sum(sides, self._weights),
                parameters=self._sum(sides, [one.parameters for one in self.finders]),
                operations=self._sum(sides, [int(one.operations.sum()) for one in self.finders]),
                sent=sum(map(self.count_bytes, crossing)),
                quantized=any(graph.holds_quantized for graph in self.graphs),
                nodes=0,
            )
        return found

    def find_between(self, names: Sequence[str]) -> Place | None:
        """Return the place between two stages at which these tensors cross, if there is one."""
        for number, cut in self._between.items():
            if set(cut.names) == set(names):
                return Place(stage=number, cut=cut, inside=False, costs=())
        return None

    def _rank_between(self, rule: Rule, hop: int) -> list[Place]:
        """Return the places between stages, where there is nothing to be split."""
        import numpy as np

        places = []
        for number, cut in self._between.items():
            if len(cut.crossing) > MOST_TENSORS:
                continue
            weighed = Weighed(
                before=np.zeros((1, 0)),
                front=np.array([float(cut.weights[0])]),
                tail=np.array([float(cut.weights[1])]),
                sent=np.array([float(cut.sent)]),
                widths=np.array([len(cut.crossing)]),
            )
            keys = [column[0] for column in rule(weighed, number, hop)]
            costs = (0.0, *map(float, keys), float(cut.sent), float(len(cut.crossing)), 0.0)
            places.append(Place(stage=number, cut=cut, inside=False, costs=costs))
        return places

    @staticmethod
    def _sum(sides: Sequence[range], numbers: Sequence[int]) -> tuple[int, int]:
        front, tail = (sum(numbers[number] for number in side) for side in sides)
        return front, tail

    def widen(self, cut: Cut, number: int) -> Cut:
        """Return a cut of a stage as one of the pipeline."""
        if len(self.graphs) == 1:
            return cut
        beside = self._list_beside(number)
        ahead, behind = self.finders[:number], self.finders[number + 1 :]
        return attrs.evolve(
            cut,
            crossing=(*cut.crossing, *beside),
            sent=cut.sent + sum(map(self.count_bytes, beside)),
            weights=(
                cut.weights[0] + sum(self._weights[:number]),
                cut.weights[1] + sum(self._weights[number + 1 :]),
            ),
            parameters=(
                cut.parameters[0] + sum(one.parameters for one in ahead),
                cut.parameters[1] + sum(one.parameters for one in behind),
            ),
            operations=(
                cut.operations[0] + sum(int(one.operations.sum()) for one in ahead),
                cut.operations[1] + sum(int(one.operations.sum()) for one in behind),
            ),
        )

    def choose(self, rule: Rule, pieces: int) -> list[Place]:
        """Return the places of one cut fewer than pieces (2 or 3), that cost least together.

        There are none where the pipeline cannot be cut so often.
        """
        if pieces == 2:
            return list(self.rank(rule, most=1).places)
        for most in (COMPARED, MOST_LISTED):
            firsts, seconds = (self.rank(rule, hop, most).places for hop in range(2))
            if pair := self._find_pair(firsts, seconds):
                return pair
        return []

    def _find_pair(self, firsts: Sequence[Place], seconds: Sequence[Place]) -> list[Place]:
        """Return the two places that cost least together, of lists that begin with the best."""
        best: list[Place] = []
        ahead, behind = self._note_before(firsts), self._note_before(seconds)
        for one, here in ahead:
            # What is added to both sides leaves their order as it is, and so bounds the rest.
            if best and _sum_costs([one, seconds[0]]) >= _sum_costs(best):
                break
            able = (other for other, there in behind if _lies_before(one, other, here, there))
            if (other := next(able, None)) and (
                not best or _sum_costs([one, other]) < _sum_costs(best)
            ):
                best = [one, other]
        return best

    def _note_before(self, places: Sequence[Place]) -> list[tuple[Place, int]]:
        """Return places, each with the nodes of its stage that lie before it, as bits."""
        return [
            (one, self.finders[one.stage].find_before(one.cut.names) if one.inside else 0)
            for one in places
        ]

    def is_rising(self, places: Sequence[Place]) -> bool:
        """Say whether something lies between each place and the next."""
        noted = pairwise(self._note_before(places))
        return all(_lies_before(one, two, here, there) for (one, here), (two, there) in noted)


def _lies_before(one: Place, other: Place, before: int, behind: int) -> bool:
    """Say whether something lies between two places, the second behind the first.

    Args:
        one: The first.
        other: The second.
        before: The nodes before the first, of its stage, as bits.
        behind: The same of the second.
    """
    if one.stage != other.stage or not (one.inside and other.inside):
        return (one.stage, one.inside) < (other.stage, other.inside)
    return before != behind and not before & ~behind


def _sum_costs(places: Sequence[Place]) -> list[float]:
    return [sum(costs) for costs in zip(*(place.costs for place in places), strict=True)]
