"""The stages of a network with early exits: what runs before each, and what is left at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from edgebench import ChainError, Edit, Exit, Pipeline, Stage, TensorSpec
from edgebench.metrics.differences import find_excess
from edgebench_kit.torch.exit_heads import leave_with, list_answers
from edgebench_kit.torch.exit_search import Exits, Found
from edgebench_kit.torch.fitted_heads import describe_fit
from edgebench_kit.torch.modules import count_parameters, evaluating
from edgebench_kit.torch.reshaping import reshape_module
from edgebench_kit.torch.segments import Plan, find_needed, make_part, plan_part
from edgebench_kit.torch.tracing import Form

if TYPE_CHECKING:
    from torch import nn

TOLERANCE = 1e-5
"""How far the parts may be from the whole, relative to its largest output where that exceeds 1."""


def make_stages(
    pipeline: Pipeline, exits: Exits, learned: Any, found: Found, operator: str
) -> Pipeline:
    """Divide a network at its exits: a stage up to each, with its head, and one for the rest.

    Raises:
        ChainError: The stages compute something else than the network, as something passes by an
            exit point that is not written there.
    """
    places = range(len(found.numbers) + 1)
    stages = [_make_stage(exits, learned, found, place, operator) for place in places]
    _compare(exits, learned, found, stages)
    return pipeline.replaced(stages)


def _make_stage(exits: Exits, learned: Any, found: Found, place: int, operator: str) -> Stage:
    """Make one stage: from the exit before it, if any, to the exit of its own or the end."""
    start = found.paths[place - 1] if place else ""
    stop = found.paths[place] if place < len(found.paths) else ""
    plan = _plan(exits, start, stop)
    arguments = {
        "mode": "dynamic",
        "plan": attrs.asdict(plan),
        "exit": stop,
        "axis": exits.axis,
    }
    head = None
    if stop:
        number = found.numbers[place]
        head = learned.heads[number]
        arguments["head"] = describe_fit(exits.points[number], head)
    live = _assemble(exits.stage.live, plan, head, exits.axis)
    edit = Edit(operator=operator, arguments=json.dumps(arguments))
    return exits.stage.changed(
        live.requires_grad_(True).eval(),
        edits=(*exits.stage.edits, edit),
        parameters=count_parameters(live),
        operations=None,
        **_name_tensors(exits, plan, place, found.tuned.threshold),
    )


def _plan(exits: Exits, start: str, stop: str) -> Plan:
    """Plan a part, with what stands in for the inputs that it does not need."""
    stops = [stop] if stop else []
    plan = plan_part(exits.spans, start, stops, exits.given)
    if not start:
        return plan
    needed = find_needed(exits.stage.live, exits.spans, plan, exits.examples)
    stand_ins = tuple(
        None if needs else _describe(one) for needs, one in zip(needed, exits.examples, strict=True)
    )
    return attrs.evolve(plan, stand_ins=stand_ins)


def _describe(tensor: Any) -> Form:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return {"dtype": dtype, "sizes": list(tensor.shape[1:]), "rows": 1}


def _assemble(network: nn.Module, plan: Plan, head: nn.Module | None, axis: int) -> nn.Module:
    part = make_part(network, plan)
    return part if head is None else leave_with(part, head, axis, plan.count)


def remake_stage(
    network: nn.Module,
    arguments: Mapping[str, Any],
    heads: Mapping[str, Callable[[], nn.Module] | None],
) -> nn.Module:
    """Make a stage again from its whole network, what was noted of it, and untrained heads."""
    make = heads[arguments["exit"]] if arguments["exit"] else None
    head = reshape_module(make(), arguments["head"]) if make else None
    return _assemble(network, Plan(**arguments["plan"]), head, arguments["axis"])


def _name_tensors(exits: Exits, plan: Plan, place: int, threshold: float) -> dict[str, Any]:
    """Name what a stage reads and writes, and say when a sample leaves after it."""
    given = [
        spec for spec, form in zip(exits.stage.inputs, plan.stand_ins, strict=True) if form is None
    ]
    inputs = [*([_spec_hidden(exits, plan.start, place - 1)] if plan.start else []), *given]
    if not plan.stops:
        return {"inputs": inputs, "exit": None}
    answers = [
        attrs.evolve(spec, name=f"{spec.name}_exit{place}", port="") for spec in exits.stage.outputs
    ]
    sure = TensorSpec(name=f"confidence_exit{place}", dtype="float32", shape=("batch",))
    leaves = Exit(condition=sure.name, answer=[spec.name for spec in answers], threshold=threshold)
    hidden = _spec_hidden(exits, plan.stops[0], place)
    return {"inputs": inputs, "outputs": [*answers, sure, hidden], "exit": leaves}


def _spec_hidden(exits: Exits, path: str, place: int) -> TensorSpec:
    """Describe what passes on from an exit."""
    hidden = exits.spans[path].written
    dtype = str(hidden.dtype).removeprefix("torch.")
    return TensorSpec(name=f"hidden_exit{place}", dtype=dtype, shape=("batch", *hidden.shape[1:]))


def _compare(exits: Exits, learned: Any, found: Found, stages: Sequence[Stage]) -> None:
    """Run the stages one after the other, and hold what they give against the network's.

    Raises:
        ChainError: They differ.
    """
    import torch

    names = [spec.name for spec in exits.stage.inputs]
    tensors = dict(zip(names, exits.examples, strict=True))
    with torch.no_grad(), evaluating(exits.stage.live):
        for stage in stages:
            try:
                written = list_answers(stage.live(*(tensors[one.name] for one in stage.inputs)))
            except (RuntimeError, AttributeError, TypeError) as error:
                raise _refuse(found, str(error).strip().partition("\n")[0]) from error
            tensors.update(zip([one.name for one in stage.outputs], written, strict=True))
        whole = list_answers(exits.stage.live(*exits.examples))
    for spec, right in zip(exits.stage.outputs, whole, strict=True):
        wanted, got = (one.double().numpy() for one in (right, tensors[spec.name]))
        if excess := find_excess(wanted, got, TOLERANCE):
            raise _refuse(found, f"{spec.name!r} {excess}")


def _refuse(found: Found, why: str) -> ChainError:
    return ChainError(
        f"the model cannot be divided at {', '.join(found.paths)}: something else than what is "
        f"written there passes by ({why})"
    )
