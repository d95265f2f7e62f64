"""Which exits of a network are worth having: heads trained beside it, and tried on real answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import (
    Budget,
    CaseFailed,
    ChainError,
    Context,
    ExitPoint,
    Model,
    Pipeline,
    Stage,
    Tensors,
)
from edgebench_kit.torch.exit_checks import check_point, check_stage, find_axis
from edgebench_kit.torch.exit_heads import list_answers, measure_confidence, train_beside
from edgebench_kit.torch.exit_thresholds import Answered, Tuned, tune_threshold
from edgebench_kit.torch.fitted_heads import make_head
from edgebench_kit.torch.modules import evaluating
from edgebench_kit.torch.segments import make_part, plan_part
from edgebench_kit.torch.tracing import Span, count_operations, trace_modules

if TYPE_CHECKING:
    from torch import nn

EXAMPLES = 4
"""How many samples a network is looked at with."""
TUNED_ON = ("validation", "calibration")
"""What thresholds are tuned on: none of it is trained on, and two splits show more than one."""
AT_ONCE = 32
"""How many samples are answered at once where exits are tried."""


@attrs.frozen(kw_only=True, eq=False)
class Exits:
    """The exit points of a stage's network, in the order in which they are reached."""

    stage: Stage
    points: tuple[ExitPoint, ...]
    spans: Mapping[str, Span]
    """When each of its modules ran on the examples."""
    examples: tuple[Any, ...]
    """A batch of real inputs, as tensors in the stage's order."""
    axis: int
    """The axis of the classes in the first output."""
    resources: Mapping[str, bytes]
    """What handling a request needs beside the network."""
    operations: Mapping[str, int]
    """How many are done until a module has run, for the examples; the whole network's under ""."""
    asked: frozenset[str]
    """The paths of those that are to be had; heads of the others are trained beside theirs."""

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        points: Sequence[ExitPoint],
        context: Context,
        beside: Sequence[ExitPoint] = (),
    ) -> Exits:
        """Look at a network with real inputs.

        What heads learn depends on which are trained together. So those of exit points that lie
        *beside* are too, as far as they can be left at: a point that was chosen of all and is then
        named gives the same exit.

        Raises:
            ChainError: It cannot be left early at one of the points: the message says why.
            CaseFailed: There is no input to look at.
        """
        stage = pipeline.stages[0]
        check_stage(pipeline, stage, context)
        inputs = [one for one, _ in islice(context.inputs("validation"), EXAMPLES)]
        if not inputs:
            raise CaseFailed("the validation split is empty: nothing to tune an exit on")
        examples = _stack(stage, inputs)
        paths = {point.path for point in (*points, *beside)}
        spans = trace_modules(stage.live, examples, keep=paths)
        for point in points:
            check_point(point.path, spans.get(point.path), len(examples[0]))
        found = cls(
            stage=stage,
            points=_sort(points, spans),
            spans=spans,
            examples=examples,
            axis=find_axis(pipeline),
            resources=pipeline.resources,
            operations=count_operations(stage.live, examples),
            asked=frozenset(point.path for point in points),
        )
        able = [point for point in beside if point.path not in found.asked and found._fits(point)]
        return attrs.evolve(found, points=_sort([*points, *able], spans))

    def train(self, context: Context, budget: Budget) -> nn.Module:
        """Train the heads of all exits together, each on the model's own loss."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed % 2**63)
            heads = self._make_heads()
        paths = [point.path for point in self.points]
        part = make_part(self.stage.live, plan_part(self.spans, "", paths, self.given))
        learning = train_beside(part, heads)
        names = [spec.name for spec in self.stage.outputs]
        outputs = [
            attrs.evolve(spec, name=f"{spec.name}_{number}")
            for number in range(len(heads))
            for spec in self.stage.outputs
        ]
        stage = self.stage.changed(learning, outputs=outputs)
        loss = _sum_losses(context.model(self.stage), names, len(heads))
        return context.fit(stage, budget=budget, loss=loss).live.eval()

    def _make_heads(self) -> list[nn.Module]:
        """Make the heads, as wide as what they read where the network is no longer as built."""
        return [self._make_head(point) for point in self.points]

    @cached_property
    def _wanted(self) -> list[tuple[int, ...]]:
        """The shapes of what the whole network answers, which a head is to give."""
        import torch

        with evaluating(self.stage.live), torch.no_grad():
            return [tuple(one.shape) for one in list_answers(self.stage.live(*self.examples))]

    def _make_head(self, point: ExitPoint) -> nn.Module:
        written = self.spans[point.path].written
        return make_head(point, written, self._wanted, fit=bool(self.stage.edits))

    def _fits(self, point: ExitPoint) -> bool:
        """Say whether a network can be left at a point that is not asked for."""
        import torch

        try:
            check_point(point.path, self.spans.get(point.path), len(self.examples[0]))
            with torch.random.fork_rng(devices=[]):
                self._make_head(point)
        except ChainError:
            return False
        return True

    @property
    def given(self) -> tuple[None, ...]:
        """What a part that begins with the network is given: all of its inputs."""
        return (None,) * len(self.stage.inputs)


@attrs.frozen(kw_only=True)
class Found:
    """The exits that are made, and their threshold."""

    numbers: tuple[int, ...]
    """Which of the exit points looked at."""
    paths: tuple[str, ...]
    tuned: Tuned


def find_exits(exits: Exits, learned: Any, context: Context, *, choose: bool) -> Found:
    """Tune the threshold of the exits asked for, or choose that with which least is computed.

    Of those with which equally much is, the first is taken.
    """
    answered = _answer(exits, learned, context)
    everything = tuple(range(len(exits.points)))
    asked = tuple(number for number in everything if exits.points[number].path in exits.asked)
    groups = [(number,) for number in everything] if choose else [asked]
    tried = [
        (numbers, tune_threshold(answered.pick(numbers), context.options.max_drop))
        for numbers in groups
    ]
    costs = _count_heads(exits, learned)
    numbers, tuned = min(tried, key=lambda one: _expect_operations(exits, costs, *one))
    paths = tuple(exits.points[number].path for number in numbers)
    return Found(numbers=numbers, paths=paths, tuned=tuned)


def _expect_operations(
    exits: Exits, heads: Sequence[int], numbers: Sequence[int], tuned: Tuned
) -> float:
    """Return the operations for a sample that may leave, on average."""
    spent, expected = 0, 0.0
    for number, share in zip(numbers, tuned.shares, strict=True):
        spent += heads[number]
        expected += share * (exits.operations[exits.points[number].path] + spent)
    return expected + (1 - sum(tuned.shares)) * (exits.operations[""] + spent)


def _answer(exits: Exits, learned: Any, context: Context) -> Answered:
    """Let all exits and the whole network answer what their threshold is tuned on."""
    import numpy as np

    model = context.model(exits.stage)
    metric = context.metrics[0]
    bound = model.bound(exits.stage.variant, exits.resources)
    sure: list[list[float]] = [[] for _ in exits.points]
    counts: list[list[Any]] = [[] for _ in (*exits.points, "whole")]

    def count(answers: Sequence[Any], place: int, wanted: Any) -> Any:
        outputs = {
            spec.name: one[place : place + 1].numpy()
            for spec, one in zip(exits.stage.outputs, answers, strict=True)
        }
        return metric.count(bound.postprocess(outputs, exits.stage.variant), wanted)

    splits = [context.inputs(name) for name in TUNED_ON]
    total = sum(map(len, splits))
    for answers, wanted in _run_batches(exits, learned, chain.from_iterable(splits)):
        for number, each in enumerate(answers[:-1]):
            sure[number] += measure_confidence(each[0], exits.axis).tolist()
        for number, each in enumerate(answers):
            counts[number] += [count(each, place, one) for place, one in enumerate(wanted)]
        context.progress(len(counts[-1]), total, "trying the exits")
    every = np.asarray(counts, dtype=float)
    return Answered(sure=np.asarray(sure), counts=every[:-1], whole=every[-1], value=metric.value)


def _run_batches(
    exits: Exits, learned: Any, split: Any
) -> Iterator[tuple[list[tuple[Any, ...]], list[Any]]]:
    """Yield what each exit and the network answer, the network's last, and what is right."""
    import torch

    network, each = exits.stage.live, len(exits.stage.outputs)
    with evaluating(network), torch.no_grad():
        for batch in _batch(split):
            inputs = _stack(exits.stage, [one for one, _ in batch])
            early = learned(*inputs)
            answers = [early[at : at + each] for at in range(0, len(early), each)]
            yield [*answers, list_answers(network(*inputs))], [wanted for _, wanted in batch]


def _batch(split: Any) -> Iterator[list[tuple[Tensors, Any]]]:
    samples = iter(split)
    while batch := list(islice(samples, AT_ONCE)):
        yield batch


def _sort(points: Sequence[ExitPoint], spans: Mapping[str, Span]) -> tuple[ExitPoint, ...]:
    """Return exit points in the order in which they are reached."""
    return tuple(sorted(points, key=lambda point: spans[point.path].ended))


def _stack(stage: Stage, samples: Sequence[Tensors]) -> tuple[Any, ...]:
    """Make one batch of samples, each a batch of one, as tensors in a stage's order."""
    import numpy as np
    import torch

    return tuple(
        torch.from_numpy(np.concatenate([one[spec.name] for one in samples]))
        for spec in stage.inputs
    )


def _count_heads(exits: Exits, learned: Any) -> list[int]:
    return [
        count_operations(head, [exits.spans[point.path].written])[""]
        for point, head in zip(exits.points, learned.heads, strict=True)
    ]


def _sum_losses(model: Model, names: Sequence[str], exits: int) -> Callable[[Any, Any], Any]:
    """Return the loss of all exits together: the model's own on each one's answer, summed."""

    def loss(outputs: Mapping[str, Any], answers: Any) -> Any:
        each = [
            model.loss({name: outputs[f"{name}_{number}"] for name in names}, answers)  # type: ignore[misc]
            for number in range(exits)
        ]
        return sum(each[1:], each[0])

    return loss
